/*
 * ready.h - poll, select and epoll over Daytona's and any other descriptors. The sets are the
 * kernel's own; a Daytona descriptor in them is its twin, which mirrors readiness while it is
 * watched.
 */
#ifndef DAYTONA_PRELOAD_READY_H
#define DAYTONA_PRELOAD_READY_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

/** poll and ppoll. `timeout` NULL: for ever; `mask` NULL: unchanged. Call it in every case: with
 *  no Daytona descriptor in the process it is the real call. Returns >= 0 or -errno. */
int ready_poll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
               const sigset_t *mask);

/** select and pselect. The wrapper of select() computes the time left. */
int ready_select(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                 const sigset_t *mask);

/** epoll_ctl, for every descriptor: one that is undecided may become Daytona's later and must
 *  stay in the set. 0 or -errno. */
int ready_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

/** epoll_wait, epoll_pwait, epoll_pwait2. `timeout` NULL: for ever. */
int ready_epoll_wait(int epoll, struct epoll_event *events, int count,
                     const struct timespec *timeout, const sigset_t *mask);

#endif
