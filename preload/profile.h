/*
 * profile.h - this process's profile by activity (daytona/profile.h): its file beside the record,
 * and what the engine's lock tells it. Only who holds the lock is inside of an activity, so one
 * profiler serves all threads and needs no lock of its own; what a thread does just outside, to
 * sleep or to wake others, it keeps to itself until it comes in again
 * (docs/decisions/0018-profile.md).
 */
#ifndef DAYTONA_PRELOAD_PROFILE_H
#define DAYTONA_PRELOAD_PROFILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Cycles are counted. Looked at without the lock, where to be late does no harm. */
extern atomic_bool profile_on;

static inline bool profile_is_on(void)
{
    return atomic_load_explicit(&profile_on, memory_order_relaxed);
}

/** The engine's thread, at its start and after record_begin(): forgets that of a process it was
 *  forked from, and counts if the setting PROFILE says so. */
void profile_begin(void);

/** Removes the file: the connections are finished. */
void profile_end(void);

/** This process has no engine any more, or another one's. */
void profile_forget(void);

/** The engine's thread: counts from now on, from 0 on; or stops. What was counted stays to be read.
 *  0, -ENODEV: there is no record to keep it beside, -ENOSPC. Engine locked. */
int profile_switch(bool on);

/** The engine's thread, when it writes the record: how long it has been counting. Engine locked. */
void profile_update(void);

/** Takes the lock; the processor time that waiting takes is a wake-up's. */
void profile_lock(pthread_mutex_t *lock);

/** Inside: the lock has just been taken, by a call or by one that goes on after a sleep; it is
 *  about to be given back. */
void profile_come(void);
void profile_come_back(void);
void profile_go(void);

/** Inside, behind what may have been interrupted: what was counted while other programs had the
 *  processor is taken out again. */
void profile_check(void);

/** Outside: around a sleep, and around what wakes others. */
void profile_sleep(void);
void profile_awake(void);

#endif
