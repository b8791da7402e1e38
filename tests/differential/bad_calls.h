/*
 * bad_calls.h - the groups of bad_calls.def.
 */
#ifndef TESTS_DIFFERENTIAL_BAD_CALLS_H
#define TESTS_DIFFERENTIAL_BAD_CALLS_H

enum bad_group {
#define BAD_GROUP(group) BAD_GROUP_##group,
#define BAD_CALL(group, name, call)
#include "tests/differential/bad_calls.def"
#undef BAD_GROUP
#undef BAD_CALL
    BAD_GROUP_COUNT
};

#endif
