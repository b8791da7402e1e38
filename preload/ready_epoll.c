#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/ready.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/wait.h"
#include "preload/watch.h"

#include <errno.h>
#include <limits.h>

static void watcher_less(struct file *file)
{
    if (file_enter(file) < 0)
        return;
    mirror_stop(file);
    engine_leave();
}

/* Before the set looks at it, the twin has to tell what holds. */
static bool watcher_more(struct file *file)
{
    if (file->epoch != engine.epoch || file_enter(file) < 0)
        return false;
    mirror_start(file, false);
    mirror_settle(file);
    engine_leave();
    return true;
}

static void note_edges(struct file *file, const struct epoll_event *event)
{
    if ((event->events & EPOLLET) == 0 || file_enter(file) < 0)
        return;
    file->mirror.edges = true;
    engine_leave();
}

static int control_ours(struct file *file, int epoll, int operation, int fd,
                        struct epoll_event *event)
{
    bool started = operation == EPOLL_CTL_ADD && watcher_more(file);
    int result = real.epoll_ctl(epoll, operation, fd, event) < 0 ? -errno : 0;
    if ((result < 0 && started) || (result == 0 && operation == EPOLL_CTL_DEL))
        watcher_less(file);
    if (result == 0 && operation != EPOLL_CTL_DEL)
        note_edges(file, event);
    return result;
}

int ready_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    struct file *file = file_get(fd);
    if (file != NULL) {
        int result = control_ours(file, epoll, operation, fd, event);
        file_put(file);
        return result;
    }
    if (settings.present && !engine_is_thread())
        watch_note(epoll);
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

int ready_epoll_wait(int epoll, struct epoll_event *events, int count,
                     const struct timespec *timeout, const sigset_t *mask)
{
    int result;
    wait_natively();
    if (timeout != NULL && timeout->tv_nsec % 1000000 != 0) {
        result = real.epoll_pwait2(epoll, events, count, timeout, mask);
        if (result >= 0 || errno != ENOSYS)
            return result < 0 ? -errno : result;
    }
    result = real.epoll_pwait(epoll, events, count, milliseconds(timeout), mask);
    return result < 0 ? -errno : result;
}
