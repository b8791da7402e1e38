/*
 * host.h - starts a server (preload/server.h) in a process of its own, and another one in its
 * place when it ends before its time. The keeper's.
 */
#ifndef DAYTONA_SCRIPTS_HOST_H
#define DAYTONA_SCRIPTS_HOST_H

#include "scripts/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host {
    const struct plan *plan;
    int front, service; /**< its addresses, kept for the next one; -1: none */
    int channel;        /**< to the server; -1: there is none */
    uint64_t nonce;
    struct server_listeners *listeners; /**< left by one server to the next */
    pid_t server;                       /**< 0: there is none */
    unsigned crashes;
    int64_t first_crash; /**< in seconds, of those that are counted */
};

/** Starts the server and waits until it is ready. False: why not has been said. */
bool host_start(struct host *host, const struct plan *plan);

/** The server has ended with that wait status. Starts another one, unless it was asked to end, or
 *  too many have ended. */
void host_ended(struct host *host, int status);

/** Asks the server to end when everything is delivered. */
void host_finish(struct host *host);

/** Whether this process has no child but the server. */
bool host_is_alone(const struct host *host);

/** Removes the server's addresses. */
void host_forget(struct host *host);

#endif
