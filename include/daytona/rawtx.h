/*
 * rawtx.h - a sink of IP packets. Two implementations: live, and a pcap file. The live one has two
 * ways out of the host: a raw IP socket (IP_HDRINCL), which leaves route and neighbour to the
 * kernel, and a packet socket with a virtio header, which takes super-segments whole and leaves
 * their splitting and checksums to the device. Also asks the kernel what only the kernel knows
 * about a destination.
 */
#ifndef DAYTONA_RAWTX_H
#define DAYTONA_RAWTX_H

#include <daytona/stack.h>

struct daytona_rawtx;

enum daytona_rawtx_ways {
    DAYTONA_RAWTX_PACKET, /**< the packet socket wherever the path is sure, else the raw socket */
    DAYTONA_RAWTX_RAW,    /**< the raw socket alone */
};

/** Opens the sockets. -EPERM without CAP_NET_RAW; `message` says what to do. */
int daytona_rawtx_open(enum daytona_rawtx_ways ways, struct daytona_rawtx **out, char *message,
                       size_t message_size);

/** A pcap file (link type raw IP, nanosecond stamps) instead of a network. */
int daytona_rawtx_open_file(const char *path, struct daytona_rawtx **out, char *message,
                            size_t message_size);

#define DAYTONA_RAWTX_DESCRIPTORS_MAX 3

/** Fills in the descriptors the sink sends with, owned by it, the raw socket or the file first.
 *  Returns how many. */
size_t daytona_rawtx_descriptors(const struct daytona_rawtx *sink,
                                 int out[DAYTONA_RAWTX_DESCRIPTORS_MAX]);

/** A packet has come in from `peer`, over the device with this index, from this link address (6
 *  bytes; NULL: the device has none). That tells how the peer can be reached. */
void daytona_rawtx_heard(struct daytona_rawtx *sink, const struct daytona_address *peer,
                         int interface_index, const uint8_t *link_address);

/** What the network said of one packet that could not leave. */
struct daytona_rawtx_refusal {
    size_t index; /**< into the batch */
    int error;    /**< EMSGSIZE, ENOBUFS, EPERM, ENETUNREACH ... */
    uint32_t mtu; /**< with EMSGSIZE: the path MTU the kernel now knows, else 0 */
};

/** Packets of one call to daytona_rawtx_send() at most. */
#define DAYTONA_RAWTX_BATCH_MAX 64

/**
 * Sends `count` (<= DAYTONA_RAWTX_BATCH_MAX) packets in order, with one system call for those that
 * go one way and two more for each refusal. Super-segments are split and checksums completed where
 * nobody below does it. A refused packet is lost as a network would lose it: counted,
 * reported in `refusals` (room for `count`), and the rest is still sent. Returns the number of
 * refusals. Never blocks. `now` stamps a file's packets.
 *
 * A file that cannot be written any more (-ENOSPC, -EFBIG, -EIO ...) is reported once with that
 * error: it then holds every packet before, whole, and all later ones are refused with it.
 */
int daytona_rawtx_send(struct daytona_rawtx *sink, struct daytona_instant now,
                       const struct daytona_packet_out *packets, size_t count,
                       struct daytona_rawtx_refusal *refusals);

struct daytona_route {
    struct daytona_address source; /**< the address the kernel would send from */
    uint32_t mtu;                  /**< path MTU in bytes */
    bool local;                    /**< the destination is one of this host's own addresses */
};

/** Asks the kernel with a connected UDP socket, about `destination` when sending from
 *  `source` (NULL: the kernel's choice). -ENETUNREACH, -EHOSTUNREACH, -EINVAL ... as connect(2)
 * says. */
int daytona_route_ask(const struct daytona_address *destination,
                      const struct daytona_address *source, struct daytona_route *out);

struct daytona_rawtx_counters {
    uint64_t packets;       /**< as they leave this host's software: a super-frame is one */
    uint64_t super_packets; /**< of those: with several segments */
    uint64_t bytes, calls;
    uint64_t packets_framed; /**< of the packets: through the packet socket */
    uint64_t too_big;        /**< EMSGSIZE */
    uint64_t no_buffers;     /**< ENOBUFS, EAGAIN */
    uint64_t forbidden;      /**< EPERM: a firewall */
    uint64_t failed;         /**< anything else */
};
void daytona_rawtx_counters(const struct daytona_rawtx *sink, struct daytona_rawtx_counters *out);

void daytona_rawtx_close(struct daytona_rawtx *sink);

#endif
