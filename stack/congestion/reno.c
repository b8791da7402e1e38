/*
 * reno.c - the congestion control of RFC 5681, counting bytes as RFC 3465 does.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

/* words[BYTES_ACKED]: acknowledged in congestion avoidance, towards the next MSS of cwnd. */
enum { BYTES_ACKED };

static void reno_init(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    (void)controls;
    (void)sample;
    state->words[BYTES_ACKED] = 0;
}

/* Congestion avoidance, RFC 3465 section 2.1: one MSS for each cwnd that is acknowledged. */
static void reno_avoid_congestion(struct daytona_congestion_state *state,
                                  struct daytona_congestion_controls *controls,
                                  const struct daytona_congestion_sample *sample)
{
    uint64_t *bytes_acked = &state->words[BYTES_ACKED];
    *bytes_acked += sample->acked_bytes;
    if (*bytes_acked < controls->cwnd_bytes)
        return;
    *bytes_acked -= controls->cwnd_bytes;
    if (*bytes_acked > controls->cwnd_bytes)
        *bytes_acked = controls->cwnd_bytes; /* one ACK does not buy several rounds */
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, sample->mss, UINT32_MAX);
}

static void reno_acked(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    /* RFC 7661: a window that was not used has not been tested and does not grow. */
    if (!sample->cwnd_limited)
        return;
    if (window_in_slow_start(controls))
        window_slow_start(controls, sample);
    else
        reno_avoid_congestion(state, controls, sample);
}

/* RFC 5681 section 3.1 equation (4): max (FlightSize / 2, 2*SMSS). */
static uint32_t reno_ssthresh(const struct daytona_congestion_sample *sample)
{
    uint32_t half = window_flight(sample) / 2;
    return half > 2 * sample->mss ? half : 2 * sample->mss;
}

/* RFC 5681 section 3.2 step 2; cwnd is not inflated, because the sender counts what is in flight
 * (RFC 6675 section 5 step 4.2). */
static void reno_loss(struct daytona_congestion_state *state,
                      struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    state->words[BYTES_ACKED] = 0;
    controls->ssthresh_bytes = reno_ssthresh(sample);
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
    state->words[BYTES_ACKED] = 0;
    controls->ssthresh_bytes = reno_ssthresh(sample);
    controls->cwnd_bytes = sample->mss;
}

static void reno_restart(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    (void)idle_us;
    state->words[BYTES_ACKED] = 0;
    window_restart(controls, sample);
}

const struct daytona_congestion congestion_reno = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "reno",
    .source = "RFC 5681, RFC 3465",
    .init = reno_init,
    .acked = reno_acked,
    .loss = reno_loss,
    .recovered = reno_recovered,
    .timeout = reno_timeout,
    .restart = reno_restart,
};
