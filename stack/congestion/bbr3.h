/*
 * bbr3.h - BBR version 3 (draft-ietf-ccwg-bbr-06; all sections named in bbr3*.c are that draft's).
 *
 * Where Reno asks "was something lost?", BBR keeps a model of the path: how many bytes a second
 * it delivers (max_bw), how long an empty round trip takes (min_rtt), and how much may be in flight
 * without too much loss (inflight_longterm). It paces at that rate and keeps about rate times
 * round trip in flight. As rate and round trip cannot be seen at once (one wants a full pipe, the
 * other empty queues), it goes through states that look for one after the other:
 *
 *    STARTUP ---> DRAIN ---> DOWN ---> CRUISE ---> REFILL ---> UP --.
 *    doubles the  empties     ^ leaves   sends as    fills the  sends faster: is
 *    rate         the queue   | room     delivered   pipe       there more?     |
 *                             '-------------------------------------------------'
 *    PROBE_RTT, from anywhere: keeps half in flight for a moment, to see the empty round trip
 *
 * Three files: bbr3_model.c learns from what was delivered and lost, bbr3_states.c decides what to
 * try next, bbr3.c turns model and state into cwnd and pacing rate.
 */
#ifndef STACK_CONGESTION_BBR3_H
#define STACK_CONGESTION_BBR3_H

#include "stack/congestion/rate.h"
#include "stack/congestion/state.h"

#define BBR3_RATE_INFINITE   UINT64_MAX
#define BBR3_VOLUME_INFINITE UINT32_MAX

enum bbr3_state {
    BBR3_STARTUP,
    BBR3_DRAIN,
    BBR3_DOWN,   /**< ProbeBW_DOWN */
    BBR3_CRUISE, /**< ProbeBW_CRUISE */
    BBR3_REFILL, /**< ProbeBW_REFILL */
    BBR3_UP,     /**< ProbeBW_UP */
    BBR3_PROBE_RTT,
    BBR3_STATE_NONE, /**< of undo_state: nothing to go back to */
};

/** What the ACKs of now say about the last probe for bandwidth (section 2.14, ack_phase). */
enum bbr3_acks {
    BBR3_ACKS_INIT,      /**< nothing */
    BBR3_ACKS_REFILLING, /**< sent at the known rate to fill the pipe */
    BBR3_ACKS_STARTING,  /**< the probe is on its way */
    BBR3_ACKS_FEEDBACK,  /**< they answer the probe */
    BBR3_ACKS_STOPPING,  /**< the probe is over, they still answer it */
};

/** Sections 2.9 to 2.16. Rates in bytes a second, volumes in bytes. */
struct CONTROLLER_STATE bbr3 {
    uint64_t max_bw[2];            /**< the largest rate of the last probing cycle, of this one */
    uint64_t bw_shortterm;         /**< bound after losses, until the next probe; or infinite */
    uint64_t bw_latest;            /**< the largest rate of this round trip */
    uint64_t full_bw;              /**< baseline of "is it still growing?" (5.3.1.2) */
    uint64_t undo_bw_shortterm;    /**< from before the loss (5.5.11) */
    uint64_t next_round_delivered; /**< the round trip ends with data sent after this much */
    uint64_t loss_round_delivered; /**< the same for round trips that look at losses */
    uint64_t app_limited_to;       /**< samples of data sent before this much was delivered ... */
    uint64_t extra_acked_start_ns; /**< when the interval of extra_acked_delivered began */
    uint64_t min_rtt_at_ns;        /**< when min_rtt was measured */
    uint64_t probe_rtt_min_at_ns;  /**< when probe_rtt_min was measured */
    uint64_t probe_rtt_done_ns;    /**< ProbeRTT may end then; 0: not low enough yet */
    uint64_t cycle_start_ns;       /**< of the wait for the next probe */
    uint32_t min_rtt_us;           /**< of the last 10 s; UINT32_MAX: never measured */
    uint32_t probe_rtt_min_us;     /**< of the last 5 s */
    uint32_t inflight_longterm;    /**< what probing found to be too much; or infinite */
    uint32_t inflight_shortterm;   /**< bound after losses, until the next probe; or infinite */
    uint32_t inflight_latest;      /**< the largest volume delivered in this round trip */
    uint32_t undo_inflight_shortterm, undo_inflight_longterm; /**< from before the loss */
    uint32_t prior_cwnd;             /**< the last good one, from before recovery or ProbeRTT */
    uint32_t extra_acked[2];         /**< the largest of 5 to 10 rounds ago, of up to 5 */
    uint32_t extra_acked_delivered;  /**< in the present interval (5.5.9) */
    uint32_t probe_up_acked;         /**< towards the next segment of inflight_longterm */
    uint32_t probe_up_acked_per_inc; /**< that many buy one; or infinite */
    uint32_t probe_wait_us;          /**< after cycle_start comes the next probe at the latest */
    uint32_t random;                 /**< of a small generator: probes of flows should not agree */
    uint8_t state;                   /**< enum bbr3_state */
    uint8_t acks;                    /**< enum bbr3_acks */
    uint8_t undo_state;              /**< enum bbr3_state that a loss ended */
    uint8_t full_bw_count;           /**< round trips without growth */
    uint8_t loss_events;             /**< ACKs of this loss round that told of losses */
    uint8_t rounds_since_probe;      /**< round trips, up to 255 */
    uint8_t probe_up_rounds;         /**< of growing inflight_longterm */
    uint8_t drain_rounds;            /**< in Drain so far */
    uint8_t extra_acked_rounds;      /**< since the two halves of the filter were shifted */
    bool round_start : 1;            /**< this ACK begins a round trip */
    bool loss_round_start : 1;       /**< the same for round trips that look at losses */
    bool app_limited : 1;            /**< ... and this sample say nothing against the path */
    bool full_bw_reached : 1;        /**< the pipe was full once */
    bool full_bw_now : 1;            /**< it is, as far as the present probe can tell */
    bool loss_in_round : 1;
    bool bw_probe_sample : 1;                                   /**< losses of now are a probe's */
    bool prev_probe_too_high : 1, prev_probe_precautionary : 1; /**< 5.3.3.6 */
    bool probe_rtt_expired : 1, probe_rtt_round_done : 1;
    bool idle_restart : 1;
    bool in_loss_recovery : 1; /**< cwnd is to be restored at its end */
    bool rtt_seen : 1;         /**< the pacing rate follows from a measured round trip */
};
CONTROLLER_STATE_OF(bbr3)

