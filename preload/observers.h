/*
 * observers.h - those who see the events of this process's stack, behind the one observer that it
 * has: the summary and the ledger, the ring for other processes (event_ring.h), and the program
 * itself (daytona/observe.h).
 */
#ifndef DAYTONA_PRELOAD_OBSERVERS_H
#define DAYTONA_PRELOAD_OBSERVERS_H

#include <daytona/events.h>

/** The observer for daytona_stack_init(). `other`, which may be NULL, is always there; its mask is
 *  not 0. */
const struct daytona_observer *observers_all(const struct daytona_observer *other);

/** Engine locked, or not yet running: what goes into the ring changes, and what the program wants.
 *  Tells the stack. */
void observers_set_ring(uint64_t mask);
void observers_set_program(const struct daytona_observer *program);

/** The engine has made its stack. */
void observers_begin(void);

#endif
