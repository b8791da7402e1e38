/*
 * tuning.h - DAYTONA_TUNE: options of the stack that programs have no call for, as Linux has some
 * of them for the whole machine. Every socket begins with them.
 */
#ifndef DAYTONA_PRELOAD_TUNING_H
#define DAYTONA_PRELOAD_TUNING_H

#include "preload/ports.h"

#include <daytona/stack.h>

#define TUNING_MAX 16

struct tuning {
    size_t count;
    struct {
        enum daytona_option option;
        int64_t value;
    } entries[TUNING_MAX];
};

/** Reads "window_validation=0,user_timeout_tell=1". 0, or -EINVAL and *fault. */
int tuning_read(const char *value, struct tuning *out, struct value_fault *fault);

/** To a socket of the stack; the engine is locked. */
void tuning_apply(const struct tuning *tuning, struct daytona_stack *stack,
                  struct daytona_instant now, struct daytona_socket_id id);

#endif
