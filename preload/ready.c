#include "preload/ready.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/wait.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ENTRIES_ON_STACK 64 /* a handler may have a small stack, and must not allocate */

static int result_of(int result)
{
    return result < 0 ? -errno : result;
}

/* ------------------------------------------------------------------ room for entries */

struct entries {
    struct pollfd *at;
    size_t count;
    struct pollfd few[WAIT_ENTRIES + ENTRIES_ON_STACK];
};

static bool entries_take(struct entries *entries, size_t count)
{
    entries->at = entries->few;
    entries->count = count;
    if (count <= sizeof entries->few / sizeof *entries->few)
        return true;
    entries->at = mmap(NULL, count * sizeof *entries->at, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return entries->at != MAP_FAILED;
}

static void entries_release(void *context)
{
    struct entries *entries = context;
    if (entries->at != entries->few)
        munmap(entries->at, entries->count * sizeof *entries->at);
}

/* ------------------------------------------------------------------ what the stack says */

static short poll_events(unsigned ready)
{
    return (short)(((ready & DAYTONA_READY_IN) != 0 ? POLLIN | POLLRDNORM : 0) |
                   ((ready & DAYTONA_READY_OUT) != 0 ? POLLOUT | POLLWRNORM : 0) |
                   ((ready & DAYTONA_READY_URGENT) != 0 ? POLLPRI : 0) |
                   ((ready & DAYTONA_READY_RDHUP) != 0 ? POLLRDHUP : 0) |
                   ((ready & DAYTONA_READY_HUP) != 0 ? POLLHUP : 0) |
                   ((ready & DAYTONA_READY_ERROR) != 0 ? POLLERR : 0));
}

/* The connection behind an entry, referenced, if it is of this process's engine. A listener is
 * none: its twin tells the truth by itself. */
static struct file *connection_of(const struct pollfd *entry)
{
    struct file *file = file_get_direct(entry->fd);
    if (file != NULL && file->kind == FILE_KIND_CONNECTION && file->epoch == engine.epoch &&
        !file->closed)
        return file;
    file_put(file);
    return NULL;
}

/* Sets revents of all entries that are ours; how many have something. Engine locked. */
static int sweep(struct pollfd *fds, nfds_t count)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        struct file *file = connection_of(&fds[i]);
        if (file == NULL)
            continue;
        short events = poll_events(daytona_stack_readiness(engine.stack, file->id));
        fds[i].revents = (short)(events & (fds[i].events | POLLERR | POLLHUP));
        ready += fds[i].revents != 0;
        file_put(file);
    }
    return ready;
}

/* ------------------------------------------------------------------ poll, as the pump's runner */

struct poll_call {
    struct pollfd *fds;
    nfds_t count;
    struct pollfd *entries; /* WAIT_ENTRIES, then a copy in which ours are left out */
    struct daytona_instant deadline;
    const sigset_t *mask;
};

/* A socket that was ours when the wait began has become bridged or was closed. */
static bool has_left(const struct poll_call *call)
{
    for (nfds_t i = 0; i < call->count; i++) {
        if (call->entries[WAIT_ENTRIES + i].fd == call->fds[i].fd)
            continue;
        struct file *file = connection_of(&call->fds[i]);
        file_put(file);
        if (file == NULL)
            return true;
    }
    return false;
}

static bool has_something(void *context)
{
    struct poll_call *call = context;
    return sweep(call->fds, call->count) > 0 || has_left(call);
}

static void copy_others(struct poll_call *call)
{
    for (nfds_t i = 0; i < call->count; i++) {
        struct file *file = connection_of(&call->fds[i]);
        call->entries[WAIT_ENTRIES + i] = call->fds[i];
        call->entries[WAIT_ENTRIES + i].revents = 0;
        if (file != NULL)
            call->entries[WAIT_ENTRIES + i].fd = -1;
        file_put(file);
    }
}

/* Ours have been swept: adds what the kernel says of the others. */
static int collect(struct poll_call *call)
{
    int ready = 0;
    real.poll(call->entries + WAIT_ENTRIES, call->count, 0);
    for (nfds_t i = 0; i < call->count; i++) {
        if (call->entries[WAIT_ENTRIES + i].fd == call->fds[i].fd)
            call->fds[i].revents = call->entries[WAIT_ENTRIES + i].revents;
        ready += call->fds[i].revents != 0;
    }
    return ready;
}

static int poll_running(struct poll_call *call)
{
    struct wait_set set = {.entries = call->entries,
                           .count = call->count,
                           .mask = call->mask,
                           .satisfied = has_something,
                           .context = call,
                           .deadline = call->deadline};
    int status = engine_enter();
    if (status < 0)
        return status;
    status = wait_run(&set);
    if (status == 0 || status == 1)
        sweep(call->fds, call->count);
    engine_leave();
    return status;
}

/* ------------------------------------------------------------------ poll, by the twins */

static void each_connection(struct poll_call *call, bool starts)
{
    if (engine_enter() < 0)
        return;
    for (nfds_t i = 0; i < call->count; i++) {
        struct file *file = connection_of(&call->fds[i]);
        if (file != NULL && starts) {
            mirror_start(file, false);
            mirror_settle(file);
        } else if (file != NULL) {
            mirror_stop(file);
        }
        file_put(file);
    }
    engine_leave();
}

