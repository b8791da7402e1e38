/*
 * shield_test.c - a port held by a shielded socket answers nothing. Over loopback the kernel would
 * answer before connect() returns, so no test has to wait.
 */
#include "preload/shield.h"

#include "preload/real.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int holder, client;
static struct sockaddr_in address;

static int start(void **state)
{
    socklen_t length = sizeof address;
    (void)state;
    address = (struct sockaddr_in){.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    holder = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    return bind(holder, (struct sockaddr *)&address, sizeof address) != 0 ||
           getsockname(holder, (struct sockaddr *)&address, &length) != 0;
}

/* As some kernels do to who has no CAP_NET_ADMIN. */
static int refuse_filters(int fd, int level, int option, const void *value, socklen_t length)
{
    if (level == SOL_SOCKET && option == SO_ATTACH_FILTER) {
        errno = EPERM;
        return -1;
    }
    return setsockopt(fd, level, option, value, length);
}

static int start_without_filters(void **state)
{
    real.setsockopt = refuse_filters;
    return start(state);
}

static int end(void **state)
{
    (void)state;
    real.setsockopt = setsockopt;
    close(holder);
    close(client);
    return 0;
}

/* 0: neither accepted nor refused. */
static int try_to_connect(void)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (connect(client, (struct sockaddr *)&address, sizeof address) == 0)
        return EISCONN;
    if (errno != EINPROGRESS)
        return errno;
    getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

static void bound_port_without_shield_is_refused_by_the_kernel(void **state)
{
    (void)state;
    assert_int_equal(try_to_connect(), ECONNREFUSED);
}

static void shielded_port_is_silent(void **state)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    (void)state;
    assert_int_equal(shield_raise(holder), 0);
    assert_int_equal(try_to_connect(), 0);
    getsockopt(client, IPPROTO_TCP, TCP_INFO, &info, &length);
    assert_int_equal(info.tcpi_state, TCP_SYN_SENT);
}

static void shielded_port_is_not_given_to_another(void **state)
{
    (void)state;
    assert_int_equal(shield_raise(holder), 0);
    assert_int_equal(bind(client, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, EADDRINUSE);
}

/* Connects to port `port` by `text`, an IPv6 address; 0, or errno as try_to_connect(). */
static int try_ipv6(const char *text, in_port_t port)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
    struct sockaddr_in6 remote = {.sin6_family = AF_INET6, .sin6_port = port};
    socklen_t length = sizeof(struct tcp_info);
    struct tcp_info info;
    inet_pton(AF_INET6, text, &remote.sin6_addr);
    if (connect(fd, (struct sockaddr *)&remote, sizeof remote) < 0 && errno != EINPROGRESS)
        error = errno;
    else if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
        error = info.tcpi_state == TCP_ESTABLISHED ? EISCONN : 0;
    close(fd);
    return error;
}

static void shield_against_ipv4_lets_ipv6_connect(void **state)
{
    (void)state;
    struct sockaddr_in6 local = {.sin6_family = AF_INET6};
    socklen_t length = sizeof local;
    int both = socket(AF_INET6, SOCK_STREAM, 0);
    if (both < 0 || bind(both, (struct sockaddr *)&local, sizeof local) < 0 ||
        try_ipv6("::1", htons(1)) == EADDRNOTAVAIL) {
        close(both);
        print_message("skipped: no IPv6 here\n");
        skip();
    }
    getsockname(both, (struct sockaddr *)&local, &length);
    assert_int_equal(shield_raise_against_ipv4(both, 5), 0);
    assert_int_equal(try_ipv6("::1", local.sin6_port), EISCONN);
    assert_int_equal(try_ipv6("::ffff:127.0.0.1", local.sin6_port), 0);
    close(both);
}

static void socket_that_cannot_listen_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(shield_raise(-1), -EBADF);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, end)
#define WITHOUT_FILTERS(name)                                                                      \
    {                                                                                              \
#name " without filters", name, start_without_filters, end, NULL                           \
    }
    const struct CMUnitTest tests[] = {
        CLAIM(bound_port_without_shield_is_refused_by_the_kernel),
        CLAIM(shielded_port_is_silent),
        CLAIM(shielded_port_is_not_given_to_another),
        CLAIM(shield_against_ipv4_lets_ipv6_connect),
        WITHOUT_FILTERS(shielded_port_is_silent),
        WITHOUT_FILTERS(shielded_port_is_not_given_to_another),
        WITHOUT_FILTERS(shield_against_ipv4_lets_ipv6_connect),
        CLAIM(socket_that_cannot_listen_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
