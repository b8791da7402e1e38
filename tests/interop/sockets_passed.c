/*
 * sockets_passed.c - claims about connections that another process takes over, forked or sent to,
 * while a peer does not wait for that; and about clients in other processes.
 */
#include "tests/interop/claims.h"

/* A listener that an epoll set watches, and what came before accept(): "request" and its end. */
struct early {
    int listener, set, client, server;
};

static bool request_early(struct early *early)
{
    struct epoll_event event = {.events = EPOLLIN};
    early->listener = listen_on(++port_in_use, 5);
    early->set = epoll_create1(0);
    MUST(epoll_ctl(early->set, EPOLL_CTL_ADD, early->listener, &event) == 0);
    early->client = connect_to(port_in_use, 0);
    MUST(early->client >= 0);
    MUST(write(early->client, "request", 7) == 7 && shutdown(early->client, SHUT_WR) == 0);
    poll(NULL, 0, NOT); /* it may show by now wherever it is shown early */
    MUST(epoll_wait(early->set, &event, 1, SOON) == 1);
    early->server = accept(early->listener, NULL, NULL);
    MUST(early->server >= 0);
    return true;
}

static bool drop_early(struct early *early)
{
    MUST(drain(early->client, 6));
    char got;
    MUST(read(early->client, &got, 1) == 0);
    close(early->client);
    close(early->listener);
    close(early->set);
    return true;
}

/* In the process that has taken the connection over. */
static bool answer(int fd)
{
    char got[16];
    size_t total = 0;
    ssize_t part;
    while ((part = read(fd, got + total, sizeof got - total)) > 0)
        total += (size_t)part;
    return part == 0 && total == 7 && memcmp(got, "request", 7) == 0 &&
           write(fd, "answer", 6) == 6 && close(fd) == 0;
}

static bool succeeds(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child && status == 0;
}

static bool request_that_has_ended_is_there_for_a_forked_child(void)
{
    struct early early;
    MUST(request_early(&early));
    pid_t child = fork();
    if (child == 0)
        _exit(answer(early.server) ? 0 : 1);
    close(early.server);
    MUST(succeeds(child));
    return drop_early(&early);
}

/* ------------------------------------------------------------------ SCM_RIGHTS */

union passenger {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static bool send_descriptor(int through, int fd)
{
    union passenger room = {0};
    char byte = 'x';
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    room.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(&room.header), &fd, sizeof fd);
    return sendmsg(through, &message, 0) == 1;
}

static int receive_descriptor(int through)
{
    union passenger room = {0};
    char byte;
    int fd = -1;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    if (recvmsg(through, &message, 0) == 1 && room.header.cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(&room.header), sizeof fd);
    return fd;
}

/* A child that was there before the connection. */
static pid_t start_answering(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0)
        _exit(answer(receive_descriptor(pair[1])) ? 0 : 1);
    return child;
}

static bool request_that_has_ended_is_there_for_who_is_sent_it(void)
{
    struct early early;
    int pair[2];
    pid_t child = start_answering(pair);
    MUST(child > 0 && request_early(&early));
    MUST(send_descriptor(pair[0], early.server));
    close(early.server);
    close(pair[0]);
    close(pair[1]);
    MUST(succeeds(child));
    return drop_early(&early);
}

/* ------------------------------------------------------------------ a peer that goes away */

/* Writes until it is told that nobody wants it. */
static bool writes_in_vain(int fd)
{
    static const char zeros[65536];
    signal(SIGPIPE, SIG_IGN);
    while (send(fd, zeros, sizeof zeros, 0) > 0)
        ;
    return errno == EPIPE || errno == ECONNRESET;
}

/* Nobody reads: the buffers are full when the peer closes. What then lies in any of them is
 * nobody's any more; nothing may wait for it (sockets.sh looks whether something does). */
