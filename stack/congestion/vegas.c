/*
 * vegas.c - TCP Vegas (L. S. Brakmo and L. L. Peterson, "TCP Vegas: End to End Congestion Avoidance
 * on a Global Internet", IEEE JSAC 13(8), 1995). A round trip longer than the shortest ever seen
 * is data of ours standing in a queue; Vegas keeps two to four segments there, and so loses none.
 * Beside a controller that fills queues it gets little.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

/* Segments in the queue. The paper's alpha and beta; gamma ends slow start. Linux's values. */
#define ALPHA_SEGMENTS 2u
#define BETA_SEGMENTS  4u
#define GAMMA_SEGMENTS 1u

#define SAMPLES_MIN 3u /* fewer may all be delayed ACKs: then the round is Reno's, as in Linux */

struct CONTROLLER_STATE vegas {
    uint64_t window_end;   /**< the round is over when una reaches it */
    uint64_t credit;       /**< of Reno's growth, in rounds that measure too little */
    uint32_t base_rtt_us;  /**< BaseRTT, the shortest seen; 0: none yet */
    uint32_t round_min_us; /**< the shortest of this round; 0: none yet */
    uint32_t samples;      /**< of this round */
    bool measured;         /**< the last round had enough samples */
    bool holding;          /**< slow start doubles every other round, to compare in between */
    uint32_t held_bytes;   /**< cwnd of the round before this one */
};
CONTROLLER_STATE_OF(vegas)

static void vegas_init(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    *vegas_of(state) = (struct vegas){.window_end = sample->nxt, .base_rtt_us = sample->rtt_min_us};
    controls->pacing_bytes_per_second = 0;
}

static void vegas_measure(struct vegas *vegas, uint32_t rtt_us)
{
    if (rtt_us == 0)
        return;
    if (vegas->base_rtt_us == 0 || rtt_us < vegas->base_rtt_us)
        vegas->base_rtt_us = rtt_us;
    if (vegas->round_min_us == 0 || rtt_us < vegas->round_min_us)
        vegas->round_min_us = rtt_us;
    vegas->samples++;
}

/* The part of a window that fits the pipe: Actual * BaseRTT, Actual = window / RTT. */
static uint32_t vegas_fitting(const struct vegas *vegas, uint32_t window)
{
    return (uint32_t)((uint64_t)window * vegas->base_rtt_us / vegas->round_min_us);
}

/* Slow start. A round's ACKs are of what was sent in the round before: when this one has doubled
 * the window, that one had held it, and one window belongs to all the round trips measured. */
static void vegas_judge_slow_start(const struct vegas *vegas,
                                   struct daytona_congestion_controls *controls, uint32_t mss)
{
    uint32_t fitting = vegas_fitting(vegas, vegas->held_bytes);
    if (vegas->holding || vegas->held_bytes - fitting <= GAMMA_SEGMENTS * mss)
        return;
    uint32_t cwnd = window_reduced((uint64_t)fitting + mss, mss);
    if (cwnd < controls->cwnd_bytes)
        controls->cwnd_bytes = cwnd;
    controls->ssthresh_bytes = window_reduced(controls->cwnd_bytes, mss);
}

/* Once a round: `queued` is the paper's Diff * BaseRTT, what stands in the queue. */
static void vegas_adjust(const struct vegas *vegas, struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    uint32_t mss = sample->mss, cwnd = controls->cwnd_bytes;
    if (window_in_slow_start(controls)) {
        vegas_judge_slow_start(vegas, controls, mss);
        return;
    }
    uint32_t queued = cwnd - vegas_fitting(vegas, cwnd);
    if (queued > BETA_SEGMENTS * mss) {
        controls->cwnd_bytes = window_reduced(cwnd > mss ? cwnd - mss : 0, mss);
        controls->ssthresh_bytes = controls->cwnd_bytes;
    } else if (queued < ALPHA_SEGMENTS * mss && sample->cwnd_limited) {
        controls->cwnd_bytes = window_grown(cwnd, mss, UINT32_MAX);
    }
}

static void vegas_begin_round(struct vegas *vegas, struct daytona_congestion_controls *controls,
                              const struct daytona_congestion_sample *sample)
{
    vegas->measured = vegas->samples >= SAMPLES_MIN;
    if (vegas->measured)
        vegas_adjust(vegas, controls, sample);
    vegas->holding = vegas->measured && !vegas->holding;
    vegas->held_bytes = controls->cwnd_bytes;
    vegas->window_end = sample->nxt;
    vegas->round_min_us = 0;
    vegas->samples = 0;
}

static void vegas_acked(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct vegas *vegas = vegas_of(state);
    vegas_measure(vegas, sample->rtt_us);
    if (sample->una >= vegas->window_end)
        vegas_begin_round(vegas, controls, sample);
    if (window_in_slow_start(controls)) {
        if (!vegas->holding)
            window_slow_start(controls, sample, NULL);
    } else if (!vegas->measured) {
        window_avoid_congestion(controls, sample, &vegas->credit);
    }
}

/* What was measured until now belongs to the old window. */
static void vegas_forget_round(struct vegas *vegas, const struct daytona_congestion_sample *sample)
{
    vegas->window_end = sample->nxt;
    vegas->round_min_us = 0;
    vegas->samples = 0;
    vegas->credit = 0;
    vegas->measured = vegas->holding = false;
}

static void vegas_loss(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    vegas_forget_round(vegas_of(state), sample);
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void vegas_recovered(struct daytona_congestion_state *state,
                            struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample)
{
    vegas_forget_round(vegas_of(state), sample);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void vegas_timeout(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    vegas_forget_round(vegas_of(state), sample);
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = sample->mss;
}

static void vegas_restart(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    (void)idle_us;
    vegas_forget_round(vegas_of(state), sample);
    window_restart(controls, sample);
}

static void vegas_tell(struct daytona_congestion_state *state, struct daytona_congestion_told *out)
{
    const struct vegas *vegas = vegas_of(state);
    out->kind = DAYTONA_CONGESTION_TELLS_DELAYS;
    out->measured = vegas->measured;
    out->round_trips = vegas->samples;
    out->rtt_base_us = vegas->base_rtt_us;
    out->rtt_round_us = vegas->round_min_us;
}

const struct daytona_congestion congestion_vegas = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "vegas",
    .source = "Brakmo and Peterson 1995",
    .init = vegas_init,
    .acked = vegas_acked,
    .loss = vegas_loss,
    .recovered = vegas_recovered,
    .timeout = vegas_timeout,
    .restart = vegas_restart,
    .tell = vegas_tell,
};
