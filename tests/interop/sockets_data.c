/*
 * sockets_data.c - claims about data, connect and accept.
 */
#include "tests/interop/claims.h"

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

static const struct claim claims[] = {
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
};

int main(int count, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
