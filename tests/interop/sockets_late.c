/*
 * sockets_late.c - claims about what a program does with a socket before connect() or listen(),
 * when nobody knows yet whose it will be: copies, registrations, flags, signals.
 */
#include "tests/interop/claims.h"
#include <inttypes.h>

static int connect_this(int fd)
{
    struct sockaddr_in address = address_of(port_in_use);
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

static bool copies_made_before_connect_are_connected(void)
{
    int listener = listen_on(++port_in_use, 5);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), copy = dup(fd);
    int high = fcntl(copy, F_DUPFD_CLOEXEC, 80), other = dup2(high, 90);
    int apart = socket(AF_INET, SOCK_STREAM, 0), apart_too = dup(apart);
    char got[4];
    MUST(high == 80 && other == 90);
    MUST(connect_this(copy) == -1 && errno == EINPROGRESS);
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0 && polled(fd, POLLOUT, SOON) == POLLOUT);
    MUST(fcntl(fd, F_GETFD) == 0 && fcntl(high, F_GETFD) == FD_CLOEXEC);
    MUST((fcntl(other, F_GETFL) & O_NONBLOCK) != 0);
    MUST(write(fd, "a", 1) == 1 && write(copy, "b", 1) == 1 && write(high, "c", 1) == 1 &&
         write(other, "d", 1) == 1);
    MUST(recv(server, got, 4, MSG_WAITALL) == 4 && memcmp(got, "abcd", 4) == 0);
    MUST(write(apart, "x", 1) == -1 && errno == EPIPE);
    MUST(close(copy) == 0 && close(fd) == 0 && close(high) == 0);
    MUST(polled(server, POLLIN, NOT) == 0);
    MUST(close(other) == 0 && read(server, got, 1) == 0);
    close(apart);
    close(apart_too);
    close(server);
    close(listener);
    return true;
}

static bool copies_made_before_listen_accept(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd), one = 1;
    struct sockaddr_in address = address_of(++port_in_use);
    setsockopt(copy, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    MUST(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 5) == 0);
    int client = connect_to(port_in_use, 0), server = accept(copy, NULL, NULL);
    MUST(client >= 0 && server >= 0);
    MUST(close(fd) == 0);
    int again = connect_to(port_in_use, 0), accepted = accept(copy, NULL, NULL);
    MUST(again >= 0 && accepted >= 0);
    MUST(write(again, "x", 1) == 1 && drain(accepted, 1));
    close(client);
    close(server);
    close(again);
    close(accepted);
    close(copy);
    return true;
}

/* What the kernel says that `set` watches `fd` for. */
static bool registered(int set, int fd, uint32_t *events, uint64_t *data)
{
    char name[64], line[256];
    int number;
    bool found = false;
    snprintf(name, sizeof name, "/proc/self/fdinfo/%d", set);
    FILE *file = fopen(name, "r");
    while (!found && file != NULL && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "tfd: %d events: %" SCNx32 " data: %" SCNx64, &number, events, data) ==
                    3 &&
                number == fd;
    if (file != NULL)
        fclose(file);
    return found;
}

static bool registrations_survive_with_every_bit(void)
{
    static const uint32_t kinds[] = {
        EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        EPOLLIN | EPOLLONESHOT,
        EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE | EPOLLET,
        EPOLLRDNORM | EPOLLWRNORM | EPOLLRDBAND | EPOLLMSG,
    };
    int listener = listen_on(++port_in_use, 5);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd);
        int set = epoll_create1(0), other = epoll_create1(0);
        struct epoll_event one = {.events = kinds[i], .data.u64 = UINT64_C(0xfedcba9876543210) + i};
        struct epoll_event two = {.events = EPOLLIN, .data.u64 = 7};
        uint32_t events, before;
        uint64_t data;
        MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &one) == 0);
        MUST(epoll_ctl(set, EPOLL_CTL_ADD, copy, &two) == 0);
        MUST(epoll_ctl(other, EPOLL_CTL_ADD, fd, &two) == 0);
        MUST(registered(set, fd, &before, &data) && data == one.data.u64);
        MUST(connect_this(fd) == 0);
        MUST(registered(set, fd, &events, &data) && events == before && data == one.data.u64);
        MUST(registered(set, copy, &events, &data) && data == 7);
        MUST(registered(other, fd, &events, &data) && data == 7);
        MUST(epoll_ctl(set, EPOLL_CTL_ADD, copy, &two) == -1 && errno == EEXIST);
        MUST(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL) == 0);
        int server = accept(listener, NULL, NULL);
        MUST(write(server, "x", 1) == 1);
        struct epoll_event told = {0};
        MUST(epoll_wait(set, &told, 1, SOON) == 1 && told.data.u64 == 7);
        MUST(epoll_wait(other, &told, 1, SOON) == 1 && told.events == EPOLLIN);
        MUST(epoll_ctl(set, EPOLL_CTL_DEL, copy, NULL) == 0);
        MUST(!registered(set, copy, &events, &data));
        close(set);
        close(other);
        close(fd);
        close(copy);
        close(server);
    }
    close(listener);
    return true;
}

