/*
 * places.h - the places of a kernel socket that becomes Daytona's: the descriptors of this process
 * that name it, the epoll sets that watch it by any of them, and whom SIGIO goes to. The twin takes
 * them all. What other processes hold of the socket stays the kernel's.
 */
#ifndef DAYTONA_PRELOAD_PLACES_H
#define DAYTONA_PRELOAD_PLACES_H

#include "preload/watch.h"

#include <fcntl.h>

#define PLACES_MAX 16

struct places {
    size_t count; /**< the first is the one that was asked about */
    struct place {
        int fd;
        bool close_on_exec;
    } each[PLACES_MAX];
    size_t watch_count;
    struct watch watches[SETS_MAX + PLACES_MAX];
    struct f_owner_ex owner; /**< F_SETOWN; pid 0: nobody */
    int signal;              /**< F_SETSIG */
    bool async;              /**< O_ASYNC */
};

/** `copy` has been made of `original`, which is not Daytona's (yet). Lock-free, no system call. */
void places_note_copy(int original, int copy);
/** `fd` is closed. */
void places_forget_copy(int fd);

/** Finds the places of the socket `fd`, and takes it out of the sets. */
void places_take(int fd, struct places *out);

/** The same for `count` descriptors, at most PLACES_MAX, that are known to name the same twin. */
void places_take_these(const int *descriptors, size_t count, struct places *out);

/** Puts `socket` into all of them, but for the sets. 0 or -errno. */
int places_give(const struct places *places, int socket);

/** Adds it to the sets, when it has something to show. */
void places_watch(const struct places *places);

#endif
