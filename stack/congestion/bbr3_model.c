/* BBR's model of the path: section 5.5. */
#include "stack/congestion/bbr3.h"
#include "stack/congestion/window.h"

#define LOSS_THRESH_PART   50u                   /* BBR.LossThresh 2 % is one of 50 (section 2.8) */
#define MIN_RTT_FILTER_NS  UINT64_C(10000000000) /* BBR.MinRTTFilterLen, section 2.16.1 */
#define PROBE_RTT_EVERY_NS UINT64_C(5000000000)  /* BBR.ProbeRTTInterval, section 2.16.2 */
#define FULL_BW_ROUNDS     3u                    /* section 5.3.1.2 */
#define EXTRA_ACKED_ROUNDS                                                                         \
    5u /* half of BBR.ExtraAckedFilterLen, section 2.12: two halves are kept */

uint64_t bbr3_max_bw(const struct bbr3 *bbr)
{
    return bbr->max_bw[0] > bbr->max_bw[1] ? bbr->max_bw[0] : bbr->max_bw[1];
}

uint64_t bbr3_bw(const struct bbr3 *bbr)
{
    uint64_t max_bw = bbr3_max_bw(bbr);
    return max_bw < bbr->bw_shortterm ? max_bw : bbr->bw_shortterm;
}

uint32_t bbr3_bdp(const struct bbr3 *bbr, uint64_t bw, uint32_t mss)
{
    return bbr->min_rtt_us == UINT32_MAX ? window_initial(mss) : rate_volume(bw, bbr->min_rtt_us);
}

static uint32_t later_minus_earlier(uint64_t later, uint64_t earlier)
{
    uint64_t span = later > earlier ? later - earlier : 0;
    return span < BBR3_VOLUME_INFINITE ? (uint32_t)span : BBR3_VOLUME_INFINITE - 1;
}

/* RS.delivered: from the sending of the segment until now. */
static uint32_t delivered_meanwhile(const struct daytona_congestion_sample *sample)
{
    return sample->in_flight_when_sent == 0
               ? 0
               : later_minus_earlier(sample->delivered_bytes, sample->delivered_before);
}

void bbr3_take_sample(struct bbr3 *bbr, struct daytona_congestion_sample *sample)
{
    if (sample->rate_bytes_per_second > RATE_MAX)
        sample->rate_bytes_per_second = RATE_MAX;
    /* In ProbeRTT it is the controller that holds back, and what was sent then says so. */
    bbr->app_limited = sample->rate_app_limited || sample->delivered_before < bbr->app_limited_to;
}

void bbr3_start_round(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->next_round_delivered = sample->delivered_bytes;
}

/* Section 5.5.1: a round trip is over when something is acknowledged that was sent after it began.
 */
static void update_round(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    bbr->round_start =
        sample->in_flight_when_sent > 0 && sample->delivered_before >= bbr->next_round_delivered;
    if (!bbr->round_start)
        return;
    bbr3_start_round(bbr, sample);
    if (bbr->rounds_since_probe < UINT8_MAX)
        bbr->rounds_since_probe++;
    if (bbr->drain_rounds < UINT8_MAX)
        bbr->drain_rounds++;
}

/* Section 5.5.5. A sample of a sender that held back counts only if it shows more. */
static void update_max_bw(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    uint64_t rate = sample->rate_bytes_per_second;
    if (rate == 0 || (bbr->app_limited && rate < bbr3_max_bw(bbr)))
        return;
    if (rate > bbr->max_bw[1])
        bbr->max_bw[1] = rate;
}

void bbr3_advance_max_bw(struct bbr3 *bbr)
{
    if (bbr->max_bw[1] == 0)
        return; /* nothing was measured in this cycle */
    bbr->max_bw[0] = bbr->max_bw[1];
    bbr->max_bw[1] = 0;
}

/* ---- losses */

static void save_for_undo(struct bbr3 *bbr, const struct daytona_congestion_controls *controls)
{
    bbr3_save_cwnd(bbr, controls);
    bbr->undo_state = BBR3_STATE_NONE;
    bbr->undo_bw_shortterm = bbr->bw_shortterm;
    bbr->undo_inflight_shortterm = bbr->inflight_shortterm;
    bbr->undo_inflight_longterm = bbr->inflight_longterm;
}

void bbr3_note_loss(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                    const struct daytona_congestion_sample *sample)
{
    if (!bbr->loss_in_round) {
        bbr->loss_round_delivered = sample->delivered_bytes;
        save_for_undo(bbr, controls);
    }
    bbr->loss_in_round = true;
}

bool bbr3_inflight_too_high(const struct daytona_congestion_sample *sample, uint64_t lost,
                            uint32_t in_flight)
{
    return lost > in_flight / LOSS_THRESH_PART || (lost > 0 && sample->without_sack);
}

void bbr3_reset_shortterm(struct bbr3 *bbr)
{
    bbr->bw_shortterm = BBR3_RATE_INFINITE;
    bbr->inflight_shortterm = BBR3_VOLUME_INFINITE;
}

void bbr3_reset_signals(struct bbr3 *bbr)
{
    bbr->loss_in_round = false;
    bbr->bw_latest = 0;
    bbr->inflight_latest = 0;
}

/* Section 5.5.10.3: a loss outside of probes lowers the bounds to what was delivered in the last
 * round trip, and by 30 % at most. */
