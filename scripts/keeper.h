/*
 * keeper.h - the process between `daytona run` and the program:
 *
 *     W, the wrapper: what the user started; relays signals, ends as the program ended
 *     K, the keeper: installs the rules, starts the program, waits, removes the rules, and tells
 *        the peers of connections that nobody has ended (orphans.h)
 *     P, the program
 *
 * The keeper is not the wrapper because it has to outlive both. A program on Daytona leaves a
 * process behind that delivers its last data, a daemon goes on for ever; their packets need the
 * rules. And whatever kills the wrapper or the program, even SIGKILL to the whole process group,
 * leaves the keeper, which has a session of its own, to clean up.
 *
 * W and P share a process group, the user's; so the terminal's signals and job control reach the
 * program as if there were no wrapper.
 */
#ifndef DAYTONA_SCRIPTS_KEEPER_H
#define DAYTONA_SCRIPTS_KEEPER_H

#include "scripts/orphans.h"
#include "scripts/plan.h"

#include <signal.h>

/** What K tells W, one packet each, over a SOCK_SEQPACKET pair. W sends back numbers of signals
 *  for P, as int. */
enum keeper_event {
    KEEPER_STARTED,   /**< value: the program's pid */
    KEEPER_STOPPED,   /**< value: the signal that stopped it */
    KEEPER_CONTINUED, /**< value: 0 */
    KEEPER_ENDED,     /**< value: the wait status of the program */
    KEEPER_FAILED,    /**< value: exit status; the program was not started, and why was said */
};

struct keeper_message {
    enum keeper_event event;
    int value;
};

/** Signal settings the program is to start with: those `daytona run` was started with. */
struct original_signals {
    sigset_t mask;
    struct sigaction child; /**< of SIGCHLD */
};

/** Is the keeper. All signals are blocked; `channel` is its end of the pair. */
_Noreturn void keeper_run(const struct plan *plan, struct orphans *orphans,
                          const struct original_signals *signals, int channel);

#endif
