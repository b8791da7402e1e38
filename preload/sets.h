/*
 * sets.h - epoll sets with Daytona sockets in them, and the short way from the pump to a thread
 * that waits in one.
 *
 * The long way is the mirror: a thread that waits for a set in the kernel learns of a socket
 * through its twin, which the engine's thread has to change. A thread that runs the pump while it
 * waits for a set "serves" the set: changes of the sockets in it are offered to that thread, which
 * makes the events itself and leaves the twins as they are. When nobody has served the set for a
 * while, what is still offered goes the long way.
 *
 * Served are sockets that are in that one set only and watched by nothing else. Those with
 * EPOLLONESHOT are not: whether they are armed the kernel's set alone knows.
 */
#ifndef DAYTONA_PRELOAD_SETS_H
#define DAYTONA_PRELOAD_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct file;

#define SETS_MAX 32

/** What a socket is watched for, as epoll_ctl() was told last. */
struct set_member {
    uint32_t set;      /**< identity, 0 none */
    uint32_t events;   /**< EPOLL* */
    epoll_data_t data; /**< as given */
    int descriptor;    /**< it was added by */
};

/** Remembers that `set` is an epoll descriptor. Lock-free and without a system call. */
void sets_note(int set);

/** The index-th epoll descriptor known, -1 none; indices go up to SETS_MAX. */
int sets_number(size_t index);

/** `fd` is closed, or put into a set itself: it is not served from now on. */
void sets_forget(int fd);
void sets_note_nested(int fd);

/* The rest wants the engine locked. */

/** After a successful epoll_ctl() on `file`. */
void sets_add(struct file *file, int set, int fd, const struct epoll_event *event);
void sets_change(struct file *file, int set, const struct epoll_event *event);
void sets_remove(struct file *file);

/** The identity by which `set` can be served, 0: it cannot, or has no Daytona socket. */
uint32_t sets_identity(int set);

/** The calling thread is about to run the pump and wait for the set. */
void sets_serve(uint32_t identity);

/** Nobody serves any set: what is offered goes to the engine's thread. */
void sets_stop_serving(void);

/** A change of `file`: false when it has to go the long way. */
bool sets_offer(struct file *file);

/** Whether something is offered of the set `*identity` (a uint32_t). */
bool sets_have_events(void *identity);

/** Makes at most `max` events of what is offered. */
int sets_collect(uint32_t identity, struct epoll_event *events, int max);

/** Takes out of events that the kernel has made of the set the errors that the program has been
 * told of since: a twin that has shown one goes on showing it. */
void sets_correct(uint32_t identity, struct epoll_event *events, int count);

#endif
