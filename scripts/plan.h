/*
 * plan.h - what `daytona run` was asked to do, read from its options and the environment.
 */
#ifndef DAYTONA_SCRIPTS_PLAN_H
#define DAYTONA_SCRIPTS_PLAN_H

#include <daytona/rules.h>
#include <limits.h>

struct plan {
    char **program; /**< name and arguments, NULL at the end; borrowed from argv */

    struct daytona_rules_config rules; /**< members borrowed from this struct and argv */
    char state_directory[PATH_MAX];
    char iptables[PATH_MAX];
    char library[PATH_MAX];
    char description[64]; /**< the program and its arguments, cut */

    bool serve;            /**< a server with its programs, or alone: `program` is NULL */
    char socket[PATH_MAX]; /**< where programs find it */

    bool rules_wanted; /**< firewall rules for `ports` */
    struct daytona_port_span ports[DAYTONA_RULES_PORTS_MAX];
    size_t port_count;
    bool every_port;                      /**< may be listened on, without rules */
    struct daytona_port_span local_ports; /**< of outgoing connections; low 0: none are made */
};

/**
 * Reads the options, checks them together with the DAYTONA_ variables that are there, and sets the
 * environment for the program: DAYTONA_* and LD_PRELOAD. Returns a negative number to go on, or
 * the status to exit with: what was wrong, or the help that was asked for, has then been said.
 */
int plan_read(struct plan *plan, int count, char **arguments);

#endif
