/*
 * orphans.h - connections of programs that a signal has ended, and how their peers learn of it
 * (docs/decisions/0004-crash.md).
 *
 *     /run/daytona/ledger.XXXXXX/           of one `daytona run`, locked while it lives
 *     /run/daytona/ledger.XXXXXX/PID.NONCE  the connections of one process (preload/ledger.h)
 *
 * Without the right to make the directory there are no ledgers, and peers learn of a death when
 * they send or probe.
 */
#ifndef DAYTONA_SCRIPTS_ORPHANS_H
#define DAYTONA_SCRIPTS_ORPHANS_H

#include "scripts/plan.h"

/** The wrapper's and the keeper's: either may have to end what the other began. */
struct orphans {
    char directory[PATH_MAX]; /**< "": none */
    int lock;                 /**< descriptor of the directory, close-on-exec; -1: none */
};

/** Removes what dead ones have left, makes the directory, and tells the program of it in the
 *  environment. */
void orphans_begin(struct orphans *orphans, const struct plan *plan);

/** Makes the peer of every connection that is still in a ledger notice, and ends the ledgers. When
 *  nobody of the program is left, and its firewall rules are gone: they would keep the peers'
 *  answers from the kernel. A quarter of a million connections take some seconds, a few take no
 *  time. */
void orphans_reset(struct orphans *orphans, const struct plan *plan);

/** The same for the ledger of one process that is dead, while others go on: for connections to
 * ports that its successor listens on, which answers in the kernel's place. */
void orphans_reset_one(struct orphans *orphans, const struct plan *plan, int process);

/** Ends the ledgers without a word to anybody. */
void orphans_forget(struct orphans *orphans);

/** Removes the ledgers below the state directory (NULL: the default) whose `daytona run` is dead.
 */
void orphans_sweep(const char *state_directory);

#endif
