#include "tests/sim/random.h"

#define GOLDEN 0x9e3779b97f4a7c15u /* 2^64 / golden ratio: an odd step that visits every state */

uint64_t sim_mix(uint64_t value)
{
    value = (value ^ value >> 32) * 0xd6e8feb86659fd93u;
    value = (value ^ value >> 32) * 0xd6e8feb86659fd93u;
    return value ^ value >> 32;
}

struct sim_random sim_random_from(uint64_t seed, uint64_t stream)
{
    return (struct sim_random){sim_mix(seed + GOLDEN) ^ sim_mix(~stream)};
}

uint64_t sim_random_next(struct sim_random *random)
{
    random->state += GOLDEN;
    return sim_mix(random->state);
}

uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high)
{
    return low + sim_random_next(random) % (high - low + 1);
}

uint64_t sim_random_skewed(struct sim_random *random, uint64_t low, uint64_t high)
{
    unsigned doublings = 0;
    while (doublings < 63 && low << (doublings + 1) <= high)
        doublings++;
    uint64_t from = low << sim_random_between(random, 0, doublings);
    uint64_t to = from * 2 - 1 < high ? from * 2 - 1 : high;
    return sim_random_between(random, from, to);
}

bool sim_random_chance(struct sim_random *random, uint32_t parts_per_million)
{
    return parts_per_million > 0 && sim_random_next(random) % 1000000 < parts_per_million;
}

bool sim_random_once_in(struct sim_random *random, uint32_t times)
{
    return sim_random_next(random) % times == 0;
}
