#include "preload/client.h"

#include "preload/engine.h"
#include "preload/log.h"
#include "preload/native.h"
#include "preload/ready.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/server.h"
#include "preload/settings.h"
#include "preload/signatures.h"
#include "preload/wait.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define DESCRIPTORS_NOTED ((uint32_t)1 << 16)

/* Which descriptors of this process are listeners that it has got from a server. */
static _Atomic uint8_t listeners[DESCRIPTORS_NOTED / 8];
static atomic_int listener_count;

/* ------------------------------------------------------------------ the server */

/* The abstract name of the server that has made this process's first twin. A forked child that has
 * changed its root directory finds no path any more, or has become a user who may not go there. */
static struct sockaddr_un known_name;
static _Atomic socklen_t known_length; /* 0: not known yet */
static atomic_flag known_by_somebody = ATOMIC_FLAG_INIT;

static void remember_server(int twin)
{
    struct twin_name ignored;
    struct sockaddr_un name;
    socklen_t length;
    if (atomic_load(&known_length) != 0 || !twin_identify(twin, &ignored, &name, &length) ||
        atomic_flag_test_and_set(&known_by_somebody))
        return;
    known_name = name;
    atomic_store(&known_length, length);
}

static int reach_server(void)
{
    int through = server_reach_front(settings.server_socket);
    socklen_t length = atomic_load(&known_length);
    if (through >= 0 || length == 0)
        return through;
    int other = remote_reach(&known_name, length);
    return other >= 0 ? other : through;
}

static const char *what_follows(void)
{
    return settings.fallback == SETTINGS_FALLBACK_FAIL ? "the program ends (DAYTONA_FALLBACK=fail)"
                                                       : "the socket stays on the kernel's TCP";
}

static int refuse(int status, const struct remote_answer *answer)
{
    if (status == -EPROTONOSUPPORT)
        log_once(LOG_LEVEL_ERROR,
                 "the server at %s is of version %.16s, this library of version " SERVER_VERSION
                 "; %s",
                 settings.server_socket, answer->version, what_follows());
    else if (status == REMOTE_NOT_SERVED)
        log_once(LOG_LEVEL_ERROR,
                 "the server at %s was started without the ports that this program uses; %s",
                 settings.server_socket, what_follows());
    else
        log_once(LOG_LEVEL_ERROR,
                 "no server answers at %s (%s): `daytona server` or `daytona run --server` starts "
                 "one; %s",
                 settings.server_socket, strerror(-status), what_follows());
    return CLIENT_REFUSED;
}

/* Keys of signatures were told to the kernel, which tells nobody. How many; -errno. */
static int tell_keys(int through, int fd)
{
    struct remote_request request = {.version = SERVER_VERSION, .what = REMOTE_KEY};
    struct signature_said said;
    int count = 0;
    for (; signatures_said(fd, (size_t)count, &said); count++) {
        struct remote_answer answer;
        int ignored;
        request.option = said.option;
        request.length = said.length;
        memcpy(request.value, said.value, sizeof said.value);
        int status = remote_call(through, &request, fd, &answer, &ignored);
        if (status < 0 || answer.result < 0)
            return status < 0 ? status : answer.result;
    }
    return count;
}

/* Asks for a twin. What comes from now on, through the socket that is returned in *through, is the
 * outcome of connect(). CLIENT_REFUSED, -errno, 0 or -EINPROGRESS; *twin -1: none. */
static int ask(const struct candidate *candidate, struct remote_request *request, int *through,
               int *twin)
{
    struct remote_answer answer = {.version = "unknown"};
    *twin = -1;
    *through = reach_server();
    int status = *through < 0 ? *through : tell_keys(*through, candidate->fd);
    request->level = status;
    if (status >= 0)
        status = remote_call(*through, request, candidate->fd, &answer, twin);
    if (status < 0 || answer.result == -EPROTONOSUPPORT || answer.result > 0)
        return refuse(status < 0 ? status : answer.result, &answer);
    /* It was sent, but there is no number for it here: it is dropped, and the server sees that. */
    if (*twin < 0 && (answer.result == 0 || answer.result == -EINPROGRESS))
        return -EMFILE;
    if (answer.result == -ENOBUFS)
        log_once(LOG_LEVEL_ERROR,
                 "the server at %s has no room for more sockets of this user, who has his share: "
                 "listen() and connect() fail until some are closed",
                 settings.server_socket);
    if (*twin >= 0)
        remember_server(*twin);
    return answer.result;
}

/* ------------------------------------------------------------------ changing places */

static void note_places(const struct places *places, bool twins)
{
    for (size_t i = 0; i < places->count; i++)
        if (twins)
            native_note(places->each[i].fd);
        else
            native_forget(places->each[i].fd);
}

