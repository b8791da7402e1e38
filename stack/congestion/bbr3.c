/* BBR's controls: what follows from model and state for the pacing rate and cwnd, section 5.6. */
#include "stack/congestion/bbr3.h"
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

#define PACING_MARGIN_PERCENT  1u    /* BBR.PacingMarginPercent, section 2.5 */
#define PROBE_RTT_CWND_PERCENT 50u   /* BBR.ProbeRTTCwndGain, section 2.16.2 */
#define UNKNOWN_RTT_US         1000u /* section 5.6.2, InitPacingRate */

/* Section 5.6.1, in percent. */
static const struct {
    uint16_t pacing, cwnd;
} gains[] = {
    [BBR3_STARTUP] = {277, 200},
    [BBR3_DRAIN] = {50, 200},
    [BBR3_DOWN] = {90, 200},
    [BBR3_CRUISE] = {100, 200},
    [BBR3_REFILL] = {100, 200},
    [BBR3_UP] = {125, 225},
    [BBR3_PROBE_RTT] = {100, PROBE_RTT_CWND_PERCENT},
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* ---- pacing rate, section 5.6.2 */

static uint64_t with_gain(uint64_t rate, uint32_t percent)
{
    return rate * percent / 100 * (100 - PACING_MARGIN_PERCENT) / 100;
}

/* Until something was delivered: cwnd in a round trip. */
static void init_pacing(struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    uint32_t rtt_us = sample->srtt_us != 0 ? sample->srtt_us : UNKNOWN_RTT_US;
    bbr->rtt_seen = sample->srtt_us != 0;
    uint64_t rate =
        (uint64_t)controls->cwnd_bytes * 1000000 / rtt_us * gains[BBR3_STARTUP].pacing / 100;
    controls->pacing_bytes_per_second = rate_within_bounds(rate, sample->mss);
}

/* Before the pipe was full once the rate only goes up, so that a start in small pieces does not
 * look like a slow path. */
static void set_pacing(const struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample, uint32_t percent)
{
    uint64_t rate = rate_within_bounds(with_gain(bbr3_bw(bbr), percent), sample->mss);
    if (bbr->full_bw_reached || rate > controls->pacing_bytes_per_second)
        controls->pacing_bytes_per_second = rate;
}

/* ---- cwnd, section 5.6.4 */

/* QuantizationBudget: sender, receiver and the path each may hold a batch. */
static uint32_t with_batches(const struct bbr3 *bbr,
                             const struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample, uint64_t inflight)
{
    uint32_t mss = sample->mss;
    uint32_t batches = 3 * rate_quantum(controls->pacing_bytes_per_second, mss);
    if (inflight < batches)
        inflight = batches;
    if (inflight < rate_min_cwnd(mss))
        inflight = rate_min_cwnd(mss);
    if (bbr->state == BBR3_UP)
        inflight += 2 * (uint64_t)mss;
    return window_grown(0, inflight, BBR3_VOLUME_INFINITE - 1);
}

uint32_t bbr3_inflight(const struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample, uint64_t bw,
                       uint32_t percent)
{
    uint64_t bdp = bbr3_bdp(bbr, bw, sample->mss);
    return with_batches(bbr, controls, sample, bdp * percent / 100);
}

uint32_t bbr3_inflight_with_headroom(const struct bbr3 *bbr, uint32_t mss)
{
    uint32_t longterm = bbr->inflight_longterm;
    if (longterm == BBR3_VOLUME_INFINITE)
        return longterm;
    uint32_t headroom = larger((uint32_t)((uint64_t)longterm * 15 / 100), mss);
    return larger(longterm > headroom ? longterm - headroom : 0, rate_min_cwnd(mss));
}

uint32_t bbr3_probe_rtt_cwnd(const struct bbr3 *bbr, uint32_t mss)
{
    uint64_t bdp = bbr3_bdp(bbr, bbr3_bw(bbr), mss);
    return larger((uint32_t)(bdp * PROBE_RTT_CWND_PERCENT / 100), rate_min_cwnd(mss));
}

void bbr3_save_cwnd(struct bbr3 *bbr, const struct daytona_congestion_controls *controls)
{
    bool good = !bbr->in_loss_recovery && bbr->state != BBR3_PROBE_RTT;
    bbr->prior_cwnd = good ? controls->cwnd_bytes : larger(bbr->prior_cwnd, controls->cwnd_bytes);
}

void bbr3_restore_cwnd(const struct bbr3 *bbr, struct daytona_congestion_controls *controls)
{
    controls->cwnd_bytes = larger(controls->cwnd_bytes, bbr->prior_cwnd);
}

/* The volume caps of the table in section 5.6.1 (BoundCwndForModel). */
static uint32_t volume_cap(const struct bbr3 *bbr, uint32_t mss)
{
    uint32_t cap = BBR3_VOLUME_INFINITE;
    if (bbr->state == BBR3_PROBE_RTT || bbr->state == BBR3_CRUISE)
        cap = bbr3_inflight_with_headroom(bbr, mss);
    else if (bbr3_in_probe_bw(bbr))
        cap = bbr->inflight_longterm;
    return larger(smaller(cap, bbr->inflight_shortterm), rate_min_cwnd(mss));
}

static void bound_cwnd(const struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                       uint32_t mss)
{
    uint32_t cwnd = larger(controls->cwnd_bytes, rate_min_cwnd(mss));
    if (bbr->state == BBR3_PROBE_RTT)
        cwnd = smaller(cwnd, bbr3_probe_rtt_cwnd(bbr, mss));
    controls->cwnd_bytes = smaller(cwnd, volume_cap(bbr, mss));
}

/* Section 5.6.4.6: down at once, up by what was acknowledged. */
static void set_cwnd(const struct bbr3 *bbr, struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    uint32_t extra = larger(bbr->extra_acked[0], bbr->extra_acked[1]);
    uint64_t bdp = bbr3_bdp(bbr, bbr3_bw(bbr), sample->mss);
    uint32_t most = with_batches(bbr, controls, sample, bdp * gains[bbr->state].cwnd / 100 + extra);
    uint32_t grown =
        window_grown(controls->cwnd_bytes, sample->acked_bytes, BBR3_VOLUME_INFINITE - 1);
    if (bbr->full_bw_reached)
        controls->cwnd_bytes = smaller(grown, most);
    else if (controls->cwnd_bytes < most || sample->delivered_bytes < window_initial(sample->mss))
        controls->cwnd_bytes = grown;
    bound_cwnd(bbr, controls, sample->mss);
}

/* ---- the table */

static void bbr3_init(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    struct bbr3 *bbr = bbr3_of(state);
    uint64_t now_ns = sample->now.ns;
    uint64_t seed = now_ns ^ sample->nxt ^ sample->delivered_bytes;
    *bbr = (struct bbr3){
        .extra_acked_start_ns = now_ns,
        .min_rtt_us = sample->srtt_us != 0 ? sample->srtt_us : UINT32_MAX,
        .min_rtt_at_ns = now_ns,
        .probe_rtt_min_us = UINT32_MAX,
        .probe_rtt_min_at_ns = now_ns,
        .next_round_delivered = sample->delivered_bytes,
        .loss_round_delivered = sample->delivered_bytes,
        .inflight_longterm = BBR3_VOLUME_INFINITE,
        .probe_up_acked_per_inc = BBR3_VOLUME_INFINITE,
        .random = (uint32_t)(seed ^ seed >> 32) | 1,
        .undo_state = BBR3_STATE_NONE,
    };
    bbr3_reset_shortterm(bbr);
    bbr3_enter_startup(bbr);
    init_pacing(bbr, controls, sample);
    controls->ssthresh_bytes = UINT32_MAX;
}

/* The steps of section 5.2.3. */
static void bbr3_acked(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *given)
{
    struct bbr3 *bbr = bbr3_of(state);
    struct daytona_congestion_sample sample = *given;
    bbr3_take_sample(bbr, &sample);
    if (!bbr->rtt_seen && sample.srtt_us != 0)
        init_pacing(bbr, controls, &sample);
    if (bbr->in_loss_recovery && !sample.in_recovery) {
        bbr->in_loss_recovery = false;
        bbr3_restore_cwnd(bbr, controls);
    }
    bbr3_handle_losses(bbr, controls, &sample);
    if (sample.ce_bytes > 0)
        bbr3_handle_mark(bbr, controls, &sample);
    bbr3_update_model(bbr, controls, &sample);
    bbr3_update_state(bbr, controls, &sample);
    bbr3_advance_signals(bbr, &sample);
    set_pacing(bbr, controls, &sample, gains[bbr->state].pacing);
    set_cwnd(bbr, controls, &sample);
}

/* Section 5.6.4.4: recovery begins; cwnd stays, the model answers to what was lost. */
static void bbr3_loss(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    struct bbr3 *bbr = bbr3_of(state);
    bbr3_save_cwnd(bbr, controls);
    bbr3_note_loss(bbr, controls, sample);
    bbr3_handle_losses(bbr, controls, sample);
    bbr->in_loss_recovery = true;
}

static void bbr3_marked(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    bbr3_handle_mark(bbr3_of(state), controls, sample);
}

static void bbr3_recovered(struct daytona_congestion_state *state,
                           struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    struct bbr3 *bbr = bbr3_of(state);
    if (!bbr->in_loss_recovery)
        return;
    bbr->in_loss_recovery = false;
    bbr3_restore_cwnd(bbr, controls);
    bound_cwnd(bbr, controls, sample->mss);
}

/* Section 5.6.4.4, OnEnterRTO: one more segment may go. */
static void bbr3_timeout(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    struct bbr3 *bbr = bbr3_of(state);
    bbr3_save_cwnd(bbr, controls);
    bbr3_note_loss(bbr, controls, sample);
    bbr3_handle_losses(bbr, controls, sample);
    bbr->in_loss_recovery = true;
    controls->cwnd_bytes = window_grown(sample->in_flight_bytes, sample->mss, UINT32_MAX);
}

static void bbr3_undone(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct bbr3 *bbr = bbr3_of(state);
    bbr->in_loss_recovery = false;
    bbr3_restore_cwnd(bbr, controls);
    bbr3_handle_undo(bbr, sample);
    bound_cwnd(bbr, controls, sample->mss);
}

/* Section 5.4.1: cwnd stays; the known rate, and no more, until ACKs come. */
static void bbr3_restart(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    struct bbr3 *bbr = bbr3_of(state);
    (void)idle_us;
    bbr->idle_restart = true;
    bbr->extra_acked_start_ns = sample->now.ns;
    bbr->extra_acked_delivered = 0;
    if (bbr3_in_probe_bw(bbr))
        set_pacing(bbr, controls, sample, 100);
    else if (bbr->state == BBR3_PROBE_RTT)
        bbr3_check_probe_rtt_done(bbr, controls, sample);
}

static void bbr3_tell(struct daytona_congestion_state *state, struct daytona_congestion_told *out)
{
    const struct bbr3 *bbr = bbr3_of(state);
    out->kind = DAYTONA_CONGESTION_TELLS_RATE;
    out->bytes_per_second = bbr3_bw(bbr);
    out->rtt_base_us = bbr->min_rtt_us;
    out->pacing_percent = gains[bbr->state].pacing;
    out->cwnd_percent = gains[bbr->state].cwnd;
}

const struct daytona_congestion congestion_bbr3 = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "bbr3",
    .source = "draft-ietf-ccwg-bbr-06 (BBRv3)",
    .models_path = true,
    .init = bbr3_init,
    .acked = bbr3_acked,
    .loss = bbr3_loss,
    .marked = bbr3_marked,
    .recovered = bbr3_recovered,
    .timeout = bbr3_timeout,
    .undone = bbr3_undone,
    .restart = bbr3_restart,
    .tell = bbr3_tell,
};