static bool writer_in_a_child_learns_that_the_peer_has_closed(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(shutdown(ends.client, SHUT_WR) == 0);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    pid_t child = fork();
    if (child == 0) {
        close(ends.client);
        _exit(writes_in_vain(ends.server) ? 0 : 1);
    }
    close(ends.server);
    MUST(polled(ends.client, POLLIN, SOON) == POLLIN);
    poll(NULL, 0, NOT); /* most of what fits is there */
    close(ends.client);
    close(ends.listener);
    MUST(succeeds(child));
    return true;
}

/* In a child: fills all buffers, says so, and ends when the peer has closed. */
static bool fills_and_ends(int fd, int gate)
{
    char got;
    fill(fd);
    bool told = write(gate, "x", 1) == 1 && read(gate, &got, 1) == 1;
    poll(NULL, 0, NOT);
    return told;
}

static bool child_that_ends_with_unsent_data_and_a_closed_peer_leaves_nothing(void)
{
    struct ends ends;
    char got;
    int gate[2];
    MUST(make(&ends));
    MUST(shutdown(ends.client, SHUT_WR) == 0);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, gate) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends.client);
        _exit(fills_and_ends(ends.server, gate[1]) ? 0 : 1);
    }
    close(ends.server);
    MUST(read(gate[0], &got, 1) == 1);
    close(ends.client);
    close(ends.listener);
    MUST(write(gate[0], "x", 1) == 1);
    close(gate[0]);
    close(gate[1]);
    MUST(succeeds(child));
    return true;
}

/* ------------------------------------------------------------------ both have said all */

static bool reads_data_and_end(int fd)
{
    char got[16];
    if (polled(fd, POLLRDHUP, SOON) == 0 || shutdown(fd, SHUT_WR) != 0)
        return false;
    poll(NULL, 0, NOT); /* the connection is over by now */
    return read(fd, got, 4) == 4 && read(fd, got, sizeof got) == 3 && read(fd, got, 1) == 0 &&
           read(fd, got, 1) == 0;
}

static bool stream_is_read_to_its_end_when_the_connection_is_long_over(void)
{
    struct ends ends;
    MUST(make(&ends));
    pid_t child = fork();
    if (child == 0) {
        close(ends.client);
        _exit(reads_data_and_end(ends.server) ? 0 : 1);
    }
    close(ends.server);
    MUST(write(ends.client, "request", 7) == 7 && shutdown(ends.client, SHUT_WR) == 0);
    MUST(succeeds(child));
    close(ends.client);
    close(ends.listener);
    return true;
}

/* ------------------------------------------------------------------ clients in another process */

/* In a child: begins when told to. */
static bool connects(int gate, int port, int times)
{
    char got;
    if (read(gate, &got, 1) != 1)
        return false;
    for (int i = 0; i < times; i++) {
        int fd = connect_to(port, 0);
        if (fd < 0 || write(fd, "x", 1) != 1 || read(fd, &got, 1) != 1 || close(fd) != 0)
            return false;
    }
    return true;
}

/* One event of a level-triggered set is served without waiting: what is ready can be done. */
static bool serve_one(int set, const struct epoll_event *event, int listener, int *ended)
{
    char got;
    int fd = event->data.fd;
    if (fd == listener) {
        struct epoll_event reading = {.events = EPOLLIN};
        reading.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        MUST(reading.data.fd >= 0);
        MUST(epoll_ctl(set, EPOLL_CTL_ADD, reading.data.fd, &reading) == 0);
        return true;
    }
    ssize_t length = read(fd, &got, 1);
    MUST(length >= 0);
    if (length == 1) {
        MUST(write(fd, &got, 1) == 1);
        return true;
    }
    close(fd);
    ++*ended;
    return true;
}

static bool start_clients(pid_t *clients, int count, int gate, int port, int times)
{
    for (int i = 0; i < count; i++) {
        clients[i] = fork();
        MUST(clients[i] >= 0);
        if (clients[i] == 0)
            _exit(connects(gate, port, times) ? 0 : 1);
    }
    return true;
}

