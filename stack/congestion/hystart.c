#include "stack/congestion/hystart.h"

/* RFC 9406 section 4.3. */
#define MIN_RTT_THRESH_US  4000u
#define MAX_RTT_THRESH_US  16000u
#define MIN_RTT_DIVISOR    8u
#define N_RTT_SAMPLE       8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS         5u

static void hystart_begin_round(struct hystart *hystart,
                                const struct daytona_congestion_sample *sample)
{
    hystart->window_end = sample->nxt;
    hystart->last_round_min_us = hystart->round_min_us;
    hystart->round_min_us = 0;
    hystart->samples = 0;
    if (hystart->conservative_rounds > 0)
        hystart->conservative_rounds++;
}

static void hystart_measure(struct hystart *hystart, uint32_t rtt_us)
{
    if (rtt_us == 0)
        return;
    if (hystart->round_min_us == 0 || rtt_us < hystart->round_min_us)
        hystart->round_min_us = rtt_us;
    hystart->samples++;
}

/* Section 4.2: RttThresh, an eighth of the last round's minimum within bounds. */
static uint32_t hystart_threshold_us(const struct hystart *hystart)
{
    uint32_t threshold_us = hystart->last_round_min_us / MIN_RTT_DIVISOR;
    if (threshold_us < MIN_RTT_THRESH_US)
        return MIN_RTT_THRESH_US;
    return threshold_us > MAX_RTT_THRESH_US ? MAX_RTT_THRESH_US : threshold_us;
}

/* Whether this round's minimum is above the last one's by the threshold. */
static bool hystart_delay_grew(const struct hystart *hystart)
{
    return hystart->last_round_min_us != 0 && hystart->round_min_us >= hystart->last_round_min_us &&
           hystart->round_min_us - hystart->last_round_min_us >= hystart_threshold_us(hystart);
}

static void hystart_judge(struct hystart *hystart)
{
    if (hystart->samples < N_RTT_SAMPLE)
        return;
    if (hystart->conservative_rounds == 0 && hystart_delay_grew(hystart)) {
        hystart->baseline_us = hystart->round_min_us;
        hystart->conservative_rounds = 1;
    } else if (hystart->conservative_rounds > 0 && hystart->round_min_us < hystart->baseline_us) {
        hystart->conservative_rounds = 0; /* the delay was noise */
    }
}

/* The ACK of windowEnd is the last of its round. */
static bool hystart_round_ends(const struct hystart *hystart,
                               const struct daytona_congestion_sample *sample)
{
    return sample->una >= hystart->window_end;
}

uint32_t hystart_growth(struct hystart *hystart, struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample, uint32_t bytes)
{
    if (controls->ssthresh_bytes != UINT32_MAX)
        return bytes;
    if (hystart->window_end == 0)
        hystart_begin_round(hystart, sample);
    hystart_measure(hystart, sample->rtt_us);
    hystart_judge(hystart);
    if (hystart_round_ends(hystart, sample))
        hystart_begin_round(hystart, sample);
    if (hystart->conservative_rounds > CSS_ROUNDS) {
        uint32_t least = 2 * sample->mss, cwnd = controls->cwnd_bytes;
        controls->ssthresh_bytes = cwnd > least ? cwnd : least;
        *hystart = (struct hystart){0};
        return 0;
    }
    if (hystart->conservative_rounds == 0)
        return bytes;
    uint64_t credit = (uint64_t)hystart->credit + bytes;
    hystart->credit = (uint32_t)(credit % CSS_GROWTH_DIVISOR);
    return (uint32_t)(credit / CSS_GROWTH_DIVISOR);
}
