/*
 * compare.h - programs on two TCPs, and what to make of a difference.
 */
#ifndef TESTS_DIFFERENTIAL_COMPARE_H
#define TESTS_DIFFERENTIAL_COMPARE_H

#include "tests/differential/stage.h"

struct comparison {
    const struct mode *mode;        /**< NULL: all but the kernel's */
    uint64_t first_seed, last_seed; /**< 0: programs, not walks */
    const char *script;             /**< file of programs; NULL: those built in */
    const char *differences;        /**< table of those that are allowed; NULL: there are none */
    unsigned jobs;                  /**< processes for each mode */
    int patience_ms;                /**< for what must happen; 0: as the stage says */
    bool prints, lists;
    char **names; /**< of programs that are wanted; none: all. Up to NULL */
};

/** Does it, prints TAP lines, one for each mode; the exit status. */
int compare(const struct comparison *comparison);

#endif
