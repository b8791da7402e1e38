#include "preload/places.h"

#include "preload/ready.h"
#include "preload/real.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>

#define NUMBERS_NOTED 8192 /* copies with higher numbers are not found */

/* Numbers that dup() and its like have to do with. */
static atomic_uchar copied[NUMBERS_NOTED / 8];

static bool is_noted(int fd)
{
    return fd >= 0 && fd < NUMBERS_NOTED &&
           (atomic_load_explicit(&copied[fd / 8], memory_order_relaxed) >> fd % 8 & 1) != 0;
}

static void note(int fd)
{
    if (fd >= 0 && fd < NUMBERS_NOTED && !is_noted(fd))
        atomic_fetch_or(&copied[fd / 8], (unsigned char)(1u << fd % 8));
}

void places_note_copy(int original, int copy)
{
    note(original);
    note(copy);
}

void places_forget_copy(int fd)
{
    if (is_noted(fd))
        atomic_fetch_and(&copied[fd / 8], (unsigned char)~(1u << fd % 8));
}

/* ------------------------------------------------------------------ taking */

static void take_place(int fd, struct places *out)
{
    size_t room = sizeof out->watches / sizeof *out->watches - out->watch_count;
    out->each[out->count++] = (struct place){fd, (real.fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0};
    out->watch_count += watch_take(fd, out->watches + out->watch_count, room);
}

static void take_copies(int fd, struct places *out)
{
    struct stat socket, other;
    if (!is_noted(fd) || fstat(fd, &socket) < 0)
        return;
    for (int copy = 0; copy < NUMBERS_NOTED && out->count < PLACES_MAX; copy++) {
        if (copied[copy / 8] == 0) {
            copy |= 7; /* none of these eight */
            continue;
        }
        if (copy != fd && is_noted(copy) && fstat(copy, &other) == 0 &&
            other.st_ino == socket.st_ino && other.st_dev == socket.st_dev)
            take_place(copy, out);
    }
}

static void take_signals(int fd, struct places *out)
{
    *out = (struct places){.signal = real.fcntl(fd, F_GETSIG),
                           .async = (real.fcntl(fd, F_GETFL) & O_ASYNC) != 0};
    if (real.fcntl(fd, F_GETOWN_EX, &out->owner) < 0)
        out->owner.pid = 0;
}

void places_take(int fd, struct places *out)
{
    take_signals(fd, out);
    take_place(fd, out);
    take_copies(fd, out);
}

void places_take_these(const int *descriptors, size_t count, struct places *out)
{
    take_signals(descriptors[0], out);
    for (size_t i = 0; i < count; i++)
        take_place(descriptors[i], out);
}

/* ------------------------------------------------------------------ giving */

int places_give(const struct places *places, int socket)
{
    int status = 0;
    if (places->owner.pid != 0)
        real.fcntl(socket, F_SETOWN_EX, &places->owner);
    if (places->signal > 0)
        real.fcntl(socket, F_SETSIG, places->signal);
    for (size_t i = 0; i < places->count && status == 0; i++)
        if (real.dup3(socket, places->each[i].fd, places->each[i].close_on_exec ? O_CLOEXEC : 0) <
            0)
            status = -errno;
    if (places->async) /* by the number that the signal shall tell */
        real.fcntl(places->each[0].fd, F_SETFL, real.fcntl(socket, F_GETFL) | O_ASYNC);
    return status;
}

void places_watch(const struct places *places)
{
    for (size_t i = 0; i < places->watch_count; i++) {
        struct epoll_event event = places->watches[i].event;
        ready_epoll_ctl(places->watches[i].set, EPOLL_CTL_ADD, places->watches[i].fd, &event);
    }
}
