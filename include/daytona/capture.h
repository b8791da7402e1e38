/*
 * capture.h - a source of received IP packets. Two implementations: live capture through
 * libpcap (loaded with dlopen at first use), and the replay of a pcap file.
 *
 * A capture belongs to one thread at a time; the file descriptor may be polled from several.
 */
#ifndef DAYTONA_CAPTURE_H
#define DAYTONA_CAPTURE_H

#include <daytona/types.h>

struct daytona_capture;

/** An inclusive range of TCP ports, host byte order. */
struct daytona_port_span {
    uint16_t low, high;
};

struct daytona_capture_config {
    const char *const *interfaces; /**< names to listen on; count 0: all, also later ones */
    size_t interface_count;
    /** TCP packets to these local (destination) ports are wanted; so are IPv4 fragments of TCP
     *  and ICMP errors that quote TCP. None: nothing is captured until set_ports. */
    const struct daytona_port_span *ports;
    size_t port_count;
    /** Of TCP packets to these ports, 64 spans at most, those that ask for a connection (SYN
     * without ACK) are wanted besides, whatever set_ports says. */
    const struct daytona_port_span *openings;
    size_t opening_count;
    /** Room for packets that wait, per handle; 0: 64 MB, which is 1,000 packets of whatever size.
     *  The kernel grants less when memory is short; and it sets aside twice as much while
     *  snapshot_bytes is above 65,448, because a packet's slot is then rounded up to 128 KB. */
    uint32_t ring_bytes;
    bool lock_filter;        /**< the filter cannot be changed any more, by nobody */
    uint32_t snapshot_bytes; /**< 0: 65,568 (64 KB super-frame and any link header) */
};

/** One captured packet: valid until the next daytona_capture_next(), or, handed out by
 *  daytona_capture_drain(), for the call. */
struct daytona_captured {
    struct daytona_span ip; /**< from the IP header on */
    size_t wire_length;     /**< IP bytes on the wire; more than ip.length when cut */
    int interface_index;    /**< 0 when unknown */
    /** The sender's link address, 6 bytes, borrowed like `ip`; NULL: none, or of another length. */
    const uint8_t *link_address;
    uint64_t stamp_ns; /**< capture time, CLOCK_REALTIME */
};

/**
 * Opens a live capture. On error returns -errno and writes one sentence that says what to do
 * into `message` (message_size bytes, always terminated): -ENOENT no libpcap or no such
 * interface, -EPERM no CAP_NET_RAW, ...
 */
int daytona_capture_open(const struct daytona_capture_config *config, struct daytona_capture **out,
                         char *message, size_t message_size);

/** Replays a pcap or pcapng file as fast as it is read; same packets, same link types. */
int daytona_capture_open_file(const char *path, struct daytona_capture **out, char *message,
                              size_t message_size);

/** Narrows or widens the filter of a running capture, in one step: no packet that both the old
 *  and the new ports want is lost, and packets that wait already may still be of the old ones. On a
 *  file it filters in software. -EINVAL a span with low > high: nothing has changed. Costs about
 *  as much as twenty packets. */
int daytona_capture_set_ports(struct daytona_capture *capture,
                              const struct daytona_port_span *ports, size_t count);

/** A descriptor that polls readable when daytona_capture_next() may find a packet. Owned by the
 * capture. */
int daytona_capture_descriptor(const struct daytona_capture *capture);

/** Fills up to `max` descriptors that the capture owns (the one above and those behind it)
 *  and returns how many were filled in; four are enough for one interface or all. None is opened
 *  or closed between opening and closing the capture. */
size_t daytona_capture_descriptors(const struct daytona_capture *capture, int *out, size_t max);

/** Takes one packet, borrowed for the call; must not call back into the capture. */
typedef void daytona_capture_take(void *context, const struct daytona_captured *packet);

/**
 * Hands up to `max` packets that have arrived to `take`, in order, and returns how many: fewer
 * than `max` when there are no more now. The bytes are those of the ring itself: this is the way
 * without a copy, and one system call when nothing has arrived. Errors and what is left out: as
 * daytona_capture_next().
 */
int daytona_capture_drain(struct daytona_capture *capture, size_t max, daytona_capture_take *take,
                          void *context);

/**
 * The next packet, copied: 1 and *out filled, 0 none now, -ENODATA the file has ended, -EBADMSG it
 * is damaged. Of named interfaces: -ENETDOWN once when one goes down (it goes on by itself when
 * the interface is up again), -ENODEV once when one is removed, and always when all are: only
 * closing and opening again helps then. Packets that this host sends, packets to other hosts
 * (also those that it passes on), and second copies seen on a bridge's or bond's member are
 * not returned. Never blocks.
 */
int daytona_capture_next(struct daytona_capture *capture, struct daytona_captured *out);

struct daytona_capture_counters {
    uint64_t packets, bytes;  /**< handed over */
    uint64_t dropped_by_ring; /**< the ring was full: the program was too slow */
    uint64_t dropped_by_interface;
    uint64_t ignored; /**< not IPv4, VLAN-tagged, or to another host (live: to be passed on) */
};
void daytona_capture_counters(struct daytona_capture *capture,
                              struct daytona_capture_counters *out);

/** Whether processes that are forked from now on get the ring too, and may go on with the capture.
 * At first they do not: it would take up their address space, and be filled by the kernel for as
 * long as they live.
 */
void daytona_capture_pass_on(struct daytona_capture *capture, bool on);

void daytona_capture_close(struct daytona_capture *capture);

#endif
