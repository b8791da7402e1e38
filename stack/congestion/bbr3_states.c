/* BBR's states: section 5.3. */
#include "stack/congestion/bbr3.h"
#include "stack/congestion/window.h"

#define STARTUP_LOSS_EVENTS   6u                  /* BBRStartupFullLossCnt, section 5.3.1.3 */
#define DRAIN_ROUNDS          3u                  /* section 5.3.2 */
#define PROBE_WAIT_US         2000000u            /* and up to a second more, section 5.3.3.8 */
#define PROBE_WAIT_ROUNDS     63u                 /* T_reno_bound, section 5.3.3.8.2 */
#define PROBE_RTT_DURATION_NS UINT64_C(200000000) /* section 2.16.2 */

void bbr3_enter_startup(struct bbr3 *bbr)
{
    bbr->state = BBR3_STARTUP;
}

static void enter_drain(struct bbr3 *bbr)
{
    bbr->state = BBR3_DRAIN;
    bbr->drain_rounds = 0;
}

/* ---- ProbeBW, section 5.3.3.9 */

/* xorshift (G. Marsaglia, 2003): nothing secret, only different from flow to flow. */
static uint32_t next_random(struct bbr3 *bbr)
{
    uint32_t x = bbr->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return bbr->random = x;
}

static void pick_probe_wait(struct bbr3 *bbr)
{
    uint32_t random = next_random(bbr);
    bbr->rounds_since_probe = random & 1;
    bbr->probe_wait_us = PROBE_WAIT_US + (random >> 1) % 1000000;
}

static void start_down(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    bbr3_reset_signals(bbr);
    bbr->probe_up_acked_per_inc = BBR3_VOLUME_INFINITE;
    pick_probe_wait(bbr);
    bbr->cycle_start_ns = sample->now.ns;
    bbr->acks = BBR3_ACKS_STOPPING;
    bbr3_start_round(bbr, sample);
    bbr->state = BBR3_DOWN;
}

static void start_refill(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    bbr3_reset_shortterm(bbr);
    bbr->probe_up_rounds = 0;
    bbr->probe_up_acked = 0;
    bbr->prev_probe_precautionary = false;
    bbr->acks = BBR3_ACKS_REFILLING;
    bbr3_start_round(bbr, sample);
    bbr->state = BBR3_REFILL;
}

/* inflight_longterm grows by 1, 2, 4, 8 ... segments a round trip. */
static void raise_slope(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    uint32_t per_inc = controls->cwnd_bytes >> bbr->probe_up_rounds;
    if (bbr->probe_up_rounds < 30)
        bbr->probe_up_rounds++;
    bbr->probe_up_acked_per_inc = per_inc > sample->mss ? per_inc : sample->mss;
}

static void start_up(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    bbr->bw_probe_sample = true;
    bbr->acks = BBR3_ACKS_STARTING;
    bbr3_start_round(bbr, sample);
    bbr3_reset_full_bw(bbr, sample->rate_bytes_per_second);
    bbr->state = BBR3_UP;
    raise_slope(bbr, controls, sample);
}

/* TargetInflight: the pipe, unless congestion has cut cwnd. */
static uint32_t target_inflight(const struct bbr3 *bbr,
                                const struct daytona_congestion_controls *controls,
                                const struct daytona_congestion_sample *sample)
{
    uint32_t bdp = bbr3_bdp(bbr, bbr3_bw(bbr), sample->mss);
    return bdp < controls->cwnd_bytes ? bdp : controls->cwnd_bytes;
}

/* Section 5.3.3.8: after 2 to 3 seconds, or as many round trips as Reno would need to regain the
 * segment that the probe may cost it. */
static bool time_to_probe(const struct bbr3 *bbr,
                          const struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    struct daytona_instant start = {bbr->cycle_start_ns};
    if (daytona_instant_since_us(sample->now, start) > bbr->probe_wait_us)
        return true;
    uint32_t rounds = target_inflight(bbr, controls, sample) / sample->mss;
    return bbr->rounds_since_probe >= (rounds < PROBE_WAIT_ROUNDS ? rounds : PROBE_WAIT_ROUNDS);
}

