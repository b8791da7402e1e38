/* The kernel's TCP as a subject: sockets in a namespace whose only way out is a tun device. */
#include "tests/conformance/subject.h"
#include "tests/conformance/tun.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INFINITE_SSTHRESH 0x7fffffffu /* Linux TCP_INFINITE_SSTHRESH */

static uint64_t in_us(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t now_us(void *context)
{
    struct timespec time;
    (void)context;
    clock_gettime(CLOCK_REALTIME, &time);
    return in_us(time);
}

static void inject(void *context, const uint8_t *packet, size_t length)
{
    const struct tun *tun = context;
    if (write(tun->device, packet, length) != (ssize_t)length) {
        perror("tun device");
        abort();
    }
}

/* What is seen on the tap must be taken from the device too, or its queue fills up. */
static void drain(const struct tun *tun)
{
    static uint8_t scrap[WIRE_PACKET_MAX];
    while (read(tun->device, scrap, sizeof scrap) > 0) {
    }
}

/* The next packet of the host that the tap has, 0 when there is none now. */
static size_t tapped(const struct tun *tun, uint8_t out[WIRE_PACKET_MAX], uint64_t *at_us)
{
    struct sockaddr_ll from;
    uint8_t control[256];
    static uint8_t packet[WIRE_PACKET_MAX];
    struct iovec room = {packet, sizeof packet};
    for (;;) {
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &room,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(tun->tap, &message, 0);
        if (length <= 0)
            return 0;
        if (from.sll_pkttype != PACKET_OUTGOING)
            continue;
        drain(tun);
        memcpy(out, packet, (size_t)length);
        *at_us = now_us(NULL);
        for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL;
             part = CMSG_NXTHDR(&message, part)) {
            if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPNS) {
                struct timespec time;
                memcpy(&time, CMSG_DATA(part), sizeof time);
                *at_us = in_us(time);
            }
        }
        return (size_t)length;
    }
}

static size_t take(void *context, uint64_t until_us, uint8_t out[WIRE_PACKET_MAX], uint64_t *at_us)
{
    const struct tun *tun = context;
    for (;;) {
        uint64_t now = now_us(NULL);
        size_t length = tapped(tun, out, at_us);
        if (length > 0)
            return length;
        if (now >= until_us) { /* looked once more after the time was over */
            *at_us = now;
            return 0;
        }
        struct pollfd wait = {.fd = tun->tap, .events = POLLIN};
        struct timespec left = {(time_t)((until_us - now) / 1000000),
                                (long)((until_us - now) % 1000000 * 1000)};
        ppoll(&wait, 1, &left, NULL);
    }
}

static const char *verdict(void *context)
{
    (void)context;
    return "";
}

static int or_errno(long result)
{
    return result < 0 ? -errno : (int)result;
}

static int open_socket(void)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return or_errno(fd);
}

static struct sockaddr_in end_of(uint32_t address, int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(address)};
}

static int bind_port(int fd, int port)
{
    struct sockaddr_in local = end_of(HOST_ADDRESS, port);
    return or_errno(bind(fd, (struct sockaddr *)&local, sizeof local));
}

static int connect_peer(int fd, int port)
{
    struct sockaddr_in remote = end_of(PEER_ADDRESS, port);
    return or_errno(connect(fd, (struct sockaddr *)&remote, sizeof remote));
}

static int set_option(const struct call *call)
{
    if (call->level == SOL_SOCKET && call->name == SO_LINGER) {
        struct linger linger = {call->value >= 0, call->value >= 0 ? call->value : 0};
        return or_errno(setsockopt(call->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    }
    return or_errno(
        setsockopt(call->socket, call->level, call->name, &call->value, sizeof call->value));
}

static int get_option(struct call *call)
{
    socklen_t length = sizeof call->value;
    call->value = 0;
    return or_errno(getsockopt(call->socket, call->level, call->name, &call->value, &length));
}

static int ready(int fd)
{
    static const int pairs[][2] = {
        {POLLIN, SUBJECT_READY_IN},       {POLLOUT, SUBJECT_READY_OUT},
        {POLLRDHUP, SUBJECT_READY_RDHUP}, {POLLHUP, SUBJECT_READY_HUP},
        {POLLERR, SUBJECT_READY_ERROR},   {POLLPRI, SUBJECT_READY_URGENT},
    };
    struct pollfd ask = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};
    int all = 0;
    if (poll(&ask, 1, 0) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        all |= (ask.revents & pairs[i][0]) != 0 ? pairs[i][1] : 0;
    return all;
}

static int info(struct call *call)
{
    struct tcp_info from = {0};
    socklen_t length = sizeof from;
    if (getsockopt(call->socket, IPPROTO_TCP, TCP_INFO, &from, &length) < 0)
        return -errno;
    call->info = (struct subject_info){
        .state = from.tcpi_state,
        .cwnd = from.tcpi_snd_cwnd,
        .ssthresh =
            from.tcpi_snd_ssthresh == INFINITE_SSTHRESH ? UINT32_MAX : from.tcpi_snd_ssthresh,
        .mss = from.tcpi_snd_mss,
        .backoff = from.tcpi_backoff,
        .probes = from.tcpi_probes,
        .rto_ms = from.tcpi_rto / 1000,
    };
    return 0;
}

static int abort_socket(int fd)
{
    struct linger linger = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return or_errno(close(fd));
}

static int pending_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    int result = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return result < 0 ? -errno : error;
}

static int make_call(void *context, struct call *call)
{
    int fd = call->socket;
    (void)context;
    switch (call->type) {
    case CALL_OPEN:
        return open_socket();
    case CALL_BIND:
        return bind_port(fd, call->value);
    case CALL_LISTEN:
        return or_errno(listen(fd, call->value));
    case CALL_ACCEPT:
        return or_errno(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    case CALL_CONNECT:
        return connect_peer(fd, call->value);
    case CALL_SEND:
        return or_errno(send(fd, call->bytes, call->length, call->flags | MSG_NOSIGNAL));
    case CALL_RECEIVE:
        return or_errno(recv(fd, call->bytes, call->length, call->flags));
    case CALL_SHUTDOWN:
        return or_errno(shutdown(fd, call->value));
    case CALL_CLOSE:
        return or_errno(close(fd));
    case CALL_ABORT:
        return abort_socket(fd);
    case CALL_SET:
        return set_option(call);
    case CALL_GET:
        return get_option(call);
    case CALL_QUEUED:
        return or_errno(ioctl(fd, (unsigned long)call->name, &call->value));
    case CALL_READY:
        return ready(fd);
    case CALL_ERROR:
        return pending_error(fd);
    case CALL_INFO:
        return info(call);
    case CALL_CONTROL:
        return or_errno(
            setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, call->text, (socklen_t)strlen(call->text)));
    }
    return -ENOSYS;
}

struct subject *subject_linux(const struct settings *settings, const char **why)
{
    static struct tun tun;
    static struct subject subject = {
        .name = "linux",
        .real_time = true,
        .context = &tun,
        .now_us = now_us,
        .inject = inject,
        .take = take,
        .verdict = verdict,
        .call = make_call,
    };
    static bool there; /* the network; nobody makes another one with other settings */
    if (!there)
        *why = tun_open(settings, &tun);
    there = there || *why == NULL;
    return there ? &subject : NULL;
}
