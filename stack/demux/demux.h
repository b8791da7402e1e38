/*
 * demux.h - from the four-tuple of a segment to its connection, and from a local port to its
 * listeners and bound sockets. Keyed hash; tables grow and shrink with use, amortised constant
 * time. Empty, it holds no memory.
 */
#ifndef STACK_DEMUX_DEMUX_H
#define STACK_DEMUX_DEMUX_H

#include "stack/base/memory.h"

struct demux_port;

/** What a demux_entry is embedded in. */
enum demux_owner {
    DEMUX_SOCKET,
    DEMUX_REQUEST, /**< a listener's half-open connection */
};

/** Embedded in its socket, zeroed at first; filled by the owner before insertion, and while it
 *  is in a table the fields that the table goes by do not change: local.port in the port table,
 *  both ends in the tuple table. */
struct demux_entry {
    struct demux_entry *tuple_next, *port_next, **port_link; /**< the tables' business */
    struct daytona_endpoint local, remote; /**< remote all zero: a bound or listening socket */
    bool in_tuples, in_ports;              /**< set by the tables */
    bool bound_only; /**< by them too: had no remote end when entered under its port */
    uint8_t owner;   /**< enum demux_owner */
};

struct demux {
    struct memory *memory;
    uint8_t key[16];
    struct demux_entry **tuples;          /**< buckets, NULL when empty */
    struct demux_port **ports;            /**< buckets of ports in use, NULL when empty */
    uint32_t tuple_buckets, port_buckets; /**< powers of two, or 0 */
    uint32_t tuple_count;                 /**< connections */
    uint32_t port_count;                  /**< different ports */
};

/** Keeps `memory` (borrowed) and copies `key`. 0. */
int demux_init(struct demux *demux, struct memory *memory, const uint8_t key[16]);

/** Enters a connection's four-tuple. -EADDRINUSE when it is taken, -ENOMEM. */
int demux_insert_tuple(struct demux *demux, struct demux_entry *entry);
/** `entry`, which has the same four-tuple as `old`, takes its place in the table. */
void demux_replace_tuple(struct demux *demux, struct demux_entry *old, struct demux_entry *entry);
/** Allowed when it is not in. */
void demux_remove_tuple(struct demux *demux, struct demux_entry *entry);
struct demux_entry *demux_find_tuple(const struct demux *demux,
                                     const struct daytona_endpoint *local,
                                     const struct daytona_endpoint *remote);

/** Enters a socket under its local port; any number may share one. Every socket with a local
 *  port is entered, so that "does this stack use the port" is one look-up. 0 or -ENOMEM. */
int demux_insert_port(struct demux *demux, struct demux_entry *entry);
/** Allowed when it is not in. */
void demux_remove_port(struct demux *demux, struct demux_entry *entry);

/** Walks the sockets under `port`: NULL starts; NULL ends. Those that are `bound_only` come
 *  first. */
struct demux_entry *demux_next_on_port(const struct demux *demux, uint16_t port,
                                       const struct demux_entry *previous);

/** Walks only those that are `bound_only`, the listeners among them: does not become slower
 *  with the connections that share a listener's port. */
struct demux_entry *demux_next_bound_on_port(const struct demux *demux, uint16_t port,
                                             const struct demux_entry *previous);

#endif