/* ------------------------------------------------------------------ SIGIO */

static volatile sig_atomic_t signals_seen, descriptor_seen, bands_seen;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    descriptor_seen = info->si_fd;
    bands_seen |= (int)info->si_band;
    signals_seen++;
}

static bool signal_comes(int bands)
{
    for (long long end = now_ms() + SOON; now_ms() < end; usleep(1000))
        if (signals_seen > 0 && (bands_seen & bands) == bands)
            return true;
    return false;
}

/* Each time data come, whether they have been read or not. */
static bool arrivals_are_signalled(int fd, int peer, int signal_number)
{
    for (int i = 0; i < 5; i++) {
        char got[8];
        signals_seen = bands_seen = descriptor_seen = 0;
        MUST(write(peer, "x", 1) == 1);
        MUST(signal_comes(signal_number == SIGIO ? 0 : POLLIN));
        MUST(signal_number == SIGIO || descriptor_seen == fd);
        MUST(i % 2 == 0 || recv(fd, got, sizeof got, MSG_DONTWAIT) > 0);
    }
    return true;
}

static bool sets_owner(int fd, int signal_number)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    return sigaction(signal_number, &action, NULL) == 0 && fcntl(fd, F_SETOWN, getpid()) == 0 &&
           (signal_number == SIGIO || fcntl(fd, F_SETSIG, signal_number) == 0);
}

static bool data_are_signalled_to_the_owner(void)
{
    struct ends ends;
    int on = 1;
    MUST(make(&ends));
    MUST(sets_owner(ends.server, SIGIO));
    MUST(fcntl(ends.server, F_SETFL, fcntl(ends.server, F_GETFL) | O_ASYNC) == 0);
    MUST((fcntl(ends.server, F_GETFL) & O_ASYNC) != 0 && fcntl(ends.server, F_GETOWN) == getpid());
    MUST(arrivals_are_signalled(ends.server, ends.client, SIGIO));
    MUST(fcntl(ends.server, F_SETFL, O_RDWR) == 0);
    poll(NULL, 0, NOT);
    signals_seen = 0;
    MUST(write(ends.client, "x", 1) == 1 && polled(ends.server, POLLIN, SOON) == POLLIN);
    poll(NULL, 0, NOT);
    MUST(signals_seen == 0);
    MUST(sets_owner(ends.client, SIGRTMIN + 1) && ioctl(ends.client, FIOASYNC, &on) == 0);
    MUST(arrivals_are_signalled(ends.client, ends.server, SIGRTMIN + 1));
    signals_seen = bands_seen = 0;
    MUST(shutdown(ends.server, SHUT_RDWR) == 0 && signal_comes(POLLIN));
    signal(SIGIO, SIG_DFL);
    signal(SIGRTMIN + 1, SIG_DFL);
    drop(&ends);
    return true;
}

static bool signals_asked_for_before_connect_come_after(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = address_of(++port_in_use);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    MUST(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(sets_owner(listener, SIGRTMIN + 1));
    MUST(fcntl(listener, F_SETFL, O_RDWR | O_ASYNC) == 0 && listen(listener, 5) == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    MUST(sets_owner(fd, SIGRTMIN + 2));
    MUST(fcntl(fd, F_SETFL, O_RDWR | O_ASYNC | O_NONBLOCK) == 0);
    signals_seen = bands_seen = 0;
    MUST(connect_this(fd) == -1 && errno == EINPROGRESS);
    MUST(signal_comes(POLLOUT)); /* it is connected */
    MUST(polled(listener, POLLIN, SOON) == POLLIN);
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0 && (fcntl(server, F_GETFL) & O_ASYNC) == 0);
    MUST(fcntl(fd, F_GETSIG) == SIGRTMIN + 2);
    MUST((fcntl(fd, F_GETFL) & (O_ASYNC | O_NONBLOCK)) == (O_ASYNC | O_NONBLOCK));
    MUST(arrivals_are_signalled(fd, server, SIGRTMIN + 2));
    signals_seen = bands_seen = 0;
    int another = connect_to(port_in_use, 0);
    MUST(another >= 0 && signal_comes(POLLIN) && descriptor_seen == listener);
    signal(SIGRTMIN + 1, SIG_DFL);
    signal(SIGRTMIN + 2, SIG_DFL);
    close(another);
    close(fd);
    close(server);
    close(listener);
    return true;
}

static const struct claim claims[] = {
    CLAIM(copies_made_before_connect_are_connected),    CLAIM(copies_made_before_listen_accept),
    CLAIM(registrations_survive_with_every_bit),        CLAIM(data_are_signalled_to_the_owner),
    CLAIM(signals_asked_for_before_connect_come_after),
};

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
