/*
 * sockets_threads.c - claims about a call that blocks in one thread while another one closes the
 * socket, shuts it down, puts another descriptor over it, or cancels the thread.
 */
#include "tests/interop/claims.h"
#include <stdatomic.h>
#include <sys/syscall.h>

#define ASLEEP_LOOKS 6    /* in a row, that find a thread asleep in the kernel */
#define LOOK_US      4000 /* between two of them */
#define PATIENCE     20000
#define BYTES        ((size_t)24 << 20) /* more than both ends hold */

/* ------------------------------------------------------------------ a call in another thread */

/* One blocking call, what it says, and how its thread is. */
struct call {
    ssize_t (*perform)(struct call *call);
    int fd;
    pthread_t thread;
    atomic_int id;     /* of the thread, once it is about to call; 0 before */
    atomic_bool over;  /* it has returned */
    atomic_bool clean; /* its clean-up handler has run */
    ssize_t result;
    int error;
    short events;
    char data[8];
};

static void note_clean(void *context)
{
    atomic_store(&((struct call *)context)->clean, true);
}

static void *run(void *context)
{
    struct call *call = context;
    pthread_cleanup_push(note_clean, call);
    atomic_store(&call->id, (int)syscall(SYS_gettid));
    call->result = call->perform(call);
    call->error = call->result < 0 ? errno : 0;
    atomic_store(&call->over, true);
    pthread_cleanup_pop(0);
    return NULL;
}

static bool is_asleep(int id)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    const char *state = got > 0 ? strrchr(text, ')') : NULL;
    return state != NULL && state[2] == 'S';
}

/* Starts the call and returns when it blocks. */
static bool block_in(struct call *call, ssize_t (*perform)(struct call *call), int fd)
{
    *call = (struct call){.perform = perform, .fd = fd};
    MUST(pthread_create(&call->thread, NULL, run, call) == 0);
    long long end = now_ms() + PATIENCE;
    for (int asleep = 0; asleep < ASLEEP_LOOKS && now_ms() < end; usleep(LOOK_US)) {
        int id = atomic_load(&call->id);
        asleep = id != 0 && is_asleep(id) ? asleep + 1 : 0;
    }
    errno = call->error;
    MUST(!atomic_load(&call->over));
    return true;
}

static bool still_blocks(struct call *call)
{
    usleep(NOT * 1000);
    return !atomic_load(&call->over);
}

/* It has returned, or does so now. */
static bool returns(struct call *call, ssize_t result, int error)
{
    for (long long end = now_ms() + PATIENCE; !atomic_load(&call->over) && now_ms() < end;)
        usleep(LOOK_US);
    MUST(atomic_load(&call->over));
    pthread_join(call->thread, NULL);
    errno = call->error;
    MUST(call->result == result && call->error == error);
    return true;
}

static bool is_cancelled(struct call *call)
{
    void *status = NULL;
    MUST(pthread_cancel(call->thread) == 0);
    MUST(pthread_join(call->thread, &status) == 0);
    MUST(status == PTHREAD_CANCELED && atomic_load(&call->clean) && !atomic_load(&call->over));
    return true;
}

static ssize_t call_read(struct call *call)
{
    return read(call->fd, call->data, sizeof call->data);
}

static ssize_t call_recv(struct call *call)
{
    return recv(call->fd, call->data, 3, MSG_WAITALL);
}

static ssize_t call_accept(struct call *call)
{
    return accept(call->fd, NULL, NULL);
}

/* Where the laboratory's router drops what is sent to. */
static ssize_t call_connect(struct call *call)
{
    struct sockaddr_in address = address_of(CLOSED_PORT);
    address.sin_addr.s_addr = inet_addr("192.0.2.1");
    return connect(call->fd, (struct sockaddr *)&address, sizeof address);
}

static ssize_t call_poll(struct call *call)
{
    struct pollfd entry = {.fd = call->fd, .events = POLLIN};
    int result = poll(&entry, 1, -1);
    call->events = entry.revents;
    return result;
}

static ssize_t call_select(struct call *call)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(call->fd, &set);
    return select(call->fd + 1, &set, NULL, NULL, NULL);
}

static ssize_t call_epoll_wait(struct call *call)
{
    struct epoll_event event;
    int result = epoll_wait(call->fd, &event, 1, -1);
    call->events = (short)event.events;
    return result;
}

static char many[BYTES];

static ssize_t call_write(struct call *call)
{
    return write(call->fd, many, sizeof many);
}

