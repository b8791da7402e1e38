/*
 * call_ready.c - the calls that wait for readiness. Those for epoll and for descriptors that are
 * not Daytona's go the same way: the set decides, not the wrapper.
 */
#include "preload/memory.h"
#include "preload/ready.h"
#include "preload/result.h"
#include "preload/wrappers.h"

#include <stddef.h>

#define SECOND_NS 1000000000

/* A process without a Daytona socket makes the very call that it wrote. */
static bool none(void)
{
    return atomic_load_explicit(&file_count, memory_order_relaxed) == 0;
}

/* Whether the set is memory; one that is not gets the kernel's answer. */
static bool entries_are_memory(struct pollfd *entries, nfds_t count)
{
    return count <= PTRDIFF_MAX / sizeof *entries &&
           memory_can_be_used(entries, count * sizeof *entries, true);
}

static bool set_is_memory(fd_set *set, int count)
{
    size_t bits = count < 0 ? 0 : count > FD_SETSIZE ? FD_SETSIZE : (size_t)count;
    return set == NULL || memory_can_be_used(set, (bits + 7) / 8, true);
}

static bool sets_are_memory(int count, fd_set *readable, fd_set *writable, fd_set *exceptional)
{
    return set_is_memory(readable, count) && set_is_memory(writable, count) &&
           set_is_memory(exceptional, count);
}

/* A timeout in milliseconds as a timespec in *room; NULL for a negative one: for ever. */
static const struct timespec *from_milliseconds(int timeout_ms, struct timespec *room)
{
    *room = (struct timespec){.tv_sec = timeout_ms / 1000,
                              .tv_nsec = timeout_ms % 1000 * (SECOND_NS / 1000)};
    return timeout_ms < 0 ? NULL : room;
}

/* What the kernel checks of a timeout: 0, -EFAULT or -EINVAL. */
static int check_timeout(const struct timespec *timeout)
{
    if (timeout == NULL)
        return 0;
    if (!memory_can_be_read_again(timeout, sizeof *timeout))
        return -EFAULT;
    return timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= SECOND_NS ? -EINVAL
                                                                                        : 0;
}

/* The same of a timeout and a set of signals. */
static int check_wait(const struct timespec *timeout, const sigset_t *signals)
{
    int result = check_timeout(timeout);
    bool bad = signals != NULL && !memory_can_be_read_again(signals, sizeof(long));
    return result == 0 && bad ? -EFAULT : result;
}

int daytona_poll(struct pollfd *entries, nfds_t count, int timeout_ms)
{
    int before = errno;
    struct timespec room;
    if (none() || !entries_are_memory(entries, count))
        return real.poll(entries, count, timeout_ms);
    return (int)result_give(ready_poll(entries, count, from_milliseconds(timeout_ms, &room), NULL),
                            before);
}

int daytona_ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                  const sigset_t *signals)
{
    int before = errno;
    if (none() || !entries_are_memory(entries, count))
        return real.ppoll(entries, count, timeout, signals);
    int result = check_wait(timeout, signals);
    return (int)result_give(result < 0 ? result : ready_poll(entries, count, timeout, signals),
                            before);
}

/* Linux tells select() how much of its time was left. */
static void tell_left(struct timeval *timeout, const struct timespec *start,
                      const struct timespec *given)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = (given->tv_sec - (now.tv_sec - start->tv_sec)) * (int64_t)SECOND_NS +
                   given->tv_nsec - (now.tv_nsec - start->tv_nsec);
    left = left < 0 ? 0 : left;
    timeout->tv_sec = left / SECOND_NS;
    timeout->tv_usec = left % SECOND_NS / 1000;
}

static int select_for(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                      struct timeval *timeout)
{
    struct timespec start, given;
    if (timeout == NULL)
        return ready_select(count, readable, writable, exceptional, NULL, NULL);
    if (!memory_can_be_read_again(timeout, sizeof *timeout))
        return -EFAULT;
    if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
        return -EINVAL;
    given = (struct timespec){.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000,
                              .tv_nsec = timeout->tv_usec % 1000000 * 1000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    int result = ready_select(count, readable, writable, exceptional, &given, NULL);
    if (memory_can_be_used(timeout, sizeof *timeout, true)) /* else Linux keeps it for itself */
        tell_left(timeout, &start, &given);
    return result;
}

int daytona_select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                   struct timeval *timeout)
{
    int before = errno;
    if (none() || !sets_are_memory(count, readable, writable, exceptional))
        return real.select(count, readable, writable, exceptional, timeout);
    return (int)result_give(select_for(count, readable, writable, exceptional, timeout), before);
}

int daytona_pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                    const struct timespec *timeout, const sigset_t *signals)
{
    int before = errno;
    if (none() || !sets_are_memory(count, readable, writable, exceptional))
        return real.pselect(count, readable, writable, exceptional, timeout, signals);
    int result = check_wait(timeout, signals);
    if (result == 0)
        result = ready_select(count, readable, writable, exceptional, timeout, signals);
    return (int)result_give(result, before);
}

int daytona_epoll_ctl(int set, int operation, int descriptor, struct epoll_event *event)
{
    int before = errno;
    return (int)result_give(ready_epoll_ctl(set, operation, descriptor, event), before);
}

int daytona_epoll_wait(int set, struct epoll_event *events, int count, int timeout_ms)
{
    int before = errno;
    struct timespec room;
    if (none())
        return real.epoll_wait(set, events, count, timeout_ms);
    return (int)result_give(
        ready_epoll_wait(set, events, count, from_milliseconds(timeout_ms, &room), NULL), before);
}

int daytona_epoll_pwait(int set, struct epoll_event *events, int count, int timeout_ms,
                        const sigset_t *signals)
{
    int before = errno;
    struct timespec room;
    if (none())
        return real.epoll_pwait(set, events, count, timeout_ms, signals);
    return (int)result_give(
        ready_epoll_wait(set, events, count, from_milliseconds(timeout_ms, &room), signals),
        before);
}

int daytona_epoll_pwait2(int set, struct epoll_event *events, int count,
                         const struct timespec *timeout, const sigset_t *signals)
{
    int before = errno;
    if (none())
        return real.epoll_pwait2(set, events, count, timeout, signals);
    int result = check_timeout(timeout);
    return (int)result_give(
        result < 0 ? result : ready_epoll_wait(set, events, count, timeout, signals), before);
}
