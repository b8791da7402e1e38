/*
 * server.h - an engine in a process of its own (docs/decisions/0015-server.md). Programs with
 * DAYTONA_ENGINE=process show it their kernel sockets when they listen or connect (client.h), and
 * get twins for them. All of its sockets are bridged, so that from then on whoever holds a twin
 * uses it natively, and asks what else there is to ask by remote.h.
 *
 * The server's process has the engine's thread and one more, which waits for the word to end.
 */
#ifndef DAYTONA_PRELOAD_SERVER_H
#define DAYTONA_PRELOAD_SERVER_H

#include "preload/remote.h"

#include <daytona/capture.h>

struct server_listeners;

/** What the library and the server must agree about: the version, and a number of the messages. */
#define SERVER_VERSION "0.1.0/2"

/** What who starts a server gives it. */
struct server_plan {
    int front;      /**< AF_UNIX datagram socket that programs know the path of */
    int service;    /**< the same with the engine's abstract name, see server_make_service() */
    int control;    /**< stream to who has started it: a byte says that it is ready; the end of what
                         comes from there is the word to end when everything is delivered */
    uint64_t nonce; /**< of the abstract names; the same for each that takes another's place */
    const struct daytona_port_span *ports; /**< it has these alone; borrowed */
    size_t port_count;
    struct server_listeners *listeners; /**< what it leaves to its successor; borrowed, shared */
    uid_t user;                         /**< that it becomes */
    gid_t group;
};

/** A datagram socket with the abstract name of the engine with that nonce. It may be kept open, so
 *  that nobody else can have the name between two servers. The descriptor or -errno. */
int server_make_service(uint64_t nonce);

/** The same at a path, for users of every kind. */
int server_make_front(const char *path);

/** A socket that can ask the server at that path; -errno: nobody is there. */
int server_reach_front(const char *path);

/** Is the server, in a process that was made for it; all else it has open it closes. The settings
 *  come from the environment. Returns the exit status when it cannot begin: why has been said. */
int server_run(const struct server_plan *plan);

/** Whether such ports are the server's: what it captures was settled when it began. */
bool server_has_ports(struct daytona_port_span ports);

/** The engine's thread, not locked: what listen(2) and connect(2) ask for, with the kernel socket
 *  `fd`. Returns REMOTE_NOT_SERVED, 0, -errno, or -EINPROGRESS: then who waits is told the outcome
 *  later. *twin is the application's end, or -1; *taken: the kernel socket is the server's now. */
int server_open(const struct remote_request *request, const struct remote_asker *asker, int fd,
                int *twin, bool *taken);

/** The engine's thread: a listener may be held by nobody any more; then its port is free now. 0. */
int server_check_listener(const struct twin_name *name);

/** The engine's thread: a served connection that was being made is, or is not: 0 or an errno. */
int server_attempt_outcome(struct file *file);

/** ... and who waits for that is told. */
void server_attempt_tell(struct file *file, int error);

/** The engine's thread: ends listeners that nobody holds any more, and looks whether others have
 *  room for who waits, now and then; returns when to be
 *  called again, `until` at the latest. */
struct daytona_instant server_look(struct daytona_instant until);

#endif
