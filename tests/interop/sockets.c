/*
 * sockets.c - claims about the socket calls, made with both ends in one process over the loopback
 * interface. They hold for the kernel's TCP, and so they have to hold for Daytona's: sockets.sh
 * runs this program on either.
 *
 *     sockets [NAME...]     runs the claims named, or all; prints TAP
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT        7000 /* the first listener's is one more */
#define CLOSED_PORT 6999 /* nobody listens there */
#define SOON        2000 /* ms: more than anything here takes */
#define NOT         60   /* ms in which something must not happen */

static const char *what_failed;
static int failed_line, failed_errno;

/* Ends the claim as false. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            what_failed = #condition;                                                              \
            failed_line = __LINE__;                                                                \
            failed_errno = errno;                                                                  \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_on(int port, int backlog)
{
    struct sockaddr_in address = address_of(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, backlog) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static int connect_to(int port, int flags)
{
    struct sockaddr_in address = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof address);
    if (result != 0 && !((flags & SOCK_NONBLOCK) != 0 && errno == EINPROGRESS)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int port_in_use = PORT;

/* Two ends of one connection. */
struct ends {
    int listener, client, server;
};

static bool make(struct ends *ends)
{
    ends->listener = listen_on(++port_in_use, 5);
    ends->client = connect_to(port_in_use, 0);
    MUST(ends->client >= 0);
    ends->server = accept(ends->listener, NULL, NULL);
    MUST(ends->server >= 0);
    return true;
}

static void drop(struct ends *ends)
{
    close(ends->client);
    close(ends->server);
    close(ends->listener);
}

static short polled(int fd, short events, int ms)
{
    struct pollfd entry = {.fd = fd, .events = events};
    return poll(&entry, 1, ms) > 0 ? entry.revents : 0;
}

static bool set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ data */

static bool data_goes_both_ways(void)
{
    struct ends ends;
    char got[16];
    MUST(make(&ends));
    MUST(write(ends.client, "question", 8) == 8);
    MUST(recv(ends.server, got, 8, MSG_WAITALL) == 8 && memcmp(got, "question", 8) == 0);
    MUST(send(ends.server, "answer", 6, 0) == 6);
    MUST(recv(ends.client, got, 6, MSG_WAITALL) == 6 && memcmp(got, "answer", 6) == 0);
    drop(&ends);
    return true;
}

static bool end_of_stream_is_read_as_zero(void)
{
    struct ends ends;
    char got[16];
    MUST(make(&ends));
    MUST(write(ends.client, "x", 1) == 1);
    MUST(close(ends.client) == 0);
    MUST(recv(ends.server, got, sizeof got, MSG_WAITALL) == 1);
    MUST(read(ends.server, got, sizeof got) == 0);
    MUST(read(ends.server, got, sizeof got) == 0);
    close(ends.server);
    close(ends.listener);
    return true;
}

