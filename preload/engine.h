/*
 * engine.h - the one stack of this process: its lock, what it receives from and sends to, and the
 * thread that drives it when no thread of the application does.
 *
 * The engine starts at the first socket that becomes Daytona's. Its thread has a descriptor table
 * of its own (engine_table.h); the members marked "both tables" have the same number in it and
 * in the application's.
 */
#ifndef DAYTONA_PRELOAD_ENGINE_H
#define DAYTONA_PRELOAD_ENGINE_H

#include "preload/attributes.h"

#include <daytona/capture.h>
#include <daytona/rawtx.h>
#include <daytona/stack.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct daytona_profiler;
struct file;
struct server_plan;
struct wait_follower;

/** Who waits for packets (docs/decisions/0003-runner.md). */
enum engine_runner { ENGINE_RUNNER_NONE, ENGINE_RUNNER_THREAD, ENGINE_RUNNER_APPLICATION };

/** How the engine's thread waits. */
enum engine_rest {
    ENGINE_REST_NONE,    /**< it does not: it is at work, or wants the lock */
    ENGINE_REST_CAPTURE, /**< for packets: it is the runner */
    ENGINE_REST_TICK,    /**< briefly, to see whether the application still runs the pump */
    ENGINE_REST_LONG,    /**< until it is kicked */
};

/** All members belong to who holds `lock`, but for those that never change after the start. */
struct engine {
    pthread_mutex_t lock;
    pid_t pid;      /**< of the process it runs in */
    uint32_t epoch; /**< counts the engines this process and its ancestors have had; never 0 */
    uint64_t nonce; /**< makes the abstract names of this engine's twins its own */

    const struct server_plan
        *server; /**< this process serves others (server.h); NULL: it does not */

    struct daytona_room region;
    struct daytona_stack *stack;
    struct daytona_capture *capture;
    struct daytona_rawtx *sink;
    struct daytona_profiler *profiler; /**< NULL: cycles are not counted (profile.h) */
    int capture_descriptor;            /**< both tables */
    int runner_wake;                   /**< both tables: eventfd that ends the wait of a runner */
    int thread_wake; /**< both tables: eventfd that ends the wait of the engine's thread */
    int control;     /**< application's table: descriptors for the engine leave here */

    enum engine_runner runner;
    _Atomic enum engine_rest rest;
    pthread_t runner_thread;             /**< when the application runs the pump */
    struct daytona_instant runner_since; /**< when it began to */
    struct daytona_instant runner_left;  /**< when an application thread last did */
    struct daytona_instant sleeps_until; /**< somebody will pump then at the latest */
    struct daytona_instant active;       /**< when packets last went in or out */
    struct wait_follower *followers;     /**< application threads that wait on a futex */
    struct file *work;                   /**< files the engine's thread has to look after */
    uint32_t served_set;                 /**< see sets.h; 0 none */
    bool kick_thread, kick_runner;       /**< to be woken when the lock is given back */
    atomic_uint rounds;                  /**< futex: how often the thread has done its work */
    atomic_bool exit_wanted;             /**< process.h: the thread shall leave a child */
    atomic_uint exit_done;               /**< futex: 1 when it has */
};

extern struct engine engine;

/** Starts the engine if this process has none. 0, or -errno: then the reason has been logged once,
 *  and every later call says the same. */
int engine_start(void);

/** Whether the engine runs and belongs to this very process, not to one it was forked from. */
bool engine_alive(void);

/** Whether the calling thread is the engine's own, to which the application's descriptors mean
 *  nothing. */
bool engine_is_thread(void);

/** Whether the calling thread holds the lock. */
bool engine_is_locked(void);

/** CLOCK_MONOTONIC. */
struct daytona_instant engine_now(void);

/**
 * Locks the engine for a thread of the application. 0, or -EOPNOTSUPP: the engine is another
 * process's; -EDEADLK: this thread is inside already, and a signal handler that is not
 * called through signals.h wants in too;
 * -ESHUTDOWN: the process is exiting and its connections are in other hands.
 * Cancellation is held off until engine_leave().
 */
int engine_enter(void);

/** Unlocks, and wakes whom the work done under the lock concerns. */
void engine_leave(void);

/** Inside: lets go of the lock for a wait, and takes it again. Wakes whom engine_leave() wakes, but
 *  shortens nobody's sleep: a runner sets its own, and while packets flow it is short enough
 *  (wait_until()). Cancellation is allowed in between, as it was before engine_enter(). */
void engine_pause(void);
void engine_resume(void);

/** The same for the engine's thread, which nobody cancels. */
void engine_thread_lock(void);
void engine_thread_unlock(void);

/** Around fork(): no other thread is inside while the process is copied; the child has no engine
 *  any more, and may start its own. */
void engine_fork_prepare(void);
void engine_fork_parent(void);
void engine_fork_child(void);

/** In the child that the engine's thread leaves behind: it is the engine now. */
void engine_go_on(void);

/** The engine has gone on into another process, and this one goes on without. */
void engine_left_behind(void);

/** Marks the calling thread as the engine's. */
void engine_become_thread(void);

/** Inside: tells the engine's thread that `file` needs it (enum file_work). */
void engine_add_work(struct file *file, unsigned work);

/** Inside: waits until the engine's thread has done its work once, or a signal came. Gives the lock
 *  back meanwhile. */
void engine_wait_round(void);

#endif
