/*
 * The raw IP socket. What Linux does to a packet given with IP_HDRINCL (raw(7)): total length
 * and header checksum are always filled in, the identification and the source only when they
 * are zero; everything else leaves as it is. It never fragments: above the device's MTU, or
 * above the path MTU that the kernel has learnt when "don't fragment" is set, it says EMSGSIZE.
 */
#include "rawtx/sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Bytes that may wait below the socket. Enough for some milliseconds of a fast link; more would
 * only build a queue that the stack cannot see. */
#define SEND_BUFFER_BYTES (4 << 20)

/* Room for the one ancillary message of a packet: the source address to route from. */
struct packet_control {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct raw_sink {
    struct daytona_rawtx base;
    /* A batch in the kernel's form; kept here because it is too big for a thread's stack. */
    struct mmsghdr messages[DAYTONA_RAWTX_BATCH_MAX];
    struct sockaddr_in destinations[DAYTONA_RAWTX_BATCH_MAX];
    struct packet_control controls[DAYTONA_RAWTX_BATCH_MAX];
    struct iovec pieces[DAYTONA_RAWTX_BATCH_MAX][1 + DAYTONA_PACKET_SPANS_MAX];
};

static struct in_addr in_addr_of(const struct daytona_address *address)
{
    return (struct in_addr){htonl(daytona_address_to_ipv4(address))};
}

static void raw_prepare(struct raw_sink *sink, size_t index,
                        const struct daytona_packet_out *packet)
{
    struct iovec *pieces = sink->pieces[index];
    pieces[0] = rawtx_piece(packet->header, packet->header_length);
    for (size_t i = 0; i < packet->span_count; i++)
        pieces[1 + i] = rawtx_piece(packet->spans[i].data, packet->spans[i].length);

    sink->destinations[index] =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = in_addr_of(&packet->destination)};

    struct msghdr *message = &sink->messages[index].msg_hdr;
    *message = (struct msghdr){
        .msg_name = &sink->destinations[index],
        .msg_namelen = sizeof sink->destinations[index],
        .msg_iov = pieces,
        .msg_iovlen = (size_t)1 + packet->span_count,
        .msg_control = sink->controls[index].bytes,
        .msg_controllen = sizeof sink->controls[index].bytes,
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

/* IP_RECVERR, which makes the kernel admit to ENOBUFS, also queues a report for each EMSGSIZE. */
static void raw_discard_reports(int descriptor)
{
    struct msghdr report = {0};
    while (recvmsg(descriptor, &report, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
        ;
}

/* The path MTU that the kernel knows for `destination`: the raw socket itself is connected for
 * the length of the question, so that no descriptor appears on the packet path. 0: unknown. */
static uint32_t raw_path_mtu(int descriptor, const struct sockaddr_in *destination)
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

static struct daytona_rawtx_refusal raw_refusal(struct raw_sink *sink, size_t index, int error)
{
    struct daytona_rawtx_refusal refusal = {.index = index, .error = error};
    rawtx_count_refused(&sink->base, error);
    if (error == EMSGSIZE) {
        raw_discard_reports(sink->base.descriptor);
        refusal.mtu = raw_path_mtu(sink->base.descriptor, &sink->destinations[index]);
    }
    return refusal;
}

static int raw_send(struct daytona_rawtx *base, struct daytona_instant now,
                    const struct daytona_packet_out *packets, size_t count,
                    struct daytona_rawtx_refusal *refusals)
{
    (void)now;
    struct raw_sink *sink = (struct raw_sink *)base;
    for (size_t i = 0; i < count; i++)
        raw_prepare(sink, i, &packets[i]);

    int refused = 0;
    for (size_t next = 0; next < count;) {
        base->counters.calls++;
        int sent = sendmmsg(base->descriptor, &sink->messages[next], (unsigned)(count - next),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            refusals[refused++] = raw_refusal(sink, next, errno);
            next++;
            continue;
        }
        for (size_t i = 0; i < (size_t)sent; i++)
            rawtx_count_sent(base, &packets[next + i]);
        next += (size_t)sent;
    }
    return refused;
}

static const struct rawtx_operations raw_operations = {.send = raw_send};

static int raw_configure(int descriptor)
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

static int raw_refuse_open(int error, char *message, size_t message_size)
{
    if (error == EPERM || error == EACCES)
        snprintf(message, message_size,
                 "sending packets needs the privilege CAP_NET_RAW: run as root, or give it with "
                 "setcap cap_net_raw,cap_net_admin+ep");
    else
        snprintf(message, message_size, "cannot open a raw IP socket: %s", strerror(error));
    return -error;
}

int daytona_rawtx_open(struct daytona_rawtx **out, char *message, size_t message_size)
{
    int descriptor = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
    if (descriptor < 0)
        return raw_refuse_open(errno, message, message_size);
    int error = raw_configure(descriptor);
    struct raw_sink *sink = error == 0 ? calloc(1, sizeof *sink) : NULL;
    if (sink == NULL) {
        close(descriptor);
        return raw_refuse_open(error != 0 ? -error : ENOMEM, message, message_size);
    }
    sink->base.operations = &raw_operations;
    sink->base.descriptor = descriptor;
    *out = &sink->base;
    return 0;
}
