/*
 * record.h - what a program came to on some TCP: for each step what its call returned, and how all
 * descriptors were when the network was quiet again.
 */
#ifndef TESTS_DIFFERENTIAL_RECORD_H
#define TESTS_DIFFERENTIAL_RECORD_H

#include "tests/differential/operation.h"

#define RESULT_TEXT_MAX  1100
#define SETTLED_TEXT_MAX 1600

struct record_step {
    char result[RESULT_TEXT_MAX];
    char settled[SETTLED_TEXT_MAX];
};

struct record {
    unsigned count;
    struct record_step steps[PROGRAM_STEPS_MAX];
};

/** The first step in which they are not the same; -1: there is none. */
int record_difference(const struct record *one, const struct record *other);

/** Prints the program up to a step, and at that step what either came to. */
void record_explain(const struct program *program, const struct record *wanted,
                    const struct record *got, int step, FILE *out);

/** Prints all of it. */
void record_print(const struct program *program, const struct record *record, FILE *out);

#endif