static bool time_to_cruise(const struct bbr3 *bbr,
                           const struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    uint32_t in_flight = sample->in_flight_bytes;
    return in_flight <= bbr3_inflight_with_headroom(bbr, sample->mss) &&
           in_flight <= bbr3_inflight(bbr, controls, sample, bbr3_max_bw(bbr), 100);
}

static bool held_by_longterm(const struct bbr3 *bbr,
                             const struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample)
{
    return sample->cwnd_limited && controls->cwnd_bytes >= bbr->inflight_longterm;
}

static bool time_to_go_down(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample)
{
    /* Section 5.3.3.6: the last probe lost too much; this one only touches its bound. */
    if (bbr->prev_probe_too_high && sample->in_flight_bytes >= bbr->inflight_longterm) {
        bbr->prev_probe_precautionary = true;
        return true;
    }
    if (held_by_longterm(bbr, controls, sample)) {
        bbr3_reset_full_bw(bbr, sample->rate_bytes_per_second);
        return false;
    }
    return bbr->full_bw_now;
}

static void probe_longterm_upward(struct bbr3 *bbr,
                                  const struct daytona_congestion_controls *controls,
                                  const struct daytona_congestion_sample *sample)
{
    if (!held_by_longterm(bbr, controls, sample))
        return;
    bbr->probe_up_acked =
        window_grown(bbr->probe_up_acked, sample->acked_bytes, BBR3_VOLUME_INFINITE - 1);
    if (bbr->probe_up_acked >= bbr->probe_up_acked_per_inc) {
        uint32_t segments = bbr->probe_up_acked / bbr->probe_up_acked_per_inc;
        bbr->probe_up_acked -= segments * bbr->probe_up_acked_per_inc;
        bbr->inflight_longterm = window_grown(
            bbr->inflight_longterm, (uint64_t)segments * sample->mss, BBR3_VOLUME_INFINITE - 1);
    }
    if (bbr->round_start)
        raise_slope(bbr, controls, sample);
}

/* The answers to a probe come a round trip later. True: it has decided the state. */
static bool advance_acks(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    if (!bbr->round_start)
        return false;
    if (bbr->acks == BBR3_ACKS_STARTING)
        bbr->acks = BBR3_ACKS_FEEDBACK;
    if (bbr->acks != BBR3_ACKS_STOPPING)
        return false;
    bbr->bw_probe_sample = false;
    bbr->acks = BBR3_ACKS_INIT;
    if (!bbr3_in_probe_bw(bbr))
        return false;
    if (!bbr->app_limited)
        bbr3_advance_max_bw(bbr);
    if (!bbr->prev_probe_precautionary || bbr->prev_probe_too_high)
        return false;
    start_refill(bbr, sample); /* the careful probe went well: now a real one */
    return true;
}

/* AdaptLongTermModel. */
static bool adapt_longterm(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    if (advance_acks(bbr, sample))
        return true;
    uint64_t lost = sample->lost_total_bytes - sample->lost_before;
    if (bbr->inflight_longterm == BBR3_VOLUME_INFINITE || sample->in_flight_when_sent == 0 ||
        sample->ce_bytes > 0 || bbr3_inflight_too_high(sample, lost, sample->in_flight_when_sent))
        return false;
    if (sample->in_flight_when_sent > bbr->inflight_longterm)
        bbr->inflight_longterm = sample->in_flight_when_sent;
    if (bbr->state == BBR3_UP)
        probe_longterm_upward(bbr, controls, sample);
    return false;
}

static void update_cycle(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    if (!bbr->full_bw_reached || adapt_longterm(bbr, controls, sample))
        return;
    switch ((enum bbr3_state)bbr->state) {
    case BBR3_DOWN:
        if (time_to_probe(bbr, controls, sample))
            start_refill(bbr, sample);
        else if (time_to_cruise(bbr, controls, sample))
            bbr->state = BBR3_CRUISE;
        break;
    case BBR3_CRUISE:
        if (time_to_probe(bbr, controls, sample))
            start_refill(bbr, sample);
        break;
    case BBR3_REFILL:
        if (bbr->round_start)
            start_up(bbr, controls, sample);
        break;
    case BBR3_UP:
        if (time_to_go_down(bbr, controls, sample)) {
            bbr->prev_probe_too_high = false; /* as far as is known yet */
            start_down(bbr, sample);
        }
        break;
    case BBR3_STARTUP:
    case BBR3_DRAIN:
    case BBR3_PROBE_RTT:
    case BBR3_STATE_NONE:
        break;
    }
}

