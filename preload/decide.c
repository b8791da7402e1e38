#include "preload/decide.h"

#include "preload/address.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/file_record.h"
#include "preload/log.h"
#include "preload/pump.h"
#include "preload/ready.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/shield.h"
#include "preload/signatures.h"
#include "preload/socket_options.h"
#include "preload/twin.h"
#include "preload/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define BACKLOG_MAX         4096 /* Linux: what net.core.somaxconn is unless changed */
#define STATUS_CANNOT_GO_ON 125  /* as `daytona run` says it */

/* A kernel socket that may become Daytona's, as the kernel describes it. */
struct candidate {
    int fd;
    int domain;
    bool nonblocking, close_on_exec;
    struct daytona_endpoint local; /* port 0: not bound */
    struct carried_options options;
    struct watch watches[SETS_MAX]; /* epoll sets it was in */
    size_t watch_count;
};

static int ask(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return real.getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

static bool is_unused(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
           info.tcpi_state == DAYTONA_TCP_CLOSED;
}

static bool read_local(struct candidate *candidate)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return real.getsockname(candidate->fd, (struct sockaddr *)&name, &length) == 0 &&
           address_read((struct sockaddr *)&name, length, candidate->domain, &candidate->local) ==
               0;
}

/* Whether `fd` is a TCP socket in no connection whose addresses can be IPv4's. */
static bool inspect(int fd, struct candidate *out)
{
    int domain = ask(fd, SOL_SOCKET, SO_DOMAIN);
    *out = (struct candidate){.fd = fd, .domain = domain};
    return (domain == AF_INET || domain == AF_INET6) &&
           ask(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && is_unused(fd) && read_local(out) &&
           (daytona_address_is_unspecified(&out->local.address) ||
            daytona_address_is_ipv4(&out->local.address)) &&
           (domain == AF_INET || ask(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
}

static void read_flags(struct candidate *candidate)
{
    candidate->nonblocking = (real.fcntl(candidate->fd, F_GETFL) & O_NONBLOCK) != 0;
    candidate->close_on_exec = (real.fcntl(candidate->fd, F_GETFD) & FD_CLOEXEC) != 0;
    socket_options_carry(candidate->fd, &candidate->options);
}

/* Daytona cannot have the socket, for a reason that has been logged. */
static int fall_back(void)
{
    if (settings.fallback == SETTINGS_FALLBACK_FAIL)
        real._exit(STATUS_CANNOT_GO_ON);
    return DECIDE_KERNEL;
}

static bool may_decide(void)
{
    return !settings.fault && !engine_is_thread() && !engine_is_locked();
}

/* ------------------------------------------------------------------ the stack's socket */

static void apply_key(void *context, const struct signature_setting *setting)
{
    const struct file *file = context;
    daytona_stack_set_signature_key(engine.stack, file->id, &setting->remote, setting->prefix_bits,
                                    (struct daytona_span){setting->key, setting->key_length});
}

/* An option that the stack refuses stays at its default, as one that Daytona does not have. */
static void apply_options(struct file *file, const struct candidate *candidate)
{
    const struct carried_options *options = &candidate->options;
    for (size_t i = 0; i < options->count; i++)
        daytona_stack_set_option(engine.stack, engine_now(), file->id, options->options[i].option,
                                 options->options[i].value);
    if (options->fastopen_key_length > 0 && file->kind == FILE_KIND_LISTENER)
        daytona_stack_set_fastopen_key(
            engine.stack, file->id,
            (struct daytona_span){options->fastopen_key, options->fastopen_key_length});
    signatures_visit(candidate->fd, apply_key, file);
    if (options->congestion[0] != '\0')
        daytona_stack_set_congestion(engine.stack, engine_now(), file->id, options->congestion);
    atomic_store(&file->nonblocking, candidate->nonblocking);
    atomic_store(&file->timeout_us[FILE_RECEIVE], options->receive_timeout_us);
    atomic_store(&file->timeout_us[FILE_SEND], options->send_timeout_us);
}

/* A file with a bound socket of the stack. Engine locked. */
static int make_file(const struct candidate *candidate, enum file_kind kind, struct file **out)
{
    struct daytona_socket_id id;
    int status = daytona_stack_open(engine.stack, &id);
    if (status < 0)
        return status;
    struct file *file = file_make(kind, candidate->domain, id);
    if (file == NULL) {
        daytona_stack_close(engine.stack, engine_now(), id);
        return -ENFILE;
    }
    daytona_stack_set_user(engine.stack, id, file);
    apply_options(file, candidate);
    status = daytona_stack_bind(engine.stack, id, &candidate->local);
    if (status < 0) {
        file->attached = true; /* nothing is on its way to the engine's thread */
        file_end(file);
        return status;
    }
    *out = file;
    return 0;
}

/* ------------------------------------------------------------------ the descriptor */

/* The kernel socket and the engine's end of the twin leave; the twin takes the number. */
static int change_places(struct candidate *candidate, struct file *file, int twin, int engine_end)
{
    const int leaving[2] = {candidate->fd, engine_end};
    candidate->watch_count = watch_take(candidate->fd, candidate->watches);
    int status =
        engine_table_send(engine.control, file_index(file), leaving, engine_end >= 0 ? 2 : 1);
    if (status < 0) {
        file->attached = true; /* nothing is on its way to the engine's thread */
        return status;
    }
    if (real.dup3(twin, candidate->fd, candidate->close_on_exec ? O_CLOEXEC : 0) < 0)
        return -errno;
    status = engine_enter();
    if (status < 0)
        return status;
    bool attached = file_attach(file, candidate->fd);
    engine_leave();
    return attached ? 0 : -EMFILE;
}

/* Sets that watched the kernel socket watch the twin, which by now has something to show. */
static void watch_twin(struct candidate *candidate)
{
    for (size_t i = 0; i < candidate->watch_count; i++)
        ready_epoll_ctl(candidate->watches[i].set, EPOLL_CTL_ADD, candidate->fd,
                        &candidate->watches[i].event);
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

static int start_listening(const struct candidate *candidate, int backlog, struct file **out)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    status = make_file(candidate, FILE_KIND_LISTENER, out);
    if (status == 0) {
        status = daytona_stack_listen(engine.stack, (*out)->id, backlog);
        if (status == 0)
            status = file_claim_port(*out, candidate->local.port);
        if (status < 0)
            file_end(*out);
    }
    engine_leave();
    return status;
}

static int listen_with_daytona(struct candidate *candidate, int backlog)
{
    struct file *file = NULL;
    read_flags(candidate);
    int status = candidate->domain == AF_INET6 ? shield_raise_against_ipv4(candidate->fd, backlog)
                                               : shield_raise(candidate->fd);
    if (status == 0)
        status = start_listening(candidate, backlog, &file);
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
    watch_twin(candidate);
    log_line(LOG_LEVEL_INFO, "listening on port %u", (unsigned)candidate->local.port);
    return 0;
}

int decide_listen(int fd, int backlog, bool always)
{
    struct candidate candidate;
    if ((settings.listen.count == 0 && !always) || !may_decide() || !inspect(fd, &candidate) ||
        candidate.local.port == 0 || !(always || settings_listens(candidate.local.port)))
        return DECIDE_KERNEL;
    if (engine_start() < 0)
        return fall_back();
    return listen_with_daytona(&candidate,
                               backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog);
}

/* ------------------------------------------------------------------ connect */

static int bind_kernel(const struct candidate *candidate, const struct daytona_endpoint *local)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    address_write(local, candidate->domain, (struct sockaddr *)&name, &length);
    return real.bind(candidate->fd, (struct sockaddr *)&name, length) == 0 ? 0 : -errno;
}

static int propose_port(const struct candidate *candidate, const struct daytona_endpoint *remote)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    status = daytona_stack_choose_port(engine.stack, &candidate->local.address, remote);
    engine_leave();
    return status;
}

/* Binds the kernel socket to a port that neither the stack nor the kernel uses. */
static int reserve_port(struct candidate *candidate, const struct daytona_endpoint *remote)
{
    int tries = settings.port_range.high - settings.port_range.low + 1;
    while (tries-- > 0) {
        int port = propose_port(candidate, remote);
        if (port < 0)
            return port;
        candidate->local.port = (uint16_t)port;
        int status = bind_kernel(candidate, &candidate->local);
        if (status != -EADDRINUSE)
            return status;
    }
    return -EADDRNOTAVAIL;
}

static int reserve(struct candidate *candidate, const struct daytona_endpoint *remote)
{
    struct daytona_route route;
    bool bound = !daytona_address_is_unspecified(&candidate->local.address);
    int status =
        daytona_route_ask(&remote->address, bound ? &candidate->local.address : NULL, &route);
    if (status < 0)
        return status;
    candidate->local.address = route.source;
    if (candidate->local.port == 0)
        status = reserve_port(candidate, remote);
    if (status < 0)
        return status;
    /* With another socket on the port, which SO_REUSEADDR allows, it cannot listen; then only the
     * firewall rule keeps the kernel silent. */
    status = shield_raise(candidate->fd);
    if (status < 0)
        log_line(LOG_LEVEL_INFO, "port %u is shared: it is guarded by the firewall rule only",
                 (unsigned)candidate->local.port);
    return 0;
}

static int make_connection(struct candidate *candidate, struct file **out)
{
    int pair[2];
    int status = twin_pair(candidate->nonblocking, pair);
    if (status < 0)
        return status;
    status = engine_enter();
    if (status == 0) {
        status = make_file(candidate, FILE_KIND_CONNECTION, out);
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

/* The SYN. */
static int begin_connect(struct file *file, const struct candidate *candidate,
                         const struct daytona_endpoint *remote, bool fast)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    file_claim_port(file, candidate->local.port);
    status = (fast ? daytona_stack_connect_fast : daytona_stack_connect)(
        engine.stack, engine_now(), file->id, &candidate->local.address, remote);
    file->connecting = status == -EINPROGRESS;
    pump_output();
    engine_leave();
    return status;
}

static int wait_connected(struct file *file)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    status = file_wait_connected(file);
    engine_leave();
    return status;
}

static int connect_with_daytona(struct candidate *candidate, const struct daytona_endpoint *remote,
                                bool fast)
{
    struct file *file = NULL;
    read_flags(candidate);
    int status = reserve(candidate, remote);
    if (status == 0)
        status = make_connection(candidate, &file);
    if (status < 0 || file == NULL)
        return status;
    file_hold(file);
    status = begin_connect(file, candidate, remote, fast);
    watch_twin(candidate);
    if (status == -EINPROGRESS && !candidate->nonblocking)
        status = wait_connected(file);
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
        !inspect(fd, &candidate))
        return DECIDE_KERNEL;
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