static bool half_closed_still_receives(void)
{
    struct ends ends;
    char got[16];
    MUST(make(&ends));
    MUST(shutdown(ends.client, SHUT_WR) == 0);
    MUST(read(ends.server, got, sizeof got) == 0);
    MUST(write(ends.server, "late", 4) == 4);
    MUST(recv(ends.client, got, 4, MSG_WAITALL) == 4);
    MUST(send(ends.client, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    drop(&ends);
    return true;
}

static bool peek_leaves_and_waitall_waits(void)
{
    struct ends ends;
    char got[16] = {0};
    MUST(make(&ends));
    MUST(write(ends.client, "abc", 3) == 3);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(recv(ends.server, got, 2, MSG_PEEK) == 2 && memcmp(got, "ab", 2) == 0);
    int readable = -1;
    MUST(ioctl(ends.server, FIONREAD, &readable) == 0 && readable == 3);
    MUST(recv(ends.server, got, 16, MSG_DONTWAIT) == 3 && memcmp(got, "abc", 3) == 0);
    MUST(recv(ends.server, got, 16, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    drop(&ends);
    return true;
}

static bool scattered_memory_is_gathered_in_order(void)
{
    enum { PARTS = 200 };
    struct ends ends;
    char out[PARTS], in[PARTS];
    struct iovec from[PARTS], to[PARTS];
    MUST(make(&ends));
    for (int i = 0; i < PARTS; i++) {
        out[i] = (char)i;
        from[i] = (struct iovec){&out[i], 1};
        to[i] = (struct iovec){&in[i], 1};
    }
    MUST(writev(ends.client, from, PARTS) == PARTS);
    struct msghdr message = {.msg_iov = to, .msg_iovlen = PARTS};
    MUST(recvmsg(ends.server, &message, MSG_WAITALL) == PARTS);
    MUST(memcmp(out, in, PARTS) == 0);
    drop(&ends);
    return true;
}

static bool write_to_a_shut_socket_raises_sigpipe(void)
{
    struct ends ends;
    int status;
    MUST(make(&ends));
    sigset_t pipe_signal, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    MUST(shutdown(ends.client, SHUT_WR) == 0);
    MUST(write(ends.client, "x", 1) == -1 && errno == EPIPE);
    sigpending(&pending);
    MUST(sigismember(&pending, SIGPIPE));
    sigwait(&pipe_signal, &status);
    pthread_sigmask(SIG_UNBLOCK, &pipe_signal, NULL);
    drop(&ends);
    return true;
}

/* Sends `bytes` of a pattern and closes that direction. */
struct sender {
    int fd;
    size_t bytes;
};

static void *send_pattern(void *context)
{
    struct sender *sender = context;
    static const char zeros[65536];
    size_t left = sender->bytes;
    while (left > 0) {
        ssize_t sent = write(sender->fd, zeros, left < sizeof zeros ? left : sizeof zeros);
        if (sent <= 0)
            break;
        left -= (size_t)sent;
    }
    shutdown(sender->fd, SHUT_WR);
    return NULL;
}

static bool megabytes_arrive_while_both_ends_block(void)
{
    enum { BYTES = 20 << 20 };
    struct ends ends;
    pthread_t thread;
    char data[32768];
    size_t total = 0;
    ssize_t got;
    MUST(make(&ends));
    struct sender sender = {ends.client, BYTES};
    MUST(pthread_create(&thread, NULL, send_pattern, &sender) == 0);
    while ((got = read(ends.server, data, sizeof data)) > 0)
        total += (size_t)got;
    pthread_join(thread, NULL);
    MUST(got == 0 && total == BYTES);
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ connect, accept */

static bool nonblocking_connect_is_told_by_poll(void)
{
    int listener = listen_on(++port_in_use, 5), error = -1;
    socklen_t length = sizeof error;
    int fd = connect_to(port_in_use, SOCK_NONBLOCK);
    MUST(fd >= 0);
    MUST(polled(fd, POLLOUT, SOON) == POLLOUT);
    MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0);
    struct sockaddr_in peer;
    length = sizeof peer;
    MUST(getpeername(fd, (struct sockaddr *)&peer, &length) == 0);
    MUST(ntohs(peer.sin_port) == port_in_use);
    int server = accept(listener, (struct sockaddr *)&peer, &length);
    MUST(server >= 0);
    struct sockaddr_in own;
    length = sizeof own;
    MUST(getsockname(fd, (struct sockaddr *)&own, &length) == 0);
    MUST(own.sin_port == peer.sin_port && own.sin_addr.s_addr == peer.sin_addr.s_addr);
    close(fd);
    close(server);
    close(listener);
    return true;
}

static bool refused_connect_says_so(void)
{
    int port = CLOSED_PORT;
    MUST(connect_to(port, 0) == -1);
    MUST(errno == ECONNREFUSED);
    int fd = connect_to(port, SOCK_NONBLOCK), error = 0;
    socklen_t length = sizeof error;
    MUST(fd >= 0);
    short events = polled(fd, POLLOUT, SOON);
    MUST((events & POLLOUT) && (events & POLLERR) && (events & POLLHUP));
    MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == ECONNREFUSED);
    close(fd);
    return true;
}

static bool accept_without_a_connection_is_eagain(void)
{
    int listener = listen_on(++port_in_use, 5);
    MUST(set_nonblocking(listener));
    MUST(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
    int fd = connect_to(port_in_use, 0);
    MUST(fd >= 0);
    MUST(polled(listener, POLLIN, SOON) == POLLIN);
    int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    MUST(server >= 0);
    MUST((fcntl(server, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(server, F_GETFD) & FD_CLOEXEC) != 0);
    MUST(read(server, &port_in_use, 1) == -1 && errno == EAGAIN);
    close(server);
    close(fd);
    close(listener);
    return true;
}

static bool connecting_twice_is_eisconn(void)
{
    struct ends ends;
    MUST(make(&ends));
    struct sockaddr_in address = address_of(port_in_use);
    MUST(connect(ends.client, (struct sockaddr *)&address, sizeof address) == -1 &&
         errno == EISCONN);
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ epoll */

static int watch(int set, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/* The events of the one descriptor watched; 0 after `ms`. */
static uint32_t waited(int set, int ms)
{
    struct epoll_event event = {0};
    return epoll_wait(set, &event, 1, ms) == 1 ? event.events : 0;
}

static bool level_triggered_epoll_follows_the_data(void)
{
    struct ends ends;
    char got[16];
    MUST(make(&ends));
    int set = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN) == 0);
    MUST(waited(set, 0) == 0);
    MUST(write(ends.client, "ab", 2) == 2);
    MUST(waited(set, SOON) == EPOLLIN);
    MUST(waited(set, 0) == EPOLLIN);
    MUST(read(ends.server, got, 1) == 1);
    MUST(waited(set, 0) == EPOLLIN);
    MUST(read(ends.server, got, 1) == 1);
    MUST(waited(set, NOT) == 0);
    MUST(write(ends.client, "c", 1) == 1);
    MUST(waited(set, SOON) == EPOLLIN);
    close(set);
    drop(&ends);
    return true;
}

static bool edge_triggered_epoll_fires_once_per_arrival(void)
{
    struct ends ends;
    char got[16];
    MUST(make(&ends));
    int set = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN | EPOLLET) == 0);
    MUST(write(ends.client, "a", 1) == 1);
    MUST(waited(set, SOON) == EPOLLIN);
    MUST(waited(set, NOT) == 0);
    MUST(write(ends.client, "b", 1) == 1);
    MUST(waited(set, SOON) == EPOLLIN);
    MUST(waited(set, NOT) == 0);
    MUST(read(ends.server, got, 16) == 2);
    MUST(waited(set, NOT) == 0);
    MUST(write(ends.client, "c", 1) == 1);
    MUST(waited(set, SOON) == EPOLLIN);
    close(set);
    drop(&ends);
    return true;
}

static bool what_holds_already_is_told_when_added(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(write(ends.client, "a", 1) == 1);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    int set = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN | EPOLLOUT | EPOLLET) == 0);
    MUST(waited(set, 0) == (EPOLLIN | EPOLLOUT));
    close(set);
    drop(&ends);
    return true;
}

static bool oneshot_is_silent_until_armed_again(void)
{
    struct ends ends;
    MUST(make(&ends));
    int set = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN | EPOLLONESHOT) == 0);
    MUST(write(ends.client, "a", 1) == 1);
    MUST(waited(set, SOON) == EPOLLIN);
    MUST(write(ends.client, "b", 1) == 1);
    MUST(waited(set, NOT) == 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT};
    MUST(epoll_ctl(set, EPOLL_CTL_MOD, ends.server, &event) == 0);
    MUST(waited(set, SOON) == EPOLLIN);
    close(set);
    drop(&ends);
    return true;
}

