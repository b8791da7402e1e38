/*
 * summary.h - DAYTONA_SUMMARY: one line of JSON for each connection when it ends.
 */
#ifndef DAYTONA_PRELOAD_SUMMARY_H
#define DAYTONA_PRELOAD_SUMMARY_H

#include <daytona/events.h>

struct file;

/** The engine's thread, at its start: opens the file, if one is wanted. */
void summary_begin(void);

/** Learns why connections end; NULL when no summary is wanted. For daytona_stack_init(). */
const struct daytona_observer *summary_observer(void);

/** Notes how `file`'s connection is, for as long as it can be asked. Engine locked. */
void summary_note(const struct file *file);

/** The engine's thread: the connection is finished; writes its line. Engine locked. */
void summary_write(struct file *file);

/** The same for every connection that has no line yet, because the process ends before it is
 *  finished. */
void summary_write_rest(void);

#endif