/* The clients are there before the listener, which is waited for as soon as it is made. */
static bool what_a_set_calls_ready_is(void)
{
    enum { CLIENTS = 8, TIMES = 6 };
    struct epoll_event event = {.events = EPOLLIN};
    pid_t clients[CLIENTS];
    int gate[2], ended = 0, set = epoll_create1(0);
    MUST(pipe(gate) == 0 && start_clients(clients, CLIENTS, gate[0], ++port_in_use, TIMES));
    int listener = listen_on(port_in_use, CLIENTS);
    event.data.fd = listener;
    MUST(set_nonblocking(listener) && epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) == 0);
    MUST(write(gate[1], "12345678", CLIENTS) == CLIENTS);
    while (ended < CLIENTS * TIMES) {
        MUST(epoll_wait(set, &event, 1, 5 * SOON) == 1);
        MUST(serve_one(set, &event, listener, &ended));
    }
    for (int i = 0; i < CLIENTS; i++)
        MUST(succeeds(clients[i]));
    close(gate[0]);
    close(gate[1]);
    close(listener);
    close(set);
    return true;
}

/* ------------------------------------------------------------------ a full backlog */

/* As many as get connected while nobody accepts. */
static int crowd(int *clients, int most)
{
    int count = 0;
    while (count < most && (clients[count] = connect_to(port_in_use, SOCK_NONBLOCK)) >= 0) {
        if ((polled(clients[count], POLLOUT, 10 * NOT) & POLLOUT) == 0) {
            close(clients[count]);
            return count;
        }
        count++;
    }
    return count;
}

static bool accepts(int listener, int count)
{
    while (count-- > 0)
        if (polled(listener, POLLIN, 5 * SOON) != POLLIN || accept(listener, NULL, NULL) < 0)
            return false;
    return true;
}

/* There is room for the next when one is accepted, whoever accepts it. */
static bool whoever_got_connected_is_accepted_by_a_child(void)
{
    enum { MOST = 8 };
    int clients[MOST], listener = listen_on(++port_in_use, 1);
    int count = crowd(clients, MOST);
    MUST(count >= 2);
    pid_t child = fork();
    if (child == 0)
        _exit(accepts(listener, count) ? 0 : 1);
    MUST(succeeds(child));
    while (count-- > 0)
        close(clients[count]);
    close(listener);
    return true;
}

/* Of mappings that count as memory of its own, in bytes. */
static size_t largest_writable_mapping(void)
{
    char line[512];
    size_t largest = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *end, *more, *start = line;
        uintptr_t from = strtoull(start, &end, 16), to = strtoull(end + 1, &more, 16);
        if (strncmp(more, " rw", 3) == 0 && to - from > largest)
            largest = to - from;
    }
    if (maps != NULL)
        fclose(maps);
    return maps == NULL ? SIZE_MAX : largest;
}

/* Some of them bound their address space to little more than a program without Daytona takes. */
static bool a_child_is_given_little_of_an_engines_memory(void)
{
    struct ends ends;
    int status = -1;
    MUST(make(&ends));
    pid_t child = fork();
    if (child == 0)
        _exit(largest_writable_mapping() < (size_t)32 << 20 ? 0 : 1);
    MUST(waitpid(child, &status, 0) == child && status == 0);
    drop(&ends);
    return true;
}

static const struct claim claims[] = {
    CLAIM(request_that_has_ended_is_there_for_a_forked_child),
    CLAIM(request_that_has_ended_is_there_for_who_is_sent_it),
    CLAIM(writer_in_a_child_learns_that_the_peer_has_closed),
    CLAIM(child_that_ends_with_unsent_data_and_a_closed_peer_leaves_nothing),
    CLAIM(stream_is_read_to_its_end_when_the_connection_is_long_over),
    CLAIM(what_a_set_calls_ready_is),
    CLAIM(whoever_got_connected_is_accepted_by_a_child),
    CLAIM(a_child_is_given_little_of_an_engines_memory),
};

int main(int count, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof claims[0], count, arguments);
}
