/*
 * rawtx.h - a sink of IP packets. Two implementations: a raw IP socket (IP_HDRINCL), and a
 * pcap file. Also asks the kernel what only the kernel knows about a destination.
 */
#ifndef DAYTONA_RAWTX_H
#define DAYTONA_RAWTX_H

#include <daytona/stack.h>

struct daytona_rawtx;

/** Opens the raw socket. -EPERM without CAP_NET_RAW; `message` says what to do. */
int daytona_rawtx_open(struct daytona_rawtx **out, char *message, size_t message_size);

/** A pcap file (link type raw IP, nanosecond stamps) instead of a network. */
int daytona_rawtx_open_file(const char *path, struct daytona_rawtx **out, char *message,
                            size_t message_size);

/** The descriptor the sink sends with; owned by it. */
int daytona_rawtx_descriptor(const struct daytona_rawtx *sink);

/** What the network said of one packet that could not leave. */
struct daytona_rawtx_refusal {
    size_t index; /**< into the batch */
    int error;    /**< EMSGSIZE, ENOBUFS, EPERM, ENETUNREACH ... */
    uint32_t mtu; /**< with EMSGSIZE: the path MTU the kernel now knows, else 0 */
};

/** Packets of one call to daytona_rawtx_send() at most. */
#define DAYTONA_RAWTX_BATCH_MAX 64

/**
 * Sends `count` (<= DAYTONA_RAWTX_BATCH_MAX) packets in order, with one system call, and at most
 * two more for each refusal. A refused packet is lost as a network would lose it: counted,
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
    uint64_t packets, bytes, calls;
    uint64_t too_big;    /**< EMSGSIZE */
    uint64_t no_buffers; /**< ENOBUFS, EAGAIN */
    uint64_t forbidden;  /**< EPERM: a firewall */
    uint64_t failed;     /**< anything else */
};
void daytona_rawtx_counters(const struct daytona_rawtx *sink, struct daytona_rawtx_counters *out);

void daytona_rawtx_close(struct daytona_rawtx *sink);

#endif
