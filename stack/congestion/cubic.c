/*
 * cubic.c - CUBIC (RFC 9438) in integers, with HyStart++ (RFC 9406) in its first slow start:
 * windows in bytes, times in milliseconds unless named otherwise. beta_cubic is 7/10, C is 4/10
 * segments per cubic second.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

/* Where a flow stands: what a reduction changes, and what is put back when it was a mistake. */
struct CONTROLLER_STATE cubic_curve {
    uint64_t epoch_ns;   /**< when this congestion avoidance stage began, application-limited
                              time left out */
    uint64_t w_est;      /**< Reno's window in the same stage, 1/256 bytes (section 4.3) */
    uint64_t credit;     /**< growth not yet worth a byte: bytes * cwnd */
    uint32_t w_max;      /**< the window the curve flattens at; 0: none, begin at cwnd (4.8) */
    uint32_t cwnd_prior; /**< cwnd when the last loss was noticed (section 4.3) */
    uint32_t origin;     /**< W_max of this stage's curve */
    uint32_t k;          /**< ms from the stage's beginning to the flat point */
    bool in_epoch;       /**< false: the stage begins with the next ACK */
};

struct CONTROLLER_STATE cubic {
    struct cubic_curve curve;
    struct cubic_curve before; /**< the last reduction (section 4.9) */
    uint64_t last_ack_ns;      /**< to leave application-limited time out */
    struct hystart hystart;
};
CONTROLLER_STATE_OF(cubic)

#define TIME_MAX_MS ((int64_t)500000) /* keeps the cube within 64 bits */

static uint32_t cube_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = 1 << 21; bit != 0; bit >>= 1) {
        uint64_t next = root | bit;
        if (next * next <= value / next)
            root = next;
    }
    return (uint32_t)root;
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
static uint64_t cubic_window(const struct cubic_curve *curve, uint64_t time_ms, uint32_t mss)
{
    int64_t window = (int64_t)curve->origin + cubic_offset((int64_t)time_ms - curve->k, mss);
    return window > 0 ? (uint64_t)window : 0;
}

/* Section 4.2 equation (2): K = cbrt ((W_max - cwnd_epoch) / C). When the window is at W_max
 * already, and after a timeout or a slow start that ended without loss, the stage starts at the
 * flat point (sections 4.8 and 4.10). */
static void cubic_begin_epoch(struct cubic_curve *curve, uint32_t cwnd,
                              const struct daytona_congestion_sample *sample)
{
    curve->in_epoch = true;
    curve->epoch_ns = sample->now.ns;
    curve->origin = curve->w_max > cwnd ? curve->w_max : cwnd;
    curve->k = cube_root((uint64_t)(curve->origin - cwnd) * 2500000000u / sample->mss);
    curve->w_est = (uint64_t)cwnd << 8;
    curve->credit = 0;
}

/* Section 4.3 equation (4): W_est += alpha * acked / cwnd segments, alpha = 3 (1 - beta) /
 * (1 + beta) = 9/17 until W_est is back where the last loss was, 1 from there. */
static void cubic_grow_estimate(struct cubic_curve *curve, uint32_t cwnd,
                                const struct daytona_congestion_sample *sample)
{
    uint64_t acked = sample->acked_bytes < cwnd ? sample->acked_bytes : cwnd;
    uint64_t growth = (acked << 8) * sample->mss / cwnd;
    curve->w_est += curve->w_est >> 8 >= curve->cwnd_prior ? growth : growth * 9 / 17;
}

/* Sections 4.4 and 4.5: (target - cwnd) / cwnd for each acknowledged byte, where target is
 * W_cubic (t + RTT), between cwnd and 1.5 cwnd (section 4.2). */
static void cubic_follow_curve(struct cubic_curve *curve,
                               struct daytona_congestion_controls *controls,
                               const struct daytona_congestion_sample *sample, uint64_t target)
{
    uint64_t cwnd = controls->cwnd_bytes;
    if (target <= cwnd)
        return;
    if (target > cwnd + cwnd / 2)
        target = cwnd + cwnd / 2;
    uint64_t acked = sample->acked_bytes < cwnd ? sample->acked_bytes : cwnd;
    curve->credit += (target - cwnd) * acked;
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, curve->credit / cwnd, UINT32_MAX);
    curve->credit %= cwnd;
}

