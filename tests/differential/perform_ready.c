/*
 * perform_ready.c - operations that ask for readiness, and a look at a descriptor.
 */
#include "tests/differential/perform.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 16
#define MANY       32768 /* unread bytes: how many fit is everybody's own affair */

static int word(const struct request *request, int which)
{
    return request->operation.words[which];
}

static void say_events(struct answer *answer, int events)
{
    words_print('e', events, answer->text, sizeof answer->text);
}

long perform_poll(const struct request *request, struct answer *answer)
{
    struct pollfd entry = {.fd = word(request, 0), .events = (short)word(request, 1)};
    long result = poll(&entry, 1, word(request, 2));
    answer_say(answer, " ");
    say_events(answer, result < 0 ? 0 : entry.revents);
    return result;
}

long perform_select(const struct request *request, struct answer *answer)
{
    fd_set sets[3];
    struct timeval timeout = {word(request, 2) / 1000, word(request, 2) % 1000 * 1000};
    const int wanted[3] = {EPOLLIN, EPOLLOUT, EPOLLPRI};
    int fd = word(request, 0);
    if (fd < 0 || fd >= FD_SETSIZE)
        return 0;
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        if ((word(request, 1) & wanted[i]) != 0)
            FD_SET(fd, &sets[i]);
    }
    long result =
        select(fd + 1, &sets[0], &sets[1], &sets[2], word(request, 2) < 0 ? NULL : &timeout);
    if (result >= 0)
        answer_say(answer, " in %d out %d except %d", FD_ISSET(fd, &sets[0]) != 0,
                   FD_ISSET(fd, &sets[1]) != 0, FD_ISSET(fd, &sets[2]) != 0);
    return result;
}

long perform_epoll(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    return epoll_create1(0);
}

long perform_epoll_ctl(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct epoll_event event = {.events = (uint32_t)word(request, 3), .data.fd = word(request, 2)};
    return epoll_ctl(word(request, 0), word(request, 1), word(request, 2), &event);
}

long perform_epoll_wait(const struct request *request, struct answer *answer)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(word(request, 0), events, EVENTS_MAX, word(request, 1));
    for (int i = 0; i < count; i++) {
        answer_say(answer, " %d:", events[i].data.fd);
        say_events(answer, (int)events[i].events);
    }
    return count;
}

/* ------------------------------------------------------------------ looks */

#define LOOKED_FOR (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)

static const char *state_of(int fd)
{
    static const char *const names[] = {"?",          "ESTABLISHED", "SYN-SENT",  "SYN-RECEIVED",
                                        "FIN-WAIT",   "FIN-WAIT",    "TIME-WAIT", "CLOSED",
                                        "CLOSE-WAIT", "LAST-ACK",    "LISTEN",    "CLOSING"};
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return strerrorname_np(errno);
    return info.tcpi_state < sizeof names / sizeof names[0] ? names[info.tcpi_state] : "?";
}

void perform_look(int fd, struct answer *answer)
{
    struct pollfd entry = {.fd = fd, .events = LOOKED_FOR};
    int unread = -1;
    poll(&entry, 1, 0);
    answer_say(answer, " %d:", fd);
    say_events(answer, entry.revents);
    if (ioctl(fd, FIONREAD, &unread) == 0 && unread < MANY)
        answer_say(answer, "/%d", unread);
    else if (unread >= MANY)
        answer_say(answer, "/many");
    if (unread >= 0)
        answer_say(answer, "/%s", state_of(fd));
}
