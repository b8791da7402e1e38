/*
 * blame.h - finds out of a trace where the time of each request went, and who was to blame.
 *
 * A request is what one end of a connection says and the other answers: it begins with data of the
 * end that opened the connection, after data of the other one. From the first byte to the last,
 * each instant belongs to one cause; what an instant was waited for often shows only later, so what
 * is not decided yet is kept and charged when an acknowledgment, a loss or new data decide it.
 */
#ifndef DAYTONA_SCRIPTS_BLAME_H
#define DAYTONA_SCRIPTS_BLAME_H

#include "scripts/seen.h"

enum cause {
#define CAUSE(name, word, description) CAUSE_##name,
#include "scripts/causes.def"
#undef CAUSE
    CAUSE_COUNT
};

/** "receiver window" and a sentence about it. */
const char *cause_word(enum cause cause);
const char *cause_description(enum cause cause);

/** One request. Times are nanoseconds. */
struct request_told {
    struct daytona_ring_event first; /**< the event that it began with: who, between whom */
    bool server;                     /**< the other end opened the connection */
    uint32_t number;                 /**< of the connection's requests, from 1 */
    uint64_t begin_ns, end_ns;
    uint32_t first_call, last_call; /**< numbers of the application's calls; 0 unknown */
    uint32_t sends, receives;       /**< calls that moved something */
    uint64_t bytes_sent, bytes_received;
    uint32_t segments_out, segments_in; /**< with data */
    uint32_t retransmissions, timeouts;
    uint32_t losses;               /**< segments found lost */
    uint64_t charged[CAUSE_COUNT]; /**< where the time went */
    uint64_t longest_ns;           /**< of the waits for one thing ... */
    uint64_t longest_at_ns;        /**< ... when it was over */
    enum cause longest_cause;
    uint32_t longest_call; /**< the call whose bytes waited, 0 unknown */
};

/** Who is to blame: what the most time went to, beyond the round trips that there must be. */
enum cause request_blame(const struct request_told *request);

struct blame; /* all connections of a trace */

struct blame *blame_begin(void);
void blame_end(struct blame *blame);
void blame_event(struct blame *blame, const struct seen *seen);
/** After the last event. The index-th request in the order of beginning; NULL past the last. */
const struct request_told *blame_request(const struct blame *blame, size_t index);
/** Events that the trace lacks. */
uint64_t blame_missed(const struct blame *blame);

#endif
