/*
 * claims.h - the state directory: who claims which ports in which network namespace.
 *
 *     /run/daytona/lock                         taken by every call, one at a time
 *     /run/daytona/NETWORK/OWNER                one claim, text; flock'ed while somebody holds it
 *     /run/daytona/NETWORK/reserved             local ports that Daytona has reserved
 *
 * NETWORK is the inode number of the network namespace and its cookie, which unlike the inode
 * number is never used again (0 before Linux 5.14). OWNER is as in owner.h.
 */
#ifndef DAYTONA_IPTABLES_RULES_CLAIMS_H
#define DAYTONA_IPTABLES_RULES_CLAIMS_H

#include "iptables_rules/message.h"
#include "iptables_rules/owner.h"

#include <daytona/rules.h>

struct claim {
    struct owner owner;
    bool alive;         /**< the lock is held, or it never was and the owner is not known dead */
    bool held;          /**< daytona_rules_hold() was called: the lock alone decides */
    char program[64];   /**< for people */
    char iptables[128]; /**< the command the rules were made with */
    struct daytona_port_span ports[DAYTONA_RULES_PORTS_MAX];
    size_t port_count;
    struct daytona_port_span reserved; /**< low 0: none */
};

/** The locked state directory of the calling thread's network namespace. */
struct claims {
    int lock, state, directory; /**< descriptors, owned */
    char network[48];
    struct claim *all; /**< owned; as they were when opened */
    size_t count;
};

/** Makes the directories as needed, waits for the lock (ten seconds: -EBUSY), and reads all
 *  claims. `state_directory` NULL: the default. */
int claims_open(struct claims *claims, const char *state_directory, struct message message);

/** Unlocks and frees. A directory in which no claim is left goes too. */
void claims_close(struct claims *claims);

/** The owner's claim, or NULL. Borrowed until claims_close(). */
const struct claim *claims_find(const struct claims *claims, const struct owner *owner);

/** Stores a claim in place of the owner's earlier one. */
int claims_write(struct claims *claims, const struct claim *claim, struct message message);

/** Deletes a claim's file; fine when there is none. */
void claims_remove(struct claims *claims, const struct owner *owner);

/** Marks the claim as held and returns a descriptor that holds it. */
int claims_hold(struct claims *claims, const struct claim *claim, struct message message);

/** The text of a claim file, and back. -E2BIG, -EINVAL. The owner is not part of it: it is the
 *  file's name. */
int claim_format(const struct claim *claim, char *text, size_t size);
int claim_parse(const char *text, struct claim *out);

#endif
