/*
 * profile.h - where processor time goes, by sampling: a signal after each few milliseconds of it
 * notes the program counter, and the notes are counted by activity afterwards. Nothing is added
 * to the code that is measured.
 */
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include <signal.h>
#include <stdbool.h>

/** Whose work is going on: the bench's own, which stands for kernel and application, or the
 *  stack's. Set by whoever calls the stack; read when a signal comes. */
enum bench_party { BENCH_DRIVER, BENCH_STACK };
extern volatile sig_atomic_t bench_party;

/** Begins to take notes, forgetting earlier ones. */
void bench_profile_start(void);

/** Ends that; returns the stack's share of the samples, 0 to 1 (1 when there are none). */
double bench_profile_stop(void);

/** Prints one line for each activity of the stack that has a percent of its time or more: its
 *  share, and as many of `whole_ns` nanoseconds. Needs addr2line and debug information. */
void bench_profile_print(double whole_ns);

#endif
