#include "stack/congestion/controllers.h"

#include "stack/congestion/window.h"
#include <string.h>

static const struct daytona_congestion *const controllers[] = {
    &congestion_cubic,
    &congestion_reno,
};

const struct daytona_congestion *congestion_at(size_t index)
{
    return index < sizeof controllers / sizeof controllers[0] ? controllers[index] : NULL;
}

const struct daytona_congestion *congestion_find(const char *name)
{
    for (size_t i = 0; congestion_at(i) != NULL; i++)
        if (strcmp(congestion_at(i)->name, name) == 0)
            return congestion_at(i);
    return NULL;
}

void window_slow_start(struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    uint32_t most = sample->in_recovery ? sample->mss : 2 * sample->mss;
    uint32_t grow = sample->acked_bytes < most ? sample->acked_bytes : most;
    controls->cwnd_bytes = window_grown(controls->cwnd_bytes, grow, controls->ssthresh_bytes);
}