static void adapt_lower_bounds(struct bbr3 *bbr, const struct daytona_congestion_controls *controls)
{
    if (bbr3_is_probing(bbr) || !bbr->loss_in_round)
        return;
    if (bbr->bw_shortterm == BBR3_RATE_INFINITE)
        bbr->bw_shortterm = bbr3_max_bw(bbr);
    if (bbr->inflight_shortterm == BBR3_VOLUME_INFINITE)
        bbr->inflight_shortterm = controls->cwnd_bytes;
    uint64_t bw = bbr->bw_shortterm * 7 / 10;
    uint64_t inflight = (uint64_t)bbr->inflight_shortterm * 7 / 10;
    bbr->bw_shortterm = bw > bbr->bw_latest ? bw : bbr->bw_latest;
    bbr->inflight_shortterm =
        inflight > bbr->inflight_latest ? (uint32_t)inflight : bbr->inflight_latest;
}

/* UpdateLatestDeliverySignals and UpdateCongestionSignals. */
static void update_signals(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    uint32_t delivered = delivered_meanwhile(sample);
    if (sample->rate_bytes_per_second > bbr->bw_latest)
        bbr->bw_latest = sample->rate_bytes_per_second;
    if (delivered > bbr->inflight_latest)
        bbr->inflight_latest = delivered;
    bbr->loss_round_start =
        sample->in_flight_when_sent > 0 && sample->delivered_before >= bbr->loss_round_delivered;
    if (bbr->loss_round_start)
        bbr->loss_round_delivered = sample->delivered_bytes;

    update_round(bbr, sample);
    update_max_bw(bbr, sample);
    if (!bbr->loss_round_start)
        return;
    adapt_lower_bounds(bbr, controls);
    bbr->loss_in_round = false;
}

void bbr3_advance_signals(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    if (!bbr->loss_round_start)
        return;
    bbr->bw_latest = sample->rate_bytes_per_second;
    bbr->inflight_latest = delivered_meanwhile(sample);
}

/* ---- batches of acknowledgments */

/* The windowed maximum of section 5.5.9 in two halves; one round in Startup. */
static void remember_extra_acked(struct bbr3 *bbr, uint32_t extra)
{
    uint32_t rounds = bbr->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1;
    if (bbr->round_start && ++bbr->extra_acked_rounds >= rounds) {
        bbr->extra_acked_rounds = 0;
        bbr->extra_acked[0] = bbr->full_bw_reached ? bbr->extra_acked[1] : 0;
        bbr->extra_acked[1] = 0;
    }
    if (extra > bbr->extra_acked[1])
        bbr->extra_acked[1] = extra;
}

/* Section 5.5.9: what came beyond the expected rate, since it last fell behind it. */
static void update_aggregation(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                               const struct daytona_congestion_sample *sample)
{
    struct daytona_instant start = {bbr->extra_acked_start_ns};
    uint64_t us = daytona_instant_since_us(sample->now, start);
    uint32_t expected = rate_volume(bbr3_bw(bbr), us < UINT32_MAX ? (uint32_t)us : UINT32_MAX);
    if (bbr->extra_acked_delivered <= expected) {
        bbr->extra_acked_delivered = 0;
        bbr->extra_acked_start_ns = sample->now.ns;
        expected = 0;
    }
    bbr->extra_acked_delivered =
        window_grown(bbr->extra_acked_delivered, sample->acked_bytes, BBR3_VOLUME_INFINITE - 1);
    uint32_t extra =
        bbr->extra_acked_delivered > expected ? bbr->extra_acked_delivered - expected : 0;
    remember_extra_acked(bbr, extra < controls->cwnd_bytes ? extra : controls->cwnd_bytes);
}

void bbr3_update_model(struct bbr3 *bbr, const struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    update_signals(bbr, controls, sample);
    update_aggregation(bbr, controls, sample);
}

/* ---- is the pipe full? */

void bbr3_reset_full_bw(struct bbr3 *bbr, uint64_t baseline)
{
    bbr->full_bw = baseline;
    bbr->full_bw_count = 0;
    bbr->full_bw_now = false;
}

void bbr3_check_full_bw(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    uint64_t rate = sample->rate_bytes_per_second;
    if (bbr->full_bw_now || !bbr->round_start || bbr->app_limited || rate == 0)
        return;
    if (rate >= bbr->full_bw + bbr->full_bw / 4) {
        bbr3_reset_full_bw(bbr, rate);
        return;
    }
    bbr->full_bw_count++;
    bbr->full_bw_now = bbr->full_bw_count >= FULL_BW_ROUNDS;
    if (bbr->full_bw_now)
        bbr->full_bw_reached = true;
}

/* ---- the shortest round trip */

void bbr3_update_min_rtt(struct bbr3 *bbr, const struct daytona_congestion_sample *sample)
{
    uint64_t now_ns = sample->now.ns;
    bbr->probe_rtt_expired = now_ns > bbr->probe_rtt_min_at_ns + PROBE_RTT_EVERY_NS;
    if (sample->rtt_us != 0 && (sample->rtt_us < bbr->probe_rtt_min_us || bbr->probe_rtt_expired)) {
        bbr->probe_rtt_min_us = sample->rtt_us;
        bbr->probe_rtt_min_at_ns = now_ns;
    }
    bool min_rtt_expired = now_ns > bbr->min_rtt_at_ns + MIN_RTT_FILTER_NS;
    if (bbr->probe_rtt_min_us < bbr->min_rtt_us || min_rtt_expired) {
        bbr->min_rtt_us = bbr->probe_rtt_min_us;
        bbr->min_rtt_at_ns = bbr->probe_rtt_min_at_ns;
    }
}
