/*
 * raw.h - system calls past the C library: its own syscall() is one of the names that are
 * intercepted.
 */
#ifndef DAYTONA_PRELOAD_RAW_H
#define DAYTONA_PRELOAD_RAW_H

/** The kernel's result: 0 or more, or -errno. `words` are the six arguments. */
long raw_call(long number, const long *words);

#endif
