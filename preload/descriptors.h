/*
 * descriptors.h - the calls that make, move and end descriptors. They keep the table of Daytona
 * files true, and keep the application's hands off the few descriptors that its threads share
 * with the engine.
 *
 * Each is the whole call: it also does the real one. 0 or more, or -errno.
 */
#ifndef DAYTONA_PRELOAD_DESCRIPTORS_H
#define DAYTONA_PRELOAD_DESCRIPTORS_H

#include <stdbool.h>

/** `fd` has just been made by the kernel and is not Daytona's (negative: it was not made). Should
 * the table think otherwise, the number was closed out of our sight (a raw system call), and the
 *  table is put right. Returns `fd`; errno stays. */
int descriptors_new(int fd);

/** close(2). The last descriptor of a connection ends it, waiting as SO_LINGER says. */
int descriptors_close(int fd);

/** dup(2). */
int descriptors_dup(int fd);

/** dup3(2), and dup2(2) with `same_allowed` (old == new is then not an error). */
int descriptors_dup3(int old, int new, int flags, bool same_allowed);

/** fcntl(fd, F_DUPFD or F_DUPFD_CLOEXEC, lowest). */
int descriptors_dup_above(int fd, int command, int lowest);

/** close_range(2), with its flags; closefrom(first) is close_range(first, UINT_MAX, 0). */
int descriptors_close_range(unsigned first, unsigned last, unsigned flags);

/** Whether `fd` is one that the application must not touch: for it the number is not open. */
bool descriptors_protected(int fd);

#endif
