/*
 * sockets_again.c - claims about sockets that are used once more: after an attempt to connect that
 * has failed, and after a listener was shut down, all can be done as with a new one.
 */
#include "tests/interop/claims.h"

static int call_with(int (*call)(int, const struct sockaddr *, socklen_t), int fd, int port)
{
    struct sockaddr_in address = address_of(port);
    return call(fd, (struct sockaddr *)&address, sizeof address);
}

static bool is_refused(int fd)
{
    MUST(call_with(connect, fd, CLOSED_PORT) == -1 && errno == ECONNREFUSED);
    return true;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

static bool set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* A byte from a new client to what `listener` accepts. */
static bool serves(int listener, int port)
{
    int client = connect_to(port, 0), server = accept(listener, NULL, NULL);
    MUST(client >= 0 && server >= 0);
    MUST(write(client, "x", 1) == 1 && drain(server, 1));
    close(client);
    close(server);
    return true;
}

static bool who_was_refused_connects(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd);
    MUST(is_refused(fd) && is_refused(copy));
    int listener = listen_on(++port_in_use, 5);
    MUST(call_with(connect, copy, port_in_use) == 0);
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0 && write(fd, "x", 1) == 1 && drain(server, 1));
    close(fd);
    close(copy);
    close(server);
    close(listener);
    return true;
}

static bool who_was_refused_listens(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd);
    MUST(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    MUST(is_refused(fd));
    MUST(polled(fd, POLLIN | POLLOUT | POLLRDHUP, 0) == (POLLOUT | POLLHUP));
    MUST(polled(copy, POLLIN | POLLOUT | POLLRDHUP, 0) == (POLLOUT | POLLHUP));
    MUST(call_with(bind, copy, ++port_in_use) == 0 && listen(fd, 5) == 0);
    MUST(serves(copy, port_in_use));
    close(fd);
    close(copy);
    return true;
}

static bool who_was_bound_and_refused_keeps_the_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    MUST(call_with(bind, fd, ++port_in_use) == 0);
    MUST(is_refused(fd));
    MUST(call_with(bind, fd, port_in_use) == -1 && errno == EINVAL);
    MUST(listen(fd, 5) == 0 && serves(fd, port_in_use));
    close(fd);
    return true;
}

static bool epoll_shows_who_was_refused_as_new(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), copy = dup(fd);
    int set = epoll_create1(0);
    struct epoll_event watched = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP, .data.u64 = 9}, told;
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, copy, &watched) == 0);
    MUST(call_with(connect, fd, CLOSED_PORT) == -1 && errno == EINPROGRESS);
    MUST(polled(fd, POLLOUT, SOON) != 0 && epoll_wait(set, &told, 1, SOON) == 1);
    MUST((told.events & EPOLLERR) != 0);
    MUST(is_refused(copy));
    MUST(epoll_wait(set, &told, 1, 0) == 1 && told.data.u64 == 9);
    MUST(told.events == (EPOLLOUT | EPOLLHUP));
    MUST(epoll_ctl(set, EPOLL_CTL_DEL, copy, NULL) == 0);
    close(fd);
    close(copy);
    close(set);
    return true;
}

static bool options_survive_there_and_back(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), room;
    struct timeval second = {.tv_sec = 1, .tv_usec = 250000}, got = {0};
    socklen_t length = sizeof got;
    MUST(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
         set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4));
    MUST(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) == 0);
    MUST(call_with(bind, fd, ++port_in_use) == 0 && listen(fd, 5) == 0);
    MUST(set_option(fd, SOL_SOCKET, SO_RCVBUF, 50000) &&
         set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));
    MUST(set_nonblocking(fd));
    room = option_of(fd, SOL_SOCKET, SO_RCVBUF);
    MUST(shutdown(fd, SHUT_RDWR) == 0 && option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0);
    for (int again = 0; again < 2; again++) {
        MUST(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
        MUST(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT) == 4);
        MUST(option_of(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
        MUST(option_of(fd, SOL_SOCKET, SO_RCVBUF) == room);
        MUST(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &length) == 0);
        MUST(got.tv_sec == 1 && got.tv_usec / 10000 == 25);
        MUST((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        MUST(listen(fd, 5) == 0);
    }
    close(fd);
    return true;
}

static bool who_was_shut_down_listens_again(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(shutdown(ends.listener, SHUT_RD) == 0);
    MUST(polled(ends.listener, POLLIN | POLLOUT | POLLRDHUP, 0) == (POLLOUT | POLLHUP));
    MUST(accept(ends.listener, NULL, NULL) == -1 && errno == EINVAL);
    MUST(connect_to(port_in_use, 0) == -1 && errno == ECONNREFUSED);
    MUST(listen(ends.listener, 5) == 0 && serves(ends.listener, port_in_use));
    MUST(write(ends.client, "x", 1) == 1 && drain(ends.server, 1));
    drop(&ends);
    return true;
}

static void *shut_down_later(void *context)
{
    usleep(50000);
    shutdown(*(int *)context, SHUT_RD);
    return NULL;
}

static bool who_waits_to_accept_is_told_of_the_shutdown(void)
{
    int listener = listen_on(++port_in_use, 5);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, shut_down_later, &listener) == 0);
    int result = accept(listener, NULL, NULL), error = errno;
    pthread_join(thread, NULL);
    MUST(result == -1 && error == EINVAL);
    close(listener);
    return true;
}

static bool the_port_of_a_living_connection_can_be_bound(void)
{
    struct ends ends;
    MUST(make(&ends));
    close(ends.listener);
    MUST(connect_to(port_in_use, 0) == -1 && errno == ECONNREFUSED);
    MUST(write(ends.client, "x", 1) == 1 && drain(ends.server, 1));
    ends.listener = listen_on(port_in_use, 5);
    MUST(serves(ends.listener, port_in_use));
    MUST(write(ends.server, "x", 1) == 1 && drain(ends.client, 1));
    drop(&ends);
    return true;
}

static const struct claim claims[] = {
    CLAIM(who_was_refused_connects),
    CLAIM(who_was_refused_listens),
    CLAIM(who_was_bound_and_refused_keeps_the_port),
    CLAIM(epoll_shows_who_was_refused_as_new),
    CLAIM(options_survive_there_and_back),
    CLAIM(who_was_shut_down_listens_again),
    CLAIM(who_waits_to_accept_is_told_of_the_shutdown),
    CLAIM(the_port_of_a_living_connection_can_be_bound),
};

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
