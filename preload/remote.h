/*
 * remote.h - Daytona sockets of another process's engine: inherited by a forked child or by a
 * program that was executed, or received through SCM_RIGHTS. Data and readiness are the twin's
 * own, for such a socket is bridged (bridge.h). What else TCP can do is asked of the engine, by
 * messages.
 *
 * The twin itself says whose it is: the name of its engine's end (twin.h). Each request is one
 * datagram to the engine's abstract address, with the twin's descriptor along, so that only who
 * holds a socket can ask anything about it; the answer is one datagram back.
 */
#ifndef DAYTONA_PRELOAD_REMOTE_H
#define DAYTONA_PRELOAD_REMOTE_H

#include "preload/twin.h"

#include <stddef.h>
#include <sys/socket.h>

#define REMOTE_VALUE_MAX 320 /* struct tcp_info is the largest */

enum remote_what {
    REMOTE_BRIDGE, /**< carry the data through the twin from now on */
    REMOTE_GET_OPTION,
    REMOTE_SET_OPTION,
    REMOTE_LOCAL,  /**< getsockname */
    REMOTE_REMOTE, /**< getpeername */
};

struct remote_request {
    enum remote_what what;
    struct twin_name connection;
    int level, option;
    socklen_t length;
    unsigned char value[REMOTE_VALUE_MAX];
};

struct remote_answer {
    int result; /**< 0 or -errno */
    socklen_t length;
    unsigned char value[REMOTE_VALUE_MAX];
};

/* ------------------------------------------------------------------ the client's side */

/** Makes what `fd` names, if it is a connection of another process's engine, bridged. False when it
 *  is none, or its engine is gone. */
bool remote_bridge(int fd);

/** The same for all that an executed program would inherit. */
void remote_bridge_inheritable(void);

/** accept4(2) on a socket that may be the twin of a listener of another process's engine, as the C
 *  library's, with errno. */
int remote_accept(int fd, struct sockaddr *address, socklen_t *length, int flags);

/** getsockopt(2) and so on for `fd`, if it is such a connection: true, and 0 or -errno in *result.
 *  False: it is something else; nothing has been done. */
bool remote_get_option(int fd, int level, int option, void *value, socklen_t *length, int *result);
bool remote_set_option(int fd, int level, int option, const void *value, socklen_t length,
                       int *result);
bool remote_name(int fd, bool peer, struct sockaddr *address, socklen_t *length, int *result);

/* ------------------------------------------------------------------ the engine's side */

/** Opens the engine's address. The descriptor or -errno. */
int remote_open(void);

/** Answers what has been asked. Engine's thread, engine locked; gives the lock back meanwhile. */
void remote_serve(int service);

#endif
