/*
 * tagged.h - firewall rules as text: the lines of iptables-save that carry Daytona's tag, and the
 * script for iptables-restore that adds and deletes such rules.
 *
 *     -A PREROUTING -p tcp -m tcp --dport 8000:8099 -m addrtype --dst-type LOCAL
 *         -m comment --comment "daytona:OWNER" -j DROP
 *
 * Only packets for this host's own addresses: on a router or a host of containers the packets that
 * are passed on to others' port 80 are none of Daytona's business.
 *
 * There is one rule for each range of each owner. Two owners of the same port so have two equal
 * rules but for the tag, which costs a comparison per packet and buys three things: the count of
 * users of a port is the number of rules, removing one's own rules never needs to know of the
 * others, and what a killed owner left is found in the kernel itself, even when the state
 * directory is lost.
 */
#ifndef DAYTONA_IPTABLES_RULES_TAGGED_H
#define DAYTONA_IPTABLES_RULES_TAGGED_H

#include "iptables_rules/owner.h"

#include <daytona/rules.h>
#include <stdio.h>

struct tagged_rule {
    struct owner owner;
    struct daytona_port_span ports;
    const char *line; /**< borrowed: the saved line, from "-A" on, not terminated */
    size_t line_length;
};

/** Finds the rules with Daytona's tag in the output of iptables-save. Stores the first `max` of
 *  them and returns how many there are. `saved` must outlive the rules. */
size_t tagged_find(const char *saved, struct tagged_rule *out, size_t max);

/** Writes the line that adds a rule, before all others of the chain: a rule of somebody else that
 *  accepts must not let the packets through to the kernel's TCP. */
void tagged_write_add(FILE *script, const struct owner *owner, struct daytona_port_span ports);

/** Writes the line that deletes exactly this rule. */
void tagged_write_delete(FILE *script, const struct tagged_rule *rule);

#endif
