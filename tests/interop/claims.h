/*
 * claims.h - what the programs sockets_*.c share. Each makes claims about the socket calls, with
 * both ends of every connection in one process, over the loopback interface. They hold for the
 * kernel's TCP, and so they have to hold for Daytona's: sockets.sh runs them on either.
 *
 *     sockets_data [NAME...]     runs the claims named, or all; prints TAP
 */
#ifndef TESTS_INTEROP_CLAIMS_H
#define TESTS_INTEROP_CLAIMS_H

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

static inline struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int listen_on(int port, int backlog)
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

static inline int connect_to(int port, int flags)
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

/* The numbers that make() got in the claim that is running. */
static char numbers[1024];

static inline void note_number(int fd)
{
    size_t length = strlen(numbers);
    snprintf(numbers + length, sizeof numbers - length, " %d", fd);
}

static inline bool make(struct ends *ends)
{
    ends->listener = listen_on(++port_in_use, 5);
    ends->client = connect_to(port_in_use, 0);
    MUST(ends->client >= 0);
    ends->server = accept(ends->listener, NULL, NULL);
    MUST(ends->server >= 0);
    note_number(ends->listener);
    note_number(ends->client);
    note_number(ends->server);
    return true;
}

static inline void drop(struct ends *ends)
{
    close(ends->client);
    close(ends->server);
    close(ends->listener);
}

static inline short polled(int fd, short events, int ms)
{
    struct pollfd entry = {.fd = fd, .events = events};
    return poll(&entry, 1, ms) > 0 ? entry.revents : 0;
}

static inline bool set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

static inline long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Writes until nothing fits any more; how much did. */
static inline size_t fill(int fd)
{
    static const char zeros[65536];
    size_t total = 0;
    ssize_t sent;
    long long end = now_ms() + SOON;
    /* What fits at once is not all: acknowledgments make room for as long as the peer has some, and
     * a window that has opened unnoticed is found by a probe after 200 ms. */
    for (int quiet = 0; quiet < 60 && now_ms() < end;) {
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

static inline bool drain(int fd, size_t bytes)
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

static inline void *write_later(void *context)
{
    usleep(50000);
    ssize_t written = write(*(int *)context, "x", 1);
    (void)written;
    return NULL;
}

/* What a claim that failed has left open would change the numbers of the next. */
static inline void close_noted(void)
{
    char *at = numbers;
    for (long fd = strtol(at, &at, 10); fd > 0; fd = strtol(at, &at, 10))
        close((int)fd);
}

/* ------------------------------------------------------------------ running them */

struct claim {
    const char *name;
    bool (*holds)(void);
};
#define CLAIM(name)                                                                                \
    {                                                                                              \
#name, name                                                                                \
    }

static inline bool is_wanted(const char *name, int count, char **names)
{
    bool wanted = count == 0;
    for (int i = 0; i < count; i++)
        wanted |= strcmp(name, names[i]) == 0;
    return wanted;
}

/** The rest of main(): runs the claims named in the arguments, or all; prints TAP. */
static inline int run_claims(const struct claim *claims, size_t claim_count, int count,
                             char **arguments)
{
    int number = 0, failures = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < claim_count; i++) {
        if (!is_wanted(claims[i].name, count - 1, arguments + 1))
            continue;
        numbers[0] = '\0';
        bool holds = claims[i].holds();
        failures += !holds;
        printf("%sok %d - %s\n", holds ? "" : "not ", ++number, claims[i].name);
        if (holds && numbers[0] != '\0')
            printf("# descriptors of %s:%s\n", claims[i].name, numbers);
        if (!holds)
            close_noted();
        if (!holds)
            printf("# line %d: %s (%s)\n", failed_line, what_failed, strerror(failed_errno));
    }
    printf("1..%d\n", number);
    return failures > 0;
}

#endif
