/*
 * state.h - a controller's private words (struct daytona_congestion_state) under names of its own.
 */
#ifndef STACK_CONGESTION_STATE_H
#define STACK_CONGESTION_STATE_H

#include <daytona/congestion.h>

/** Of every struct that lies over the words: the compiler may not assume that nothing else does. */
#define CONTROLLER_STATE __attribute__((may_alias))

/** Makes `struct name *name_of (struct daytona_congestion_state *)`. All zero is what a new
 *  connection finds there. */
#define CONTROLLER_STATE_OF(name)                                                                  \
    _Static_assert(sizeof(struct name) <= sizeof(struct daytona_congestion_state),                 \
                   "a controller's state fits its words");                                         \
    static inline struct name *name##_of(struct daytona_congestion_state *state)                   \
    {                                                                                              \
        return (struct name *)state;                                                               \
    }

#endif
