/*
 * timer.h - many timers, few of them due: a pairing heap. Setting one or moving it forward costs
 * one comparison whatever the number of timers; moving it back, cancelling and taking it cost
 * O(log n), amortised.
 */
#ifndef STACK_BASE_TIMER_H
#define STACK_BASE_TIMER_H

#include <daytona/types.h>

/** Embedded in its owner, zeroed at first. */
struct timer {
    struct daytona_instant due;            /**< valid while set */
    struct timer *child, *next, *previous; /**< the heap's business */
    bool set;
    uint8_t kind; /**< the owner's: which of its timers this is */
};

/** Zeroed at first. */
struct timers {
    struct timer *root;
};

/** Sets or moves a timer. */
void timer_set(struct timers *timers, struct timer *timer, struct daytona_instant due);

/** Cancels it; allowed when not set. */
void timer_cancel(struct timers *timers, struct timer *timer);

/** The earliest due instant, DAYTONA_NEVER when none is set. */
struct daytona_instant timers_next(const struct timers *timers);

/** Takes one timer that is due at or before `now` (it is then not set); NULL when none is. */
struct timer *timers_take_due(struct timers *timers, struct daytona_instant now);

#endif
