#include "preload/candidate.h"

#include "preload/address.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/log.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/shield.h"
#include "preload/signatures.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

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

static int bind_kernel(const struct candidate *candidate, const struct daytona_endpoint *local)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    address_write(local, candidate->domain, (struct sockaddr *)&name, &length);
    return real.bind(candidate->fd, (struct sockaddr *)&name, length) == 0 ? 0 : -errno;
}

/* Linux goes on telling the port of an attempt that has failed, and which it has given back. Whom
 * it can be told apart by is bind(), which then works; and listen() and shutdown() take it back. */
static bool is_bound(const struct candidate *candidate)
{
    const struct daytona_endpoint anything = {.address = daytona_address_from_ipv4(0)};
    if (candidate->local.port == 0)
        return false;
    if (bind_kernel(candidate, &anything) < 0)
        return true;
    real.listen(candidate->fd, 0);
    real.shutdown(candidate->fd, SHUT_RD);
    return false;
}

static bool read_local(struct candidate *candidate)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (real.getsockname(candidate->fd, (struct sockaddr *)&name, &length) < 0 ||
        address_read((struct sockaddr *)&name, length, candidate->domain, &candidate->local) < 0)
        return false;
    candidate->bound = is_bound(candidate);
    if (!candidate->bound)
        candidate->local.port = 0;
    return true;
}

bool candidate_inspect(int fd, struct candidate *out)
{
    int domain = ask(fd, SOL_SOCKET, SO_DOMAIN);
    *out = (struct candidate){.fd = fd, .domain = domain};
    return (domain == AF_INET || domain == AF_INET6) &&
           ask(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && is_unused(fd) && read_local(out) &&
           (daytona_address_is_unspecified(&out->local.address) ||
            daytona_address_is_ipv4(&out->local.address)) &&
           (domain == AF_INET || ask(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0);
}

void candidate_read_flags(struct candidate *candidate)
{
    candidate->nonblocking = (real.fcntl(candidate->fd, F_GETFL) & O_NONBLOCK) != 0;
    socket_options_carry(candidate->fd, &candidate->options);
}

/* ------------------------------------------------------------------ the stack's socket */

static void apply_key(void *context, const struct signature_setting *setting)
{
    struct file *file = context;
    file->keyed = true;
    signature_apply(file->id, setting);
}

/* An option that the stack refuses stays at its default, as one that Daytona does not have. */
static void apply_options(struct file *file, const struct candidate *candidate)
{
    const struct carried_options *options = &candidate->options;
    tuning_apply(&settings.tune, engine.stack, engine_now(), file->id);
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

int candidate_make_file(const struct candidate *candidate, enum file_kind kind, struct file **out)
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
    file->bound = candidate->bound;
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

/* ------------------------------------------------------------------ listen */

int candidate_listen(const struct candidate *candidate, int backlog, struct file **out)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    status = candidate_make_file(candidate, FILE_KIND_LISTENER, out);
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

/* ------------------------------------------------------------------ connect */

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

int candidate_reserve(struct candidate *candidate, const struct daytona_endpoint *remote)
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

int candidate_connect(struct file *file, const struct candidate *candidate,
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
