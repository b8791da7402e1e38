/*
 * cycles.h - the processor's counter: what profile.h counts in. Not for stack/, which is handed a
 * function and reads no clock.
 */
#ifndef DAYTONA_CYCLES_H
#define DAYTONA_CYCLES_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

/** Nanoseconds of CLOCK_MONOTONIC. */
static inline uint64_t cycles_of_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/** The time-stamp counter of x86, the virtual counter of Arm, or else nanoseconds. They go on at
 *  one speed whatever the processor's is, and while the thread is not running, too. Not ordered
 *  with the instructions around: that would cost more than it tells. */
static inline uint64_t cycles_now(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return cycles_of_clock();
#endif
}

#endif