/* Writes until nothing fits any more; how much did. */
static size_t fill(int fd)
{
    static const char zeros[65536];
    size_t total = 0;
    ssize_t sent;
    long long end = now_ms() + SOON;
    /* What fits at once is not all: acknowledgments make room for as long as the peer has some. */
    for (int quiet = 0; quiet < 20 && now_ms() < end;) {
        if ((sent = send(fd, zeros, sizeof zeros, MSG_DONTWAIT)) > 0) {
            total += (size_t)sent;
            quiet = 0;
        } else {
            quiet++;
            usleep(5000);
        }
    }
    return total;
}

static bool drain(int fd, size_t bytes)
{
    char data[65536];
    while (bytes > 0) {
        ssize_t got = read(fd, data, sizeof data);
        if (got <= 0)
            return false;
        bytes -= (size_t)got;
    }
    return true;
}

static bool full_buffer_is_not_writable(void)
{
    struct ends ends;
    int small = 65536;
    MUST(make(&ends));
    setsockopt(ends.client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    int level = epoll_create1(0), edge = epoll_create1(0);
    MUST(watch(level, ends.client, EPOLLOUT) == 0 &&
         watch(edge, ends.client, EPOLLOUT | EPOLLET) == 0);
    MUST(waited(level, 0) == EPOLLOUT && waited(edge, 0) == EPOLLOUT);
    size_t total = fill(ends.client);
    MUST(total > 0);
    waited(edge, 0); /* room may have come and gone while the buffer was filled */
    MUST(waited(level, NOT) == 0 && waited(edge, 0) == 0);
    MUST(polled(ends.client, POLLOUT, 0) == 0);
    MUST(drain(ends.server, total));
    MUST(waited(level, SOON) == EPOLLOUT && waited(edge, SOON) == EPOLLOUT);
    MUST(waited(edge, NOT) == 0);
    close(level);
    close(edge);
    drop(&ends);
    return true;
}

static bool watched_before_connect_is_watched_after(void)
{
    int listener = listen_on(++port_in_use, 5);
    struct sockaddr_in address = address_of(port_in_use);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), set = epoll_create1(0);
    MUST(watch(set, fd, EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLET) == 0);
    waited(set, 0); /* HUP, of a socket in no connection */
    MUST(connect(fd, (struct sockaddr *)&address, sizeof address) == -1 && errno == EINPROGRESS);
    MUST(waited(set, SOON) == EPOLLOUT);
    struct epoll_event event = {.events = EPOLLIN};
    MUST(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) == 0);
    MUST(waited(set, NOT) == 0);
    int server = accept(listener, NULL, NULL);
    MUST(write(server, "x", 1) == 1);
    MUST(waited(set, SOON) == EPOLLIN);
    close(set);
    close(fd);
    close(server);
    close(listener);
    return true;
}

