/*
 * filter.h - which packets are wanted: TCP to a set of ports, requests for a connection to another
 * set, IPv4 fragments of TCP, ICMP errors that quote TCP. The same rule twice: as a program for the
 * kernel's socket filter, and as a function for packets that come from a file.
 *
 * The program is not made with pcap_compile() and pcap_setfilter(): those put a filter that
 * drops everything in between the old one and the new one, which loses packets whenever a port
 * is added, and judge what is in the ring by a version of the program that cannot see the
 * packet type. Attaching a program of our own swaps the two in one step.
 */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include <daytona/capture.h>

struct sock_filter;

/** More spans than this are joined, nearest first: a wider filter is only slower. The bound
 *  keeps two programs at once below the kernel's net.core.optmem_max of old (20 KB). */
#define FILTER_SPANS_MAX 128

/** As many as there can be port rules. */
#define FILTER_OPENINGS_MAX 64

/** Sorted, disjoint spans. Zeroed: no port at all. */
struct filter_ports {
    struct daytona_port_span spans[FILTER_SPANS_MAX + 1]; /* one spare while inserting */
    size_t count;
    /** Of TCP to these only SYNs without ACK; in any order. */
    struct daytona_port_span openings[FILTER_OPENINGS_MAX];
    size_t opening_count;
};

/** Sorts and joins `spans` (any order, overlapping or not). -EINVAL, and nothing is changed, when
 *  one has low > high. */
int filter_ports_set(struct filter_ports *ports, const struct daytona_port_span *spans,
                     size_t count);

/** Has the ports' requests for connections taken, too. -EINVAL as above, -E2BIG too many. */
int filter_ports_set_openings(struct filter_ports *ports, const struct daytona_port_span *spans,
                              size_t count);

/** Instructions of a program at most. */
#define FILTER_PROGRAM_MAX (40 + 3 * (FILTER_SPANS_MAX + FILTER_OPENINGS_MAX))

/**
 * Writes the program for a socket that is bound to the protocol IPv4 and sees `ip_offset` bytes
 * in front of the IP header; it accepts up to `snapshot_bytes` of packets that the kernel marks as
 * addressed to this host. Returns the number of instructions written to `program`, which has
 * room for FILTER_PROGRAM_MAX.
 */
size_t filter_program(const struct filter_ports *ports, uint32_t ip_offset, uint32_t snapshot_bytes,
                      struct sock_filter *program);

/** Whether an IPv4 packet, from its IP header on and perhaps cut, is wanted. */
bool filter_wants(const struct filter_ports *ports, struct daytona_span ip);

#endif
