/*
 * walk.h - the random walk: programs that come from a seed and, step by step, from what the
 * kernel's TCP made of the steps before.
 */
#ifndef TESTS_DIFFERENTIAL_WALK_H
#define TESTS_DIFFERENTIAL_WALK_H

#include "tests/differential/stage.h"

struct walk {
    uint64_t random;
    unsigned steps_left;
    unsigned opening; /**< step of the opening that is next */
    int place;        /**< of the opening */
    bool family;      /**< with more than one process */
};

/** The walk of a seed, and the name of its program: `walk-SEED`, or `family-SEED` for one in which
 * there may be several processes, which is every other one. */
void walk_begin(struct walk *walk, uint64_t seed, struct program *program);

/** The next step; a stage_next whose context is the walk. */
bool walk_next(void *walk, const struct stage *stage, struct operation *operation);

#endif
