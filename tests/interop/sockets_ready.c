/*
 * sockets_ready.c - claims about readiness: epoll, poll and select.
 */
#include "tests/interop/claims.h"

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

/* As nginx reads a body: never until there is nothing left. Waits for the outer set. */
static bool edges_go_on_for_a_reader_that_never_reads_all(void)
{
    struct ends ends;
    char got[1];
    int one = 1;
    MUST(make(&ends));
    MUST(setsockopt(ends.client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    int set = epoll_create1(0), outer = epoll_create1(0);
    MUST(watch(set, ends.server, EPOLLIN | EPOLLET) == 0);
    MUST(watch(outer, set, EPOLLIN) == 0);
    for (int i = 0; i < 600; i++) {
        MUST(write(ends.client, "ab", 2) == 2);
        MUST(waited(outer, SOON) == EPOLLIN);
        MUST(waited(set, 0) == EPOLLIN);
        MUST(read(ends.server, got, 1) == 1);
    }
    close(outer);
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

static const struct claim claims[] = {
    CLAIM(level_triggered_epoll_follows_the_data),
    CLAIM(edge_triggered_epoll_fires_once_per_arrival),
    CLAIM(edges_go_on_for_a_reader_that_never_reads_all),
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
};

int main(int count, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
