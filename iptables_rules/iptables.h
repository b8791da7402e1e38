/*
 * iptables.h - runs iptables-save and iptables-restore on table raw, directly: no shell, a clean
 * environment, no terminal signals. Whole tables are read and changed at once, so that a change
 * of many rules happens or does not.
 */
#ifndef DAYTONA_IPTABLES_RULES_IPTABLES_H
#define DAYTONA_IPTABLES_RULES_IPTABLES_H

#include "iptables_rules/message.h"

/** The rules of table raw as iptables-save prints them. `command`: "iptables", "iptables-nft",
 *  "iptables-legacy" or a path; "-save" is appended. The caller frees *text. -ENOENT: no such
 *  program; -EPERM: not privileged; -EIO: it failed, its words are in the message. */
int iptables_save(const char *command, char **text, struct message message);

/** Applies lines of the form "-I PREROUTING ..." and "-D PREROUTING ..." to table raw, all or
 *  none. Errors as iptables_save(). */
int iptables_restore(const char *command, const char *lines, struct message message);

#endif
