#include "preload/control.h"

#include "preload/engine.h"
#include "preload/profile.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/record.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <daytona/control.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ASKERS_MAX       16
#define REQUESTS_AT_ONCE 32

static int listener = -1,
           watched = -1; /* watched: epoll of the listener and of who has connected */
static int asker_count;

/* ------------------------------------------------------------------ the socket */

/* bind() gives the file the mode that the process's mask leaves, so for a moment it may be open to
 * others: they are known by their credentials, too. */
static int listen_at(const struct sockaddr_un *name)
{
    int fd = real.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (real.bind(fd, (const struct sockaddr *)name, sizeof *name) < 0 ||
        chmod(name->sun_path, 0600) < 0 || real.listen(fd, ASKERS_MAX) < 0) {
        real.close(fd);
        return -1;
    }
    return fd;
}

static bool watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return real.epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event) == 0;
}

int control_open(void)
{
    char path[SETTINGS_FILE_MAX + 64];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct text text = text_begin(path, sizeof path);
    text_add_format(&text, "%s/%s.control", settings.record_directory, record_name());
    listener = watched = -1;
    asker_count = 0;
    if (record_name()[0] == '\0' || text.length >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, path, text.length);
    listener = listen_at(&name);
    watched = epoll_create1(EPOLL_CLOEXEC);
    return listener >= 0 && watched >= 0 && watch(listener) ? watched : -1;
}

static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t length = sizeof who;
    return real.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 &&
           (who.uid == 0 || who.uid == geteuid());
}

static void welcome(void)
{
    int fd = real.accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (asker_count < ASKERS_MAX && may_ask(fd) && watch(fd))
        asker_count++;
    else
        real.close(fd);
}

/* ------------------------------------------------------------------ requests */

static int do_request(struct daytona_control_request *request)
{
    struct daytona_instant now = engine_now();
    request->name[sizeof request->name - 1] = '\0';
    switch ((enum daytona_control_verb)request->verb) {
    case DAYTONA_CONTROL_REFRESH:
        record_write(now);
        return 0;
    case DAYTONA_CONTROL_PROFILE:
        return profile_switch(request->value != 0);
    case DAYTONA_CONTROL_SET_OPTION:
        return daytona_stack_set_option(engine.stack, now, request->id,
                                        (enum daytona_option)request->option, request->value);
    case DAYTONA_CONTROL_SET_CONGESTION:
        return daytona_stack_set_congestion(engine.stack, now, request->id, request->name);
    }
    return -EOPNOTSUPP;
}

/* False: the asker is to be let go of. */
static bool serve(int fd)
{
    struct daytona_control_request request;
    for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
        ssize_t got = real.recv(fd, &request, sizeof request, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (got != (ssize_t)sizeof request)
            return false;
        const struct daytona_control_answer answer = {do_request(&request)};
        pump_output();
        if (real.send(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            return false;
    }
    return true;
}

void control_serve(void)
{
    struct epoll_event events[ASKERS_MAX];
    int count = real.epoll_wait(watched, events, ASKERS_MAX, 0);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        if (fd == listener) {
            welcome();
        } else if (!serve(fd)) {
            real.close(fd);
            asker_count--;
        }
    }
}