/* ---- Startup and Drain, sections 5.3.1 and 5.3.2 */

/* The losses of Startup say that the pipe is full, and how much was too much. */
static void leave_startup(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    uint32_t bdp = bbr3_bdp(bbr, bbr3_max_bw(bbr), sample->mss);
    bbr->undo_state = BBR3_STARTUP;
    bbr->full_bw_reached = true;
    bbr->inflight_longterm = bdp > bbr->inflight_latest ? bdp : bbr->inflight_latest;
}

/* Section 5.3.1.3: in recovery for a round trip, 2 % lost in it, in six places. */
static void check_startup_loss(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    uint64_t lost = sample->lost_total_bytes - sample->lost_before;
    bool enough = sample->without_sack || bbr->loss_events >= STARTUP_LOSS_EVENTS;
    if (bbr->state == BBR3_STARTUP && bbr->loss_round_start && sample->in_recovery && enough &&
        sample->in_flight_when_sent > 0 &&
        bbr3_inflight_too_high(sample, lost, sample->in_flight_when_sent))
        leave_startup(bbr, sample);
    if (bbr->loss_round_start)
        bbr->loss_events = 0;
}

static void check_startup_and_drain(struct bbr3 *bbr,
                                    const struct daytona_congestion_controls *controls,
                                    const struct daytona_congestion_sample *sample)
{
    check_startup_loss(bbr, sample);
    if (bbr->state == BBR3_STARTUP && bbr->full_bw_reached)
        enter_drain(bbr);
    if (bbr->state == BBR3_DRAIN &&
        (sample->in_flight_bytes <= bbr3_inflight(bbr, controls, sample, bbr3_bw(bbr), 100) ||
         bbr->drain_rounds > DRAIN_ROUNDS))
        start_down(bbr, sample);
}

/* ---- what losses mean for a probe, section 5.5.10.2 */

static void handle_too_high(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample, uint32_t in_flight)
{
    uint32_t target = (uint32_t)((uint64_t)target_inflight(bbr, controls, sample) * 7 / 10);
    bbr->prev_probe_too_high = true;
    bbr->bw_probe_sample = false; /* one answer a probe */
    if (!bbr->app_limited)
        bbr->inflight_longterm = in_flight > target ? in_flight : target;
    if (bbr->state == BBR3_UP) {
        bbr->undo_state = BBR3_UP;
        start_down(bbr, sample);
    }
}

/* InflightAtLoss: at which volume the losses crossed the threshold, when the lost segment was sent
 * into `in_flight` and `lost` bytes, itself among them, have been lost since. */
static uint32_t inflight_at_loss(uint32_t in_flight, uint64_t lost, uint32_t size)
{
    uint32_t previous = in_flight > size ? in_flight - size : 0;
    uint64_t lost_previous = lost > size ? lost - size : 0;
    uint64_t tolerated = previous / 50;
    return tolerated > lost_previous ? previous + (uint32_t)((tolerated - lost_previous) * 50 / 49)
                                     : previous;
}

void bbr3_handle_losses(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    if (sample->lost_bytes == 0)
        return;
    bbr3_note_loss(bbr, controls, sample);
    if (bbr->loss_events < UINT8_MAX)
        bbr->loss_events++;
    if (!bbr->bw_probe_sample)
        return;
    /* The lost segment's own account if there is one, else that of the acknowledged one. */
    bool known = sample->loss_in_flight_when_sent > 0;
    uint32_t in_flight = known ? sample->loss_in_flight_when_sent : sample->in_flight_when_sent;
    uint64_t before = known ? sample->loss_lost_before : sample->lost_before;
    uint64_t lost = sample->lost_total_bytes - before;
    uint32_t size = sample->lost_bytes < sample->mss ? sample->lost_bytes : sample->mss;
    if (in_flight > 0 && bbr3_inflight_too_high(sample, lost, in_flight))
        handle_too_high(bbr, controls, sample, inflight_at_loss(in_flight, lost, size));
}

