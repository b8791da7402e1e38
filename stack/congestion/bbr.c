/*
 * bbr.c - BBR version 1, as Linux has it under the name of bbr (draft-cardwell-iccrg-bbr-
 * congestion-control-00, whose sections are named here). Like version 3 (bbr3.h) it keeps a model
 * of the path, the rate at the bottleneck and the shortest round trip, and paces by it. Unlike it,
 * it learns nothing from losses: they cost cwnd for a round trip, and no more. So it holds its rate
 * at losses at which version 3 gives way, and where the queue is short it makes others lose.
 * Linux's long-term rate, for policers, is left out.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/rate.h"
#include "stack/congestion/state.h"
#include "stack/congestion/window.h"

#define BW_ROUNDS         10u                   /* BtlBwFilterLen, section 4.1.1.3 */
#define MIN_RTT_FILTER_NS UINT64_C(10000000000) /* RTpropFilterLen, section 4.1.2.3 */
#define PROBE_RTT_NS      UINT64_C(200000000)   /* ProbeRTTDuration, section 4.3.5 */
#define FULL_BW_ROUNDS    3u                    /* section 4.3.2.2 */
#define HIGH_GAIN         289u                  /* percent: 2 / ln 2, section 4.3.2.1 */
#define DRAIN_GAIN        35u                   /* its inverse, section 4.3.3 */
#define CWND_GAIN         200u                  /* section 4.2.3.2 */
#define MARGIN_PERCENT    99u                   /* Linux bbr_pacing_margin_percent */
#define UNKNOWN_RTT_US    1000u

enum bbr_state { BBR_STARTUP, BBR_DRAIN, BBR_PROBE_BW, BBR_PROBE_RTT };

/* Section 4.3.4.3: faster for a round trip, slower for one, six at the rate that was found. */
static const uint8_t cycle[] = {125, 75, 100, 100, 100, 100, 100, 100};
#define CYCLE_LENGTH (sizeof cycle / sizeof cycle[0])

/* The largest rate of the last ten rounds and the largest ones after it: K. Nichols' windowed
 * maximum, which forgets in constant space. */
struct CONTROLLER_STATE best {
    uint64_t rate;
    uint32_t round;
};

struct CONTROLLER_STATE bbr {
    struct best best[3];           /**< [0] is BtlBw */
    uint64_t next_round_delivered; /**< the round trip ends with data sent after this much */
    uint64_t app_limited_to;       /**< samples of data sent before are ProbeRTT's own doing */
    uint64_t full_bw;              /**< baseline of "is it still growing?" */
    uint64_t min_rtt_at_ns;        /**< when RTprop was measured */
    uint64_t probe_rtt_done_ns;    /**< ProbeRTT may end then; 0: not low enough yet */
    uint64_t cycle_ns;             /**< when the present phase of the cycle began */
    uint32_t min_rtt_us;           /**< RTprop; UINT32_MAX: never measured */
    uint32_t round;                /**< counted */
    uint32_t prior_cwnd;           /**< from before recovery or ProbeRTT */
    uint32_t random;
    uint8_t state; /**< enum bbr_state */
    uint8_t phase; /**< of the cycle */
    uint8_t full_bw_count;
    bool filled : 1;       /**< the pipe was full once */
    bool round_start : 1;  /**< this ACK begins a round trip */
    bool app_limited : 1;  /**< this sample says nothing against the path */
    bool recovering : 1;   /**< cwnd is to be restored at the end */
    bool held : 1;         /**< after a mark: cwnd does not grow for a round trip */
    bool conserving : 1;   /**< the first round of it: one segment for one */
    bool idle_restart : 1; /**< idling has emptied the queue, ProbeRTT need not */
    bool min_rtt_old : 1;  /**< ten seconds without a shorter one */
    bool round_done : 1;   /**< ProbeRTT has lasted a round trip */
    bool rtt_seen : 1;     /**< the pacing rate follows from a measured round trip */
};
CONTROLLER_STATE_OF(bbr)

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* ---- the model, section 4.1 */

