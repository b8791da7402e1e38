#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/memory.h"
#include "preload/ready.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/wait.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#define SERVED_MAX 4096                                        /* events at once */
#define EVENTS_MAX (INT_MAX / (int)sizeof(struct epoll_event)) /* Linux: EP_MAX_EVENTS */

static void watcher_less(struct file *file)
{
    if (file_enter(file) < 0)
        return;
    mirror_stop(file);
    engine_leave();
}

/* Before the set looks at it, the twin has to tell what holds; unless it is the set that is being
 * served, where what holds can be offered afterwards. */
static bool watcher_more(struct file *file, int epoll)
{
    if (file->epoch != engine.epoch || file_enter(file) < 0)
        return false;
    mirror_start(file, false);
    if (engine.served_set == 0 || sets_identity(epoll) != engine.served_set)
        mirror_settle(file);
    engine_leave();
    return true;
}

/* The set has taken the change: it is noted, and what holds counts as news. */
static void note_change(struct file *file, int epoll, int operation, int fd,
                        const struct epoll_event *event)
{
    if (file_enter(file) < 0)
        return;
    if (bridge_is_up(file)) {
        engine_leave();
        return;
    }
    if (operation == EPOLL_CTL_ADD)
        sets_add(file, epoll, fd, event);
    else
        sets_change(file, epoll, event);
    file->mirror.edges |= (event->events & EPOLLET) != 0;
    if (file->kind == FILE_KIND_CONNECTION) {
        file->edges |= daytona_stack_readiness(engine.stack, file->id) & ~mirror_shows(file);
        if (!sets_offer(file))
            mirror_settle(file);
    }
    engine_leave();
}

static void note_removal(struct file *file)
{
    if (file_enter(file) < 0)
        return;
    mirror_stop(file);
    sets_remove(file);
    engine_leave();
}

static int control_ours(struct file *file, int epoll, int operation, int fd,
                        struct epoll_event *event)
{
    bool started = operation == EPOLL_CTL_ADD && watcher_more(file, epoll);
    int result = real.epoll_ctl(epoll, operation, fd, event) < 0 ? -errno : 0;
    if (result < 0 && started)
        watcher_less(file);
    if (result == 0 && operation == EPOLL_CTL_DEL)
        note_removal(file);
    if (result == 0 && operation != EPOLL_CTL_DEL)
        note_change(file, epoll, operation, fd, event);
    return result;
}

int ready_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    struct file *file = file_get_direct(fd);
    if (settings.present && !engine_is_thread()) {
        sets_note(epoll);
        sets_note_nested(fd);
    }
    if (file != NULL) {
        int result = control_ours(file, epoll, operation, fd, event);
        file_put(file);
        return result;
    }
    return real.epoll_ctl(epoll, operation, fd, event) < 0 ? -errno : 0;
}

/* Whole milliseconds, rounded up, as epoll_pwait() wants them. */
static int milliseconds(const struct timespec *timeout)
{
    if (timeout == NULL)
        return -1;
    if (timeout->tv_sec >= INT_MAX / 1000)
        return INT_MAX;
    return (int)(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000);
}

static int wait_in_kernel(int epoll, struct epoll_event *events, int count,
                          const struct timespec *timeout, const sigset_t *mask)
{
    int result;
    if (timeout != NULL && timeout->tv_nsec % 1000000 != 0) {
        result = real.epoll_pwait2(epoll, events, count, timeout, mask);
        if (result >= 0 || errno != ENOSYS)
            return result < 0 ? -errno : result;
    }
    result = real.epoll_pwait(epoll, events, count, milliseconds(timeout), mask);
    return result < 0 ? -errno : result;
}

/* ------------------------------------------------------------------ serving a set */

/* Events of one socket may come both from us and from the kernel: they are made one, for a
 * program may forget a socket after its first. */
static int merge(struct epoll_event *events, int ours, int all)
{
    int kept = ours;
    for (int i = ours; i < all; i++) {
        int same = 0;
        while (same < ours && events[same].data.u64 != events[i].data.u64)
            same++;
        if (same < ours)
            events[same].events |= events[i].events;
        else
            events[kept++] = events[i];
    }
    return kept;
}

static int correct(uint32_t identity, struct epoll_event *events, int count)
{
    bool errors = false;
    for (int i = 0; i < count; i++)
        errors |= (events[i].events & EPOLLERR) != 0;
    if (errors && identity != 0 && engine_enter() == 0) {
        sets_correct(identity, events, count);
        engine_leave();
    }
    return count;
}

/* One wait as the pump's runner. Events, 0 when there were none after all, -EAGAIN at the deadline,
 * -EINTR, or -EBUSY: another thread runs the pump. */
static int serve(int epoll, uint32_t identity, struct epoll_event *events, int count,
                 struct daytona_instant deadline, const sigset_t *mask)
{
    struct pollfd entries[WAIT_ENTRIES + 1];
    struct wait_set set = {.entries = entries,
                           .count = 1,
                           .mask = mask,
                           .satisfied = sets_have_events,
                           .context = &identity,
                           .deadline = deadline};
    int status = engine_enter(), ours = 0;
    if (status < 0)
        return -EBUSY;
    entries[WAIT_ENTRIES] = (struct pollfd){.fd = epoll, .events = POLLIN};
    sets_serve(identity);
    status = wait_run(&set);
    if (status == -EBUSY)
        sets_stop_serving();
    else if (status >= 0)
        ours = sets_collect(identity, events, count > 1 ? count - 1 : 1);
    engine_leave();
    if (status < 0 && status != -EAGAIN)
        return status;
    int others = ours < count ? real.epoll_wait(epoll, events + ours, count - ours, 0) : 0;
    if (others < 0 && ours == 0)
        return -errno;
    if (others > 0)
        correct(identity, events + ours, others);
    if (others > 0)
        ours = merge(events, ours, ours + others);
    return ours == 0 ? status == -EAGAIN ? -EAGAIN : 0 : ours;
}

static uint32_t identity_of(int epoll)
{
    if (engine_enter() < 0)
        return 0;
    uint32_t identity = sets_identity(epoll);
    engine_leave();
    return identity;
}

static bool mask_is_memory(const sigset_t *mask)
{
    return mask == NULL || memory_can_be_read_again(mask, sizeof(long));
}

int ready_epoll_wait(int epoll, struct epoll_event *events, int count,
                     const struct timespec *timeout, const sigset_t *mask)
{
    int most = count < SERVED_MAX ? count : SERVED_MAX;
    bool serves = count > 0 && count <= EVENTS_MAX && mask_is_memory(mask) &&
                  memory_can_be_used(events, (size_t)most * sizeof *events, true);
    uint32_t identity = serves ? identity_of(epoll) : 0; /* else the kernel knows what to say */
    struct daytona_instant deadline = wait_deadline(timeout);
    struct timespec left;
    while (identity != 0) {
        int result = serve(epoll, identity, events, most, deadline, mask);
        if (result == -EBUSY) { /* perhaps only after a while */
            timeout = wait_left(deadline, &left);
            break;
        }
        if (result != 0)
            return result == -EAGAIN ? 0 : result;
    }
    wait_natively();
    return correct(identity, events, wait_in_kernel(epoll, events, count, timeout, mask));
}
