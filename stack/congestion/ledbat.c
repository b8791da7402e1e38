/*
 * ledbat.c - LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus-06, whose sections are named here; after
 * LEDBAT, RFC 6817): for transfers that may wait. It keeps 60 ms of its own in the queue and no
 * more, grows slower than Reno, gives way as soon as others add to the delay, and makes room from
 * time to time, so that those who come later see how long the path is without a queue. Delays are
 * round trips: a clock of the receiver's is not needed.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

#define TARGET_US         60000u                /* section 4.2 */
#define GAIN_PARTS_MAX    16u                   /* section 4.2: GAIN is 1/16 at least */
#define EXIT_US           (TARGET_US * 3 / 4)   /* section 4.3: where the first slow start ends */
#define MINUTE_NS         UINT64_C(60000000000) /* RFC 6817 section 2.4.2 */
#define BASE_MINUTES      10u                   /* RFC 6817 section 2.5 BASE_HISTORY */
#define RECENT_SAMPLES    4u                    /* RFC 6817 section 2.5 CURRENT_FILTER */
#define SLOWDOWN_ROUNDS   2u                    /* section 4.4: cwnd of two segments for so long */
#define SLOWDOWN_INTERVAL 9u /* section 4.4: a tenth of the time goes into slowdowns */

struct CONTROLLER_STATE ledbat {
    uint64_t window_end;                /**< the round is over when una reaches it */
    uint64_t minute_ns;                 /**< when the present minute began */
    uint64_t slowdown_ns;               /**< when the next slowdown begins; 0: none is planned */
    uint64_t began_ns;                  /**< when the present or the last one began */
    uint64_t held_until_ns;             /**< cwnd stays at two segments; 0: it does not */
    uint32_t minima_us[BASE_MINUTES];   /**< of the last minutes, [0] is the present one; 0: none */
    uint32_t recent_us[RECENT_SAMPLES]; /**< the last samples; 0: none */
    uint32_t recent_next;               /**< where the next one goes */
    uint32_t credit;                    /**< bytes acknowledged, not yet worth a byte of growth */
    bool regaining;                     /**< a slowdown's slow start goes on */
};
CONTROLLER_STATE_OF(ledbat)

/* The least that is not 0; 0 when there is none. */
static uint32_t least_of(const uint32_t *values, uint32_t count)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < count; i++)
        if (values[i] != 0 && (least == 0 || values[i] < least))
            least = values[i];
    return least;
}

static uint32_t base_us(const struct ledbat *ledbat)
{
    return least_of(ledbat->minima_us, BASE_MINUTES);
}

/* What stands in the queue. */
static uint32_t queue_us(const struct ledbat *ledbat)
{
    uint32_t recent = least_of(ledbat->recent_us, RECENT_SAMPLES), base = base_us(ledbat);
    return recent > base ? recent - base : 0;
}

static void measure(struct ledbat *ledbat, const struct daytona_congestion_sample *sample)
{
    if (sample->rtt_us == 0)
        return;
    if (sample->now.ns - ledbat->minute_ns >= MINUTE_NS) {
        for (uint32_t i = BASE_MINUTES - 1; i > 0; i--)
            ledbat->minima_us[i] = ledbat->minima_us[i - 1];
        ledbat->minima_us[0] = 0;
        ledbat->minute_ns = sample->now.ns;
    }
    if (ledbat->minima_us[0] == 0 || sample->rtt_us < ledbat->minima_us[0])
        ledbat->minima_us[0] = sample->rtt_us;
    ledbat->recent_us[ledbat->recent_next] = sample->rtt_us;
    ledbat->recent_next = (ledbat->recent_next + 1) % RECENT_SAMPLES;
}

/* Section 4.2: GAIN is one of so many parts; min (16, ceil (2 * TARGET / base)). */
static uint32_t gain_parts(const struct ledbat *ledbat)
{
    uint32_t base = base_us(ledbat);
    if (base == 0)
        return GAIN_PARTS_MAX;
    uint32_t parts = 2 * TARGET_US / base + (2 * TARGET_US % base != 0);
    return parts < GAIN_PARTS_MAX ? parts : GAIN_PARTS_MAX;
}

/* ---- slowdowns, section 4.4 */

static uint64_t round_trips_ns(const struct daytona_congestion_sample *sample, uint32_t count)
{
    return (uint64_t)sample->srtt_us * count * 1000;
}

static void slow_down(struct ledbat *ledbat, struct daytona_congestion_controls *controls,
                      const struct daytona_congestion_sample *sample)
{
    controls->ssthresh_bytes = window_reduced(controls->cwnd_bytes, sample->mss);
    controls->cwnd_bytes = 2 * sample->mss;
    ledbat->began_ns = sample->now.ns;
    ledbat->held_until_ns = sample->now.ns + round_trips_ns(sample, SLOWDOWN_ROUNDS);
    ledbat->slowdown_ns = 0;
    ledbat->regaining = true;
}

