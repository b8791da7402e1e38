#include "preload/decide.h"

#include "preload/address.h"
#include "preload/bridge.h"
#include "preload/candidate.h"
#include "preload/client.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/file_record.h"
#include "preload/log.h"
#include "preload/pump.h"
#include "preload/ready.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/shield.h"
#include "preload/signals.h"
#include "preload/twin.h"
#include "preload/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#define BACKLOG_MAX         4096 /* Linux: what net.core.somaxconn is unless changed */
#define STATUS_CANNOT_GO_ON 125  /* as `daytona run` says it */

/* Daytona cannot have the socket, for a reason that has been logged. */
static int fall_back(void)
{
    if (settings.fallback == SETTINGS_FALLBACK_FAIL)
        real._exit(STATUS_CANNOT_GO_ON);
    return DECIDE_KERNEL;
}

/* Where rules keep the kernel's TCP from the port, nobody could ever reach a listener of its. */
static int fall_back_listening(uint16_t port)
{
    int result = fall_back();
    if (settings.rules != SETTINGS_RULES_ON || !settings_listens(port))
        return result;
    log_line(
        LOG_LEVEL_ERROR,
        "listen() on port %u fails, for firewall rules keep the kernel's TCP from it%s",
        (unsigned)port,
        settings.engine == SETTINGS_ENGINE_PROCESS
            ? ""
            : "; `daytona run --server` serves programs that have no privileges or give them up");
    return -EACCES;
}

static bool may_decide(void)
{
    return !settings.fault && !engine_is_thread() && !engine_is_locked();
}

/* ------------------------------------------------------------------ the descriptor */

/* The kernel socket and the engine's end of the twin leave; the twin takes the number. */
static int change_places(struct candidate *candidate, struct file *file, int twin, int engine_end)
{
    const int leaving[2] = {candidate->fd, engine_end};
    places_take(candidate->fd, &candidate->places);
    int status =
        engine_table_send(engine.control, file_index(file), leaving, engine_end >= 0 ? 2 : 1);
    if (status < 0) {
        file->attached = true; /* nothing is on its way to the engine's thread */
        return status;
    }
    status = places_give(&candidate->places, twin);
    if (status == 0)
        status = engine_enter();
    if (status < 0)
        return status;
    bool attached = true;
    for (size_t i = 0; i < candidate->places.count; i++)
        attached &= file_attach(file, candidate->places.each[i].fd);
    engine_leave();
    return attached ? 0 : -EMFILE;
}

/* Who watched the kernel socket watches the twin, which by now has something to show. */
static void watch_twin(struct candidate *candidate, struct file *file)
{
    if (candidate->places.async)
        file_set_flags(file, candidate->fd, real.fcntl(candidate->fd, F_GETFL));
    places_watch(&candidate->places);
}

static void discard(struct file *file)
{
    if (engine_enter() < 0)
        return;
    file_end(file);
    pump_output();
    engine_leave();
}

/* ------------------------------------------------------------------ listen */

static int listen_with_daytona(struct candidate *candidate, int backlog)
{
    struct file *file = NULL;
    candidate_read_flags(candidate);
    int status = candidate->domain == AF_INET6 ? shield_raise_against_ipv4(candidate->fd, backlog)
                                               : shield_raise(candidate->fd);
    if (status == 0)
        status = candidate_listen(candidate, backlog, &file);
    if (status < 0 || file == NULL)
        return status;
    int twin = twin_listen(file, backlog, candidate->nonblocking);
    status = twin < 0 ? twin : change_places(candidate, file, twin, -1);
    if (twin >= 0)
        real.close(twin);
    if (status < 0) {
        discard(file);
        return status;
    }
    if (candidate->options.receive_timeout_us != 0)
        file_set_timeout(file, FILE_RECEIVE, candidate->options.receive_timeout_us);
    watch_twin(candidate, file);
    log_line(LOG_LEVEL_INFO, "listening on port %u", (unsigned)candidate->local.port);
    return 0;
}

int decide_listen(int fd, int backlog, bool always)
{
    struct candidate candidate;
    if ((settings.listen.count == 0 && !always) || !may_decide() ||
        !candidate_inspect(fd, &candidate) || candidate.local.port == 0 ||
        !(always || settings_listens(candidate.local.port)))
        return DECIDE_KERNEL;
    int most = backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog;
    if (settings.engine == SETTINGS_ENGINE_PROCESS) {
        int result = client_listen(&candidate, most);
        return result == CLIENT_REFUSED ? fall_back_listening(candidate.local.port) : result;
    }
    if (engine_start() < 0)
        return fall_back_listening(candidate.local.port);
    signals_hold(); /* a handler would meet a socket that is neither the kernel's nor Daytona's */
    int status = listen_with_daytona(&candidate, most);
    signals_release();
    return status;
}

