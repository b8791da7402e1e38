/*
 * bridge.h - bridged sockets: their data go through the twin, so that whoever holds the descriptor
 * may use it by any means: a forked child, a program that was executed, stdio, a system call of
 * its own. The engine's thread carries bytes between the twin and the connection; flow control is
 * end to end, because it takes from either only what the other has room for.
 *
 * A socket becomes bridged before anything that the wrappers cannot see may touch it, and stays so.
 * What the twin shows natively is then the truth:
 *
 *   end of stream    shutdown() of the engine's end for writing
 *   reset            the engine's end closed with a byte of the application's end unread in it
 *   shutdown, close  of the application's end: end of stream, and hang-up, at the engine's
 *   unread data      lost by the last close: ECONNRESET at the engine's end, which resets
 *
 * The engine's end always keeps a byte unread: the last one that it has sent, or one that was
 * planted before the application could write. So it takes no more than closing it to show a reset,
 * and an engine that is killed leaves nothing but resets behind.
 */
#ifndef DAYTONA_PRELOAD_BRIDGE_H
#define DAYTONA_PRELOAD_BRIDGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct file;

/** What the application has written, in the twin as well as in the stack, in bytes. */
struct bridge_queue {
    int unacknowledged; /**< sent or not */
    int unsent;
};

struct bridge {
    bool hung_up;       /**< nobody holds the application's end any more */
    bool write_shut;    /**< the end of the peer's stream has been shown */
    bool read_ended;    /**< the application's stream has ended */
    bool watched;       /**< the engine's thread is told of all that happens at its end */
    bool held_back;     /**< not writable until connected */
    bool shut;          /**< the application's end has been shut for writing, or closed */
    bool narrow;        /**< the twin takes so little that no byte can be kept in it */
    bool counted;       /**< `queue` is up to date */
    bool shut_by_call;  /**< shutdown() was called: a hang-up need not be the last close */
    int error;          /**< what has ended the connection, errno, not told yet; 0: nothing */
    atomic_int failure; /**< lock-free to read: that which the twin shows as a reset, 0 none; EPIPE
                             when the end of the peer's stream has been shown before */
    size_t spent;       /**< bytes at the front of the engine's end that are sent, or were never
                             the application's */
    struct bridge_queue queue; /**< if counted */
    pid_t holder;              /**< a process that holds the application's end */
    ino_t application;         /**< inode of that end */
};

/** Makes the connection bridged; `fd` is its twin in the caller's descriptor table, `holder` a
 *  process that has it (0: this one). 0, also when it is bridged already; -EINVAL for a listener.
 *  Engine locked. */
int bridge_begin(struct file *file, int fd, pid_t holder);

/** Keeps the twin not writable until the connection is made. `fd` is the application's end, which
 *  nobody has written to. Engine locked. */
void bridge_hold_back(struct file *file, int fd);

/** The same for one whose application's end nobody has got yet. */
void bridge_from_birth(struct file *file);

/** The same by a descriptor, for an application thread with the engine unlocked; does nothing when
 *  `fd` is no Daytona connection. Returns 0, or -errno when it cannot be done. */
int bridge_descriptor(int fd);

/** All connections of this process that a program it executes would inherit. */
void bridge_inheritable(void);

/** Data and the like go through the twin natively. */
bool bridge_is_up(const struct file *file);

/** SIOCOUTQ and SIOCOUTQNSD of a bridged socket: 0 or -errno. Waits for the engine's thread, which
 *  alone can look at its end; the engine not locked. */
int bridge_ask_queue(struct file *file, struct bridge_queue *out);

/** The engine's thread: FILE_WORK_COUNT. */
void bridge_count_queue(struct file *file);

/** Before shutdown(2) on the twin: 0, or -ENOTCONN. The stack learns by it what the twin cannot
 * show: that nobody will read. Engine locked. */
int bridge_before_shutdown(struct file *file, int how);

/** How much the twin takes from the application, by its end `fd`: less when TCP_NOTSENT_LOWAT says
 *  how much may wait unsent. Engine locked. */
void bridge_fit_buffer(struct file *file, int fd);

/** The engine's thread, once, when it has the engine's end. */
void bridge_prepare_end(struct file *file);

/** The engine's thread: takes out of the twin what has been sent, but for the byte to be kept. */
void bridge_take_spent(struct file *file);

/** The engine's thread: its end is going to be closed, and that shall be no reset. */
void bridge_release_end(struct file *file);

/** The engine's thread: carries what can be carried, both ways. */
void bridge_carry(struct file *file);

/** The engine's thread: what its epoll set says of the engine's end. */
void bridge_notice(struct file *file, unsigned events);

#endif
