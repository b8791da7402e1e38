/* BBR's controls: what follows from model and state for the pacing rate and cwnd, section 5.6. */
#include "stack/congestion/bbr.h"
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

#define PACING_MARGIN_PERCENT  1u    /* BBR.PacingMarginPercent, section 2.5 */
#define PROBE_RTT_CWND_PERCENT 50u   /* BBR.ProbeRTTCwndGain, section 2.16.2 */
#define QUANTUM_US             1000u /* section 5.6.3: as much as leaves in a millisecond */
#define QUANTUM_MAX            65536u
#define UNKNOWN_RTT_US         1000u /* section 5.6.2, InitPacingRate */

/* Section 5.6.1, in percent. */
static const struct {
    uint16_t pacing, cwnd;
} gains[] = {
    [BBR_STARTUP] = {277, 200},
    [BBR_DRAIN] = {50, 200},
    [BBR_DOWN] = {90, 200},
    [BBR_CRUISE] = {100, 200},
    [BBR_REFILL] = {100, 200},
    [BBR_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, PROBE_RTT_CWND_PERCENT},
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

/* The floor of a segment a second keeps a rate that was measured over an outage from stopping the
 * flow for good. */
static uint64_t within_bounds(uint64_t rate, uint32_t mss)
{
    return rate < mss ? mss : rate > BBR_RATE_MAX ? BBR_RATE_MAX : rate;
}

/* Until something was delivered: cwnd in a round trip. */
static void init_pacing(struct bbr *bbr, struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    uint32_t rtt_us = sample->srtt_us != 0 ? sample->srtt_us : UNKNOWN_RTT_US;
    bbr->rtt_seen = sample->srtt_us != 0;
    uint64_t rate =
        (uint64_t)controls->cwnd_bytes * 1000000 / rtt_us * gains[BBR_STARTUP].pacing / 100;
    controls->pacing_bytes_per_second = within_bounds(rate, sample->mss);
}

/* Before the pipe was full once the rate only goes up, so that a start in small pieces does not
 * look like a slow path. */
static void set_pacing(const struct bbr *bbr, struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample, uint32_t percent)
{
    uint64_t rate = within_bounds(with_gain(bbr_bw(bbr), percent), sample->mss);
    if (bbr->full_bw_reached || rate > controls->pacing_bytes_per_second)
        controls->pacing_bytes_per_second = rate;
}

/* ---- cwnd, section 5.6.4 */

/* Section 5.6.3: what leaves as one batch, at least two segments. */
static uint32_t send_quantum(const struct daytona_congestion_controls *controls, uint32_t mss)
{
    uint32_t quantum = bbr_volume(controls->pacing_bytes_per_second, QUANTUM_US);
    return larger(smaller(quantum, QUANTUM_MAX), 2 * mss);
}

/* QuantizationBudget: sender, receiver and the path each may hold a batch. */
static uint32_t with_batches(const struct bbr *bbr,
                             const struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample, uint64_t inflight)
{
    uint32_t mss = sample->mss;
    if (inflight < 3 * (uint64_t)send_quantum(controls, mss))
        inflight = 3 * (uint64_t)send_quantum(controls, mss);
    if (inflight < bbr_min_cwnd(mss))
        inflight = bbr_min_cwnd(mss);
    if (bbr->state == BBR_UP)
        inflight += 2 * (uint64_t)mss;
    return window_grown(0, inflight, BBR_VOLUME_INFINITE - 1);
}

uint32_t bbr_inflight(const struct bbr *bbr, const struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample, uint64_t bw, uint32_t percent)
{
    uint64_t bdp = bbr_bdp(bbr, bw, sample->mss);
    return with_batches(bbr, controls, sample, bdp * percent / 100);
}

uint32_t bbr_inflight_with_headroom(const struct bbr *bbr, uint32_t mss)
{
    uint32_t longterm = bbr->inflight_longterm;
    if (longterm == BBR_VOLUME_INFINITE)
        return longterm;
    uint32_t headroom = larger((uint32_t)((uint64_t)longterm * 15 / 100), mss);
    return larger(longterm > headroom ? longterm - headroom : 0, bbr_min_cwnd(mss));
}

uint32_t bbr_probe_rtt_cwnd(const struct bbr *bbr, uint32_t mss)
{
    uint64_t bdp = bbr_bdp(bbr, bbr_bw(bbr), mss);
    return larger((uint32_t)(bdp * PROBE_RTT_CWND_PERCENT / 100), bbr_min_cwnd(mss));
}

void bbr_save_cwnd(struct bbr *bbr, const struct daytona_congestion_controls *controls)
{
    bool good = !bbr->in_loss_recovery && bbr->state != BBR_PROBE_RTT;
    bbr->prior_cwnd = good ? controls->cwnd_bytes : larger(bbr->prior_cwnd, controls->cwnd_bytes);
}

void bbr_restore_cwnd(const struct bbr *bbr, struct daytona_congestion_controls *controls)
{
    controls->cwnd_bytes = larger(controls->cwnd_bytes, bbr->prior_cwnd);
}

/* The volume caps of the table in section 5.6.1 (BoundCwndForModel). */
static uint32_t volume_cap(const struct bbr *bbr, uint32_t mss)
{
    uint32_t cap = BBR_VOLUME_INFINITE;
    if (bbr->state == BBR_PROBE_RTT || bbr->state == BBR_CRUISE)
        cap = bbr_inflight_with_headroom(bbr, mss);
    else if (bbr_in_probe_bw(bbr))
        cap = bbr->inflight_longterm;
    return larger(smaller(cap, bbr->inflight_shortterm), bbr_min_cwnd(mss));
}

static void bound_cwnd(const struct bbr *bbr, struct daytona_congestion_controls *controls,
                       uint32_t mss)
{
    uint32_t cwnd = larger(controls->cwnd_bytes, bbr_min_cwnd(mss));
    if (bbr->state == BBR_PROBE_RTT)
        cwnd = smaller(cwnd, bbr_probe_rtt_cwnd(bbr, mss));
    controls->cwnd_bytes = smaller(cwnd, volume_cap(bbr, mss));
}

/* Section 5.6.4.6: down at once, up by what was acknowledged. */
static void set_cwnd(const struct bbr *bbr, struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    uint32_t extra = larger(bbr->extra_acked[0], bbr->extra_acked[1]);
    uint64_t bdp = bbr_bdp(bbr, bbr_bw(bbr), sample->mss);
    uint32_t most = with_batches(bbr, controls, sample, bdp * gains[bbr->state].cwnd / 100 + extra);
    uint32_t grown =
        window_grown(controls->cwnd_bytes, sample->acked_bytes, BBR_VOLUME_INFINITE - 1);
    if (bbr->full_bw_reached)
        controls->cwnd_bytes = smaller(grown, most);
    else if (controls->cwnd_bytes < most || sample->delivered_bytes < window_initial(sample->mss))
        controls->cwnd_bytes = grown;
    bound_cwnd(bbr, controls, sample->mss);
}

/* ---- the table */

static void bbr_init(struct daytona_congestion_state *state,
                     struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    uint64_t now_ns = sample->now.ns;
    uint64_t seed = now_ns ^ sample->nxt ^ sample->delivered_bytes;
    *bbr = (struct bbr){
        .extra_acked_start_ns = now_ns,
        .min_rtt_us = sample->srtt_us != 0 ? sample->srtt_us : UINT32_MAX,
        .min_rtt_at_ns = now_ns,
        .probe_rtt_min_us = UINT32_MAX,
        .probe_rtt_min_at_ns = now_ns,
        .next_round_delivered = sample->delivered_bytes,
        .loss_round_delivered = sample->delivered_bytes,
        .inflight_longterm = BBR_VOLUME_INFINITE,
        .probe_up_acked_per_inc = BBR_VOLUME_INFINITE,
        .random = (uint32_t)(seed ^ seed >> 32) | 1,
        .undo_state = BBR_STATE_NONE,
    };
    bbr_reset_shortterm(bbr);
    bbr_enter_startup(bbr);
    init_pacing(bbr, controls, sample);
    controls->ssthresh_bytes = UINT32_MAX;
}

/* The steps of section 5.2.3. */
static void bbr_acked(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *given)
{
    struct bbr *bbr = bbr_of(state);
    struct daytona_congestion_sample sample = *given;
    bbr_take_sample(bbr, &sample);
    if (!bbr->rtt_seen && sample.srtt_us != 0)
        init_pacing(bbr, controls, &sample);
    if (bbr->in_loss_recovery && !sample.in_recovery) {
        bbr->in_loss_recovery = false;
        bbr_restore_cwnd(bbr, controls);
    }
    bbr_handle_losses(bbr, controls, &sample);
    if (sample.ce_bytes > 0)
        bbr_handle_mark(bbr, controls, &sample);
    bbr_update_model(bbr, controls, &sample);
    bbr_update_state(bbr, controls, &sample);
    bbr_advance_signals(bbr, &sample);
    set_pacing(bbr, controls, &sample, gains[bbr->state].pacing);
    set_cwnd(bbr, controls, &sample);
}

/* Section 5.6.4.4: recovery begins; cwnd stays, the model answers to what was lost. */
static void bbr_loss(struct daytona_congestion_state *state,
                     struct daytona_congestion_controls *controls,
                     const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    bbr_save_cwnd(bbr, controls);
    bbr_note_loss(bbr, controls, sample);
    bbr_handle_losses(bbr, controls, sample);
    bbr->in_loss_recovery = true;
}

static void bbr_marked(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    bbr_handle_mark(bbr_of(state), controls, sample);
}

static void bbr_recovered(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    if (!bbr->in_loss_recovery)
        return;
    bbr->in_loss_recovery = false;
    bbr_restore_cwnd(bbr, controls);
    bound_cwnd(bbr, controls, sample->mss);
}

/* Section 5.6.4.4, OnEnterRTO: one more segment may go. */
static void bbr_timeout(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    bbr_save_cwnd(bbr, controls);
    bbr_note_loss(bbr, controls, sample);
    bbr_handle_losses(bbr, controls, sample);
    bbr->in_loss_recovery = true;
    controls->cwnd_bytes = window_grown(sample->in_flight_bytes, sample->mss, UINT32_MAX);
}

static void bbr_undone(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    struct bbr *bbr = bbr_of(state);
    bbr->in_loss_recovery = false;
    bbr_restore_cwnd(bbr, controls);
    bbr_handle_undo(bbr, sample);
    bound_cwnd(bbr, controls, sample->mss);
}

/* Section 5.4.1: cwnd stays; the known rate, and no more, until ACKs come. */
static void bbr_restart(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    struct bbr *bbr = bbr_of(state);
    (void)idle_us;
    bbr->idle_restart = true;
    bbr->extra_acked_start_ns = sample->now.ns;
    bbr->extra_acked_delivered = 0;
    if (bbr_in_probe_bw(bbr))
        set_pacing(bbr, controls, sample, 100);
    else if (bbr->state == BBR_PROBE_RTT)
        bbr_check_probe_rtt_done(bbr, controls, sample);
}

const struct daytona_congestion congestion_bbr = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "bbr",
    .source = "draft-ietf-ccwg-bbr-06 (BBRv3)",
    .models_path = true,
    .init = bbr_init,
    .acked = bbr_acked,
    .loss = bbr_loss,
    .marked = bbr_marked,
    .recovered = bbr_recovered,
    .timeout = bbr_timeout,
    .undone = bbr_undone,
    .restart = bbr_restart,
};
