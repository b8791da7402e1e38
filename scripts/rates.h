/*
 * rates.h - what connections do between two looks at their records: rates, losses, and how the
 * round trip went lately. The model of `daytona top`, without its screen.
 */
#ifndef DAYTONA_SCRIPTS_RATES_H
#define DAYTONA_SCRIPTS_RATES_H

#include "scripts/records.h"
#include "scripts/show.h"

#define RATES_HISTORY 32 /* looks that are remembered */

/** One connection or listener. Rates are over the time between the last two looks; at the first,
 * over the connection's life. */
struct rated {
    pid_t keeper; /**< process that keeps the record */
    struct daytona_connection_state state;
    uint32_t pid; /**< of a process that uses it */
    bool alive;   /**< its process is */
    char program[SHOWN_MAX];
    double out_bps,
        in_bps; /**< data acknowledged by the peer, and received in order: bytes per second */
    double sent_per_s;  /**< segments, those sent again among them */
    double again_per_s; /**< segments sent again */
    unsigned looks;     /**< how many of the following are filled, the newest last */
    uint32_t rtt_us[RATES_HISTORY];
    uint32_t cwnd_bytes[RATES_HISTORY];
    float out_history[RATES_HISTORY]; /**< out_bps */
};

/** The sums of what is known. */
struct rates_total {
    unsigned programs, connections, established, listeners;
    double out_bps, in_bps, sent_per_s, again_per_s;
    double packets_in_per_s, packets_out_per_s; /**< of the stacks */
    uint64_t dropped;                           /**< by full capture rings since they began */
};

/** By what they are put in order, the largest first. */
enum rates_order {
    RATES_BY_OUT,
    RATES_BY_IN,
    RATES_BY_AGAIN,
    RATES_BY_RTT,
    RATES_BY_CWND,
    RATES_BY_PROCESS,
    RATES_ORDERS
};

/** Zeroed at first. */
struct rates {
    struct rated *all; /**< of the last look, in the order of rates_sort() */
    size_t count;
    struct rates_total total;
    bool out_of_memory; /**< some were left out */
    struct rates_memory {
        struct rated *before; /**< of the look before, in the order of their keys */
        size_t before_count, max;
        struct keeper_packets {
            pid_t keeper;
            uint64_t in, out;
            struct daytona_instant at;
        } * keepers, *keepers_before;
        size_t keeper_count, keeper_before_count;
    } memory;
};

/** A look: rates_begin(), rates_take_record() of each process and rates_take_row() of each of its
 *  rows, rates_end(). */
void rates_begin(struct rates *rates);
void rates_take_record(struct rates *rates, const struct record *record);
void rates_take_row(struct rates *rates, const struct record *record,
                    const struct daytona_record_row *row);
void rates_end(struct rates *rates);

void rates_sort(struct rates *rates, enum rates_order order);

/** "out", "in" ...; and the other way round, RATES_ORDERS: there is no such order. */
const char *rates_order_name(enum rates_order order);
enum rates_order rates_order_find(const char *name);

/** Gives the memory back. */
void rates_free(struct rates *rates);

#endif
