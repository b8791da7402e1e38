/*
 * ledger_row.h - one connection in a ledger (ledger.h): what the process that outlives its program
 * must know to make the peer notice. The writer may die between any two stores, and the reader
 * cannot trust the writer.
 *
 * A row is two words of 64 bits in host byte order. The first holds the local and the remote IPv4
 * address; the second the local port, the remote port and a sequence number. The second is written
 * last and cleared first: 0 is a free row, for no connection has port 0.
 */
#ifndef DAYTONA_PRELOAD_LEDGER_ROW_H
#define DAYTONA_PRELOAD_LEDGER_ROW_H

#include <stdint.h>

/** Rows of a ledger; connections with a higher socket index are not recorded. */
#define LEDGER_ROWS_MAX ((uint32_t)1 << 18)

/** A connection, all members in host byte order. */
struct ledger_connection {
    uint32_t local, remote; /**< IPv4 addresses */
    uint16_t local_port, remote_port;
    uint32_t una; /**< SND.UNA when it was recorded: no byte before it was ever sent */
};

struct ledger_row {
    uint64_t addresses; /**< local, remote */
    uint64_t rest;      /**< local port, remote port, una; 0: the row is free */
};

static inline struct ledger_row ledger_row_encode(const struct ledger_connection *connection)
{
    return (struct ledger_row){
        .addresses = (uint64_t)connection->local << 32 | connection->remote,
        .rest = (uint64_t)connection->local_port << 48 | (uint64_t)connection->remote_port << 32 |
                connection->una,
    };
}

static inline struct ledger_connection ledger_row_decode(struct ledger_row row)
{
    return (struct ledger_connection){
        .local = (uint32_t)(row.addresses >> 32),
        .remote = (uint32_t)row.addresses,
        .local_port = (uint16_t)(row.rest >> 48),
        .remote_port = (uint16_t)(row.rest >> 32),
        .una = (uint32_t)row.rest,
    };
}

#endif
