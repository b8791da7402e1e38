/*
 * demux.h - from the four-tuple of a segment to its connection, and from a local port to its
 * listeners and bound sockets. Keyed hash; tables grow with use, amortised constant time.
 */
#ifndef STACK_DEMUX_DEMUX_H
#define STACK_DEMUX_DEMUX_H

#include "stack/base/memory.h"

/** Embedded in its socket, zeroed at first; filled by the owner before insertion. */
struct demux_entry {
    struct daytona_endpoint local, remote;      /**< remote all zero: a bound or listening socket */
    struct demux_entry *tuple_next, *port_next; /**< the table's business */
    bool in_tuples, in_ports;
};

struct demux {
    struct memory *memory;
    uint8_t key[16];
    struct demux_entry **tuples, **ports; /**< buckets */
    uint32_t tuple_buckets, port_buckets; /**< powers of two */
    uint32_t tuple_count, port_count;
};

/** 0 or -ENOMEM. */
int demux_init(struct demux *demux, struct memory *memory, const uint8_t key[16]);

/** Enters a connection's four-tuple. -EADDRINUSE when it is taken, -ENOMEM. */
int demux_insert_tuple(struct demux *demux, struct demux_entry *entry);
void demux_remove_tuple(struct demux *demux, struct demux_entry *entry);
struct demux_entry *demux_find_tuple(const struct demux *demux,
                                     const struct daytona_endpoint *local,
                                     const struct daytona_endpoint *remote);

/** Enters a socket under its local port; any number may share one. Every socket with a local
 *  port is entered, so that "does this stack use the port" is one look-up. 0. */
int demux_insert_port(struct demux *demux, struct demux_entry *entry);
void demux_remove_port(struct demux *demux, struct demux_entry *entry);

/** Walks the sockets under `port`: NULL starts; NULL ends. */
struct demux_entry *demux_next_on_port(const struct demux *demux, uint16_t port,
                                       const struct demux_entry *previous);

#endif
