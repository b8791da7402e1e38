/*
 * sockets_flow.c - claims about the options that say when data move, and how much of them.
 */
#include "tests/interop/claims.h"
#include <linux/sockios.h>
#include <netinet/in.h>

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static int get(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 ? value : -errno;
}

static int asked(int fd, unsigned long request)
{
    int value = -1;
    return ioctl(fd, request, &value) == 0 ? value : -errno;
}

/* Whether ioctl's answer becomes `wanted` soon. */
static bool becomes(int fd, unsigned long request, int wanted)
{
    for (long long end = now_ms() + SOON; now_ms() < end; usleep(2000))
        if (asked(fd, request) == wanted)
            return true;
    return false;
}

/* ------------------------------------------------------------------ sending */

/* Writes until so much waits unsent, `*waits`, and no more can be written; a slow machine goes on
 * sending after fill() has given up. How much was written, 0: it never came to that. */
static size_t fill_up(int fd, int unsent, int *waits)
{
    size_t bytes = 0;
    for (long long end = now_ms() + 5 * SOON; now_ms() < end;) {
        bytes += fill(fd);
        *waits = asked(fd, SIOCOUTQNSD);
        if (*waits >= unsent && polled(fd, POLLOUT, 0) == 0)
            return bytes;
    }
    return 0;
}

