/*
 * cubic.c - CUBIC (RFC 9438) in integers: windows in bytes, times in milliseconds unless named
 * otherwise. beta_cubic is 7/10, C is 4/10 segments per cubic second.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

enum {
    W_MAX,      /* the window the curve flattens at; 0: none, begin a curve at cwnd (section 4.8) */
    CWND_PRIOR, /* cwnd when the last loss was noticed (section 4.3) */
    EPOCH_NS,   /* when this congestion avoidance stage began, application-limited time left out */
    IN_EPOCH,   /* 0: the stage begins with the next ACK */
    LAST_ACK_NS, /* to leave application-limited time out */
    ORIGIN,      /* W_max of this stage's curve */
    K,           /* ms from the stage's beginning to the flat point */
    W_EST,       /* Reno's window in the same stage, 1/256 bytes (section 4.3) */
    CREDIT,      /* growth not yet worth a byte: bytes * cwnd */
};

#define TIME_MAX_MS ((int64_t)500000) /* keeps the cube within 64 bits */

static uint64_t cube_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = 1 << 21; bit != 0; bit >>= 1) {
        uint64_t next = root | bit;
        if (next * next <= value / next)
            root = next;
    }
    return root;
}

/* C * (t - K)^3, bytes (section 4.2 equation (1)). */
static int64_t cubic_offset(int64_t time_ms, uint32_t mss)
{
    int64_t t = time_ms > TIME_MAX_MS    ? TIME_MAX_MS
                : time_ms < -TIME_MAX_MS ? -TIME_MAX_MS
                                         : time_ms;
    return t * t * t / 1000000 * mss * 4 / 10000;
}

/* W_cubic (t), bytes; not below 0. */
static uint64_t cubic_window(const uint64_t *words, uint64_t time_ms, uint32_t mss)
{
    int64_t window =
        (int64_t)words[ORIGIN] + cubic_offset((int64_t)time_ms - (int64_t)words[K], mss);
    return window > 0 ? (uint64_t)window : 0;
}

/* Section 4.2 equation (2): K = cbrt ((W_max - cwnd_epoch) / C). When the window is at W_max
 * already, and after a timeout or a slow start that ended without loss, the stage starts at the
 * flat point (sections 4.8 and 4.10). */
static void cubic_begin_epoch(uint64_t *words, uint32_t cwnd,
                              const struct daytona_congestion_sample *sample)
{
    words[IN_EPOCH] = 1;
    words[EPOCH_NS] = sample->now.ns;
    words[ORIGIN] = words[W_MAX] > cwnd ? words[W_MAX] : cwnd;
    words[K] = cube_root((words[ORIGIN] - cwnd) * 2500000000u / sample->mss);
    words[W_EST] = (uint64_t)cwnd << 8;
    words[CREDIT] = 0;
}

/* Section 4.3 equation (4): W_est += alpha * acked / cwnd segments, alpha = 3 (1 - beta) /
 * (1 + beta) = 9/17 until W_est is back where the last loss was, 1 from there. */
static void cubic_grow_estimate(uint64_t *words, uint32_t cwnd,
                                const struct daytona_congestion_sample *sample)
{
    uint64_t acked = sample->acked_bytes < cwnd ? sample->acked_bytes : cwnd;
    uint64_t growth = (acked << 8) * sample->mss / cwnd;
    words[W_EST] += words[W_EST] >> 8 >= words[CWND_PRIOR] ? growth : growth * 9 / 17;
}

/* Sections 4.4 and 4.5: (target - cwnd) / cwnd for each acknowledged byte, where target is
 * W_cubic (t + RTT), between cwnd and 1.5 cwnd (section 4.2). */
