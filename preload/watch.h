/*
 * watch.h - epoll sets that watch a socket before it becomes Daytona's. The kernel knows them by
 * the socket, which goes away from the descriptor; so they are read out of the kernel, removed,
 * and made again for the twin.
 */
#ifndef DAYTONA_PRELOAD_WATCH_H
#define DAYTONA_PRELOAD_WATCH_H

#include "preload/sets.h"

struct watch {
    int set;
    int fd; /**< it was added by */
    struct epoll_event event;
};

/** Removes `fd` from all sets known, and tells which they were, at most `room`. */
size_t watch_take(int fd, struct watch *out, size_t room);

#endif
