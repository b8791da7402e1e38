/*
 * server_listeners.h - what a server's successor has to know of its listeners: rows in memory that
 * outlives it. The programs' twins have names, and whoever listens with the records of the same
 * number and generation serves them on.
 */
#ifndef DAYTONA_PRELOAD_SERVER_LISTENERS_H
#define DAYTONA_PRELOAD_SERVER_LISTENERS_H

#include "preload/candidate.h"

#include <sys/types.h>

#define SERVER_LISTENERS_MAX 1024 /* beyond these a listener ends with its server */

struct server_listeners {
    uint32_t incarnation; /**< of servers that there have been, this one included */
    struct server_listener {
        uint32_t index; /**< of its record; 0: the row is free */
        uint32_t generation;
        pid_t maker; /**< the process that made its twin */
        uid_t owner;
        int domain, backlog;
        struct daytona_endpoint local;
        struct carried_options options;
    } rows[SERVER_LISTENERS_MAX];
};

/** Memory that a process shares with those it makes by fork(). NULL: there is none. */
struct server_listeners *server_listeners_make(void);

/** Notes a listener, and forgets it. Engine locked. */
void server_listeners_add(struct server_listeners *listeners, const struct file *file,
                          const struct candidate *candidate, int backlog);
/** The same for one that has been listened on once more. */
void server_listeners_renew(struct server_listeners *listeners, const struct file *file,
                            int backlog);
void server_listeners_remove(struct server_listeners *listeners, const struct file *file);

/** Whether one of that port is noted. */
bool server_listeners_have(const struct server_listeners *listeners, uint16_t port);

/** With the privileges still there: takes the ports of all that are noted. */
void server_listeners_bind(struct server_listeners *listeners);

/** When the engine runs: goes on with them. A listener whose port is another's by now ends. */
void server_listeners_restore(struct server_listeners *listeners);

#endif
