/*
 * forged.h - packets that nobody sent: IPv4 built by hand and put on a link as they are, past the
 * sender's own kernel, whatever their headers say; and a look at what comes back.
 */
#ifndef INTEROP_FORGED_H
#define INTEROP_FORGED_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FORGED_MAX = 2048, FORGED_IP = 20, FORGED_TCP = 20 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

/* An IPv4 packet. Sums are wrong until forged_sums(). */
struct forged {
    size_t length;
    uint8_t bytes[FORGED_MAX];
};

/* A link on which frames are put, to one station. */
struct forged_link {
    int descriptor;
    struct sockaddr_ll to;
};

static inline uint64_t forged_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* splitmix64 */
static inline uint64_t forged_random(void)
{
    static uint64_t state = 1;
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void forged_16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void forged_32(uint8_t *at, uint32_t value)
{
    forged_16(at, value >> 16);
    forged_16(at + 2, value);
}

static inline uint32_t forged_read_16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t forged_read_32(const uint8_t *at)
{
    return forged_read_16(at) << 16 | forged_read_16(at + 2);
}

/* The complement of the RFC 1071 sum, on top of `sum`. */
static inline uint16_t forged_sum(uint64_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += (uint64_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* Fills in the length and the sums of an IPv4 header of 20 bytes and of the TCP or ICMP behind. */
static inline void forged_sums(struct forged *packet)
{
    uint8_t *ip = packet->bytes, *transport = ip + FORGED_IP;
    size_t length = packet->length - FORGED_IP;
    size_t field = ip[9] == IPPROTO_TCP ? 16 : 2;
    forged_16(ip + 2, (uint32_t)packet->length);
    forged_16(ip + 10, 0);
    forged_16(ip + 10, forged_sum(0, ip, FORGED_IP));
    if (length < field + 2)
        return;
    uint64_t pseudo = 0;
    if (ip[9] == IPPROTO_TCP)
        pseudo = IPPROTO_TCP + length + forged_read_16(ip + 12) + forged_read_16(ip + 14) +
                 forged_read_16(ip + 16) + forged_read_16(ip + 18);
    forged_16(transport + field, 0);
    forged_16(transport + field, forged_sum(pseudo, transport, length));
}

static inline struct forged forged_ip(uint32_t source, uint32_t destination, uint8_t protocol,
                                      size_t payload)
{
    struct forged packet = {.length = FORGED_IP + payload};
    packet.bytes[0] = 0x45;
    forged_16(packet.bytes + 4, (uint32_t)forged_random());
    packet.bytes[8] = 64;
    packet.bytes[9] = protocol;
    forged_32(packet.bytes + 12, source);
    forged_32(packet.bytes + 16, destination);
    return packet;
}

/* A segment with 20 bytes of header, `options` of zeros and `text` bytes of 'A'. */
static inline struct forged forged_tcp(uint32_t source, uint32_t destination, uint16_t source_port,
                                       uint16_t destination_port, uint32_t seq, uint32_t ack,
                                       uint8_t flags, size_t options, size_t text)
{
    struct forged packet = forged_ip(source, destination, IPPROTO_TCP, FORGED_TCP + options + text);
    uint8_t *tcp = packet.bytes + FORGED_IP;
    forged_16(tcp, source_port);
    forged_16(tcp + 2, destination_port);
    forged_32(tcp + 4, seq);
    forged_32(tcp + 8, ack);
    tcp[12] = (uint8_t)((FORGED_TCP + options) / 4 << 4);
    tcp[13] = flags;
    forged_16(tcp + 14, 64000);
    memset(tcp + FORGED_TCP + options, 'A', text);
    forged_sums(&packet);
    return packet;
}

static inline uint32_t forged_address(const char *text)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) {
        fprintf(stderr, "%s is not an IPv4 address\n", text);
        exit(2);
    }
    return ntohl(address.s_addr);
}

/* `station` is a MAC address, as in 02:00:00:00:00:01. */
static inline struct forged_link forged_open(const char *device, const char *station)
{
    struct forged_link link = {.descriptor = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP))};
    unsigned mac[6];
    link.to = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_IP),
                                   .sll_ifindex = (int)if_nametoindex(device),
                                   .sll_halen = 6};
    if (link.descriptor < 0 || link.to.sll_ifindex == 0 ||
        sscanf(station, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
               &mac[5]) != 6) { /* NOLINT(cert-err34-c): six fields are six fields */
        fprintf(stderr, "cannot send on %s to %s: %s\n", device, station, strerror(errno));
        exit(2);
    }
    for (int i = 0; i < 6; i++)
        link.to.sll_addr[i] = (unsigned char)mac[i];
    struct sockaddr_ll here = link.to;
    int bytes = 32 << 20;
    setsockopt(link.descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    if (bind(link.descriptor, (struct sockaddr *)&here, sizeof here) < 0) {
        perror(device);
        exit(2);
    }
    return link;
}

static inline void forged_send(const struct forged_link *link, const struct forged *packet)
{
    while (sendto(link->descriptor, packet->bytes, packet->length, 0,
                  (const struct sockaddr *)&link->to, sizeof link->to) < 0)
        if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) {
            perror("send");
            exit(2);
        }
}

/* Waits until `at`, so that packets are sent at a rate. */
static inline void forged_wait_until(uint64_t at_ns)
{
    struct timespec at = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* The next IPv4 packet that somebody else put on the link; false after `timeout_ms`. */
static inline bool forged_receive(const struct forged_link *link, struct forged *packet,
                                  int timeout_ms)
{
    uint64_t until = forged_now_ns() + (uint64_t)timeout_ms * 1000000u;
    for (;;) {
        struct sockaddr_ll from;
        socklen_t size = sizeof from;
        ssize_t length = recvfrom(link->descriptor, packet->bytes, FORGED_MAX, MSG_DONTWAIT,
                                  (struct sockaddr *)&from, &size);
        if (length >= FORGED_IP && from.sll_protocol == htons(ETH_P_IP)) {
            packet->length = (size_t)length;
            return true;
        }
        if (length >= 0)
            continue;
        uint64_t now = forged_now_ns();
        struct pollfd wait = {.fd = link->descriptor, .events = POLLIN};
        if (now >= until || poll(&wait, 1, (int)((until - now + 999999) / 1000000u)) == 0)
            return false;
    }
}

#endif
