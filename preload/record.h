/*
 * record.h - keeps this process's record (daytona/record.h): what `daytona stat` and others see of
 * its connections, and what is left of them when it crashes
 * (docs/decisions/0016-record.md).
 *
 * The engine's thread writes it, at most once in DAYTONA_RECORD_PERIOD_US and only when something
 * has happened, or when somebody asks (control.h). When it cannot be made, there is none.
 */
#ifndef DAYTONA_PRELOAD_RECORD_H
#define DAYTONA_PRELOAD_RECORD_H

#include <daytona/types.h>
#include <stdbool.h>

/** The engine's thread, at its start: makes the record, in place of that of a process it was
 *  forked from, and removes some of those that dead processes have left. */
void record_begin(void);

/** The pump has run. Engine locked. */
void record_touch(void);

/** When record_write() has something to do; DAYTONA_NEVER: when the pump has run. Engine locked. */
struct daytona_instant record_deadline(void);

/** The engine's thread: brings all rows up to date. Engine locked; lets go of it now and then. */
void record_write(struct daytona_instant now);

/** The engine has gone on into the child that calls this. */
void record_go_on(void);

/** The connections are finished, or nobody needs to know of them: removes the record. */
void record_end(void);

/** The record's file without its directory, "daytona.PID.NONCE"; empty when there is none. */
const char *record_name(void);

#endif
