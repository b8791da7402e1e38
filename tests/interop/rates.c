/*
 * How often a second: one byte there and back, or a connection from its SYN to its end.
 *
 *   rates echo PORT                         sends back each byte, one connection after the other
 *   rates hang-up PORT                      reads one byte of each connection and closes it
 *   rates ping ADDRESS PORT SECONDS         with echo; prints {"rate": R, "p50_us": T, "p99_us": T}
 *   rates connect ADDRESS PORT SECONDS      with hang-up; prints the same, of whole connections
 *
 * All calls block. The server closes first, so that the client's ports are free at once.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Durations are counted in microseconds; what takes longer counts as this. */
enum { LONGEST_US = 100000 };

struct times {
    uint64_t count, total_ns;
    uint32_t by_us[LONGEST_US + 1];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in name_of(const char *address, const char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    if (inet_pton(AF_INET, address, &name.sin_addr) != 1) {
        fprintf(stderr, "rates: %s is no IPv4 address\n", address);
        exit(2);
    }
    return name;
}

/* ------------------------------------------------------------------ servers */

static void echo_all(int connection)
{
    char bytes[64];
    ssize_t got;
    while ((got = read(connection, bytes, sizeof bytes)) > 0)
        if (write(connection, bytes, (size_t)got) != got)
            break;
}

static void serve(const char *port, bool echo)
{
    const int on = 1;
    struct sockaddr_in name = name_of("0.0.0.0", port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 128) < 0)
        fail("listen");
    for (;;) {
        char byte;
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            fail("accept");
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (echo)
            echo_all(connection);
        else if (read(connection, &byte, 1) < 0)
            perror("read");
        close(connection);
    }
}

/* ------------------------------------------------------------------ clients */

static int connected(const struct sockaddr_in *name)
{
    const int on = 1;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (const struct sockaddr *)name, sizeof *name) < 0)
        fail("connect");
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return connection;
}

static void count(struct times *times, uint64_t ns)
{
    uint64_t us = ns / 1000;
    times->by_us[us > LONGEST_US ? LONGEST_US : us]++;
    times->count++;
}

/* The time within which this many per cent were done. */
static unsigned percentile(const struct times *times, unsigned percent)
{
    uint64_t seen = 0;
    unsigned us = 0;
    for (; us < LONGEST_US; us++) {
        seen += times->by_us[us];
        if (seen * 100 >= times->count * percent)
            break;
    }
    return us;
}

static void ping(const struct sockaddr_in *name, uint64_t until, struct times *times)
{
    int connection = connected(name);
    for (uint64_t now = now_ns(); now < until;) {
        char byte = 'x';
        if (write(connection, &byte, 1) != 1 || read(connection, &byte, 1) != 1)
            fail("ping");
        uint64_t after = now_ns();
        count(times, after - now);
        now = after;
    }
    close(connection);
}

static void connect_all(const struct sockaddr_in *name, uint64_t until, struct times *times)
{
    for (uint64_t now = now_ns(); now < until;) {
        char byte = 'x';
        int connection = connected(name);
        if (write(connection, &byte, 1) != 1 || read(connection, &byte, 1) != 0)
            fail("a connection");
        close(connection);
        uint64_t after = now_ns();
        count(times, after - now);
        now = after;
    }
}

int main(int argument_count, char **arguments)
{
    static struct times times;
    if (argument_count == 3 && strcmp(arguments[1], "echo") == 0)
        serve(arguments[2], true);
    if (argument_count == 3 && strcmp(arguments[1], "hang-up") == 0)
        serve(arguments[2], false);
    bool pings = argument_count == 5 && strcmp(arguments[1], "ping") == 0;
    if (!pings && !(argument_count == 5 && strcmp(arguments[1], "connect") == 0)) {
        fprintf(stderr, "usage: rates echo|hang-up PORT\n"
                        "       rates ping|connect ADDRESS PORT SECONDS\n");
        return 2;
    }
    struct sockaddr_in name = name_of(arguments[2], arguments[3]);
    uint64_t start = now_ns();
    uint64_t until = start + strtoull(arguments[4], NULL, 10) * 1000000000u;
    (pings ? ping : connect_all)(&name, until, &times);
    double seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"rate\": %.1f, \"p50_us\": %u, \"p99_us\": %u}\n", (double)times.count / seconds,
           percentile(&times, 50), percentile(&times, 99));
    return 0;
}