static void best_shift(struct best *best, struct best fresh, uint32_t window)
{
    uint32_t age = fresh.round - best[0].round;
    if (age > window) {
        best[0] = best[1];
        best[1] = best[2];
        best[2] = fresh;
        if (fresh.round - best[0].round > window) {
            best[0] = best[1];
            best[1] = best[2];
        }
    } else if (best[1].round == best[0].round && age > window / 4) {
        best[2] = best[1] = fresh; /* a quarter without a second best: any will do */
    } else if (best[2].round == best[1].round && age > window / 2) {
        best[2] = fresh;
    }
}

static void best_update(struct best *best, uint64_t rate, uint32_t round, uint32_t window)
{
    struct best fresh = {rate, round};
    if (rate >= best[0].rate || round - best[2].round > window) {
        best[0] = best[1] = best[2] = fresh;
        return;
    }
    if (rate >= best[1].rate)
        best[2] = best[1] = fresh;
    else if (rate >= best[2].rate)
        best[2] = fresh;
    best_shift(best, fresh, window);
}

static void update_rate(struct bbr *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->round_start =
        sample->in_flight_when_sent > 0 && sample->delivered_before >= bbr->next_round_delivered;
    if (bbr->round_start) {
        bbr->next_round_delivered = sample->delivered_bytes;
        bbr->round++;
        bbr->conserving = bbr->held = false;
    }
    uint64_t rate =
        sample->rate_bytes_per_second < RATE_MAX ? sample->rate_bytes_per_second : RATE_MAX;
    bbr->app_limited = sample->rate_app_limited || sample->delivered_before < bbr->app_limited_to;
    if (rate > 0 && (!bbr->app_limited || rate >= bbr->best[0].rate))
        best_update(bbr->best, rate, bbr->round, BW_ROUNDS);
}

static void update_min_rtt(struct bbr *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->min_rtt_old = sample->now.ns > bbr->min_rtt_at_ns + MIN_RTT_FILTER_NS;
    if (sample->rtt_us == 0 || (sample->rtt_us > bbr->min_rtt_us && !bbr->min_rtt_old))
        return;
    bbr->min_rtt_us = sample->rtt_us;
    bbr->min_rtt_at_ns = sample->now.ns;
}

/* Inflight (gain): the pipe, and a batch each for the sender, the receiver and the path. */
static uint32_t inflight(const struct bbr *bbr, const struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample, uint32_t percent)
{
    uint32_t mss = sample->mss;
    if (bbr->min_rtt_us == UINT32_MAX)
        return window_initial(mss);
    uint32_t quantum = rate_quantum(controls->pacing_bytes_per_second, mss);
    uint64_t pipe = (uint64_t)rate_volume(bbr->best[0].rate, bbr->min_rtt_us) * percent / 100;
    return window_grown(3 * quantum, pipe, UINT32_MAX - 1);
}

/* ---- the states, section 4.3 */

/* Section 4.3.2.2 */
static void check_full(struct bbr *bbr)
{
    if (bbr->filled || !bbr->round_start || bbr->app_limited)
        return;
    uint64_t rate = bbr->best[0].rate;
    if (rate >= bbr->full_bw + bbr->full_bw / 4) {
        bbr->full_bw = rate;
        bbr->full_bw_count = 0;
        return;
    }
    bbr->full_bw_count++;
    bbr->filled = bbr->full_bw_count >= FULL_BW_ROUNDS;
}

static void next_phase(struct bbr *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->phase = (uint8_t)((bbr->phase + 1) % CYCLE_LENGTH);
    bbr->cycle_ns = sample->now.ns;
}

