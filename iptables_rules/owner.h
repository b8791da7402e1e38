/*
 * owner.h - who a claim or a rule belongs to: a process that cannot be mistaken for a later one
 * with the same pid.
 */
#ifndef DAYTONA_IPTABLES_RULES_OWNER_H
#define DAYTONA_IPTABLES_RULES_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner {
    uint64_t pid_namespace; /**< inode number of the namespace in which `pid` is meant */
    int pid;
    uint64_t start; /**< /proc/PID/stat field 22, clock ticks since boot */
};

/** Room for the written form, "NAMESPACE.PID.START". */
#define OWNER_TEXT_MAX 64

/** The process `pid` of the caller's pid namespace. -ESRCH: no such process, or it is a zombie;
 *  -ENOSYS: no /proc of this pid namespace. */
int owner_identify(int pid, struct owner *out);

bool owner_equal(const struct owner *a, const struct owner *b);

/** What can be known by pid. UNKNOWN: the owner is of another pid namespace, or /proc is. */
enum owner_life { OWNER_DEAD, OWNER_ALIVE, OWNER_UNKNOWN };

enum owner_life owner_judge(const struct owner *owner);

void owner_format(const struct owner *owner, char text[OWNER_TEXT_MAX]);

/** Reads the written form at the start of `text`; what follows must not be a digit or a dot.
 *  Returns the length read, -EINVAL. */
int owner_parse(const char *text, struct owner *out);

/** From the text of /proc/PID/stat: the state letter and the start time. -EINVAL. The command
 *  name in it may hold blanks and parentheses. */
int owner_parse_stat(const char *text, char *state, uint64_t *start);

#endif
