/*
 * ledger.h - a file with the four-tuples of this process's connections, for the process that
 * outlives this one when a signal ends it (scripts/orphans.h, docs/decisions/0004-crash.md).
 *
 * The file is mapped and shared, so a row survives its writer, and writing one is two stores.
 * `daytona run` gives the directory; without it, or when the file cannot be made, nothing is kept
 * and nothing is said.
 */
#ifndef DAYTONA_PRELOAD_LEDGER_H
#define DAYTONA_PRELOAD_LEDGER_H

#include <daytona/events.h>

/** Makes this process's ledger if one is wanted, in place of that of a process it was forked from.
 *  The engine calls it when it starts. */
void ledger_begin(void);

/** The observer for daytona_stack_init(): keeps the ledger, and hands all that `other` (may be
 * NULL, else lives as long as the stack) wants to see on to it. Just `other` without a ledger. */
const struct daytona_observer *ledger_observer(const struct daytona_observer *other);

/** Records the connections that have come to be since the last call; an observer cannot ask for
 * their endpoints itself. Engine locked; after every input to the stack. */
void ledger_update(void);

#endif