/* What the last one took, nine times, until the next. */
static void plan_next(struct ledbat *ledbat, const struct daytona_congestion_sample *sample)
{
    uint64_t took_ns = sample->now.ns - ledbat->began_ns;
    ledbat->regaining = false;
    ledbat->held_until_ns = 0;
    ledbat->slowdown_ns = sample->now.ns + SLOWDOWN_INTERVAL * took_ns;
}

/* True: cwnd is held. */
static bool mind_slowdowns(struct ledbat *ledbat, struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    if (ledbat->slowdown_ns != 0 && sample->now.ns >= ledbat->slowdown_ns && !sample->in_recovery)
        slow_down(ledbat, controls, sample);
    if (ledbat->held_until_ns != 0 && sample->now.ns >= ledbat->held_until_ns)
        ledbat->held_until_ns = 0;
    if (ledbat->regaining && !window_in_slow_start(controls))
        plan_next(ledbat, sample);
    return ledbat->held_until_ns != 0;
}

/* ---- growing and shrinking */

/* Section 4.3: GAIN bytes for each that is acknowledged. The first slow start ends before the
 * target is reached, and two round trips later is the first slowdown. */
static void slow_start(struct ledbat *ledbat, struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    if (controls->ssthresh_bytes == UINT32_MAX && queue_us(ledbat) > EXIT_US) {
        controls->ssthresh_bytes = window_reduced(controls->cwnd_bytes, sample->mss);
        ledbat->slowdown_ns = sample->now.ns + round_trips_ns(sample, 2);
        return;
    }
    if (!sample->cwnd_limited)
        return;
    uint32_t acked = sample->acked_bytes, parts = gain_parts(ledbat);
    acked = acked < controls->cwnd_bytes ? acked : controls->cwnd_bytes;
    uint64_t credit = (uint64_t)ledbat->credit + acked;
    ledbat->credit = (uint32_t)(credit % parts);
    controls->cwnd_bytes =
        window_grown(controls->cwnd_bytes, credit / parts, controls->ssthresh_bytes);
}

/* Section 4.1, once a round trip: W += max (GAIN - W * (delay / TARGET - 1), - W / 2), the
 * decrease only above the target. */
static void follow_delay(const struct ledbat *ledbat, struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    uint32_t gain = sample->mss / gain_parts(ledbat), cwnd = controls->cwnd_bytes;
    uint32_t delay_us = queue_us(ledbat);
    if (delay_us <= TARGET_US) {
        if (sample->cwnd_limited)
            controls->cwnd_bytes = window_grown(cwnd, gain, UINT32_MAX);
        return;
    }
    uint64_t decrease = (uint64_t)cwnd * (delay_us - TARGET_US) / TARGET_US;
    decrease = decrease > gain ? decrease - gain : 0;
    decrease = decrease < cwnd / 2 ? decrease : cwnd / 2;
    controls->cwnd_bytes = window_reduced(cwnd - decrease, sample->mss);
    controls->ssthresh_bytes = controls->cwnd_bytes;
}

static void ledbat_init(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    *ledbat_of(state) = (struct ledbat){
        .window_end = sample->nxt, .minute_ns = sample->now.ns, .minima_us = {sample->rtt_min_us}};
    controls->pacing_bytes_per_second = 0;
}

static void ledbat_acked(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    struct ledbat *ledbat = ledbat_of(state);
    measure(ledbat, sample);
    bool round_over = sample->una >= ledbat->window_end;
    if (round_over)
        ledbat->window_end = sample->nxt;
    if (mind_slowdowns(ledbat, controls, sample))
        return;
    if (window_in_slow_start(controls))
        slow_start(ledbat, controls, sample);
    else if (round_over)
        follow_delay(ledbat, controls, sample);
}

/* Slowdowns begin when slow start has ended, also if a loss has ended it. */
static void after_reduction(struct ledbat *ledbat, const struct daytona_congestion_sample *sample)
{
    ledbat->credit = 0;
    if (ledbat->regaining)
        plan_next(ledbat, sample);
    else if (ledbat->slowdown_ns == 0)
        ledbat->slowdown_ns = sample->now.ns + round_trips_ns(sample, 2);
}

static void ledbat_loss(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    after_reduction(ledbat_of(state), sample);
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void ledbat_recovered(struct daytona_congestion_state *state,
                             struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample)
{
    (void)state;
    (void)sample;
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void ledbat_timeout(struct daytona_congestion_state *state,
                           struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample)
{
    after_reduction(ledbat_of(state), sample);
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = sample->mss;
}

static void ledbat_restart(struct daytona_congestion_state *state,
                           struct daytona_congestion_controls *controls,
                           const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    (void)idle_us;
    struct ledbat *ledbat = ledbat_of(state);
    ledbat->window_end = sample->nxt;
    window_restart(controls, sample);
}

const struct daytona_congestion congestion_ledbat = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "ledbat",
    .source = "draft-irtf-iccrg-ledbat-plus-plus-06, RFC 6817",
    .init = ledbat_init,
    .acked = ledbat_acked,
    .loss = ledbat_loss,
    .recovered = ledbat_recovered,
    .timeout = ledbat_timeout,
    .restart = ledbat_restart,
};