/* Anywhere in the cycle but where it slows down, so that flows do not probe together. */
static void enter_probe_bw(struct bbr *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->state = BBR_PROBE_BW;
    bbr->random = bbr->random * 1664525u + 1013904223u;
    bbr->phase = (uint8_t)(CYCLE_LENGTH - 1 - (bbr->random >> 16) % (CYCLE_LENGTH - 1));
    next_phase(bbr, sample);
}

/* Section 4.3.4.3: a phase lasts a round trip; the fast one until it has filled the pipe further,
 * or lost; the slow one until the pipe is no more than full. */
static bool phase_is_over(const struct bbr *bbr, const struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    struct daytona_instant began = {bbr->cycle_ns};
    bool long_enough = daytona_instant_since_us(sample->now, began) > bbr->min_rtt_us;
    uint32_t prior = sample->prior_in_flight_bytes, gain = cycle[bbr->phase];
    if (gain > 100)
        return long_enough &&
               (sample->lost_bytes > 0 || prior >= inflight(bbr, controls, sample, gain));
    if (gain < 100)
        return long_enough || prior <= inflight(bbr, controls, sample, 100);
    return long_enough;
}

static void update_state(struct bbr *bbr, const struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    check_full(bbr);
    if (bbr->state == BBR_STARTUP && bbr->filled)
        bbr->state = BBR_DRAIN;
    if (bbr->state == BBR_DRAIN && sample->in_flight_bytes <= inflight(bbr, controls, sample, 100))
        enter_probe_bw(bbr, sample);
    else if (bbr->state == BBR_PROBE_BW && phase_is_over(bbr, controls, sample))
        next_phase(bbr, sample);
}

static void save_cwnd(struct bbr *bbr, const struct daytona_congestion_controls *controls)
{
    bool good = !bbr->recovering && bbr->state != BBR_PROBE_RTT;
    bbr->prior_cwnd = good ? controls->cwnd_bytes : larger(bbr->prior_cwnd, controls->cwnd_bytes);
}

static void restore_cwnd(const struct bbr *bbr, struct daytona_congestion_controls *controls)
{
    controls->cwnd_bytes = larger(controls->cwnd_bytes, bbr->prior_cwnd);
}

static void check_probe_rtt_done(struct bbr *bbr, struct daytona_congestion_controls *controls,
                                 const struct daytona_congestion_sample *sample)
{
    if (bbr->probe_rtt_done_ns == 0 || sample->now.ns <= bbr->probe_rtt_done_ns)
        return;
    bbr->min_rtt_at_ns = sample->now.ns;
    restore_cwnd(bbr, controls);
    if (bbr->filled)
        enter_probe_bw(bbr, sample);
    else
        bbr->state = BBR_STARTUP;
}

/* Section 4.3.5: four segments for 200 ms and a round trip. */
static void handle_probe_rtt(struct bbr *bbr, struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample)
{
    bbr->app_limited_to = sample->delivered_bytes + sample->in_flight_bytes;
    if (bbr->probe_rtt_done_ns == 0) {
        if (sample->in_flight_bytes > rate_min_cwnd(sample->mss))
            return;
        bbr->probe_rtt_done_ns = sample->now.ns + PROBE_RTT_NS;
        bbr->round_done = false;
        bbr->next_round_delivered = sample->delivered_bytes;
        return;
    }
    if (bbr->round_start)
        bbr->round_done = true;
    if (bbr->round_done)
        check_probe_rtt_done(bbr, controls, sample);
}

static void check_probe_rtt(struct bbr *bbr, struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample)
{
    if (bbr->state != BBR_PROBE_RTT && bbr->min_rtt_old && !bbr->idle_restart) {
        save_cwnd(bbr, controls);
        bbr->state = BBR_PROBE_RTT;
        bbr->probe_rtt_done_ns = 0;
    }
    if (bbr->state == BBR_PROBE_RTT)
        handle_probe_rtt(bbr, controls, sample);
    bbr->idle_restart = false;
}

/* ---- the controls, section 4.2 */

