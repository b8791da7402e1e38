#include "preload/server.h"

#include "preload/candidate.h"
#include "preload/engine.h"
#include "preload/engine_thread.h"
#include "preload/linger.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/server_listeners.h"
#include "preload/server_returns.h"
#include "preload/settings.h"
#include "preload/shares.h"
#include "preload/shield.h"
#include "preload/twin.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>

/* How often to look whether somebody still holds the listeners, where nobody says so. */
#define LOOK_US ((uint64_t)250 * 1000)

/* ------------------------------------------------------------------ what it may have */

bool server_has_ports(struct daytona_port_span ports)
{
    for (size_t i = 0; i < engine.server->port_count; i++)
        if (engine.server->ports[i].low <= ports.low && engine.server->ports[i].high >= ports.high)
            return true;
    return false;
}

static bool has_port(uint16_t port)
{
    return server_has_ports((struct daytona_port_span){port, port});
}

/* ------------------------------------------------------------------ the twin */

static void set_timeout(int fd, int option, uint64_t us)
{
    struct timeval time = {.tv_sec = (time_t)(us / 1000000u),
                           .tv_usec = (suseconds_t)(us % 1000000u)};
    if (us != 0)
        real.setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

/* As Linux says it when there is no memory for a socket. */
static bool has_room_for(uid_t user)
{
    engine_thread_lock();
    bool room = shares_may_take(user);
    engine_thread_unlock();
    return room;
}

/* ------------------------------------------------------------------ listening */

static int open_listener(struct candidate *candidate, int backlog, uid_t user, int *twin,
                         bool *taken)
{
    struct file *file = NULL;
    if (candidate->local.port == 0 || !has_port(candidate->local.port))
        return REMOTE_NOT_SERVED;
    if (!has_room_for(user))
        return -ENOBUFS;
    int status = candidate->domain == AF_INET6 ? shield_raise_against_ipv4(candidate->fd, backlog)
                                               : shield_raise(candidate->fd);
    if (status == 0)
        status = candidate_listen(candidate, backlog, &file);
    if (status < 0 || file == NULL)
        return status;
    *twin = twin_listen(file, backlog, candidate->nonblocking);
    engine_thread_lock();
    file->served = true;
    shares_take(file, user);
    engine_thread_adopt(file, candidate->fd, -1);
    server_listeners_add(engine.server->listeners, file, candidate, backlog);
    *taken = true;
    if (*twin < 0)
        file_end(file);
    engine_thread_unlock();
    if (*twin < 0)
        return *twin;
    set_timeout(*twin, SO_RCVTIMEO, candidate->options.receive_timeout_us);
    return 0;
}

int server_check_listener(const struct twin_name *name)
{
    struct file *file = file_by_index(name->index, name->generation);
    if (file == NULL)
        return 0;
    linger_end_deserted(file);
    pump_output();
    engine_thread_work(); /* the kernel socket that held the port is closed by that */
    return 0;
}

struct daytona_instant server_look(struct daytona_instant until)
{
    static struct daytona_instant looked;
    struct daytona_instant now = engine_now();
    if (daytona_instant_since_us(now, looked) >= LOOK_US) {
        looked = now;
        file_each_left(linger_end_deserted);
        file_each_left(file_let_in); /* who accepts without the library, or was killed, asks not */
        shares_look();
        pump_output();
    }
    struct daytona_instant next = daytona_instant_after_us(looked, LOOK_US);
    return daytona_instant_before(next, until) ? next : until;
}

/* ------------------------------------------------------------------ connecting */

/* Engine locked. */
static void adopt(struct file *file, const struct candidate *candidate, const int pair[2],
                  const struct remote_asker *asker)
{
    file->served = true;
    file->connecting = true;
    file->asker = *asker;
    shares_take(file, asker->uid);
    twin_name_end(pair[1], file);
    twin_name_own_end(pair[0], file);
    engine_thread_adopt(file, candidate->fd, pair[1]);
    bridge_begin(file, pair[0], 0);
}

static int open_connection(struct candidate *candidate, const struct daytona_endpoint *remote,
                           bool fast, const struct remote_asker *asker, int *twin, bool *taken)
{
    struct file *file = NULL;
    int pair[2] = {-1, -1};
    bool port_is_chosen = candidate->local.port == 0;
    if (!has_port(candidate->local.port != 0 ? candidate->local.port : settings.port_range.low))
        return REMOTE_NOT_SERVED;
    if (!has_room_for(asker->uid))
        return -ENOBUFS;
    int status = candidate_reserve(candidate, remote);
    if (status == 0)
        status = twin_pair(candidate->nonblocking, pair);
    if (status < 0)
        return status;
    engine_thread_lock();
    status = candidate_make_file(candidate, FILE_KIND_CONNECTION, &file);
    if (status == 0) {
        adopt(file, candidate, pair, asker);
        file->port_is_chosen = port_is_chosen;
    }
    engine_thread_unlock();
    if (status < 0) {
        real.close(pair[0]);
        real.close(pair[1]);
        return status;
    }
    *taken = true;
    *twin = pair[0];
    file_hold(file);
    status = candidate_connect(file, candidate, remote, fast);
    engine_thread_lock();
    file->connecting = status == -EINPROGRESS;
    file->connected = status == 0;
    if (status == -EINPROGRESS)
        bridge_hold_back(file, pair[0]);
    else
        file->asker.length = 0;
    file_put(file);
    engine_thread_unlock();
    return status;
}

int server_open(const struct remote_request *request, const struct remote_asker *asker, int fd,
                int *twin, bool *taken)
{
    struct remote_asker waiting = *asker;
    struct candidate candidate;
    struct daytona_endpoint remote;
    if (!candidate_inspect(fd, &candidate))
        return REMOTE_NOT_SERVED;
    candidate_read_flags(&candidate);
    if (request->what == REMOTE_LISTEN)
        return open_listener(&candidate, request->option, asker->uid, twin, taken);
    memcpy(&remote, request->value, sizeof remote);
    waiting.length = request->waits ? waiting.length : 0;
    if (!daytona_address_is_ipv4(&remote.address))
        return REMOTE_NOT_SERVED;
    return open_connection(&candidate, &remote, request->what == REMOTE_CONNECT_FAST, &waiting,
                           twin, taken);
}

/* A socket whose attempt has failed may try again: it gets its kernel socket back. */
static void tell_outcome(struct file *file, int status)
{
    if (status < 0 && file->reservation >= 0)
        shield_lower(file->reservation);
    remote_tell(&file->asker, status, status < 0 ? file->reservation : -1);
}

int server_attempt_outcome(struct file *file)
{
    return -file_outcome(file);
}

/* Nobody waits; connect() may be called again. */
static void keep_for_another_attempt(struct file *file)
{
    if (!file->port_is_chosen || file->reservation < 0)
        return;
    shield_lower(file->reservation);
    server_returns_keep((struct twin_name){file_index(file), file->generation}, file->reservation);
    file->reservation = -1;
}

void server_attempt_tell(struct file *file, int error)
{
    file->told = file->asker.length > 0;
    if (file->told)
        tell_outcome(file, -error);
    else if (error != 0)
        keep_for_another_attempt(file);
    if (error == 0)
        file->asker.length = 0;
}