static inline bool bbr3_in_probe_bw(const struct bbr3 *bbr)
{
    return bbr->state == BBR3_DOWN || bbr->state == BBR3_CRUISE || bbr->state == BBR3_REFILL ||
           bbr->state == BBR3_UP;
}

/** Losses are expected, and looked at by whoever probes. */
static inline bool bbr3_is_probing(const struct bbr3 *bbr)
{
    return bbr->state == BBR3_STARTUP || bbr->state == BBR3_REFILL || bbr->state == BBR3_UP;
}

/* ---- bbr3_model.c: what is known of the path */

/** BBR.max_bw: of this probing cycle and the last one. */
uint64_t bbr3_max_bw(const struct bbr3 *bbr);

/** BBR.bw: max_bw within the short-term bound. */
uint64_t bbr3_bw(const struct bbr3 *bbr);

/** What fits the pipe at `bw`; all in `mss` when the round trip was never measured. */
uint32_t bbr3_bdp(const struct bbr3 *bbr, uint64_t bw, uint32_t mss);

/** The sample without impossible values, and whether it was app-limited. First of all on an ACK. */
void bbr3_take_sample(struct bbr3 *bbr, struct daytona_congestion_sample *sample);

/** Section 5.5.10: begins a round's account of losses, saves what may have to be undone. */
void bbr3_note_loss(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                    const struct daytona_congestion_sample *sample);

/** Do the losses of this flight exceed 2 %? (5.5.10.2, IsInflightTooHigh) */
bool bbr3_inflight_too_high(const struct daytona_congestion_sample *sample, uint64_t lost,
                            uint32_t in_flight);

/** Rounds, rates, bounds after loss: the first three steps of section 5.2.3. */
void bbr3_update_model(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample);

/** Section 5.3.1.2, CheckFullBWReached. */
void bbr3_check_full_bw(struct bbr3 *bbr, const struct daytona_congestion_sample *sample);

/** Looks for growth anew, above `baseline`. */
void bbr3_reset_full_bw(struct bbr3 *bbr, uint64_t baseline);

/** Section 5.3.4.3, UpdateMinRTT. */
void bbr3_update_min_rtt(struct bbr3 *bbr, const struct daytona_congestion_sample *sample);

/** Last of the model on an ACK: the next round's signals begin with this sample. */
void bbr3_advance_signals(struct bbr3 *bbr, const struct daytona_congestion_sample *sample);

/** Forgets the bounds of the last losses (ResetShortTermModel). */
void bbr3_reset_shortterm(struct bbr3 *bbr);

/** Forgets this round's losses and deliveries (ResetCongestionSignals). */
void bbr3_reset_signals(struct bbr3 *bbr);

/** Another probing cycle: the rates of the last but one are forgotten. */
void bbr3_advance_max_bw(struct bbr3 *bbr);

/** Data sent from now on begins a round trip. */
void bbr3_start_round(struct bbr3 *bbr, const struct daytona_congestion_sample *sample);

/* ---- bbr3_states.c: what is tried next */

void bbr3_enter_startup(struct bbr3 *bbr);

/** The steps of section 5.2.3 that change the state, in their order. */
void bbr3_update_state(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample);

/** What the losses of this sample, if any, mean for the probe that is going on (5.5.10.2). */
void bbr3_handle_losses(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample);

/** A mark instead of a loss: section 3.7 wants it taken for congestion. */
void bbr3_handle_mark(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample);

/** Section 5.5.11.2: the losses were none. */
void bbr3_handle_undo(struct bbr3 *bbr, const struct daytona_congestion_sample *sample);

/** Ends ProbeRTT when its time is over (CheckProbeRTTDone). */
void bbr3_check_probe_rtt_done(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                               const struct daytona_congestion_sample *sample);

/* ---- bbr3.c: the controls */

/** inflight_longterm less 15 %, for others to come in (InflightWithHeadroom). */
uint32_t bbr3_inflight_with_headroom(const struct bbr3 *bbr, uint32_t mss);

/** `percent` of the pipe, and what senders and receivers hold back in batches (Inflight). */
uint32_t bbr3_inflight(const struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample, uint64_t bw,
                       uint32_t percent);

/** cwnd in ProbeRTT: half of the pipe (5.6.4.5). */
uint32_t bbr3_probe_rtt_cwnd(const struct bbr3 *bbr, uint32_t mss);

/** Keeps the last good cwnd, and puts it back (5.6.4.4). */
void bbr3_save_cwnd(struct bbr3 *bbr, const struct daytona_congestion_controls *controls);
void bbr3_restore_cwnd(const struct bbr3 *bbr, struct daytona_congestion_controls *controls);

#endif
