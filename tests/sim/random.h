/*
 * random.h - the simulator's own generator: everything a scenario draws and everything a link
 * does follows from the seed, on every machine alike.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

/** A bijective scrambling of 64 bits; also makes stream contents (stream.h). */
uint64_t sim_mix(uint64_t value);

/** Different `stream` numbers of one seed give unrelated sequences. */
struct sim_random sim_random_from(uint64_t seed, uint64_t stream);

uint64_t sim_random_next(struct sim_random *random);

/** Uniform in [low, high], both included. */
uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high);

/** In [low, high] with every order of magnitude about equally likely; low > 0. */
uint64_t sim_random_skewed(struct sim_random *random, uint64_t low, uint64_t high);

/** True with a probability of parts_per_million / 1,000,000. */
bool sim_random_chance(struct sim_random *random, uint32_t parts_per_million);

/** True once in `times` on average. */
bool sim_random_once_in(struct sim_random *random, uint32_t times);

#endif