static uint32_t pacing_gain(const struct bbr *bbr)
{
    switch ((enum bbr_state)bbr->state) {
    case BBR_STARTUP:
        return HIGH_GAIN;
    case BBR_DRAIN:
        return DRAIN_GAIN;
    case BBR_PROBE_BW:
        return cycle[bbr->phase];
    case BBR_PROBE_RTT:
        return 100;
    }
    return 100;
}

/* Before the pipe was full once the rate only goes up. */
static void set_pacing(const struct bbr *bbr, struct daytona_congestion_controls *controls,
                       uint32_t mss, uint32_t percent)
{
    uint64_t rate =
        rate_within_bounds(bbr->best[0].rate * percent / 100 * MARGIN_PERCENT / 100, mss);
    if (bbr->filled || rate > controls->pacing_bytes_per_second)
        controls->pacing_bytes_per_second = rate;
}

static void init_pacing(struct bbr *bbr, struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    uint64_t rtt_us = sample->srtt_us != 0 ? sample->srtt_us : UNKNOWN_RTT_US;
    uint64_t rate = (uint64_t)controls->cwnd_bytes * 1000000 / rtt_us * HIGH_GAIN / 100;
    bbr->rtt_seen = sample->srtt_us != 0;
    controls->pacing_bytes_per_second = rate_within_bounds(rate, sample->mss);
}

/* Section 4.2.3.4: what was lost is taken away, and in the first round of a recovery a segment
 * goes for each that arrives. True: cwnd is set. */
static bool modulate_for_recovery(struct bbr *bbr, struct daytona_congestion_controls *controls,
                                  const struct daytona_congestion_sample *sample)
{
    uint32_t mss = sample->mss, cwnd = controls->cwnd_bytes;
    if (bbr->recovering && !sample->in_recovery) {
        bbr->recovering = bbr->conserving = false;
        restore_cwnd(bbr, controls);
        return false;
    }
    if (sample->lost_bytes > 0)
        controls->cwnd_bytes =
            cwnd > sample->lost_bytes + (uint64_t)mss ? cwnd - sample->lost_bytes : mss;
    if (!bbr->conserving)
        return false;
    uint32_t conserved = window_grown(sample->in_flight_bytes, sample->acked_bytes, UINT32_MAX - 1);
    controls->cwnd_bytes = larger(controls->cwnd_bytes, conserved);
    return true;
}

static void bound_in_probe_rtt(const struct bbr *bbr, struct daytona_congestion_controls *controls,
                               uint32_t mss)
{
    if (bbr->state == BBR_PROBE_RTT)
        controls->cwnd_bytes = smaller(controls->cwnd_bytes, rate_min_cwnd(mss));
}

/* Section 4.2.3.6 */
static void set_cwnd(struct bbr *bbr, struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    uint32_t gain = bbr->state == BBR_STARTUP || bbr->state == BBR_DRAIN ? HIGH_GAIN : CWND_GAIN;
    uint32_t target = inflight(bbr, controls, sample, gain);
    bool set = modulate_for_recovery(bbr, controls, sample);
    if (!set && !bbr->held) {
        uint32_t grown = window_grown(controls->cwnd_bytes, sample->acked_bytes, UINT32_MAX - 1);
        if (bbr->filled)
            controls->cwnd_bytes = smaller(grown, target);
        else if (controls->cwnd_bytes < target ||
                 sample->delivered_bytes < window_initial(sample->mss))
            controls->cwnd_bytes = grown;
        controls->cwnd_bytes = larger(controls->cwnd_bytes, rate_min_cwnd(sample->mss));
    }
    bound_in_probe_rtt(bbr, controls, sample->mss);
}

/* ---- the table */

