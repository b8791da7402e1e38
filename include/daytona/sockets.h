/*
 * sockets.h - blocking socket calls on Daytona, for programs that link libdaytona.a and choose
 * for themselves what runs on it:
 *
 *     int s = daytona_socket(AF_INET, SOCK_STREAM, 0);
 *     daytona_connect(s, (struct sockaddr *)&server, sizeof server);
 *     daytona_write(s, "hello\n", 6);
 *     daytona_close(s);
 *
 * Each call is the one of the same name without the prefix, in arguments, result and errno, and
 * takes any descriptor: one that is not a Daytona socket goes to the kernel. The environment's
 * settings apply, but no DAYTONA_LISTEN or DAYTONA_CONNECT is needed: daytona_connect() and
 * daytona_listen() make a TCP socket Daytona's whatever its port. The process needs CAP_NET_RAW.
 *
 * A Daytona socket must be used with these calls; the plain read(), poll() and so on do
 * not know it, as long as libdaytona.so is not preloaded. Calls may be made from any thread.
 */
#ifndef DAYTONA_SOCKETS_H
#define DAYTONA_SOCKETS_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ------------------------------------------------------------------ connections */

/** A kernel socket: it becomes Daytona's with daytona_listen() or daytona_connect(), if it is a
 *  TCP socket of AF_INET, or one of AF_INET6 that takes IPv4 too (IPV6_V6ONLY off; on Daytona it
 *  then speaks IPv4 only). Until then it can be set up with setsockopt(), bound and so on. */
int daytona_socket(int domain, int type, int protocol);

/** Binds in the kernel, which knows who else has the port: EADDRINUSE, EACCES and so on are
 *  its word. */
int daytona_bind(int descriptor, const struct sockaddr *address, socklen_t length);

/** Listens on Daytona. When Daytona cannot start, the reason is on standard error, and by
 *  DAYTONA_FALLBACK the socket stays the kernel's or the program ends with status 125. */
int daytona_listen(int descriptor, int backlog);

int daytona_accept(int descriptor, struct sockaddr *address, socklen_t *length);
int daytona_accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

/** Connects on Daytona, with connect()'s errors; when Daytona cannot start: as daytona_listen(). */
int daytona_connect(int descriptor, const struct sockaddr *address, socklen_t length);

int daytona_shutdown(int descriptor, int how);
int daytona_getsockname(int descriptor, struct sockaddr *address, socklen_t *length);
int daytona_getpeername(int descriptor, struct sockaddr *address, socklen_t *length);

/** Options as Linux has them; TCP_INFO in Linux's layout. What Daytona does not have is refused
 *  with ENOPROTOOPT. */
int daytona_getsockopt(int descriptor, int level, int option, void *value, socklen_t *length);
int daytona_setsockopt(int descriptor, int level, int option, const void *value, socklen_t length);

/** FIONREAD, FIONBIO, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK. */
int daytona_ioctl(int descriptor, unsigned long request, ...);
int daytona_sockatmark(int descriptor);

/* ------------------------------------------------------------------ data */

ssize_t daytona_read(int descriptor, void *data, size_t length);
ssize_t daytona_readv(int descriptor, const struct iovec *parts, int count);

/** Flags: MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_OOB, MSG_TRUNC. */
ssize_t daytona_recv(int descriptor, void *data, size_t length, int flags);
ssize_t daytona_recvfrom(int descriptor, void *data, size_t length, int flags,
                         struct sockaddr *address, socklen_t *address_length);
ssize_t daytona_recvmsg(int descriptor, struct msghdr *message, int flags);
ssize_t daytona_write(int descriptor, const void *data, size_t length);
ssize_t daytona_writev(int descriptor, const struct iovec *parts, int count);

/** Flags: MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_MORE. Without MSG_NOSIGNAL, EPIPE comes with
 *  SIGPIPE. */
ssize_t daytona_send(int descriptor, const void *data, size_t length, int flags);
ssize_t daytona_sendto(int descriptor, const void *data, size_t length, int flags,
                       const struct sockaddr *address, socklen_t address_length);
ssize_t daytona_sendmsg(int descriptor, const struct msghdr *message, int flags);
ssize_t daytona_sendfile(int to, int from, off_t *offset, size_t length);

#if defined(_GNU_SOURCE)
int daytona_recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags,
                     struct timespec *timeout);
int daytona_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags);
#endif

/* ------------------------------------------------------------------ waiting */

/** The sets may mix Daytona's and any other descriptors. */
int daytona_poll(struct pollfd *entries, nfds_t count, int timeout_ms);
int daytona_ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                  const sigset_t *signals);
int daytona_select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                   struct timeval *timeout);
int daytona_pselect(int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
                    const struct timespec *timeout, const sigset_t *signals);

/** For sets made with epoll_create1(). */
int daytona_epoll_ctl(int set, int operation, int descriptor, struct epoll_event *event);
int daytona_epoll_wait(int set, struct epoll_event *events, int count, int timeout_ms);
int daytona_epoll_pwait(int set, struct epoll_event *events, int count, int timeout_ms,
                        const sigset_t *signals);
int daytona_epoll_pwait2(int set, struct epoll_event *events, int count,
                         const struct timespec *timeout, const sigset_t *signals);

/* ------------------------------------------------------------------ descriptors */

/** The last descriptor of a connection ends it. */
int daytona_close(int descriptor);
int daytona_close_range(unsigned int first, unsigned int last, int flags);
void daytona_closefrom(int first);
int daytona_dup(int descriptor);
int daytona_dup2(int descriptor, int target);
int daytona_dup3(int descriptor, int target, int flags);
int daytona_fcntl(int descriptor, int command, ...);

/* ------------------------------------------------------------------ the process */

/** Ends the process and lets Daytona deliver what was written; exit() and the return from main()
 *  do so by themselves. */
void daytona__exit(int status);
void daytona__Exit(int status);
void daytona_quick_exit(int status);

#if defined(__cplusplus)
}
#endif

#endif