/* The kernel socket's numbers become the twin's, or its own again. */
static int change_places(struct candidate *candidate, int twin, bool is_twin)
{
    places_take(candidate->fd, &candidate->places);
    int status = places_give(&candidate->places, twin);
    if (candidate->places.async)
        real.fcntl(candidate->fd, F_SETFL, real.fcntl(candidate->fd, F_GETFL) | O_ASYNC);
    places_watch(&candidate->places);
    note_places(&candidate->places, is_twin);
    real.close(twin);
    return status;
}

static void read_flags(struct candidate *candidate)
{
    candidate->nonblocking = (real.fcntl(candidate->fd, F_GETFL) & O_NONBLOCK) != 0;
}

/* ------------------------------------------------------------------ listening */

static void note_listener(int fd)
{
    if (fd < 0 || (uint32_t)fd >= DESCRIPTORS_NOTED)
        return;
    uint8_t bit = (uint8_t)(1 << fd % 8);
    if ((atomic_fetch_or(&listeners[fd / 8], bit) & bit) == 0)
        atomic_fetch_add(&listener_count, 1);
}

bool client_has_listener(int fd, struct twin_name *name)
{
    struct sockaddr_un ignored;
    socklen_t length;
    if (atomic_load(&listener_count) == 0 || fd < 0 || (uint32_t)fd >= DESCRIPTORS_NOTED)
        return false;
    uint8_t bit = (uint8_t)(1 << fd % 8);
    if ((atomic_fetch_and(&listeners[fd / 8], (uint8_t)~bit) & bit) == 0)
        return false;
    atomic_fetch_sub(&listener_count, 1);
    return twin_identify(fd, name, &ignored, &length);
}

void client_closed_listener(const struct twin_name *name)
{
    struct remote_request request = {.what = REMOTE_CLOSED, .connection = *name};
    struct remote_answer answer;
    int saved = errno, ignored, through = reach_server();
    if (through >= 0) {
        remote_call(through, &request, -1, &answer, &ignored);
        real.close(through);
    }
    errno = saved;
}

int client_listen(struct candidate *candidate, int backlog)
{
    struct remote_request request = {
        .version = SERVER_VERSION, .what = REMOTE_LISTEN, .option = backlog};
    int through, twin;
    read_flags(candidate);
    int status = ask(candidate, &request, &through, &twin);
    if (through >= 0)
        real.close(through);
    if (status != 0 || twin < 0)
        return status;
    status = change_places(candidate, twin, true);
    if (status == 0) {
        note_listener(candidate->fd);
        log_line(LOG_LEVEL_INFO, "listening on port %u", (unsigned)candidate->local.port);
    }
    return status;
}

/* ------------------------------------------------------------------ connecting */

static uint64_t send_timeout_us(int fd)
{
    struct timeval time = {0};
    socklen_t length = sizeof time;
    real.getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, &length);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* Until the server tells the outcome, or is gone, which the twin shows. */
static int wait_outcome(int through, int fd, uint64_t timeout_us, int *returned)
{
    struct pollfd entries[] = {{.fd = through, .events = POLLIN}, {.fd = fd, .events = 0}};
    struct daytona_instant end = daytona_instant_after_us(engine_now(), timeout_us);
    struct remote_answer answer;
    for (;;) {
        uint64_t now = engine_now().ns, left = now < end.ns ? end.ns - now : 0;
        struct timespec timeout = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
        int ready = real.ppoll(entries, 2, timeout_us == 0 ? NULL : &timeout, NULL);
        if (ready < 0 && (timeout_us != 0 || !wait_restarts()))
            return -EINTR;
        if (ready == 0)
            return -EINPROGRESS; /* SO_SNDTIMEO, as in Linux */
        if (ready > 0 && remote_hear(through, &answer, returned) == 0)
            return answer.result;
        if (ready > 0 && (entries[0].revents & POLLIN) == 0)
            return -ECONNRESET;
    }
}

int client_connect(struct candidate *candidate, const struct daytona_endpoint *remote, bool fast)
{
    struct remote_request request = {.version = SERVER_VERSION,
                                     .what = fast ? REMOTE_CONNECT_FAST : REMOTE_CONNECT};
    int through, twin;
    static_assert(sizeof *remote <= sizeof request.value, "an endpoint fits");
    read_flags(candidate);
    request.waits = !candidate->nonblocking;
    request.length = sizeof *remote;
    memcpy(request.value, remote, sizeof *remote);
    uint64_t timeout_us = send_timeout_us(candidate->fd);
    int status = ask(candidate, &request, &through, &twin);
    if (twin >= 0) {
        int moved = change_places(candidate, twin, true);
        status = moved < 0 ? moved : status;
    }
    int returned = -1;
    if (status == -EINPROGRESS && !candidate->nonblocking)
        status = wait_outcome(through, candidate->fd, timeout_us, &returned);
    if (returned >= 0)
        change_places(candidate, returned, false);
    if (through >= 0)
        real.close(through);
    return status;
}

bool client_connect_again(int fd, int *result)
{
    struct candidate again = {.fd = fd};
    int returned = -1;
    bool served = remote_connect(fd, result, &returned);
    if (returned >= 0)
        change_places(&again, returned, false);
    return served;
}
