/*
 * many.c - many connections at a time through one process, opened and closed round after round.
 *
 *   many serve PORT COUNT ROUNDS BYTES             echoes; COUNT connections a round
 *   many connect ADDRESS PORT COUNT ROUNDS BYTES   opens them all, sends BYTES on each, reads them
 *                                                  back and compares
 *   many relay PORT ADDRESS PORT COUNT ROUNDS      accepts, connects onwards, and pumps both ways
 *
 * In every round all connections are open before the first is closed, and the server closes first
 * (so that the state TIME-WAIT does not use up the client's ports). After each round, and once
 * at the start, a line says how many descriptors the process has and how much memory:
 * "round 3 descriptors 7 kilobytes 5120". Exit status 0: all data was right.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 4096, EVENTS_MAX = 256 };

/* One connection. In a relay two of them are each other's peer; in an echo server one is its own.
 */
struct end {
    int descriptor;
    uint32_t number;
    struct end *peer;
    uint64_t sent, received; /* of the pattern */
    bool connected, heard_end, said_end;
    bool complete;          /* the echo server has sent everything back */
    uint8_t waiting[CHUNK]; /* bytes for `peer` that it has not taken yet */
    size_t waiting_start, waiting_end;
};

struct run {
    int poll, listener;
    struct end *ends; /* a round's, `ends_max` of them */
    uint32_t ends_max, opened, finished;
    uint32_t count, rounds;
    uint64_t bytes;
    uint32_t complete; /* connections of the echo server that are so */
    struct sockaddr_in to;
};

static void die(const char *what)
{
    fprintf(stderr, "many: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint8_t pattern(uint32_t number, uint64_t offset)
{
    uint64_t word = (offset + 1) * 0x9e3779b97f4a7c15u + number * 0xd1b54a32d192ed03u;
    return (uint8_t)(word >> 56);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        die("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 3; /* ".", ".." and the directory itself */
}

static long resident_kilobytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        die("/proc/self/statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void report(uint32_t round)
{
    printf("round %u descriptors %d kilobytes %ld\n", round, count_descriptors(),
           resident_kilobytes());
    fflush(stdout);
}

static void watch(const struct run *run, struct end *end, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = end};
    if (epoll_ctl(run->poll, operation, end->descriptor, &event) < 0)
        die("epoll_ctl");
}

static struct end *new_end(struct run *run, int descriptor)
{
    if (run->opened == run->ends_max) {
        errno = ENOSPC;
        die("more connections than expected");
    }
    struct end *end = &run->ends[run->opened];
    memset(end, 0, offsetof(struct end, waiting));
    end->waiting_start = end->waiting_end = 0;
    end->descriptor = descriptor;
    end->number = run->opened++;
    return end;
}

static struct end *connect_one(struct run *run)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        die("socket");
    if (connect(descriptor, (struct sockaddr *)&run->to, sizeof run->to) < 0 &&
        errno != EINPROGRESS)
        die("connect");
    return new_end(run, descriptor);
}

static void finish(struct run *run, struct end *end)
{
    if (close(end->descriptor) < 0)
        die("close");
    end->descriptor = -1;
    run->finished++;
}

/* ------------------------------------------------------------------ connect */

static void send_pattern(const struct run *run, struct end *end)
{
    uint8_t bytes[CHUNK];
    while (end->sent < run->bytes) {
        size_t length = run->bytes - end->sent < CHUNK ? (size_t)(run->bytes - end->sent) : CHUNK;
        for (size_t i = 0; i < length; i++)
            bytes[i] = pattern(end->number, end->sent + i);
        ssize_t taken = send(end->descriptor, bytes, length, MSG_NOSIGNAL);
        if (taken < 0 && errno == EAGAIN)
            return;
        if (taken < 0)
            die("send");
        end->sent += (uint64_t)taken;
    }
    watch(run, end, EPOLL_CTL_MOD, EPOLLIN);
}

/* True at the end of the stream. */
static bool receive_pattern(struct end *end)
{
    uint8_t bytes[CHUNK];
    for (;;) {
        ssize_t length = recv(end->descriptor, bytes, sizeof bytes, 0);
        if (length < 0 && errno == EAGAIN)
            return false;
        if (length < 0)
            die("recv");
        if (length == 0)
            return true;
        for (ssize_t i = 0; i < length; i++)
            if (bytes[i] != pattern(end->number, end->received + (uint64_t)i)) {
                errno = EILSEQ;
                die("what came back");
            }
        end->received += (uint64_t)length;
    }
}

static void check_connected(struct end *end)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(end->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0) {
        errno = error;
        die("connecting");
    }
    end->connected = true;
}

static void connect_event(struct run *run, struct end *end, uint32_t events)
{
    if (!end->connected)
        check_connected(end);
    if ((events & EPOLLOUT) != 0)
        send_pattern(run, end);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || !receive_pattern(end))
        return;
    if (end->received != run->bytes) {
        errno = ECONNABORTED;
        die("the other end closed early");
    }
    finish(run, end);
}

/* ------------------------------------------------------------------ serve and relay */