void bbr3_handle_mark(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    bool known = sample->in_flight_when_sent > 0;
    bbr3_note_loss(bbr, controls, sample);
    if (bbr->bw_probe_sample)
        handle_too_high(bbr, controls, sample,
                        known ? sample->in_flight_when_sent : window_flight(sample));
    else if (bbr->state == BBR3_STARTUP)
        leave_startup(bbr, sample);
}

void bbr3_handle_undo(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->loss_in_round = false;
    bbr3_reset_full_bw(bbr, 0);
    if (bbr->bw_shortterm < bbr->undo_bw_shortterm)
        bbr->bw_shortterm = bbr->undo_bw_shortterm;
    if (bbr->inflight_shortterm < bbr->undo_inflight_shortterm)
        bbr->inflight_shortterm = bbr->undo_inflight_shortterm;
    if (bbr->inflight_longterm < bbr->undo_inflight_longterm)
        bbr->inflight_longterm = bbr->undo_inflight_longterm;
    if (bbr->undo_state == BBR3_STARTUP && bbr->state != BBR3_STARTUP) {
        bbr->full_bw_reached = false;
        if (bbr->state != BBR3_PROBE_RTT)
            bbr3_enter_startup(bbr);
    } else if (bbr->undo_state == BBR3_UP && bbr->state != BBR3_UP &&
               bbr->state != BBR3_PROBE_RTT) {
        start_refill(bbr, sample);
    }
    bbr->undo_state = BBR3_STATE_NONE;
}

/* ---- ProbeRTT, section 5.3.4 */

static void exit_probe_rtt(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    bbr3_reset_shortterm(bbr);
    if (!bbr->full_bw_reached) {
        bbr3_enter_startup(bbr);
        return;
    }
    start_down(bbr, sample);
    bbr->state = BBR3_CRUISE; /* in flight is less than the pipe already */
}

void bbr3_check_probe_rtt_done(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                               const struct daytona_congestion_sample *sample)
{
    if (bbr->probe_rtt_done_ns == 0 || sample->now.ns <= bbr->probe_rtt_done_ns)
        return;
    bbr->probe_rtt_min_at_ns = sample->now.ns; /* the next one is five seconds away */
    bbr3_restore_cwnd(bbr, controls);
    exit_probe_rtt(bbr, sample);
}

static void handle_probe_rtt(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample)
{
    bbr->app_limited_to = sample->delivered_bytes + sample->in_flight_bytes;
    if (bbr->probe_rtt_done_ns == 0) {
        if (sample->in_flight_bytes > bbr3_probe_rtt_cwnd(bbr, sample->mss))
            return;
        bbr->probe_rtt_done_ns = sample->now.ns + PROBE_RTT_DURATION_NS;
        bbr->probe_rtt_round_done = false;
        bbr3_start_round(bbr, sample);
        return;
    }
    if (bbr->round_start)
        bbr->probe_rtt_round_done = true;
    if (bbr->probe_rtt_round_done)
        bbr3_check_probe_rtt_done(bbr, controls, sample);
}

/* After an idle time the queue has been empty without any help. */
static void check_probe_rtt(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample)
{
    if (bbr->state != BBR3_PROBE_RTT && bbr->probe_rtt_expired && !bbr->idle_restart) {
        bbr3_save_cwnd(bbr, controls);
        bbr->state = BBR3_PROBE_RTT;
        bbr->probe_rtt_done_ns = 0;
        bbr->acks = BBR3_ACKS_STOPPING;
        bbr3_start_round(bbr, sample);
    }
    if (bbr->state == BBR3_PROBE_RTT)
        handle_probe_rtt(bbr, controls, sample);
    if (sample->acked_bytes > 0)
        bbr->idle_restart = false;
}

void bbr3_update_state(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    bbr3_check_full_bw(bbr, sample);
    check_startup_and_drain(bbr, controls, sample);
    update_cycle(bbr, controls, sample);
    bbr3_update_min_rtt(bbr, sample);
    check_probe_rtt(bbr, controls, sample);
}
