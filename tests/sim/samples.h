/*
 * samples.h - measured values, kept one by one so that mean, percentiles and maximum are exact.
 */
#ifndef SIM_SAMPLES_H
#define SIM_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Zeroed at first. */
struct sim_samples {
    uint32_t *values;
    size_t count, capacity;
    uint64_t sum;
    uint32_t most;
    bool sorted;
};

void sim_samples_add(struct sim_samples *samples, uint64_t value);

/** Adds all of `from`. */
void sim_samples_join(struct sim_samples *samples, const struct sim_samples *from);

/** 0 when there are none. */
double sim_samples_mean(const struct sim_samples *samples);

/** The least value that `percent` of the samples do not exceed; 0 when there are none. */
uint32_t sim_samples_percentile(struct sim_samples *samples, unsigned percent);

void sim_samples_release(struct sim_samples *samples);

#endif