static bool refusal_is_told_by_epoll(void)
{
    int port = CLOSED_PORT, set = epoll_create1(0);
    int fd = connect_to(port, SOCK_NONBLOCK);
    MUST(fd >= 0);
    MUST(watch(set, fd, EPOLLOUT) == 0);
    uint32_t events = waited(set, SOON);
    MUST((events & EPOLLERR) && (events & EPOLLHUP) && (events & EPOLLOUT));
    close(set);
    close(fd);
    return true;
}

static bool closing_is_told_by_epoll(void)
{
    struct ends ends;
    MUST(make(&ends));
    int set = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN | EPOLLRDHUP) == 0);
    MUST(shutdown(ends.client, SHUT_WR) == 0);
    MUST(waited(set, SOON) == (EPOLLIN | EPOLLRDHUP));
    MUST(shutdown(ends.server, SHUT_WR) == 0);
    MUST((waited(set, SOON) & EPOLLHUP) != 0 || (usleep(20000), waited(set, 0) & EPOLLHUP) != 0);
    close(set);
    drop(&ends);
    return true;
}

static bool reset_is_told_by_epoll(void)
{
    struct ends ends;
    struct linger at_once = {.l_onoff = 1};
    char got;
    MUST(make(&ends));
    int set = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN) == 0);
    MUST(setsockopt(ends.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(ends.client);
    uint32_t events = waited(set, SOON);
    MUST((events & EPOLLIN) && (events & EPOLLERR) && (events & EPOLLHUP));
    MUST(read(ends.server, &got, 1) == -1 && errno == ECONNRESET);
    MUST(read(ends.server, &got, 1) == 0);
    close(set);
    close(ends.server);
    close(ends.listener);
    return true;
}

static bool nested_sets_and_other_descriptors_mix(void)
{
    struct ends ends;
    int tube[2];
    MUST(make(&ends) && pipe(tube) == 0);
    int inner = epoll_create1(0), outer = epoll_create1(0);
    MUST(watch(inner, ends.server, EPOLLIN) == 0 && watch(outer, inner, EPOLLIN) == 0 &&
         watch(outer, tube[0], EPOLLIN) == 0);
    MUST(waited(outer, 0) == 0);
    MUST(write(ends.client, "x", 1) == 1);
    struct epoll_event event;
    MUST(epoll_wait(outer, &event, 1, SOON) == 1 && event.data.fd == inner);
    MUST(drain(ends.server, 1));
    MUST(waited(outer, NOT) == 0);
    MUST(write(tube[1], "x", 1) == 1);
    MUST(epoll_wait(outer, &event, 1, SOON) == 1 && event.data.fd == tube[0]);
    close(inner);
    close(outer);
    close(tube[0]);
    close(tube[1]);
    drop(&ends);
    return true;
}

static bool removed_from_a_set_it_can_be_added_again(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    int set = epoll_create1(0);
    for (int i = 0; i < 3; i++) {
        MUST(watch(set, ends.server, EPOLLIN) == 0);
        MUST(write(ends.client, "x", 1) == 1);
        MUST(waited(set, SOON) == EPOLLIN);
        MUST(epoll_ctl(set, EPOLL_CTL_DEL, ends.server, NULL) == 0);
        MUST(read(ends.server, &got, 1) == 1);
        MUST(write(ends.client, "y", 1) == 1);
        MUST(waited(set, NOT / 4) == 0);
        MUST(read(ends.server, &got, 1) == 1);
    }
    close(set);
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ poll, select */

static void *write_later(void *context)
{
    usleep(50000);
    ssize_t written = write(*(int *)context, "x", 1);
    (void)written;
    return NULL;
}

static bool poll_waits_for_several_kinds(void)
{
    struct ends ends;
    int tube[2];
    pthread_t thread;
    MUST(make(&ends) && pipe(tube) == 0);
    struct pollfd entries[] = {{.fd = ends.server, .events = POLLIN},
                               {.fd = tube[0], .events = POLLIN},
                               {.fd = ends.listener, .events = POLLIN}};
    MUST(poll(entries, 3, 0) == 0);
    MUST(poll(entries, 3, NOT) == 0);
    pthread_create(&thread, NULL, write_later, &ends.client);
    MUST(poll(entries, 3, SOON) == 1 && entries[0].revents == POLLIN);
    pthread_join(thread, NULL);
    MUST(drain(ends.server, 1));
    pthread_create(&thread, NULL, write_later, &tube[1]);
    MUST(poll(entries, 3, SOON) == 1 && entries[1].revents == POLLIN && entries[0].revents == 0);
    pthread_join(thread, NULL);
    MUST(drain(tube[0], 1));
    int fd = connect_to(port_in_use, 0);
    MUST(fd >= 0);
    MUST(poll(entries, 3, SOON) == 1 && entries[2].revents == POLLIN);
    close(fd);
    close(tube[0]);
    close(tube[1]);
    drop(&ends);
    return true;
}

static bool select_waits_and_clears(void)
{
    struct ends ends;
    pthread_t thread;
    MUST(make(&ends));
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends.server, &in);
    FD_SET(ends.client, &in);
    FD_SET(ends.client, &out);
    int top = (ends.server > ends.client ? ends.server : ends.client) + 1;
    struct timeval some = {.tv_sec = SOON / 1000};
    MUST(select(top, &in, &out, NULL, &some) == 1);
    MUST(FD_ISSET(ends.client, &out) && !FD_ISSET(ends.client, &in) && !FD_ISSET(ends.server, &in));
    FD_SET(ends.server, &in);
    pthread_create(&thread, NULL, write_later, &ends.client);
    MUST(select(top, &in, NULL, NULL, NULL) == 1 && FD_ISSET(ends.server, &in));
    pthread_join(thread, NULL);
    some = (struct timeval){.tv_usec = 30000};
    long long start = now_ms();
    MUST(select(0, NULL, NULL, NULL, &some) == 0 && now_ms() - start >= 29);
    drop(&ends);
    return true;
}

static void *poll_in_thread(void *context)
{
    static short events;
    events = polled(*(int *)context, POLLIN, SOON);
    return &events;
}

static bool two_threads_poll_at_the_same_time(void)
{
    struct ends one, two;
    pthread_t thread;
    void *events;
    MUST(make(&one) && make(&two));
    MUST(pthread_create(&thread, NULL, poll_in_thread, &one.server) == 0);
    usleep(20000);
    pthread_t writer;
    pthread_create(&writer, NULL, write_later, &two.client);
    MUST(polled(two.server, POLLIN, SOON) == POLLIN);
    pthread_join(writer, NULL);
    MUST(write(one.client, "x", 1) == 1);
    pthread_join(thread, &events);
    MUST(*(short *)events == POLLIN);
    drop(&one);
    drop(&two);
    return true;
}

/* ------------------------------------------------------------------ signals, time, threads */

static void on_alarm(int number)
{
    (void)number;
}

static void alarm_in(long ms, int flags)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval timer = {.it_value.tv_usec = ms * 1000};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static bool handler_interrupts_a_blocked_read(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    alarm_in(50, 0);
    MUST(read(ends.server, &got, 1) == -1 && errno == EINTR);
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static bool restarting_handler_does_not(void)
{
    struct ends ends;
    char got;
    pthread_t thread;
    MUST(make(&ends));
    alarm_in(20, SA_RESTART);
    pthread_create(&thread, NULL, write_later, &ends.client);
    MUST(read(ends.server, &got, 1) == 1);
    pthread_join(thread, NULL);
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static bool poll_is_interrupted_in_any_case(void)
{
    struct ends ends;
    struct pollfd entry = {.events = POLLIN};
    MUST(make(&ends));
    entry.fd = ends.server;
    alarm_in(30, SA_RESTART);
    MUST(poll(&entry, 1, SOON) == -1 && errno == EINTR);
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static bool receive_timeout_is_eagain(void)
{
    struct ends ends;
    char got;
    struct timeval some = {.tv_usec = 50000};
    MUST(make(&ends));
    MUST(setsockopt(ends.server, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof some) == 0);
    long long start = now_ms();
    MUST(read(ends.server, &got, 1) == -1 && errno == EAGAIN);
    MUST(now_ms() - start >= 49 && now_ms() - start < 300);
    drop(&ends);
    return true;
}

static void *echo_once(void *context)
{
    char got;
    int fd = *(int *)context;
    if (read(fd, &got, 1) == 1 && write(fd, &got, 1) == 1)
        return context;
    return NULL;
}

static bool many_threads_block_each_on_its_own(void)
{
    enum { THREADS = 20 };
    struct ends ends[THREADS];
    pthread_t threads[THREADS];
    void *result;
    char got;
    for (int i = 0; i < THREADS; i++) {
        MUST(make(&ends[i]));
        MUST(pthread_create(&threads[i], NULL, echo_once, &ends[i].server) == 0);
    }
    for (int i = THREADS - 1; i >= 0; i--) {
        MUST(write(ends[i].client, "x", 1) == 1);
        MUST(read(ends[i].client, &got, 1) == 1);
        pthread_join(threads[i], &result);
        MUST(result != NULL);
        drop(&ends[i]);
    }
    return true;
}

static void *block_in_read(void *context)
{
    char got;
    ssize_t ignored = read(*(int *)context, &got, 1);
    (void)ignored;
    return NULL;
}

static bool cancelled_thread_leaves_the_others_alone(void)
{
    struct ends one, two;
    pthread_t first, second;
    void *result;
    char got;
    MUST(make(&one) && make(&two));
    MUST(pthread_create(&first, NULL, block_in_read, &one.server) == 0);
    usleep(20000);
    MUST(pthread_create(&second, NULL, echo_once, &two.server) == 0);
    usleep(20000);
    MUST(pthread_cancel(first) == 0 && pthread_join(first, &result) == 0);
    MUST(result == PTHREAD_CANCELED);
    MUST(write(two.client, "x", 1) == 1 && read(two.client, &got, 1) == 1);
    pthread_join(second, &result);
    MUST(result != NULL);
    drop(&one);
    drop(&two);
    return true;
}

/* ------------------------------------------------------------------ descriptors, processes */

static bool copies_keep_a_connection_open(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    int copy = dup(ends.client), high = fcntl(ends.client, F_DUPFD_CLOEXEC, 100);
    MUST(copy >= 0 && high >= 100);
    MUST(close(ends.client) == 0);
    MUST(write(copy, "a", 1) == 1 && read(ends.server, &got, 1) == 1);
    MUST(dup2(high, copy) == copy);
    MUST(write(copy, "b", 1) == 1 && read(ends.server, &got, 1) == 1);
    MUST(close(high) == 0);
    MUST(polled(ends.server, POLLIN, NOT) == 0);
    int other = open("/dev/null", O_RDWR);
    MUST(dup2(other, copy) == copy);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(read(ends.server, &got, 1) == 0);
    close(other);
    close(copy);
    close(ends.server);
    close(ends.listener);
    return true;
}

static bool numbers_are_the_lowest_free(void)
{
    struct ends ends;
    int before = open("/dev/null", O_RDONLY);
    close(before);
    MUST(make(&ends));
    MUST(ends.listener == before && ends.client == before + 1 && ends.server == before + 2);
    drop(&ends);
    int after = open("/dev/null", O_RDONLY);
    MUST(after == before);
    close(after);
    return true;
}

static bool child_that_closes_leaves_the_parent_connected(void)
{
    struct ends ends;
    char got;
    int status;
    MUST(make(&ends));
    pid_t child = fork();
    if (child == 0) {
        close(ends.client);
        close(ends.server);
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child && status == 0);
    MUST(write(ends.client, "a", 1) == 1 && read(ends.server, &got, 1) == 1);
    close(ends.client);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN && read(ends.server, &got, 1) == 0);
    close(ends.server);
    close(ends.listener);
    return true;
}

static bool close_range_ends_connections(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    int moved = fcntl(ends.client, F_DUPFD, 200);
    MUST(moved >= 200 && close(ends.client) == 0);
    MUST(close_range(150, ~0U, 0) == 0);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN && read(ends.server, &got, 1) == 0);
    close(ends.server);
    close(ends.listener);
    MUST(make(&ends));
    drop(&ends);
    return true;
}

static bool lingering_close_waits_for_delivery(void)
{
    struct ends ends;
    struct linger some = {.l_onoff = 1, .l_linger = 5};
    MUST(make(&ends));
    MUST(setsockopt(ends.client, SOL_SOCKET, SO_LINGER, &some, sizeof some) == 0);
    MUST(write(ends.client, "x", 1) == 1);
    long long start = now_ms();
    MUST(close(ends.client) == 0);
    MUST(now_ms() - start < SOON);
    MUST(drain(ends.server, 1));
    close(ends.server);
    close(ends.listener);
    return true;
}

/* iperf3 -s does so between two measurements. */
static bool closed_listener_leaves_its_port_at_once(void)
{
    for (int i = 0; i < 100; i++) {
        struct sockaddr_in address = address_of(PORT + 90);
        int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        MUST(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
        MUST(listen(listener, 4) == 0);
        int client = connect_to(PORT + 90, 0);
        MUST(client >= 0);
        int server = accept(listener, NULL, NULL);
        MUST(server >= 0);
        close(listener);
        close(server);
        close(client);
    }
    return true;
}

/* ------------------------------------------------------------------ all of them */

#define CLAIM(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct claim {
    const char *name;
    bool (*holds)(void);
} claims[] = {
    CLAIM(data_goes_both_ways),
    CLAIM(end_of_stream_is_read_as_zero),
    CLAIM(half_closed_still_receives),
    CLAIM(peek_leaves_and_waitall_waits),
    CLAIM(scattered_memory_is_gathered_in_order),
    CLAIM(write_to_a_shut_socket_raises_sigpipe),
    CLAIM(megabytes_arrive_while_both_ends_block),
    CLAIM(nonblocking_connect_is_told_by_poll),
    CLAIM(refused_connect_says_so),
    CLAIM(accept_without_a_connection_is_eagain),
    CLAIM(connecting_twice_is_eisconn),
    CLAIM(level_triggered_epoll_follows_the_data),
    CLAIM(edge_triggered_epoll_fires_once_per_arrival),
    CLAIM(what_holds_already_is_told_when_added),
    CLAIM(oneshot_is_silent_until_armed_again),
    CLAIM(full_buffer_is_not_writable),
    CLAIM(watched_before_connect_is_watched_after),
    CLAIM(refusal_is_told_by_epoll),
    CLAIM(closing_is_told_by_epoll),
    CLAIM(reset_is_told_by_epoll),
    CLAIM(nested_sets_and_other_descriptors_mix),
    CLAIM(removed_from_a_set_it_can_be_added_again),
    CLAIM(poll_waits_for_several_kinds),
    CLAIM(select_waits_and_clears),
    CLAIM(two_threads_poll_at_the_same_time),
    CLAIM(handler_interrupts_a_blocked_read),
    CLAIM(restarting_handler_does_not),
    CLAIM(poll_is_interrupted_in_any_case),
    CLAIM(receive_timeout_is_eagain),
    CLAIM(many_threads_block_each_on_its_own),
    CLAIM(cancelled_thread_leaves_the_others_alone),
    CLAIM(copies_keep_a_connection_open),
    CLAIM(numbers_are_the_lowest_free),
    CLAIM(child_that_closes_leaves_the_parent_connected),
    CLAIM(close_range_ends_connections),
    CLAIM(lingering_close_waits_for_delivery),
    CLAIM(closed_listener_leaves_its_port_at_once),
};

static bool is_wanted(const char *name, int count, char **names)
{
    bool wanted = count == 0;
    for (int i = 0; i < count; i++)
        wanted |= strcmp(name, names[i]) == 0;
    return wanted;
}

int main(int count, char **arguments)
{
    int number = 0, failures = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        if (!is_wanted(claims[i].name, count - 1, arguments + 1))
            continue;
        bool holds = claims[i].holds();
        failures += !holds;
        printf("%sok %d - %s\n", holds ? "" : "not ", ++number, claims[i].name);
        if (!holds)
            printf("# line %d: %s (%s)\n", failed_line, what_failed, strerror(failed_errno));
    }
    printf("1..%d\n", number);
    return failures > 0;
}
