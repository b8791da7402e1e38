/*
 * elsewhere.h - sockets of processes under Daytona that are on the kernel's TCP (or UDP), and why.
 * The rules that decided are in the process's environment, and are asked again with its addresses.
 */
#ifndef DAYTONA_SCRIPTS_ELSEWHERE_H
#define DAYTONA_SCRIPTS_ELSEWHERE_H

#include <daytona/types.h>
#include <stdio.h>
#include <sys/types.h>

struct elsewhere {
    pid_t pid;
    char program[32];
    const char *protocol; /**< "tcp" or "udp" */
    struct daytona_endpoint local, remote;
    unsigned state; /**< enum daytona_tcp_state; of UDP, CLOSED or ESTABLISHED */
    char reason[160];
};

/** Calls `each` for every such socket of every process whose descriptors can be seen. */
void elsewhere_visit(void (*each)(void *context, const struct elsewhere *socket), void *context);

void elsewhere_json(FILE *out, const struct elsewhere *socket);

#endif
