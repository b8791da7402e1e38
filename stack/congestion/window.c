#include "stack/congestion/window.h"

/* RFC 9406 section 4.2 wants L = 8 where nothing paces, against bursts. Receivers that merge
 * packets acknowledge up to 64 KB at a time, and with any such bound their windows would grow by
 * less than half a round trip. Linux, too, has none. */
void window_slow_start(struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample, struct hystart *hystart)
{
    uint32_t most = sample->in_recovery ? sample->mss : controls->cwnd_bytes;
    uint32_t grow = sample->acked_bytes < most ? sample->acked_bytes : most;
    if (hystart != NULL)
        grow = hystart_growth(hystart, controls, sample, grow);
    if (!sample->cwnd_limited) /* what was not used has not been tested */
        return;
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, grow, controls->ssthresh_bytes);
}

void window_avoid_congestion(struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample, uint64_t *credit)
{
    if (!sample->cwnd_limited)
        return;
    *credit += sample->acked_bytes;
    if (*credit < controls->cwnd_bytes)
        return;
    *credit -= controls->cwnd_bytes;
    if (*credit > controls->cwnd_bytes)
        *credit = controls->cwnd_bytes; /* one ACK does not buy several rounds */
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, sample->mss, UINT32_MAX);
}