static void cubic_avoid_congestion(struct cubic_curve *curve,
                                   struct daytona_congestion_controls *controls,
                                   const struct daytona_congestion_sample *sample)
{
    if (!curve->in_epoch)
        cubic_begin_epoch(curve, controls->cwnd_bytes, sample);
    struct daytona_instant epoch = {curve->epoch_ns};
    uint64_t time_ms = daytona_instant_since_us(sample->now, epoch) / 1000;
    cubic_grow_estimate(curve, controls->cwnd_bytes, sample);
    uint64_t reno = curve->w_est >> 8;
    if (cubic_window(curve, time_ms, sample->mss) < reno) {
        /* Section 4.3, the Reno-friendly region. */
        if (reno > controls->cwnd_bytes)
            controls->cwnd_bytes = window_grown(0, reno, UINT32_MAX);
        return;
    }
    uint64_t target = cubic_window(curve, time_ms + sample->srtt_us / 1000, sample->mss);
    cubic_follow_curve(curve, controls, sample, target);
}

static void cubic_init(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    *cubic_of(state) = (struct cubic){.last_ack_ns = sample->now.ns};
    controls->pacing_bytes_per_second = 0;
}

static void cubic_acked(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct cubic *cubic = cubic_of(state);
    uint64_t since_last_ns = sample->now.ns - cubic->last_ack_ns;
    cubic->last_ack_ns = sample->now.ns;
    if (window_in_slow_start(controls))
        window_slow_start(controls, sample, &cubic->hystart);
    else if (sample->cwnd_limited)
        cubic_avoid_congestion(&cubic->curve, controls, sample);
    else
        cubic->curve.epoch_ns += since_last_ns; /* section 5.8: such time does not move t */
}

/* Section 4.6: beta * FlightSize, at least two segments. */
static uint32_t cubic_ssthresh(const struct daytona_congestion_sample *sample)
{
    return window_reduced((uint64_t)window_flight(sample) * 7 / 10, sample->mss);
}

static void cubic_loss(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    struct cubic *cubic = cubic_of(state);
    struct cubic_curve *curve = &cubic->curve;
    uint32_t cwnd = controls->cwnd_bytes;
    cubic->before = *curve;
    /* Section 4.7, fast convergence: a flow that lost before it was back at its last maximum
     * shares the link with a new one, and leaves it (1 + beta) / 2 of what it had. */
    curve->w_max = cwnd < curve->w_max ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
    curve->cwnd_prior = cwnd;
    curve->in_epoch = false;
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
    struct cubic *cubic = cubic_of(state);
    cubic->before = cubic->curve;
    cubic->curve.w_max = 0;
    cubic->curve.cwnd_prior = controls->cwnd_bytes;
    cubic->curve.in_epoch = false;
    controls->ssthresh_bytes = cubic_ssthresh(sample);
    controls->cwnd_bytes = sample->mss;
}

/* Section 4.9: the curve goes on as if nothing had been noticed, its clock too. */
static void cubic_undone(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    struct cubic *cubic = cubic_of(state);
    (void)controls;
    (void)sample;
    cubic->curve = cubic->before;
}

/* The slow start that follows ends this congestion avoidance stage; W_max holds on. */
static void cubic_restart(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    struct cubic *cubic = cubic_of(state);
    (void)idle_us;
    cubic->curve.in_epoch = false;
    cubic->hystart = (struct hystart){0};
    window_restart(controls, sample);
}

const struct daytona_congestion congestion_cubic = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "cubic",
    .source = "RFC 9438, RFC 9406",
    .validated_by_use = true,
    .init = cubic_init,
    .acked = cubic_acked,
    .loss = cubic_loss,
    .recovered = cubic_recovered,
    .timeout = cubic_timeout,
    .undone = cubic_undone,
    .restart = cubic_restart,
};