/* Without that buffers grow, in the worst case to hold all. */
static void keep_buffers_small(const struct ends *ends)
{
    int bytes = 128 << 10;
    setsockopt(ends->server, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(ends->client, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

static int set_of(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int set = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    return set;
}

/* ------------------------------------------------------------------ close, dup2 */

static void end_by_close(int fd)
{
    close(fd);
}

static void end_by_dup2(int fd)
{
    int null = open("/dev/null", O_RDWR);
    dup2(null, fd);
    close(null);
}

/* The call keeps the connection: the number is gone, the end of the stream comes with the call's.
 */
static bool reader_gets_what_comes(void (*end)(int fd), ssize_t (*perform)(struct call *call))
{
    struct ends ends;
    struct call call;
    char got;
    MUST(make(&ends));
    MUST(block_in(&call, perform, ends.server));
    end(ends.server);
    MUST(still_blocks(&call));
    MUST(polled(ends.client, POLLIN, 0) == 0);
    MUST(write(ends.client, "abc", 3) == 3);
    MUST(returns(&call, 3, 0) && memcmp(call.data, "abc", 3) == 0);
    MUST(read(ends.client, &got, 1) == 0);
    drop(&ends);
    return true;
}

static bool closing_leaves_a_read_that_blocks(void)
{
    return reader_gets_what_comes(end_by_close, call_read) &&
           reader_gets_what_comes(end_by_close, call_recv);
}

static bool another_descriptor_over_it_leaves_a_read_that_blocks(void)
{
    return reader_gets_what_comes(end_by_dup2, call_read) &&
           reader_gets_what_comes(end_by_dup2, call_recv);
}

static bool reader_of_a_closed_socket_sees_the_end_of_the_stream(void)
{
    struct ends ends;
    struct call call;
    MUST(make(&ends));
    MUST(block_in(&call, call_read, ends.server));
    close(ends.server);
    shutdown(ends.client, SHUT_WR);
    MUST(returns(&call, 0, 0));
    drop(&ends);
    return true;
}

static bool two_readers_keep_a_closed_socket(void)
{
    struct ends ends;
    struct call one, two;
    char got;
    MUST(make(&ends));
    MUST(block_in(&one, call_recv, ends.server) && block_in(&two, call_recv, ends.server));
    close(ends.server);
    MUST(still_blocks(&one) && still_blocks(&two));
    MUST(write(ends.client, "abcabc", 6) == 6);
    MUST(returns(&one, 3, 0) && returns(&two, 3, 0));
    MUST(read(ends.client, &got, 1) == 0);
    drop(&ends);
    return true;
}

static bool writer_ends_what_it_began(void (*end)(int fd))
{
    struct ends ends;
    struct call call;
    char got;
    MUST(make(&ends));
    keep_buffers_small(&ends);
    MUST(block_in(&call, call_write, ends.server));
    end(ends.server);
    MUST(still_blocks(&call));
    MUST(drain(ends.client, BYTES));
    MUST(returns(&call, (ssize_t)BYTES, 0));
    MUST(read(ends.client, &got, 1) == 0);
    drop(&ends);
    return true;
}

static bool closing_leaves_a_write_that_blocks(void)
{
    return writer_ends_what_it_began(end_by_close);
}

static bool another_descriptor_over_it_leaves_a_write_that_blocks(void)
{
    return writer_ends_what_it_began(end_by_dup2);
}

static bool poll_of_a_socket_closed_meanwhile_says_so(void)
{
    struct ends ends;
    struct call call;
    MUST(make(&ends));
    MUST(block_in(&call, call_poll, ends.server));
    close(ends.server);
    MUST(write(ends.client, "x", 1) == 1);
    MUST(returns(&call, 1, 0) && call.events == POLLNVAL);
    drop(&ends);
    return true;
}

static bool set_forgets_a_socket_closed_meanwhile(void)
{
    struct ends ends, other;
    struct call call;
    char got;
    MUST(make(&ends) && make(&other));
    int set = set_of(ends.server);
    MUST(block_in(&call, call_epoll_wait, set));
    close(ends.server);
    MUST(read(ends.client, &got, 1) == 0 && write(ends.client, "x", 1) == 1);
    MUST(still_blocks(&call));
    struct epoll_event event = {.events = EPOLLOUT};
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, other.server, &event) == 0);
    MUST(returns(&call, 1, 0) && call.events == EPOLLOUT);
    close(set);
    drop(&ends);
    drop(&other);
    return true;
}

/* ------------------------------------------------------------------ shutdown */

static bool shutting_down_ends_a_read(void)
{
    const int how[] = {SHUT_RD, SHUT_RDWR};
    for (size_t i = 0; i < 2; i++) {
        struct ends ends;
        struct call call;
        MUST(make(&ends));
        MUST(block_in(&call, call_read, ends.server));
        MUST(shutdown(ends.server, how[i]) == 0);
        MUST(returns(&call, 0, 0));
        drop(&ends);
    }
    return true;
}

static bool shutting_down_writing_leaves_a_read(void)
{
    struct ends ends;
    struct call call;
    char got;
    MUST(make(&ends));
    MUST(block_in(&call, call_read, ends.server));
    MUST(shutdown(ends.server, SHUT_WR) == 0);
    MUST(read(ends.client, &got, 1) == 0);
    MUST(still_blocks(&call));
    MUST(write(ends.client, "x", 1) == 1);
    MUST(returns(&call, 1, 0));
    drop(&ends);
    return true;
}

/* What fitted counts. */
static bool shutting_down_ends_a_write(void)
{
    const int how[] = {SHUT_WR, SHUT_RDWR};
    for (size_t i = 0; i < 2; i++) {
        struct ends ends;
        struct call call;
        MUST(make(&ends));
        keep_buffers_small(&ends);
        MUST(block_in(&call, call_write, ends.server));
        MUST(shutdown(ends.server, how[i]) == 0);
        for (long long end = now_ms() + PATIENCE; !atomic_load(&call.over) && now_ms() < end;)
            usleep(LOOK_US);
        MUST(atomic_load(&call.over));
        MUST(call.result > 0 && call.result < (ssize_t)BYTES);
        pthread_join(call.thread, NULL);
        drop(&ends);
    }
    return true;
}

static bool shutting_down_ends_a_poll(void)
{
    struct ends ends;
    struct call call;
    MUST(make(&ends));
    MUST(block_in(&call, call_poll, ends.server));
    MUST(shutdown(ends.server, SHUT_RD) == 0);
    MUST(returns(&call, 1, 0) && call.events == POLLIN);
    int set = set_of(ends.client);
    MUST(block_in(&call, call_epoll_wait, set));
    MUST(shutdown(ends.client, SHUT_RDWR) == 0);
    MUST(returns(&call, 1, 0) && (call.events & EPOLLIN) != 0);
    close(set);
    drop(&ends);
    return true;
}

static bool shutting_down_ends_an_accept(void)
{
    const int how[] = {SHUT_RD, SHUT_RDWR};
    for (size_t i = 0; i < 2; i++) {
        struct call call;
        int listener = listen_on(++port_in_use, 5);
        MUST(block_in(&call, call_accept, listener));
        MUST(shutdown(listener, how[i]) == 0);
        MUST(returns(&call, -1, EINVAL));
        close(listener);
    }
    return true;
}

static bool closed_listener_accepts_what_was_waited_for(void)
{
    struct call call;
    int listener = listen_on(++port_in_use, 5);
    MUST(block_in(&call, call_accept, listener));
    close(listener);
    MUST(still_blocks(&call));
    int client = connect_to(port_in_use, 0);
    MUST(client == listener && returns(&call, listener + 1, 0));
    close(client);
    close(listener + 1);
    return true;
}

/* Nobody shall have to do with the attempt for minutes. */
static bool block_in_connect(struct call *call, int fd)
{
    struct ends ends;
    struct tcp_info info = {0};
    int tries = 2; /* seven seconds */
    socklen_t length = sizeof info;
    MUST(make(&ends)); /* what is done once only has been done */
    drop(&ends);
    MUST(setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &tries, sizeof tries) == 0);
    MUST(block_in(call, call_connect, fd));
    MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    MUST(info.tcpi_state == TCP_SYN_SENT);
    return true;
}

