/*
 * reno.c - the congestion control of RFC 5681, counting bytes as RFC 3465 does, with HyStart++
 * (RFC 9406) in its first slow start.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

struct CONTROLLER_STATE reno {
    uint64_t credit; /**< acknowledged in congestion avoidance, towards the next segment of cwnd */
    struct hystart hystart;
};
CONTROLLER_STATE_OF(reno)

static void reno_init(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    (void)sample;
    *reno_of(state) = (struct reno){0};
    controls->pacing_bytes_per_second = 0;
}

static void reno_acked(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    struct reno *reno = reno_of(state);
    if (window_in_slow_start(controls))
        window_slow_start(controls, sample, &reno->hystart);
    else
        window_avoid_congestion(controls, sample, &reno->credit);
}

/* RFC 5681 section 3.2 step 2; cwnd is not inflated, because the sender counts what is in flight
 * (RFC 6675 section 5 step 4.2). */
static void reno_loss(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    reno_of(state)->credit = 0;
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

/* RFC 5681 section 3.2 step 6. */
static void reno_recovered(struct daytona_congestion_state *state,
                           struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    (void)state;
    (void)sample;
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

/* RFC 5681 section 3.1: the loss window is one segment. */
static void reno_timeout(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    reno_of(state)->credit = 0;
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = sample->mss;
}

static void reno_restart(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    (void)idle_us;
    *reno_of(state) = (struct reno){0};
    window_restart(controls, sample);
}

const struct daytona_congestion congestion_reno = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "reno",
    .source = "RFC 5681, RFC 3465, RFC 9406",
    .validated_by_use = true,
    .init = reno_init,
    .acked = reno_acked,
    .loss = reno_loss,
    .recovered = reno_recovered,
    .timeout = reno_timeout,
    .restart = reno_restart,
};
