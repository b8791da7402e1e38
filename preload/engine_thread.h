/*
 * engine_thread.h - the engine's own thread: what it does for files, and its loop.
 */
#ifndef DAYTONA_PRELOAD_ENGINE_THREAD_H
#define DAYTONA_PRELOAD_ENGINE_THREAD_H

#include "preload/log.h"

#include <daytona/capture.h>

#define ENGINE_MESSAGE_MAX 400

struct file;

/** What the starter tells the new thread. */
struct engine_birth {
    int control; /**< the engine's end, in the application's table */
    int first;   /**< where shared descriptors begin */
    const struct daytona_port_span *ports;
    size_t port_count;
};

/** What the thread answers, together with the descriptors to share. With status 0 the members of
 *  `engine` that floor 2 and the thread stand for are set. */
struct engine_answer {
    int status;                       /**< 0 or -errno */
    char message[ENGINE_MESSAGE_MAX]; /**< with a status: what is wrong and what to do */
};

/** The thread's function; `birth` is a struct engine_birth that outlives the answer. Engine not
 *  locked; opens engine.capture and engine.sink. */
void *engine_thread_main(void *birth);

/** What engine_table_send() names as the record for descriptors that are the engine's own: the
 *  server's addresses. */
#define ENGINE_FOR_ITSELF 0

/** The engine's thread has what a socket needs: `reservation` its kernel socket, `end` the engine's
 *  end of its twin, numbers of its own table, -1 none. */
void engine_thread_adopt(struct file *file, int reservation, int end);

/** Does what has been asked for with engine_add_work(). Engine locked. */
void engine_thread_work(void);

/** In the child that the thread leaves behind (linger.h): one round of everything, with a rest
 * until `until` at the latest. The application's process is gone. Engine locked. */
void engine_thread_linger(struct daytona_instant until);

/** log_line() for the engine's thread, whose table has no standard error: the application's, as it
 *  is now, is lent for the line. */
void engine_thread_say(enum log_level level, const char *line);

#endif
