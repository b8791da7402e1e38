/*
 * prefixed.c - the first way to use Daytona from a program of your own: link libdaytona.a and call
 * the functions with the prefix. No preload, no environment, no firewall rule. What this program
 * does with daytona_ runs on Daytona; the plain calls beside them stay with the kernel.
 *
 *     cc -Iinclude prefixed.c build/libdaytona.a -ldl -lpthread -o prefixed
 *     ./prefixed serve PORT             one connection: sends back what comes, in capitals
 *     ./prefixed ask ADDRESS PORT TEXT  sends TEXT and prints the answer
 */
#include <daytona/look.h>
#include <daytona/sockets.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sockaddr_in address_of(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "prefixed: %s is not an IPv4 address\n", host);
        exit(2);
    }
    return address;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int serve_connection(int connection)
{
    char data[4096];
    ssize_t length;
    while ((length = daytona_read(connection, data, sizeof data)) > 0) {
        for (ssize_t i = 0; i < length; i++)
            data[i] = (char)toupper((unsigned char)data[i]);
        if (daytona_write(connection, data, (size_t)length) != length)
            return fail("write");
    }
    return length < 0 ? fail("read") : 0;
}

static int serve(const char *port)
{
    struct sockaddr_in address = address_of("0.0.0.0", port);
    int listener = daytona_socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        return fail("socket");
    daytona_setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (daytona_bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        return fail("bind");
    if (daytona_listen(listener, 16) != 0)
        return fail("listen");
    puts("listening");
    fflush(stdout);
    int connection = daytona_accept(listener, NULL, NULL);
    if (connection < 0)
        return fail("accept");
    int status = serve_connection(connection);
    daytona_close(connection);
    daytona_close(listener);
    return status;
}

static void print_round_trip_time(int connection)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (daytona_getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
        fprintf(stderr, "round trip %u us, congestion window %u segments\n", info.tcpi_rtt,
                info.tcpi_snd_cwnd);
}

/* What TCP_INFO has no place for: any variable of RFC 4898 (daytona/variables.def). */
static void print_state(int connection)
{
    struct daytona_socket_id id;
    struct daytona_connection_state state;
    if (daytona_connection_id(connection, &id) == 0 && daytona_connection_state(id, &state) == 0)
        fprintf(
            stderr, "connection 1 of %zu: %llu bytes acknowledged, longest round trip %llu us\n",
            daytona_connection_list(NULL, 0), (unsigned long long)state.variables.thru_octets_acked,
            (unsigned long long)state.variables.max_rtt);
}

static int ask(const char *host, const char *port, const char *text)
{
    struct sockaddr_in address = address_of(host, port);
    char data[4096];
    ssize_t length;
    int connection = daytona_socket(AF_INET, SOCK_STREAM, 0);
    if (connection < 0)
        return fail("socket");
    if (daytona_connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
        return fail("connect");
    if (daytona_write(connection, text, strlen(text)) < 0)
        return fail("write");
    daytona_shutdown(connection, SHUT_WR);
    while ((length = daytona_read(connection, data, sizeof data)) > 0)
        fwrite(data, 1, (size_t)length, stdout);
    if (length < 0)
        return fail("read");
    print_round_trip_time(connection);
    print_state(connection);
    return daytona_close(connection);
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "serve") == 0)
        return serve(arguments[2]);
    if (count == 5 && strcmp(arguments[1], "ask") == 0)
        return ask(arguments[2], arguments[3], arguments[4]);
    fprintf(stderr, "usage: prefixed serve PORT | ask ADDRESS PORT TEXT\n");
    return 2;
}
