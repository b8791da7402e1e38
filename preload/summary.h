/*
 * summary.h - DAYTONA_SUMMARY: one line of JSON for each connection when it ends.
 */
#ifndef DAYTONA_PRELOAD_SUMMARY_H
#define DAYTONA_PRELOAD_SUMMARY_H

#include <daytona/events.h>

/** Learns how connections end; NULL when no summary is wanted. For daytona_stack_init(). */
const struct daytona_observer *summary_observer(void);

/** The engine's thread, at its start: opens the file, if one is wanted. When it cannot be opened
 * or, later, written, one message says so. */
void summary_begin(void);

/** For a server, which opens the file while it still may: -1 and errno when it cannot. */
int summary_open(void);

/** The engine's thread has got that file from its process; instead of summary_begin(). */
void summary_take(int file);

/** The engine's thread: writes the lines that have come together. Engine locked. */
void summary_write(void);

/** The same, with a line for each connection that is not finished: the process ends. */
void summary_write_all(void);

#endif
