/*
 * linked_first.c - the second way: an ordinary sockets program, linked with libdaytona.so before
 * the C library. It needs no LD_PRELOAD; the environment says which of its ports are Daytona's,
 * as for a preloaded program, and without that it runs on the kernel.
 *
 *     cc linked_first.c -Lbuild -ldaytona -o linked_first
 *     DAYTONA_LISTEN=7007 ./linked_first serve 7007
 *     DAYTONA_CONNECT=7007 ./linked_first ask 192.0.2.1 7007 hello
 *
 * It serves any number of clients with one poll(), until it is told to end; nothing in it knows
 * of Daytona.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENTRIES_MAX 64

static volatile sig_atomic_t told_to_end;

static void on_signal(int signal_)
{
    (void)signal_;
    told_to_end = 1;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static struct sockaddr_in address_of(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "linked_first: %s is not an IPv4 address\n", host);
        exit(2);
    }
    return address;
}

/* Sends back in capitals what there is; false at the end of the stream. */
static bool answer(int connection)
{
    char data[4096];
    ssize_t length = read(connection, data, sizeof data);
    for (ssize_t i = 0; i < length; i++)
        data[i] = (char)toupper((unsigned char)data[i]);
    return length > 0 && write(connection, data, (size_t)length) == length;
}

static nfds_t take_client(struct pollfd *entries, nfds_t count)
{
    int connection = accept(entries[0].fd, NULL, NULL);
    if (connection < 0)
        return count;
    if (count == ENTRIES_MAX) {
        close(connection);
        return count;
    }
    entries[count] = (struct pollfd){.fd = connection, .events = POLLIN};
    return count + 1;
}

static nfds_t serve_ready(struct pollfd *entries, nfds_t count)
{
    for (nfds_t i = count; i-- > 1;) {
        if (entries[i].revents == 0 || answer(entries[i].fd))
            continue;
        close(entries[i].fd);
        entries[i] = entries[--count];
    }
    return (entries[0].revents & POLLIN) != 0 ? take_client(entries, count) : count;
}

static int serve(const char *port)
{
    struct sockaddr_in address = address_of("0.0.0.0", port);
    struct pollfd entries[ENTRIES_MAX] = {{.events = POLLIN}};
    nfds_t count = 1;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    entries[0].fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(entries[0].fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(entries[0].fd, (struct sockaddr *)&address, sizeof address) != 0)
        return fail("bind");
    if (listen(entries[0].fd, 16) != 0)
        return fail("listen");
    puts("listening");
    fflush(stdout);
    while (!told_to_end) {
        if (poll(entries, count, -1) > 0)
            count = serve_ready(entries, count);
        else if (errno != EINTR)
            return fail("poll");
    }
    return 0;
}

static int ask(const char *host, const char *port, const char *text)
{
    struct sockaddr_in address = address_of(host, port);
    char data[4096];
    ssize_t length;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
        return fail("connect");
    if (write(connection, text, strlen(text)) < 0)
        return fail("write");
    shutdown(connection, SHUT_WR);
    while ((length = read(connection, data, sizeof data)) > 0)
        fwrite(data, 1, (size_t)length, stdout);
    return length < 0 ? fail("read") : close(connection);
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "serve") == 0)
        return serve(arguments[2]);
    if (count == 5 && strcmp(arguments[1], "ask") == 0)
        return ask(arguments[2], arguments[3], arguments[4]);
    fprintf(stderr, "usage: linked_first serve PORT | ask ADDRESS PORT TEXT\n");
    return 2;
}
