/*
 * mirror.h - a Daytona socket's readiness, shown by its twin to whoever watches it natively
 * (epoll, or poll in a thread that does not run the pump).
 *
 *   readable      a token byte lies in the application's end. A new token is a new edge for
 *                 EPOLLET, also while older ones lie there. The thread that reads the last data
 *                 takes the tokens out.
 *   not writable  two junk bytes of the application's end lie unread in the engine's, which is more
 *                 than its minimal SO_SNDBUF likes. The engine reads one of them to end it.
 *   RDHUP, HUP    shutdown() of the engine's end.
 *   ERR           the engine's end closed with the other junk byte, the seed, unread.
 *
 * So the application's threads write junk and drain tokens, the engine's thread does the rest.
 * All under the engine's lock.
 */
#ifndef DAYTONA_PRELOAD_MIRROR_H
#define DAYTONA_PRELOAD_MIRROR_H

#include <stdbool.h>

struct file;

struct mirror {
    int watchers;       /**< native sets and polls that watch now */
    bool early;         /**< not watched yet, but will be: accepted from a watched listener */
    bool edges;         /**< somebody watches with EPOLLET */
    bool seeded;        /**< SO_SNDBUF is minimal and the seed lies in the engine's end */
    bool blocked;       /**< the second junk byte lies there */
    unsigned tokens;    /**< that lie in the application's end */
    bool read_shut;     /**< the engine's end has been shut for writing */
    bool hung_up, dead; /**< ... for both; closed */
};

/** A watcher more. With what holds already not yet shown, mirror_settle() is due. */
void mirror_start(struct file *file, bool edges);
/** A watcher less. */
void mirror_stop(struct file *file);

/** Not writable, for a twin that is not the application's yet: `end` is its end of a fresh pair. */
void mirror_start_blocked(struct file *file, int end);

/** After a call that took or gave data: tokens out, or junk in. */
void mirror_after_receive(struct file *file);
void mirror_after_send(struct file *file);

/** DAYTONA_READY_* that the twin shows. */
unsigned mirror_shows(const struct file *file);

/** Waits until the engine's thread has shown what holds now. Gives the lock back meanwhile. */
void mirror_settle(struct file *file);

/** The engine's thread: shows what has changed. */
void mirror_update(struct file *file);

#endif
