/*
 * wait.h - how threads of the application wait for packets: one of them runs the pump, the others
 * follow (docs/decisions/0003-runner.md). Everything here wants the engine locked, and gives the
 * lock back while it sleeps.
 */
#ifndef DAYTONA_PRELOAD_WAIT_H
#define DAYTONA_PRELOAD_WAIT_H

#include "preload/file_record.h"

#include <poll.h>
#include <signal.h>

/**
 * Waits until `file` has one of the readiness bits `interest`, hung up or failed. 0; -EAGAIN at
 * `deadline`; -EINTR after a signal handler that does not restart calls, after any when a part of
 * the call has been done (`begun`), which it then returns; -EBADF when the file was closed
 * meanwhile. A cancelled thread puts the reference to `file` that its caller holds.
 */
int wait_file(struct file *file, unsigned interest, struct daytona_instant deadline, bool begun);

/** The same for any condition that changes only when `file` does. Goes on when it is closed. */
int wait_condition(struct file *file, bool (*satisfied)(void *context), void *context,
                   unsigned interest, struct daytona_instant deadline);

/** The lowest entries of a runner's set belong to the pump. */
#define WAIT_ENTRIES 2

/** What a runner waits for besides packets. */
struct wait_set {
    struct pollfd *entries; /**< WAIT_ENTRIES free ones, then `count` of the application's */
    size_t count;
    const sigset_t *mask; /**< while it sleeps; NULL: unchanged */
    struct file *file;    /**< whose call it is, which keeps it; NULL: of several, or of none */
    bool (*satisfied)(void *context);
    void *context;
    struct daytona_instant deadline;
    bool begun; /**< handlers with SA_RESTART end it, too */
};

/** Runs the pump until satisfied (0), one of the application's entries has something (1), the
 *  deadline (-EAGAIN) or a signal handler (-EINTR). -EBUSY at once when another thread of the
 *  application runs it. */
int wait_run(struct wait_set *set);

/**
 * Waits as a runner or, where another thread runs the pump, natively, until `fd`, the twin of
 * `listener`, has a connection to accept. Results as wait_file().
 */
int wait_accept(struct file *listener, int fd, struct daytona_instant deadline);

/** Engine not locked: the calling thread is about to wait in the kernel for what only the engine's
 *  thread can bring about; that one shall take the pump at once. */
void wait_natively(void);

/** Wakes the threads that follow `file` for one of the bits in `now`. */
void wait_wake(struct file *file, unsigned now);

/** A signal handler has interrupted a system call: whether the kernel would restart the call.
 *  Where the handler that ran is not known (signals.h), true only if every one that can run in
 *  this thread has SA_RESTART; handlers of faults do not count. */
bool wait_restarts(void);

/** When a wait that may last `timeout` (NULL: for ever) from now on ends. */
struct daytona_instant wait_deadline(const struct timespec *timeout);

/** What is left until `deadline`, written to `room`; NULL: for ever. */
const struct timespec *wait_left(struct daytona_instant deadline, struct timespec *room);

/** The application's runner: how long it may sleep. Also for the engine's thread. */
struct daytona_instant wait_until(struct daytona_instant now, struct daytona_instant deadline);

#endif