static int poll_native(struct pollfd *fds, nfds_t count, struct daytona_instant deadline,
                       const sigset_t *mask)
{
    struct daytona_instant now = engine_now();
    uint64_t ns = daytona_instant_before(now, deadline) ? deadline.ns - now.ns : 0;
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    bool for_ever = deadline.ns == DAYTONA_NEVER.ns;
    return result_of(real.ppoll(fds, count, for_ever ? NULL : &timeout, mask));
}

static void cancelled_native(void *call)
{
    each_connection(call, false);
}

static int poll_mirrored(struct poll_call *call)
{
    int result;
    each_connection(call, true);
    wait_natively();
    pthread_cleanup_push(cancelled_native, call);
    result = poll_native(call->fds, call->count, call->deadline, call->mask);
    pthread_cleanup_pop(1);
    if (result > 0 && engine_enter() == 0) {
        sweep(call->fds, call->count);
        engine_leave();
    }
    return result;
}

/* ------------------------------------------------------------------ poll */

static bool concerns_us(struct pollfd *fds, nfds_t count)
{
    bool found = false;
    for (nfds_t i = 0; i < count && !found; i++) {
        struct file *file = connection_of(&fds[i]);
        found = file != NULL;
        file_put(file);
    }
    return found;
}

static int poll_with_ours(struct poll_call *call)
{
    for (;;) {
        copy_others(call);
        int status = poll_running(call);
        if (status == -EBUSY)
            status = poll_mirrored(call);
        if (status < 0 && status != -EAGAIN)
            return status == -ESHUTDOWN || status == -EDEADLK || status == -EOPNOTSUPP
                       ? poll_native(call->fds, call->count, call->deadline, call->mask)
                       : status;
        int ready = collect(call);
        if (ready > 0 || !daytona_instant_before(engine_now(), call->deadline))
            return ready;
    }
}

int ready_poll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask)
{
    struct entries entries;
    if (atomic_load_explicit(&file_count, memory_order_relaxed) == 0 || engine_is_thread() ||
        engine_is_locked())
        return result_of(real.ppoll(fds, count, timeout, mask));
    if (!concerns_us(fds, count)) {
        wait_natively(); /* there may be a listener among them */
        return result_of(real.ppoll(fds, count, timeout, mask));
    }
    if (!entries_take(&entries, WAIT_ENTRIES + count))
        return -ENOMEM;
    struct poll_call call = {.fds = fds,
                             .count = count,
                             .entries = entries.at,
                             .deadline = wait_deadline(timeout),
                             .mask = mask};
    int result;
    pthread_cleanup_push(entries_release, &entries);
    result = poll_with_ours(&call);
    pthread_cleanup_pop(1);
    return result;
}

/* ------------------------------------------------------------------ select */

#define SELECT_IN  (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)

static bool has(const fd_set *set, int fd)
{
    return set != NULL && FD_ISSET(fd, set);
}

/* `entries` NULL: only how many there are. */
static nfds_t entries_of(int count, const fd_set *in, const fd_set *out, const fd_set *except,
                         struct pollfd *entries)
{
    nfds_t used = 0;
    for (int fd = 0; fd < count; fd++) {
        int events = (has(in, fd) ? POLLIN : 0) | (has(out, fd) ? POLLOUT : 0) |
                     (has(except, fd) ? POLLPRI : 0);
        if (events != 0 && entries != NULL)
            entries[used] = (struct pollfd){.fd = fd, .events = (short)events};
        used += events != 0;
    }
    return used;
}

/* Leaves in `set` what has one of `events`; how many. */
static int keep(fd_set *set, int events, const struct pollfd *entries, nfds_t used)
{
    int kept = 0;
    for (nfds_t i = 0; i < used; i++) {
        if (!has(set, entries[i].fd))
            continue;
        if ((entries[i].revents & events) != 0)
            kept++;
        else
            FD_CLR(entries[i].fd, set);
    }
    return kept;
}

static int select_by(struct pollfd *entries, int count, fd_set *in, fd_set *out, fd_set *except,
                     const struct timespec *timeout, const sigset_t *mask)
{
    nfds_t used = entries_of(count, in, out, except, entries);
    if (!concerns_us(entries, used)) {
        wait_natively();
        return result_of(real.pselect(count, in, out, except, timeout, mask));
    }
    int result = ready_poll(entries, used, timeout, mask);
    if (result < 0)
        return result;
    for (nfds_t i = 0; i < used; i++)
        if ((entries[i].revents & POLLNVAL) != 0)
            return -EBADF;
    return keep(in, SELECT_IN, entries, used) + keep(out, SELECT_OUT, entries, used) +
           keep(except, POLLPRI, entries, used);
}

int ready_select(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                 const sigset_t *mask)
{
    struct entries entries;
    int result;
    if (atomic_load_explicit(&file_count, memory_order_relaxed) == 0 || count > FD_SETSIZE ||
        engine_is_thread() || engine_is_locked())
        return result_of(real.pselect(count, in, out, except, timeout, mask));
    if (!entries_take(&entries, entries_of(count, in, out, except, NULL)))
        return -ENOMEM;
    pthread_cleanup_push(entries_release, &entries);
    result = select_by(entries.at, count, in, out, except, timeout, mask);
    pthread_cleanup_pop(1);
    return result;
}