static bool not_sent_low_water_bounds_what_waits(void)
{
    enum { LOW = 16384, SKBS = 262144 };
    struct ends ends;
    MUST(make(&ends));
    MUST(get(ends.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 0);
    MUST(set(ends.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, LOW));
    MUST(get(ends.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == LOW);
    MUST(polled(ends.client, POLLOUT, 0) == POLLOUT);
    int waits;
    size_t bytes = fill_up(ends.client, LOW, &waits);
    MUST(bytes > 0 && waits <= LOW + SKBS);
    MUST(drain(ends.server, bytes));
    MUST(becomes(ends.client, SIOCOUTQNSD, 0));
    MUST(polled(ends.client, POLLOUT, SOON) == POLLOUT);
    drop(&ends);
    return true;
}

static bool cork_holds_back_until_it_is_pulled(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(set(ends.client, IPPROTO_TCP, TCP_CORK, 1));
    MUST(write(ends.client, "some", 4) == 4);
    MUST(polled(ends.server, POLLIN, NOT) == 0);
    MUST(asked(ends.client, SIOCOUTQNSD) == 4 && asked(ends.client, SIOCOUTQ) == 4);
    MUST(set(ends.client, IPPROTO_TCP, TCP_CORK, 0));
    MUST(polled(ends.server, POLLIN, NOT) == POLLIN);
    MUST(asked(ends.server, SIOCINQ) == 4);
    drop(&ends);
    return true;
}

static bool corked_data_leave_after_200_ms(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(set(ends.client, IPPROTO_TCP, TCP_CORK, 1));
    long long begun = now_ms();
    MUST(write(ends.client, "some", 4) == 4);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(now_ms() - begun >= 150);
    drop(&ends);
    return true;
}

static bool more_holds_back_until_a_write_without_it(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(set(ends.client, IPPROTO_TCP, TCP_NODELAY, 1));
    MUST(send(ends.client, "some", 4, MSG_MORE) == 4);
    MUST(polled(ends.server, POLLIN, NOT) == 0);
    MUST(send(ends.client, "thing", 5, 0) == 5);
    MUST(polled(ends.server, POLLIN, NOT) == POLLIN);
    MUST(asked(ends.server, SIOCINQ) == 9);
    drop(&ends);
    return true;
}

static bool queues_are_told(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(asked(ends.client, SIOCOUTQ) == 0 && asked(ends.server, SIOCINQ) == 0);
    MUST(write(ends.client, "0123456789", 10) == 10);
    MUST(becomes(ends.server, SIOCINQ, 10));
    MUST(becomes(ends.client, SIOCOUTQ, 0));
    MUST(asked(ends.listener, SIOCINQ) == -EINVAL && asked(ends.listener, SIOCOUTQ) == -EINVAL);
    drop(&ends);
    return true;
}

static bool every_byte_is_with_the_sender_or_the_receiver(void)
{
    struct ends ends;
    MUST(make(&ends));
    size_t bytes = fill(ends.client);
    int sent = asked(ends.client, SIOCOUTQ);
    MUST(sent > 0 && (size_t)(sent + asked(ends.server, SIOCINQ)) >= bytes);
    MUST(asked(ends.client, SIOCOUTQNSD) <= asked(ends.client, SIOCOUTQ));
    MUST(drain(ends.server, bytes));
    MUST(becomes(ends.client, SIOCOUTQ, 0));
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ receiving */

static void *write_halves(void *context)
{
    for (int i = 0; i < 2; i++) {
        usleep(50000);
        ssize_t written = write(*(int *)context, "01234", 5);
        (void)written;
    }
    return NULL;
}

static bool low_water_makes_readers_wait(void)
{
    struct ends ends;
    char data[100];
    pthread_t thread;
    MUST(make(&ends));
    MUST(set(ends.server, SOL_SOCKET, SO_RCVLOWAT, 10));
    MUST(get(ends.server, SOL_SOCKET, SO_RCVLOWAT) == 10);
    MUST(pthread_create(&thread, NULL, write_halves, &ends.client) == 0);
    MUST(recv(ends.server, data, sizeof data, 0) == 10);
    pthread_join(thread, NULL);
    MUST(write(ends.client, "012345678", 9) == 9);
    MUST(becomes(ends.server, SIOCINQ, 9));
    MUST(polled(ends.server, POLLIN, NOT) == 0);
    MUST(write(ends.client, "9", 1) == 1);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(recv(ends.server, data, sizeof data, 0) == 10);
    MUST(write(ends.client, "abc", 3) == 3);
    MUST(becomes(ends.server, SIOCINQ, 3));
    MUST(recv(ends.server, data, sizeof data, MSG_DONTWAIT) == 3);
    MUST(write(ends.client, "abc", 3) == 3 && shutdown(ends.client, SHUT_WR) == 0);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN); /* no more will come */
    MUST(recv(ends.server, data, sizeof data, 0) == 3);
    drop(&ends);
    return true;
}

/* What TCP_INQ says with the next read of `bytes`; -1 nothing. */
static int hint(int fd, size_t bytes)
{
    char data[100];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {data, bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control};
    int told = -1;
    if (recvmsg(fd, &message, 0) < 0)
        return -1;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == IPPROTO_TCP && header->cmsg_type == TCP_CM_INQ)
        memcpy(&told, CMSG_DATA(header), sizeof told);
    return told;
}

static bool reads_tell_what_is_left_when_asked_to(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(write(ends.client, "0123456789", 10) == 10);
    MUST(becomes(ends.server, SIOCINQ, 10));
    MUST(hint(ends.server, 2) == -1);
    MUST(set(ends.server, IPPROTO_TCP, TCP_INQ, 1));
    MUST(get(ends.server, IPPROTO_TCP, TCP_INQ) == 1);
    MUST(hint(ends.server, 3) == 5);
    MUST(hint(ends.server, 5) == 0);
    MUST(write(ends.client, "x", 1) == 1 && shutdown(ends.client, SHUT_WR) == 0);
    MUST(polled(ends.server, POLLRDHUP, SOON) == POLLRDHUP);
    MUST(hint(ends.server, 1) == 1); /* the end is to be read */
    drop(&ends);
    return true;
}

static bool urgent_mark_stops_what_is_readable(void)
{
    struct ends ends;
    char data[16];
    MUST(make(&ends));
    MUST(write(ends.client, "abc", 3) == 3);
    MUST(send(ends.client, "de", 2, MSG_OOB) == 2);
    MUST(write(ends.client, "fgh", 3) == 3);
    MUST(becomes(ends.client, SIOCOUTQ, 0));
    MUST(polled(ends.server, POLLPRI, SOON) == POLLPRI);
    MUST(asked(ends.server, SIOCINQ) == 4);
    MUST(asked(ends.server, SIOCATMARK) == 0);
    MUST(recv(ends.server, data, sizeof data, 0) == 4);
    MUST(asked(ends.server, SIOCATMARK) == 1);
    MUST(asked(ends.server, SIOCINQ) == 0);
    MUST(recv(ends.server, data, sizeof data, MSG_OOB) == 1 && data[0] == 'e');
    MUST(recv(ends.server, data, sizeof data, 0) == 3);
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ connecting */

static bool deferred_accept_waits_for_the_first_data(void)
{
    int listener = listen_on(++port_in_use, 5);
    MUST(get(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 0);
    MUST(set(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
    MUST(get(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT) == 7); /* 1 + 2 + 4 seconds */
    MUST(set_nonblocking(listener));
    int client = connect_to(port_in_use, 0);
    MUST(client >= 0);
    MUST(polled(listener, POLLIN, NOT) == 0);
    MUST(write(client, "hello", 5) == 5);
    MUST(polled(listener, POLLIN, SOON) == POLLIN);
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0);
    MUST(asked(server, SIOCINQ) == 5);
    close(client);
    close(server);
    close(listener);
    return true;
}

static bool segment_size_that_was_asked_for_is_used(void)
{
    int listener = listen_on(++port_in_use, 5), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = address_of(port_in_use);
    MUST(set(client, IPPROTO_TCP, TCP_MAXSEG, 1000));
    MUST(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0);
    MUST(get(client, IPPROTO_TCP, TCP_MAXSEG) == 988); /* timestamps take twelve */
    MUST(get(server, IPPROTO_TCP, TCP_MAXSEG) == 988);
    close(client);
    close(server);
    close(listener);
    return true;
}

static bool path_options_are_kept_by_a_connection(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(get(ends.client, IPPROTO_IP, IP_MTU) == 65535);
    MUST(get(ends.client, IPPROTO_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_WANT);
    for (int value = 0; value <= 5; value++) {
        MUST(set(ends.client, IPPROTO_IP, IP_MTU_DISCOVER, value));
        MUST(get(ends.client, IPPROTO_IP, IP_MTU_DISCOVER) == value);
        MUST(write(ends.client, "x", 1) == 1 && drain(ends.server, 1));
    }
    MUST(!set(ends.client, IPPROTO_IP, IP_MTU_DISCOVER, 6) && errno == EINVAL);
    MUST(set(ends.client, IPPROTO_IP, IP_RECVERR, 1));
    MUST(get(ends.client, IPPROTO_IP, IP_RECVERR) == 1);
    char data[10];
    MUST(recv(ends.client, data, sizeof data, MSG_ERRQUEUE) == -1 && errno == EAGAIN);
    MUST(set(ends.client, IPPROTO_IP, IP_TTL, 7) && get(ends.client, IPPROTO_IP, IP_TTL) == 7);
    MUST(write(ends.client, "x", 1) == 1 && drain(ends.server, 1));
    drop(&ends);
    return true;
}

static bool options_of_a_connection_are_bounded_alike(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(!set(ends.client, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0) && errno == EINVAL);
    MUST(get(ends.client, IPPROTO_TCP, TCP_LINGER2) == 60);
    MUST(set(ends.client, IPPROTO_TCP, TCP_LINGER2, 100000));
    MUST(get(ends.client, IPPROTO_TCP, TCP_LINGER2) == 120);
    MUST(set(ends.client, IPPROTO_TCP, TCP_LINGER2, -7));
    MUST(get(ends.client, IPPROTO_TCP, TCP_LINGER2) == -1);
    MUST(set(ends.client, IPPROTO_TCP, TCP_QUICKACK, 0));
    MUST(get(ends.client, IPPROTO_TCP, TCP_QUICKACK) == 0);
    MUST(set(ends.client, IPPROTO_TCP, TCP_QUICKACK, 1));
    MUST(get(ends.client, IPPROTO_TCP, TCP_QUICKACK) == 1);
    MUST(!set(ends.client, IPPROTO_TCP, TCP_SYNCNT, 0) && errno == EINVAL);
    MUST(!set(ends.client, IPPROTO_TCP, TCP_TIMESTAMP, 1) && errno == EPERM);
    MUST(setsockopt(ends.client, IPPROTO_TCP, TCP_ULP, "nothing", 7) == -1 && errno == ENOENT);
    char info[300];
    socklen_t length = sizeof info;
    MUST(getsockopt(ends.client, IPPROTO_TCP, TCP_ULP, info, &length) == 0 && length == 0);
    drop(&ends);
    return true;
}

static const struct claim claims[] = {
    CLAIM(not_sent_low_water_bounds_what_waits),
    CLAIM(cork_holds_back_until_it_is_pulled),
    CLAIM(corked_data_leave_after_200_ms),
    CLAIM(more_holds_back_until_a_write_without_it),
    CLAIM(queues_are_told),
    CLAIM(every_byte_is_with_the_sender_or_the_receiver),
    CLAIM(low_water_makes_readers_wait),
    CLAIM(reads_tell_what_is_left_when_asked_to),
    CLAIM(urgent_mark_stops_what_is_readable),
    CLAIM(deferred_accept_waits_for_the_first_data),
    CLAIM(segment_size_that_was_asked_for_is_used),
    CLAIM(path_options_are_kept_by_a_connection),
    CLAIM(options_of_a_connection_are_bounded_alike),
};

int main(int count, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
