/*
 * The packet socket with a virtio header before each frame (PACKET_VNET_HDR, packet(7)): one frame
 * of up to 64 KB stands for a train of segments, which the device, or the kernel just before it,
 * splits and sums. What the kernel's IP layer would do is not done here: its routes and
 * neighbours are asked beforehand (paths.h), its output rules do not see these frames.
 */
#include "rawtx/live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As much below the socket as the raw one may have, and the frames of a whole batch. */
#define SEND_BUFFER_BYTES (8 << 20)

#define CHECKSUM_AT 16 /* in the TCP header */

struct frame_header {
    struct virtio_net_hdr virtio;
    uint8_t ethernet[ETHERNET_HEADER_BYTES];
};
_Static_assert(sizeof(struct frame_header) == sizeof(struct virtio_net_hdr) + ETHERNET_HEADER_BYTES,
               "the two headers lie end to end");

struct packet_way {
    int descriptor;
    bool useless; /* this kernel does not take such frames */
    unsigned count;
    struct mmsghdr messages[LIVE_BATCH_MAX];
    size_t indices[LIVE_BATCH_MAX];
    const struct daytona_packet_out *packets[LIVE_BATCH_MAX];
    struct sockaddr_ll devices[LIVE_BATCH_MAX];
    struct frame_header headers[LIVE_BATCH_MAX];
    struct iovec pieces[LIVE_BATCH_MAX][2 + DAYTONA_PACKET_SPANS_MAX];
};

int packet_way_open(struct packet_way **out)
{
    /* Protocol 0: nothing is received. */
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    const int on = 1, buffer = SEND_BUFFER_BYTES;
    int error = 0;
    if (setsockopt(descriptor, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0)
        error = -errno;
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    struct packet_way *way = error == 0 ? calloc(1, sizeof *way) : NULL;
    if (way == NULL) {
        close(descriptor);
        return error != 0 ? error : -ENOMEM;
    }
    way->descriptor = descriptor;
    *out = way;
    return 0;
}

void packet_way_close(struct packet_way *way)
{
    close(way->descriptor);
    free(way);
}

int packet_way_descriptor(const struct packet_way *way)
{
    return way->descriptor;
}

bool packet_way_takes(const struct packet_way *way, const struct next_hop *hop,
                      const struct daytona_packet_out *packet)
{
    uint32_t payload = packet->segment_bytes != 0 ? packet->segment_bytes : packet->payload_length;
    return !way->useless && packet->header_length + payload <= hop->mtu;
}

static struct virtio_net_hdr virtio_header(const struct daytona_packet_out *packet)
{
    struct virtio_net_hdr header = {0};
    if (packet->checksum_partial) {
        header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header.csum_start = (uint16_t)(ETHERNET_HEADER_BYTES + packet->transport_offset);
        header.csum_offset = CHECKSUM_AT;
    }
    if (daytona_packet_parts(packet) > 1) {
        header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        header.gso_size = packet->segment_bytes;
    }
    header.hdr_len = (uint16_t)(ETHERNET_HEADER_BYTES + packet->header_length);
    return header;
}

void packet_way_add(struct packet_way *way, const struct daytona_packet_out *packet, size_t index,
                    const struct next_hop *hop)
{
    unsigned place = way->count++;
    struct frame_header *header = &way->headers[place];
    header->virtio = virtio_header(packet);
    memcpy(header->ethernet, hop->header, ETHERNET_HEADER_BYTES);

    struct iovec *pieces = way->pieces[place];
    pieces[0] = rawtx_piece(header, sizeof *header);
    pieces[1] = rawtx_piece(packet->header, packet->header_length);
    for (size_t i = 0; i < packet->span_count; i++)
        pieces[2 + i] = rawtx_piece(packet->spans[i].data, packet->spans[i].length);

    way->indices[place] = index;
    way->packets[place] = packet;
    way->devices[place] = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                               .sll_protocol = htons(ETH_P_IP),
                                               .sll_ifindex = hop->interface_index};
    way->messages[place].msg_hdr = (struct msghdr){
        .msg_name = &way->devices[place],
        .msg_namelen = sizeof way->devices[place],
        .msg_iov = pieces,
        .msg_iovlen = (size_t)2 + packet->span_count,
    };
}

static void count_sent(struct packet_way *way, unsigned place, struct daytona_rawtx *sink)
{
    rawtx_count_sent(sink, way->packets[place]);
    sink->counters.packets_framed++;
}

void packet_way_flush(struct packet_way *way, struct refusals *refusals,
                      packet_way_instead *instead, void *context)
{
    for (unsigned next = 0; next < way->count;) {
        refusals->sink->counters.calls++;
        int sent = sendmmsg(way->descriptor, &way->messages[next], way->count - next,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int i = 0; i < sent; i++)
            count_sent(way, next++, refusals->sink);
        if (sent >= 0)
            continue;
        if (errno == ENOBUFS || errno == EAGAIN || errno == ENOMEM) {
            refusals_add(refusals, (struct daytona_rawtx_refusal){.index = way->indices[next],
                                                                  .error = errno});
        } else {
            way->useless |= errno == EINVAL || errno == EOPNOTSUPP;
            instead(context, way->packets[next], way->indices[next]);
        }
        next++;
    }
    way->count = 0;
}
