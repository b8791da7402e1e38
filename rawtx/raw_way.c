/*
 * The raw IP socket. What Linux does to a packet given with IP_HDRINCL (raw(7)): total length
 * and header checksum are always filled in, the identification and the source only when they
 * are zero; everything else leaves as it is. It never fragments: above the device's MTU, or
 * above the path MTU that the kernel has learnt when "don't fragment" is set, it says EMSGSIZE.
 */
#include "rawtx/live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes that may wait below the socket. Enough for some milliseconds of a fast link; more would
 * only build a queue that the stack cannot see. */
#define SEND_BUFFER_BYTES (4 << 20)

/* Room for the one ancillary message of a packet: the source address to route from. */
struct packet_control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* A batch in the kernel's form; too big for a thread's stack. */
struct raw_way {
    int descriptor;
    unsigned count;
    struct mmsghdr messages[LIVE_BATCH_MAX];
    size_t indices[LIVE_BATCH_MAX]; /* of the packets they are of */
    struct sockaddr_in destinations[LIVE_BATCH_MAX];
    struct packet_control controls[LIVE_BATCH_MAX];
    struct iovec pieces[LIVE_BATCH_MAX][1 + DAYTONA_PACKET_SPANS_MAX];
    struct daytona_packet_out parts[LIVE_BATCH_MAX]; /* of packets that had to be split */
};

int raw_way_descriptor(const struct raw_way *way)
{
    return way->descriptor;
}

static struct in_addr in_addr_of(const struct daytona_address *address)
{
    return (struct in_addr){htonl(daytona_address_to_ipv4(address))};
}

static void prepare(struct raw_way *way, size_t index, const struct daytona_packet_out *packet)
{
    unsigned place = way->count++;
    struct iovec *pieces = way->pieces[place];
    pieces[0] = rawtx_piece(packet->header, packet->header_length);
    for (size_t i = 0; i < packet->span_count; i++)
        pieces[1 + i] = rawtx_piece(packet->spans[i].data, packet->spans[i].length);

    way->indices[place] = index;
    way->destinations[place] =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = in_addr_of(&packet->destination)};

    struct msghdr *message = &way->messages[place].msg_hdr;
    *message = (struct msghdr){
        .msg_name = &way->destinations[place],
        .msg_namelen = sizeof way->destinations[place],
        .msg_iov = pieces,
        .msg_iovlen = (size_t)1 + packet->span_count,
        .msg_control = way->controls[place].bytes,
        .msg_controllen = sizeof way->controls[place].bytes,
    };
    /* The route is looked up for the packet's own source, so that a host with several providers
     * and rules by source sends through the right one. */
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    *control = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)),
                                .cmsg_level = IPPROTO_IP,
                                .cmsg_type = IP_PKTINFO};
    struct in_pktinfo info = {.ipi_spec_dst = in_addr_of(&packet->source)};
    memcpy(CMSG_DATA(control), &info, sizeof info);
}

void raw_way_add(struct raw_way *way, const struct daytona_packet_out *packet, size_t index,
                 struct refusals *refusals)
{
    bool unfinished = rawtx_packet_is_unfinished(packet);
    unsigned parts = daytona_packet_parts(packet);
    for (unsigned i = 0; i < parts; i++) {
        if (way->count == LIVE_BATCH_MAX)
            raw_way_flush(way, refusals);
        struct daytona_packet_out *part = &way->parts[way->count];
        if (unfinished)
            daytona_packet_part(packet, i, part);
        prepare(way, index, unfinished ? part : packet);
    }
}

/* IP_RECVERR, which makes the kernel admit to ENOBUFS, also queues a report for each EMSGSIZE. */
static void discard_reports(int descriptor)
{
    struct msghdr report = {0};
    while (recvmsg(descriptor, &report, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
        ;
}

/* The path MTU that the kernel knows for `destination`: the raw socket itself is connected for
 * the length of the question, so that no descriptor appears on the packet path. 0: unknown. */
static uint32_t path_mtu(int descriptor, const struct sockaddr_in *destination)
{
    int mtu = 0;
    socklen_t length = sizeof mtu;
    if (connect(descriptor, (const struct sockaddr *)destination, sizeof *destination) != 0)
        return 0;
    if (getsockopt(descriptor, IPPROTO_IP, IP_MTU, &mtu, &length) != 0)
        mtu = 0;
    (void)connect(descriptor, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
    return (uint32_t)mtu;
}

static void refuse(struct raw_way *way, unsigned place, int error, struct refusals *refusals)
{
    struct daytona_rawtx_refusal refusal = {.index = way->indices[place], .error = error};
    if (error == EMSGSIZE) {
        discard_reports(way->descriptor);
        refusal.mtu = path_mtu(way->descriptor, &way->destinations[place]);
    }
    refusals_add(refusals, refusal);
}

/* What is too big for one part is so for all. */
static unsigned next_after(const struct raw_way *way, unsigned place, int error)
{
    unsigned next = place + 1;
    while (error == EMSGSIZE && next < way->count && way->indices[next] == way->indices[place])
        next++;
    return next;
}

void raw_way_flush(struct raw_way *way, struct refusals *refusals)
{
    struct daytona_rawtx_counters *counters = &refusals->sink->counters;
    for (unsigned next = 0; next < way->count;) {
        counters->calls++;
        int sent = sendmmsg(way->descriptor, &way->messages[next], way->count - next,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            int error = errno;
            refuse(way, next, error, refusals);
            next = next_after(way, next, error);
            continue;
        }
        for (unsigned i = 0; i < (unsigned)sent; i++) {
            counters->packets++;
            counters->bytes += way->messages[next + i].msg_len;
        }
        next += (unsigned)sent;
    }
    way->count = 0;
}

static int configure(int descriptor)
{
    const int on = 1, buffer = SEND_BUFFER_BYTES;
    if (setsockopt(descriptor, IPPROTO_IP, IP_HDRINCL, &on, sizeof on) != 0 ||
        setsockopt(descriptor, IPPROTO_IP, IP_RECVERR, &on, sizeof on) != 0)
        return -errno;
    /* Beyond net.core.wmem_max only with CAP_NET_ADMIN; the limit itself will do otherwise. */
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    return 0;
}

int raw_way_open(struct raw_way **out)
{
    int descriptor = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
    if (descriptor < 0)
        return -errno;
    int error = configure(descriptor);
    struct raw_way *way = error == 0 ? calloc(1, sizeof *way) : NULL;
    if (way == NULL) {
        close(descriptor);
        return error != 0 ? error : -ENOMEM;
    }
    way->descriptor = descriptor;
    *out = way;
    return 0;
}

void raw_way_close(struct raw_way *way)
{
    close(way->descriptor);
    free(way);
}
