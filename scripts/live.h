/*
 * live.h - follows the events of running programs: finds their rings (daytona/ring.h), attaches,
 * reads, and detaches.
 */
#ifndef DAYTONA_SCRIPTS_LIVE_H
#define DAYTONA_SCRIPTS_LIVE_H

#include "scripts/trace_file.h"
#include <sys/types.h>

struct live {
    const char *directory; /**< NULL: DAYTONA_RECORD or the default */
    uint64_t mask;         /**< events wanted */
    pid_t pid;             /**< 0: of all processes */
    uint64_t seconds;      /**< 0: until a signal comes or the process ends */
    bool single;           /**< there must be one process only */
    bool history;          /**< begin with what the rings still hold */
    /** NULL: what there is at the beginning decides when all is over. Else: whether processes may
     * still begin; then they are followed from their first event on, and waited for. */
    bool (*expects)(void *context);
    bool says; /**< tells on standard error what it has attached to */
    /** Called when there is something to follow, before the first event; negative: that is the
     *  result. May be NULL. */
    int (*begin)(void *context);
    /** What to do with each event; negative: stop, that is the result. */
    int (*take)(void *context, const struct trace_about *about, const struct seen *seen);
    void *context;
    uint64_t events, missed; /**< out: how many there were */
};

/** Runs until SIGINT or SIGTERM, the end of the time or of the process, or take() says so. 0; or
 *  -ESRCH: there is no such process with a ring; -E2BIG: more than one; -errno. Of a process that
 *  has died, all there is is taken at once. */
int live_run(struct live *live);

/** The signal that has told live_run() to stop, 0: none has come. */
int live_stopped(void);

/** The mask for "all", "rare", "ack" (all but segments) or names of events, separated by commas;
 *  0: there is no such name. */
uint64_t live_mask(const char *text);

#endif