static void cubic_follow_curve(uint64_t *words, struct daytona_congestion_controls *controls,
                               const struct daytona_congestion_sample *sample, uint64_t target)
{
    uint64_t cwnd = controls->cwnd_bytes;
    if (target <= cwnd)
        return;
    if (target > cwnd + cwnd / 2)
        target = cwnd + cwnd / 2;
    uint64_t acked = sample->acked_bytes < cwnd ? sample->acked_bytes : cwnd;
    words[CREDIT] += (target - cwnd) * acked;
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, words[CREDIT] / cwnd, UINT32_MAX);
    words[CREDIT] %= cwnd;
}

static void cubic_avoid_congestion(uint64_t *words, struct daytona_congestion_controls *controls,
                                   const struct daytona_congestion_sample *sample)
{
    if (words[IN_EPOCH] == 0)
        cubic_begin_epoch(words, controls->cwnd_bytes, sample);
    struct daytona_instant epoch = {words[EPOCH_NS]};
    uint64_t time_ms = daytona_instant_since_us(sample->now, epoch) / 1000;
    cubic_grow_estimate(words, controls->cwnd_bytes, sample);
    uint64_t reno = words[W_EST] >> 8;
    if (cubic_window(words, time_ms, sample->mss) < reno) {
        /* Section 4.3, the Reno-friendly region. */
        if (reno > controls->cwnd_bytes)
            controls->cwnd_bytes = window_grown(0, reno, UINT32_MAX);
        return;
    }
    uint64_t target = cubic_window(words, time_ms + sample->srtt_us / 1000, sample->mss);
    cubic_follow_curve(words, controls, sample, target);
}

static void cubic_init(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    (void)controls;
    *state = (struct daytona_congestion_state){0};
    state->words[LAST_ACK_NS] = sample->now.ns;
}

static void cubic_acked(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    uint64_t *words = state->words;
    uint64_t since_last_ns = sample->now.ns - words[LAST_ACK_NS];
    words[LAST_ACK_NS] = sample->now.ns;
    if (!sample->cwnd_limited)
        words[EPOCH_NS] += since_last_ns; /* section 5.8: such time does not move t */
    else if (window_in_slow_start(controls))
        window_slow_start(controls, sample);
    else
        cubic_avoid_congestion(words, controls, sample);
}

/* Section 4.6: beta * FlightSize, at least two segments. */
static uint32_t cubic_ssthresh(const struct daytona_congestion_sample *sample)
{
    uint32_t reduced = (uint32_t)((uint64_t)window_flight(sample) * 7 / 10);
    return reduced > 2 * sample->mss ? reduced : 2 * sample->mss;
}

static void cubic_loss(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    uint64_t *words = state->words;
    uint64_t cwnd = controls->cwnd_bytes;
    /* Section 4.7, fast convergence: a flow that lost before it was back at its last maximum
     * shares the link with a new one, and leaves it (1 + beta) / 2 of what it had. */
    words[W_MAX] = cwnd < words[W_MAX] ? cwnd * 17 / 20 : cwnd;
    words[CWND_PRIOR] = cwnd;
    words[IN_EPOCH] = 0;
    controls->ssthresh_bytes = cubic_ssthresh(sample);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void cubic_recovered(struct daytona_congestion_state *state,
                            struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample)
{
    (void)state;
    (void)sample;
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

/* Section 4.8. */
static void cubic_timeout(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    state->words[W_MAX] = 0;
    state->words[CWND_PRIOR] = controls->cwnd_bytes;
    state->words[IN_EPOCH] = 0;
    controls->ssthresh_bytes = cubic_ssthresh(sample);
    controls->cwnd_bytes = sample->mss;
}

/* The slow start that follows ends this congestion avoidance stage; W_max holds on. */
static void cubic_restart(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    (void)idle_us;
    state->words[IN_EPOCH] = 0;
    window_restart(controls, sample);
}

const struct daytona_congestion congestion_cubic = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "cubic",
    .source = "RFC 9438",
    .init = cubic_init,
    .acked = cubic_acked,
    .loss = cubic_loss,
    .recovered = cubic_recovered,
    .timeout = cubic_timeout,
    .restart = cubic_restart,
};
