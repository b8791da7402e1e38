#include "preload/leftover.h"

#include "preload/engine.h"
#include "preload/real.h"
#include "preload/settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAMES_MAX 64 /* ports at once; more are not told of */

static struct {
    uint16_t port; /* 0: free */
    bool wanted;
    int fd; /* -1: another engine has the name */
} names[NAMES_MAX];

static bool any; /* there may be such connections */

/* What uses a port in this stack. */
enum { CONNECTIONS = 1, LISTENER = 2 };
static uint8_t uses[UINT16_MAX + 1];

/* A socket with the port's name, or -errno. */
static int take_name(uint16_t port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "daytona-port-%u", port);
    int fd = real.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (real.bind(fd, (struct sockaddr *)&name,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0)
        return fd;
    int error = errno;
    real.close(fd);
    return -error;
}

bool leftover_is(uint16_t port)
{
    int fd = take_name(port);
    if (fd >= 0)
        real.close(fd);
    return fd == -EADDRINUSE;
}

static void want(uint16_t port)
{
    size_t place = NAMES_MAX;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names[i].port == port) {
            names[i].wanted = true;
            return;
        }
        if (names[i].port == 0)
            place = i;
    }
    if (place == NAMES_MAX)
        return;
    names[place].port = port;
    names[place].wanted = true;
    names[place].fd = -1;
}

static bool is_chosen_by_us(uint16_t port)
{
    return settings.connect.count > 0 && port >= settings.port_range.low &&
           port <= settings.port_range.high;
}

static void look_at_sockets(void)
{
    struct daytona_socket_id id = {0, 0};
    struct daytona_connection_info info;
    while (daytona_stack_next(engine.stack, &id)) {
        if (daytona_stack_info(engine.stack, engine_now(), id, &info) < 0 ||
            info.state == DAYTONA_TCP_CLOSED || is_chosen_by_us(info.local.port))
            continue;
        uses[info.local.port] |= info.state == DAYTONA_TCP_LISTEN ? LISTENER : CONNECTIONS;
    }
}

void leftover_begin(void)
{
    any = settings.rules == SETTINGS_RULES_ON; /* else nobody else can listen there meanwhile */
}

/* A name that another engine has is tried again each time: that may end first. */
static void settle(void)
{
    any = false;
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names[i].port == 0)
            continue;
        if (names[i].wanted && names[i].fd < 0)
            names[i].fd = take_name(names[i].port);
        if (!names[i].wanted && names[i].fd >= 0)
            real.close(names[i].fd);
        if (!names[i].wanted)
            names[i].port = 0;
        any = any || names[i].wanted;
        names[i].wanted = false;
    }
}

void leftover_look(void)
{
    if (!any)
        return;
    for (unsigned port = 0; port <= UINT16_MAX; port++)
        uses[port] = 0;
    look_at_sockets();
    for (unsigned port = 1; port <= UINT16_MAX; port++)
        if (uses[port] == CONNECTIONS)
            want((uint16_t)port);
    settle();
}
