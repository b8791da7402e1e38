/*
 * signals.h - signal handlers of the program, kept out of the sections in which a thread holds the
 * engine's lock: a handler may call read(), write(), close() or connect() on a Daytona socket, and
 * would wait for its own thread.
 *
 * The kernel calls a handler of ours, which calls the program's. When it comes inside a section it
 * leaves all signals blocked instead, and the section's end has the kernel deliver the signal once
 * more, with the same siginfo. A section costs no system call as long as no signal comes.
 *
 * Handlers that were installed without the C library (by a system call of the program's own) are
 * not ours: in a section they are called at once, and what they ask of a Daytona socket fails with
 * EDEADLK.
 */
#ifndef DAYTONA_PRELOAD_SIGNALS_H
#define DAYTONA_PRELOAD_SIGNALS_H

#include "preload/attributes.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

/** Of the calling thread: sections it is in, one inside the other; the number of the signal that
 *  waits for the end of the outermost, 0 none. */
extern ATTRIBUTE_THREAD volatile sig_atomic_t signals_held, signals_waiting;

/** What waits is delivered. */
void signals_deliver(void);

/** The beginning and the end of a section. */
static inline void signals_hold(void)
{
    signals_held++;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void signals_release(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (--signals_held == 0 && signals_waiting != 0)
        signals_deliver();
}

/** A blocking system call outside all sections, which handlers interrupt. */
struct signals_sleep {
    bool interrupted; /**< a handler has run since it began */
    bool restarts;    /**< all that have run were installed with SA_RESTART */
    /** Before a handler runs, which may call what blocks too, or never return. */
    void (*leave)(struct signals_sleep *sleep);
    /** After it has: if the system call has not been entered yet, it shall not wait. */
    void (*wake)(struct signals_sleep *sleep);
};

/** In a section: the calling thread will sleep so after its end. The structure is the caller's. */
void signals_sleep_begin(struct signals_sleep *sleep);
/** In a section again. */
void signals_sleep_end(void);

/** sigaction(2) for the program: 0 or -errno. */
int signals_action(int number, const struct sigaction *action, struct sigaction *before);

/** siginterrupt() has changed SA_RESTART of what is installed. */
void signals_set_restart(int number, bool restarts);

/** The program's handler, where the kernel says that `handler` is installed. */
sighandler_t signals_seen(int number, sighandler_t handler);

#endif
