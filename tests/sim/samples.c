#include "tests/sim/samples.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sim_samples_add(struct sim_samples *samples, uint64_t value)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity * 2 + 64;
        samples->values = realloc(samples->values, samples->capacity * sizeof samples->values[0]);
        assert(samples->values != NULL);
    }
    uint32_t kept = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    samples->values[samples->count++] = kept;
    samples->sum += kept;
    if (kept > samples->most)
        samples->most = kept;
    samples->sorted = false;
}

void sim_samples_join(struct sim_samples *samples, const struct sim_samples *from)
{
    for (size_t i = 0; i < from->count; i++)
        sim_samples_add(samples, from->values[i]);
}

double sim_samples_mean(const struct sim_samples *samples)
{
    return samples->count == 0 ? 0 : (double)samples->sum / (double)samples->count;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

uint32_t sim_samples_percentile(struct sim_samples *samples, unsigned percent)
{
    if (samples->count == 0)
        return 0;
    if (!samples->sorted)
        qsort(samples->values, samples->count, sizeof samples->values[0], compare);
    samples->sorted = true;
    size_t rank = (samples->count * percent + 99) / 100;
    return samples->values[rank == 0 ? 0 : rank - 1];
}

void sim_samples_release(struct sim_samples *samples)
{
    free(samples->values);
    memset(samples, 0, sizeof *samples);
}