/* Gives `end` what its peer has read for it; true when nothing is left. */
static bool give(const struct run *run, struct end *end)
{
    struct end *from = end->peer;
    while (from->waiting_start < from->waiting_end) {
        ssize_t taken = send(end->descriptor, from->waiting + from->waiting_start,
                             from->waiting_end - from->waiting_start, MSG_NOSIGNAL);
        if (taken < 0 && (errno == EAGAIN || !end->connected)) {
            watch(run, end, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return false;
        }
        if (taken < 0)
            die("send");
        from->waiting_start += (size_t)taken;
    }
    from->waiting_start = from->waiting_end = 0;
    if (from->heard_end && !end->said_end) {
        end->said_end = true;
        shutdown(end->descriptor, SHUT_WR);
    }
    return true;
}

static void pump(struct run *run, struct end *end)
{
    struct end *to = end->peer;
    while (give(run, to) && !end->heard_end) {
        if (end->received == run->bytes && run->bytes > 0 && !end->complete) {
            end->complete = true;
            run->complete++;
        }
        ssize_t length = recv(end->descriptor, end->waiting, CHUNK, 0);
        if (length < 0 && errno == EAGAIN)
            return;
        if (length < 0)
            die("recv");
        end->heard_end = length == 0;
        end->waiting_end = (size_t)length;
        end->received += (uint64_t)length;
    }
}

static void pump_event(struct run *run, struct end *end, uint32_t events)
{
    struct end *peer = end->peer;
    if (end->descriptor < 0)
        return; /* closed with its peer, earlier in this batch of events */
    if (!end->connected)
        check_connected(end);
    if ((events & EPOLLOUT) != 0) {
        watch(run, end, EPOLL_CTL_MOD, EPOLLIN);
        pump(run, peer);
    }
    pump(run, end);
    if (!end->said_end || !peer->said_end || !end->heard_end || !peer->heard_end)
        return;
    finish(run, end);
    if (peer != end)
        finish(run, peer);
}

static void watch_listener(const struct run *run, int operation)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (run->listener >= 0 && epoll_ctl(run->poll, operation, run->listener, &event) < 0)
        die("epoll_ctl");
}

/* Only this round's: those of the next one wait in the backlog. */
static void accept_all(struct run *run)
{
    while (run->opened < run->ends_max) {
        int descriptor = accept4(run->listener, NULL, NULL, SOCK_NONBLOCK);
        if (descriptor < 0 && errno == EAGAIN)
            return;
        if (descriptor < 0)
            die("accept");
        struct end *end = new_end(run, descriptor);
        end->connected = true;
        end->peer = end;
        if (run->to.sin_port != 0) {
            end->peer = connect_one(run);
            end->peer->peer = end;
            watch(run, end->peer, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
        }
        watch(run, end, EPOLL_CTL_ADD, EPOLLIN);
    }
    watch_listener(run, EPOLL_CTL_DEL);
}

static void listen_on(struct run *run, const char *port)
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int yes = 1;
    run->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(run->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(run->listener, (struct sockaddr *)&here, sizeof here) < 0 ||
        listen(run->listener, 4096) < 0)
        die("listening");
}

/* The echo server has answered everything on every connection. */
static void end_all(struct run *run)
{
    run->complete = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        run->ends[i].said_end = true;
        if (shutdown(run->ends[i].descriptor, SHUT_WR) < 0)
            die("shutdown");
    }
}

/* ------------------------------------------------------------------ rounds */

static void run_round(struct run *run, bool client)
{
    run->opened = run->finished = run->complete = 0;
    watch_listener(run, EPOLL_CTL_ADD);
    if (client)
        for (uint32_t i = 0; i < run->count; i++)
            watch(run, connect_one(run), EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    while (run->finished < run->ends_max) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(run->poll, events, EVENTS_MAX, 60000);
        if (count == 0)
            errno = ETIMEDOUT;
        if (count <= 0)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(run);
            else if (client)
                connect_event(run, events[i].data.ptr, events[i].events);
            else
                pump_event(run, events[i].data.ptr, events[i].events);
        }
        if (run->complete == run->count)
            end_all(run);
    }
}

static void set_target(struct run *run, const char *address, const char *port)
{
    run->to.sin_family = AF_INET;
    run->to.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, address, &run->to.sin_addr) != 1)
        die(address);
}

int main(int count, char **words)
{
    struct run run = {.poll = epoll_create1(0), .listener = -1};
    const char *role = count > 1 ? words[1] : "";
    bool client = strcmp(role, "connect") == 0;

    if (strcmp(role, "serve") == 0 && count == 6) {
        run.ends_max = run.count = (uint32_t)strtoul(words[3], NULL, 10);
        run.rounds = (uint32_t)strtoul(words[4], NULL, 10);
        run.bytes = strtoull(words[5], NULL, 10);
        listen_on(&run, words[2]);
    } else if (client && count == 7) {
        set_target(&run, words[2], words[3]);
        run.ends_max = run.count = (uint32_t)strtoul(words[4], NULL, 10);
        run.rounds = (uint32_t)strtoul(words[5], NULL, 10);
        run.bytes = strtoull(words[6], NULL, 10);
    } else if (strcmp(role, "relay") == 0 && count == 7) {
        set_target(&run, words[3], words[4]);
        run.count = (uint32_t)strtoul(words[5], NULL, 10);
        run.ends_max = run.count * 2;
        run.rounds = (uint32_t)strtoul(words[6], NULL, 10);
        listen_on(&run, words[2]);
    } else {
        fprintf(stderr, "many: see the head of its source for what it takes\n");
        return 2;
    }
    run.ends = calloc(run.ends_max, sizeof *run.ends);
    if (run.ends == NULL || run.poll < 0)
        die("starting");

    report(0);
    for (uint32_t round = 1; round <= run.rounds; round++) {
        run_round(&run, client);
        report(round);
    }
    free(run.ends);
    return 0;
}
