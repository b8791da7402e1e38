/*
 * programs.h - the programs that are built in: products of what can be combined.
 */
#ifndef TESTS_DIFFERENTIAL_PROGRAMS_H
#define TESTS_DIFFERENTIAL_PROGRAMS_H

#include "tests/differential/operation.h"

/** Makes them all; how many. */
size_t programs_make(struct program *programs, size_t max);

#endif