static bool shutting_down_ends_a_connect(void)
{
    struct call call;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(block_in_connect(&call, fd));
    MUST(shutdown(fd, SHUT_RDWR) == 0);
    MUST(returns(&call, -1, ECONNRESET));
    close(fd);
    return true;
}

/* ------------------------------------------------------------------ cancellation */

/* The library is in order: another thread's connection works, and numbers are given out as before.
 */
static bool all_goes_on(int lowest)
{
    struct ends ends;
    char got;
    MUST(make(&ends) && ends.listener == lowest);
    MUST(write(ends.client, "x", 1) == 1 && read(ends.server, &got, 1) == 1);
    drop(&ends);
    return true;
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

static bool cancels(ssize_t (*perform)(struct call *call), bool in_set)
{
    struct ends ends;
    struct call call;
    char got;
    int lowest = lowest_free();
    MUST(make(&ends));
    int fd = in_set ? set_of(ends.server) : ends.server;
    keep_buffers_small(&ends);
    MUST(block_in(&call, perform, fd));
    MUST(is_cancelled(&call));
    if (perform != call_write) { /* the socket is in order too */
        MUST(write(ends.client, "x", 1) == 1 && read(ends.server, &got, 1) == 1 && got == 'x');
    }
    if (in_set)
        close(fd);
    drop(&ends);
    return all_goes_on(lowest);
}

static bool thread_can_be_cancelled_in_read(void)
{
    return cancels(call_read, false) && cancels(call_recv, false);
}

static bool thread_can_be_cancelled_in_write(void)
{
    return cancels(call_write, false);
}

static bool thread_can_be_cancelled_in_poll(void)
{
    return cancels(call_poll, false);
}

static bool thread_can_be_cancelled_in_select(void)
{
    return cancels(call_select, false);
}

static bool thread_can_be_cancelled_in_epoll_wait(void)
{
    return cancels(call_epoll_wait, true);
}

static bool thread_can_be_cancelled_in_accept(void)
{
    struct call one, two;
    int lowest = lowest_free(), listener = listen_on(++port_in_use, 5);
    MUST(block_in(&one, call_accept, listener) && block_in(&two, call_accept, listener));
    MUST(is_cancelled(&one) && is_cancelled(&two));
    int client = connect_to(port_in_use, 0), server = accept(listener, NULL, NULL);
    MUST(client >= 0 && server >= 0);
    close(client);
    close(server);
    close(listener);
    return all_goes_on(lowest);
}

static bool thread_can_be_cancelled_in_connect(void)
{
    struct call call;
    int lowest = lowest_free(), fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(block_in_connect(&call, fd));
    MUST(is_cancelled(&call));
    close(fd);
    return all_goes_on(lowest);
}

/* One waits for packets, the others for it (decisions/0003-runner.md): whichever goes, they get
 * theirs. */
static bool cancelling_one_reader_leaves_the_others(void)
{
    for (int gone = 0; gone < 3; gone++) {
        struct ends ends[3];
        struct call calls[3];
        for (int i = 0; i < 3; i++)
            MUST(make(&ends[i]) && block_in(&calls[i], call_recv, ends[i].server));
        MUST(is_cancelled(&calls[gone]));
        for (int i = 0; i < 3; i++) {
            MUST(write(ends[i].client, "abc", 3) == 3);
            MUST(i == gone || returns(&calls[i], 3, 0));
            drop(&ends[i]);
        }
    }
    return true;
}

/* At any moment, not only while it blocks: it may have the library's lock just then. */
static void *exchange(void *context)
{
    const struct ends *ends = context;
    char data[4000] = "";
    for (;;)
        if (write(ends->client, data, sizeof data) <= 0 ||
            read(ends->server, data, sizeof data) <= 0)
            return NULL;
}

static bool thread_can_be_cancelled_at_any_moment(void)
{
    int lowest = lowest_free();
    for (int i = 0; i < 40; i++) {
        struct ends ends;
        pthread_t thread;
        void *status;
        MUST(make(&ends));
        MUST(pthread_create(&thread, NULL, exchange, &ends) == 0);
        usleep((useconds_t)(i * 97));
        MUST(pthread_cancel(thread) == 0 && pthread_join(thread, &status) == 0);
        MUST(status == PTHREAD_CANCELED);
        drop(&ends);
    }
    return all_goes_on(lowest);
}

static const struct claim claims[] = {
    CLAIM(closing_leaves_a_read_that_blocks),
    CLAIM(another_descriptor_over_it_leaves_a_read_that_blocks),
    CLAIM(reader_of_a_closed_socket_sees_the_end_of_the_stream),
    CLAIM(two_readers_keep_a_closed_socket),
    CLAIM(closing_leaves_a_write_that_blocks),
    CLAIM(another_descriptor_over_it_leaves_a_write_that_blocks),
    CLAIM(poll_of_a_socket_closed_meanwhile_says_so),
    CLAIM(set_forgets_a_socket_closed_meanwhile),
    CLAIM(shutting_down_ends_a_read),
    CLAIM(shutting_down_writing_leaves_a_read),
    CLAIM(shutting_down_ends_a_write),
    CLAIM(shutting_down_ends_a_poll),
    CLAIM(shutting_down_ends_an_accept),
    CLAIM(closed_listener_accepts_what_was_waited_for),
    CLAIM(shutting_down_ends_a_connect),
    CLAIM(thread_can_be_cancelled_in_read),
    CLAIM(thread_can_be_cancelled_in_write),
    CLAIM(thread_can_be_cancelled_in_poll),
    CLAIM(thread_can_be_cancelled_in_select),
    CLAIM(thread_can_be_cancelled_in_epoll_wait),
    CLAIM(thread_can_be_cancelled_in_accept),
    CLAIM(thread_can_be_cancelled_in_connect),
    CLAIM(cancelling_one_reader_leaves_the_others),
    CLAIM(thread_can_be_cancelled_at_any_moment),
};

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