static void bbr_init(struct daytona_congestion_state *state,
                     struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    *bbr = (struct bbr){
        .min_rtt_us = sample->srtt_us != 0 ? sample->srtt_us : UINT32_MAX,
        .min_rtt_at_ns = sample->now.ns,
        .next_round_delivered = sample->delivered_bytes,
        .random = (uint32_t)(sample->now.ns ^ sample->nxt),
    };
    init_pacing(bbr, controls, sample);
    controls->ssthresh_bytes = UINT32_MAX;
}

static void bbr_acked(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    if (!bbr->rtt_seen && sample->srtt_us != 0)
        init_pacing(bbr, controls, sample);
    update_rate(bbr, sample);
    update_state(bbr, controls, sample);
    update_min_rtt(bbr, sample);
    check_probe_rtt(bbr, controls, sample);
    set_pacing(bbr, controls, sample->mss, pacing_gain(bbr));
    set_cwnd(bbr, controls, sample);
}

static void bbr_loss(struct daytona_congestion_state *state,
                     struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    save_cwnd(bbr, controls);
    bbr->recovering = bbr->conserving = true;
    bbr->next_round_delivered = sample->delivered_bytes;
    uint32_t cwnd = window_grown(sample->in_flight_bytes, sample->mss, UINT32_MAX - 1);
    controls->cwnd_bytes = smaller(controls->cwnd_bytes, cwnd);
}

/* No draft of version 1 says what a mark means. RFC 3168 section 5 does: less is sent for a round
 * trip. */
static void bbr_marked(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    uint32_t cwnd = (uint32_t)((uint64_t)window_flight(sample) * 7 / 10);
    controls->cwnd_bytes = smaller(controls->cwnd_bytes, larger(cwnd, rate_min_cwnd(sample->mss)));
    bbr->held = true;
    bbr->next_round_delivered = sample->delivered_bytes;
}

static void bbr_recovered(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    if (!bbr->recovering)
        return;
    bbr->recovering = bbr->conserving = false;
    restore_cwnd(bbr, controls);
    bound_in_probe_rtt(bbr, controls, sample->mss);
}

static void bbr_timeout(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    save_cwnd(bbr, controls);
    bbr->recovering = true;
    bbr->conserving = false;
    bbr->full_bw = 0;
    controls->cwnd_bytes = window_grown(sample->in_flight_bytes, sample->mss, UINT32_MAX - 1);
}

static void bbr_undone(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    bbr->full_bw = 0;
    bbr->full_bw_count = 0;
    bbr_recovered(state, controls, sample);
}

/* Section 4.3.4.4 */
static void bbr_restart(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    struct bbr *bbr = bbr_of(state);
    (void)idle_us;
    bbr->idle_restart = true;
    if (bbr->state == BBR_PROBE_BW)
        set_pacing(bbr, controls, sample->mss, 100);
    else if (bbr->state == BBR_PROBE_RTT)
        check_probe_rtt_done(bbr, controls, sample);
}

static void bbr_tell(struct daytona_congestion_state *state, struct daytona_congestion_told *out)
{
    const struct bbr *bbr = bbr_of(state);
    bool high = bbr->state == BBR_STARTUP || bbr->state == BBR_DRAIN;
    out->kind = DAYTONA_CONGESTION_TELLS_RATE;
    out->bytes_per_second = bbr->best[0].rate;
    out->rtt_base_us = bbr->min_rtt_us;
    out->pacing_percent = pacing_gain(bbr);
    out->cwnd_percent = high ? HIGH_GAIN : bbr->state == BBR_PROBE_RTT ? 100 : CWND_GAIN;
}

const struct daytona_congestion congestion_bbr = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "bbr",
    .source = "draft-cardwell-iccrg-bbr-congestion-control-00",
    .models_path = true,
    .init = bbr_init,
    .acked = bbr_acked,
    .loss = bbr_loss,
    .marked = bbr_marked,
    .recovered = bbr_recovered,
    .timeout = bbr_timeout,
    .undone = bbr_undone,
    .restart = bbr_restart,
    .tell = bbr_tell,
};
