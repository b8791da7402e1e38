/*
 * perform.h - operations, done: a function for each row of operations.def.
 */
#ifndef TESTS_DIFFERENTIAL_PERFORM_H
#define TESTS_DIFFERENTIAL_PERFORM_H

#include "tests/differential/agent.h"

/** Makes the call; returns what it returned, leaves its errno, and says in the answer what came
 * with it. */
#define OPERATION(verb, parameters)                                                                \
    long perform_##verb(const struct request *request, struct answer *answer);
#include "tests/differential/operations.def"
#undef OPERATION

/** Appends "fd:events/bytes to read/state" for a descriptor. */
void perform_look(int fd, struct answer *answer);

#endif
