/*
 * programs.h - whether a program that is to be executed can be: before exec the engine goes on in
 * another process, and an exec that fails should not have come so far.
 */
#ifndef DAYTONA_PRELOAD_PROGRAMS_H
#define DAYTONA_PRELOAD_PROGRAMS_H

#include <stdbool.h>

/** Whether this is a file that the caller may execute, as far as its mode says. `folder` and
 *  `flags` as of execveat(2). */
bool programs_has(int folder, const char *path, int flags);

/** The same as execvp(3) looks for `file`. Allocates nothing. */
bool programs_finds(const char *file);

#endif
