#include "stack/congestion/window.h"

void window_slow_start(struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    uint32_t most = sample->in_recovery ? sample->mss : 2 * sample->mss;
    uint32_t grow = sample->acked_bytes < most ? sample->acked_bytes : most;
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, grow, controls->ssthresh_bytes);
}