/* ------------------------------------------------------------------ connect */

static int make_connection(struct candidate *candidate, struct file **out)
{
    int pair[2];
    int status = twin_pair(candidate->nonblocking, pair);
    if (status < 0)
        return status;
    status = engine_enter();
    if (status == 0) {
        status = candidate_make_file(candidate, FILE_KIND_CONNECTION, out);
        if (status == 0)
            twin_name_end(pair[1], *out);
        if (status == 0 && candidate->nonblocking)
            mirror_start_blocked(*out, pair[0]);
        engine_leave();
    }
    if (status == 0) {
        status = change_places(candidate, *out, pair[0], pair[1]);
        if (status < 0)
            discard(*out);
    }
    real.close(pair[0]);
    real.close(pair[1]);
    return status;
}

static int wait_connected(struct file *file, int fd)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    status = file_wait_connected(file);
    if ((status == -EINTR || status == -EINPROGRESS) && bridge_is_up(file))
        bridge_hold_back(file, fd); /* the attempt goes on, and cannot be written to */
    engine_leave();
    return status;
}

static bool goes_on(const struct file *file)
{
    return file->connecting && (daytona_stack_readiness(engine.stack, file->id) &
                                (DAYTONA_READY_OUT | DAYTONA_READY_HUP | DAYTONA_READY_ERROR)) == 0;
}

/* One that is bridged from the beginning has perhaps been found writable before the attempt began,
 * as a socket is that does not connect. */
static void hold_back(struct file *file, int fd)
{
    if (!bridge_is_up(file) || engine_enter() < 0)
        return;
    if (goes_on(file)) {
        bridge_hold_back(file, fd);
        engine_add_work(file, FILE_WORK_MIRROR);
    }
    engine_leave();
}

static int begin_with_daytona(struct candidate *candidate, const struct daytona_endpoint *remote,
                              bool fast, struct file **out)
{
    candidate_read_flags(candidate);
    int status = candidate_reserve(candidate, remote);
    if (status == 0)
        status = make_connection(candidate, out);
    if (status < 0 || *out == NULL) {
        *out = NULL;
        return status;
    }
    file_hold(*out);
    status = candidate_connect(*out, candidate, remote, fast);
    if (candidate->nonblocking)
        hold_back(*out, candidate->fd);
    watch_twin(candidate, *out);
    return status;
}

static int connect_with_daytona(struct candidate *candidate, const struct daytona_endpoint *remote,
                                bool fast)
{
    struct file *file = NULL;
    signals_hold();
    int status = begin_with_daytona(candidate, remote, fast, &file);
    signals_release();
    if (file == NULL)
        return status;
    if (status == -EINPROGRESS && !candidate->nonblocking)
        status = wait_connected(file, candidate->fd);
    file_put(file);
    return status;
}

static bool is_ipv6_only(const struct sockaddr *address, socklen_t length)
{
    struct daytona_endpoint remote;
    return address_read(address, length, AF_INET6, &remote) == 0 &&
           !daytona_address_is_ipv4(&remote.address);
}

/* The address of a connect() that IPv4 can serve; 0.0.0.0 is this host, as in Linux. */
static bool read_remote(const struct sockaddr *address, socklen_t length,
                        struct daytona_endpoint *out)
{
    if (address_read(address, length, AF_INET, out) < 0 &&
        address_read(address, length, AF_INET6, out) < 0)
        return false;
    if (!daytona_address_is_ipv4(&out->address))
        return false;
    if (daytona_address_is_unspecified(&out->address))
        out->address = daytona_address_from_ipv4(INADDR_LOOPBACK);
    return true;
}

static int decide(int fd, const struct sockaddr *address, socklen_t length, bool always, bool fast)
{
    struct candidate candidate;
    struct daytona_endpoint remote;
    if ((settings.connect.count == 0 && !always) || !may_decide())
        return DECIDE_KERNEL;
    if (is_ipv6_only(address, length))
        log_once(LOG_LEVEL_INFO, "connections to IPv6 addresses are left to the kernel's TCP");
    if (!read_remote(address, length, &remote) || !(always || settings_connects(&remote)) ||
        !candidate_inspect(fd, &candidate))
        return DECIDE_KERNEL;
    if (settings.engine == SETTINGS_ENGINE_PROCESS) {
        int result = client_connect(&candidate, &remote, fast);
        return result == CLIENT_REFUSED ? fall_back() : result;
    }
    if (engine_start() < 0)
        return fall_back();
    return connect_with_daytona(&candidate, &remote, fast);
}

int decide_connect(int fd, const struct sockaddr *address, socklen_t length, bool always)
{
    return decide(fd, address, length, always, false);
}

int decide_connect_fast(int fd, const struct sockaddr *address, socklen_t length)
{
    return decide(fd, address, length, false, true);
}
