#include "preload/descriptors.h"

#include "preload/client.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/file_record.h"
#include "preload/native.h"
#include "preload/places.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

#define RELEASE_ROUNDS 8 /* of the engine's thread; one is enough but for signals */

bool descriptors_protected(int fd)
{
    return !engine_is_thread() && engine_table_protects(fd);
}

static int result_of(int result)
{
    return result < 0 ? -errno : result;
}

/* The child of a vfork() shares our memory but not our descriptors: what it closes is its own
 * affair. */
static bool books_are_ours(void)
{
    return !engine_alive() || engine.pid == getpid();
}

/* Whether the peer has everything, our FIN included. */
static bool is_delivered(void *context)
{
    const struct file *file = context;
    struct daytona_connection_info info;
    if (file->gone || daytona_stack_info(engine.stack, engine_now(), file->id, &info) < 0)
        return true;
    return info.state == DAYTONA_TCP_FIN_WAIT_2 || info.state == DAYTONA_TCP_TIME_WAIT ||
           info.state == DAYTONA_TCP_CLOSED;
}

/* The kernel socket that has a listener's port is in the engine's table. A program that closes its
 * listener may bind the port again at once, and must find it free. */
static void wait_released(const struct file *file)
{
    for (int i = 0; i < RELEASE_ROUNDS && file->gone; i++) {
        if (file->attached && (file->work & FILE_WORK_GONE) == 0)
            return;
        engine_wait_round();
    }
}

/* The table forgets `fd`; with the last one the connection ends. Who calls then makes the kernel
 * forget it too. */
static void forget(struct file *file, int fd)
{
    int64_t linger_us = -1;
    if (file->epoch != engine.epoch || engine_enter() < 0) {
        file_abandon(fd);
        return;
    }
    bool last = file_detach(file, fd);
    if (last) { /* nobody here watches it, also when a forked child keeps it open */
        sets_remove(file);
        file->mirror.watchers = 0;
    }
    /* A bridged one ends when what lies in its twin has been sent: the engine's thread sees to it.
     */
    bool carried = bridge_is_up(file) && (!file->attached || file->engine_end >= 0);
    if (last && !file->shared && !carried) {
        daytona_stack_get_option(engine.stack, file->id, DAYTONA_OPTION_LINGER_US, &linger_us);
        file_end_after_calls(file);
        pump_output();
        if (linger_us > 0 && file->closed && file->kind == FILE_KIND_CONNECTION)
            wait_condition(file, is_delivered, file, ~0u,
                           daytona_instant_after_us(engine_now(), (uint64_t)linger_us));
        if (file->kind == FILE_KIND_LISTENER)
            wait_released(file);
    }
    engine_leave();
    if (last)
        file_put(file);
}

int descriptors_new(int fd)
{
    struct file *stale = file_get_any(fd);
    int saved = errno;
    if (stale != NULL && books_are_ours())
        forget(stale, fd);
    file_put(stale);
    errno = saved;
    return fd;
}

int descriptors_close(int fd)
{
    if (descriptors_protected(fd))
        return -EBADF;
    struct file *file = file_get_any(fd);
    struct twin_name listener;
    bool listens = client_has_listener(fd, &listener);
    if (books_are_ours()) {
        sets_forget(fd);
        places_forget_copy(fd);
        native_forget(fd);
        if (file != NULL)
            forget(file, fd);
    }
    file_put(file);
    int result = result_of(real.close(fd));
    if (listens)
        client_closed_listener(&listener);
    return result;
}

static int attach_copy(struct file *file, int fd)
{
    if (fd >= 0 && file_make_native(file, fd)) {
        native_note(fd);
        return fd;
    }
    if (fd < 0 || !books_are_ours() || file->epoch != engine.epoch || engine_enter() < 0)
        return fd;
    file_attach(file, fd);
    engine_leave();
    return fd;
}

/* Of a socket that may become Daytona's, too. */
static void note_copy(struct file *file, int fd, int copy)
{
    if (copy >= 0)
        native_note_copy(fd, copy);
    if (file != NULL)
        attach_copy(file, copy);
    if (file == NULL && copy >= 0 && settings.present)
        places_note_copy(fd, copy);
}

int descriptors_dup(int fd)
{
    struct file *file = file_get_any(fd);
    int copy = descriptors_protected(fd) ? -EBADF : result_of(real.dup(fd));
    note_copy(file, fd, copy);
    file_put(file);
    return copy;
}

int descriptors_dup_above(int fd, int command, int lowest)
{
    struct file *file = file_get_any(fd);
    int copy = descriptors_protected(fd) ? -EBADF : result_of(real.fcntl(fd, command, lowest));
    note_copy(file, fd, copy);
    file_put(file);
    return copy;
}

int descriptors_dup3(int old, int new, int flags, bool same_allowed)
{
    if (descriptors_protected(old) || descriptors_protected(new))
        return -EBADF;
    struct file *source = file_get_any(old), *target = file_get_any(new);
    /* A call that is going to fail must not end a connection. */
    bool replaces =
        target != NULL && old != new && (flags & ~O_CLOEXEC) == 0 && real.fcntl(old, F_GETFD) >= 0;
    if (replaces && books_are_ours())
        forget(target, new);
    int copy = result_of(same_allowed ? real.dup2(old, new) : real.dup3(old, new, flags));
    if (old != new)
        note_copy(source, old, copy);
    file_put(source);
    file_put(target);
    return copy;
}

/* ------------------------------------------------------------------ ranges */

static void forget_range(unsigned first, unsigned last)
{
    int highest = file_highest_descriptor();
    for (unsigned fd = first; fd <= last && fd <= (unsigned)highest; fd++) {
        struct file *file = file_get_any((int)fd);
        if (file != NULL)
            forget(file, (int)fd);
        file_put(file);
    }
}

/* Closes what lies between the protected numbers. */
static int close_around(unsigned first, unsigned last, unsigned flags)
{
    int run, end, result = 0;
    engine_table_protected_run(&run, &end);
    for (int fd = run; fd < end && result == 0; fd++) {
        if (!descriptors_protected(fd) || (unsigned)fd < first || (unsigned)fd > last)
            continue;
        if ((unsigned)fd > first)
            result = real.close_range(first, (unsigned)fd - 1, (int)flags);
        first = (unsigned)fd + 1;
        flags &= ~(unsigned)CLOSE_RANGE_UNSHARE;
    }
    return result == 0 && first <= last ? real.close_range(first, last, (int)flags) : result;
}

int descriptors_close_range(unsigned first, unsigned last, unsigned flags)
{
    bool only_marks = (flags & CLOSE_RANGE_CLOEXEC) != 0;
    if (first > last || only_marks || !books_are_ours())
        return result_of(real.close_range(first, last, (int)flags));
    for (size_t i = 0; i < SETS_MAX; i++)
        if (sets_number(i) >= 0 && (unsigned)sets_number(i) >= first &&
            (unsigned)sets_number(i) <= last)
            sets_forget(sets_number(i));
    native_forget_range(first, last);
    if (atomic_load(&file_count) > 0)
        forget_range(first, last);
    return result_of(close_around(first, last, flags));
}
