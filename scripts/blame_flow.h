/*
 * blame_flow.h - one connection of a trace, event by event: blame.h's inner part.
 */
#ifndef DAYTONA_SCRIPTS_BLAME_FLOW_H
#define DAYTONA_SCRIPTS_BLAME_FLOW_H

#include "scripts/blame.h"

/** All requests of a trace, in the order of their beginnings. */
struct requests {
    struct request_told *list;
    size_t count, room;
};

#define NO_REQUEST SIZE_MAX

/** What is waited for, as long as nothing has come of it. */
enum wait {
    WAIT_ACK,        /**< something is in flight, and nothing more to be sent */
    WAIT_IDLE,       /**< nothing is */
    WAIT_CONGESTION, /**< more is to be sent: the congestion window */
    WAIT_PACING,
    WAIT_WINDOW, /**< the peer's */
    WAIT_NAGLE,
    WAIT_CORK,
    WAIT_BUFFER,
    WAIT_COUNT
};

/** A repair that is going on: from its beginning, each instant is charged to its cause. */
struct repair {
    bool active;
    uint32_t point;       /**< it is over when una is here */
    uint32_t segments;    /**< that were sent again, or found lost */
    uint32_t cwnd_before; /**< what is smaller is its consequence */
    size_t request;       /**< that pays */
    uint64_t charged_ns;  /**< to it */
};

struct flow {
    struct flow *next;
    struct requests *requests;
    uint32_t index, generation;
    bool begun, server;
    uint64_t last_ns; /**< until then all is charged, or pending */
    uint32_t una, nxt, cwnd;
    uint32_t data_end;    /**< sequence number behind all data sent (and the SYN) */
    uint32_t received_to; /**< ... behind all data that came */
    uint32_t payload_max; /**< of a segment of either direction */
    bool sent_any, received_any;
    enum daytona_limit limit;
    uint64_t pending_ns[WAIT_COUNT];
    uint32_t pending_call;
    struct repair loss, icmp;
    bool gap, ours_closed;        /**< data beyond a gap came; our window is closed */
    uint32_t gap_at, gap_bytes;   /**< where it begins, and how long it is */
    bool probed;                  /**< a tail loss probe repeats what is in flight */
    uint32_t again_echo;          /**< timestamp of the last segment sent again */
    uint32_t resent;              /**< segments, in the repair that goes on */
    uint32_t resent_at, lost_at;  /**< numbers of the last ones sent again, found lost */
    bool again_known, again_next; /**< there is one; the next segment out is one */
    uint32_t rtt_min_us;
    uint64_t data_in_ns;    /**< when data last came */
    uint64_t delayed_ns;    /**< how long our acknowledgment had waited, 0 it did not, ... */
    uint64_t delayed_at_ns; /**< ... until then */
    size_t request;         /**< the current one, NO_REQUEST */
    uint32_t request_count;
    bool asked, answered; /**< data of the opening end, of the other one have been seen */
};

void flow_event(struct flow *flow, const struct seen *seen);

/* ------------------------------------------------------------------ blame_charge.c */

/** NULL: there is none. */
struct request_told *flow_request(struct flow *flow);

/** All data has arrived; what is not acknowledged is our FIN, for which nobody waits. */
bool flow_only_fin_is_out(const struct flow *flow);

/** Time passes: it is charged, or pending until it shows what it was good for. */
void flow_pass(struct flow *flow, uint64_t now_ns);
void flow_charge(struct flow *flow, enum cause cause, uint64_t ns);

/** An acknowledgment came, alone or with data: each wait was for what it said. */
void flow_settle(struct flow *flow, bool pure_ack);
/** Something was lost, or refused by a router: that is what was waited for. */
void flow_settle_as_loss(struct flow *flow);
void flow_settle_as_icmp(struct flow *flow);
/** The peer's window opened. */
void flow_settle_window(struct flow *flow);
/** Nothing was in flight: the wait was for `cause`; `ns` of it for our acknowledgment; for nothing
 *  that belongs to a request. */
void flow_settle_idle(struct flow *flow, enum cause cause);
void flow_settle_delayed(struct flow *flow, uint64_t ns);
void flow_forget_idle(struct flow *flow);

/** So many segments are known to be lost in the repair that goes on. */
void flow_count_lost(struct flow *flow, uint32_t segments);
/** What a loss was charged with is the path's: it was none. */
void flow_absolve(struct flow *flow);

#endif
