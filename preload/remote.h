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

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define REMOTE_VALUE_MAX 320 /* struct tcp_info is the largest */

enum remote_what {
    REMOTE_BRIDGE,   /**< carry the data through the twin from now on */
    REMOTE_ACCEPTED, /**< the same, before the program has got it; and getpeername */
    REMOTE_GET_OPTION,
    REMOTE_SET_OPTION,
    REMOTE_LOCAL,        /**< getsockname */
    REMOTE_REMOTE,       /**< getpeername */
    REMOTE_LISTEN_AGAIN, /**< listen(2) on a listener, the backlog is the option */
    REMOTE_AMOUNT,       /**< ioctl: the request is the option, the answer a number */

    REMOTE_SHUTDOWN, /**< before shutdown(2) on the twin: whether there is a connection */
    REMOTE_FAILURE,  /**< why the twin shows an error; the answer a number */

    /* Of a server only (server.h). With a kernel socket in place of the twin: */
    REMOTE_LISTEN,
    REMOTE_CONNECT,
    REMOTE_CONNECT_FAST, /**< what is written first may go with the SYN */
    /* With the twin: */
    REMOTE_CONNECT_AGAIN, /**< connect(2) on what is connecting or connected */
    /* With a kernel socket that is to listen or connect then: a key of its (signatures.h) */
    REMOTE_KEY,
    /* With nothing: */
    REMOTE_CLOSED, /**< that listener may be held by nobody any more */
};

/** Who asks: the rest of an abstract name that the kernel has given. */
struct remote_asker {
    char name[8];
    socklen_t length; /**< 0: nobody waits */
    pid_t pid;        /**< of its process; 0 not known */
    uid_t uid;
};

/** Answer of a server that leaves the socket to the kernel, where its ports are not the server's.
 */
#define REMOTE_NOT_SERVED 1

struct remote_request {
    char version[16]; /**< LISTEN, CONNECT: the asker's, as SERVER_VERSION */
    enum remote_what what;
    struct twin_name connection;
    bool waits;        /**< CONNECT: the outcome is wanted as a second answer */
    int level, option; /**< LISTEN: the backlog is the option; it and CONNECT: so many keys were
                            told is the level */
    socklen_t length;
    unsigned char value[REMOTE_VALUE_MAX];
};

struct remote_answer {
    int result;       /**< 0 or -errno */
    char version[16]; /**< a server's */
    socklen_t length;
    unsigned char value[REMOTE_VALUE_MAX];
};

/* ------------------------------------------------------------------ the client's side */

/** A datagram socket with a name of its own that talks to that address only. -errno: nobody is
 *  there. */
int remote_reach(const struct sockaddr_un *address, socklen_t length);

/** Sends a request, with a descriptor along (-1: none), and waits a while for its answer; what came
 *  along with that is in *received, -1 for nothing. 0 or -errno. */
int remote_call(int through, const struct remote_request *request, int fd,
                struct remote_answer *answer, int *received);

/** Takes an answer that has come. 0 or -errno; *received as above. */
int remote_hear(int through, struct remote_answer *answer, int *received);

/** Whether `fd` is, or was, the twin of another process's engine's socket. When nobody has answered
 *  about it, its connection has been reset, or the engine has died. */
bool remote_is_twin(int fd);

/** Makes what `fd` names, if it is a connection of another process's engine, bridged. False when it
 *  is none, or its engine is gone. */
bool remote_bridge(int fd);

/** The same for all that an executed program would inherit. */
void remote_bridge_inheritable(void);

/** The number up to which that looks: a child may have given a socket any number, but those that
 *  programs give lie low. */
int remote_last_looked_at(void);

/** accept4(2) on a socket that may be the twin of a listener of another process's engine, as the C
 *  library's, with errno. */
int remote_accept(int fd, struct sockaddr *address, socklen_t *length, int flags);

/** listen(2) for `fd`, if it is another process's engine's listener: true, and 0 or -errno in
 *  *result. (Natively it would become this process's own in the eyes of who connects to it.) */
bool remote_listen(int fd, int backlog, int *result);

/** connect(2) for `fd`, if it is a server's connection: true, and 0 or -errno in *result. Of an
 *  attempt that has failed *returned is the kernel socket, to try again with; else -1. */
bool remote_connect(int fd, int *result, int *returned);

/** SIOCOUTQ, SIOCOUTQNSD and SIOCATMARK: true, and the number or -errno in *result. */
bool remote_amount(int fd, unsigned long request, int *result);

/** Before shutdown(2) on `fd`, which may be such a twin: 0, or -ENOTCONN. */
int remote_check_shutdown(int fd, int how);

/** Why the twin `fd` shows an error, an errno; 0: unknown, or it is none. */
int remote_failure(int fd);

/** getsockopt(2) and so on for `fd`, if it is such a connection: true, and 0 or -errno in *result.
 *  False: it is something else; nothing has been done. */
bool remote_get_option(int fd, int level, int option, void *value, socklen_t *length, int *result);
bool remote_set_option(int fd, int level, int option, const void *value, socklen_t length,
                       int *result);
bool remote_name(int fd, bool peer, struct sockaddr *address, socklen_t *length, int *result);

/* ------------------------------------------------------------------ the engine's side */

/** Opens the engine's address. The descriptor or -errno. */
int remote_open(void);

/** A second answer to who has asked for a connection and waits; with a descriptor, -1 none. */
void remote_tell(const struct remote_asker *asker, int result, int fd);

/** Answers what has been asked. Engine's thread, engine locked; gives the lock back meanwhile. */
void remote_serve(int service);

#endif
