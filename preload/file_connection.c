#include "preload/descriptors.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/file_record.h"
#include "preload/log.h"
#include "preload/port_claims.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/server.h"
#include "preload/server_listeners.h"
#include "preload/twin.h"
#include "preload/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

/* ------------------------------------------------------------------ life */

int file_enter(struct file *file)
{
    int status = file->epoch == engine.epoch ? engine_enter() : -EOPNOTSUPP;
    if (status == 0 && file->closed && (!file->served || file->gone)) {
        engine_leave();
        status = -EBADF;
    }
    return status;
}

int file_claim_port(struct file *file, uint16_t port)
{
    int status = port_claims_add(port);
    if (status == 0)
        file->claimed_port = port;
    return status;
}

static void file_gone(struct file *file)
{
    file->gone = true;
    if (file->served && file->kind == FILE_KIND_LISTENER)
        server_listeners_remove(engine.server->listeners, file);
    if (file->claimed_port != 0)
        port_claims_remove(file->claimed_port);
    engine_add_work(file, FILE_WORK_GONE);
}

void file_abort(struct file *file)
{
    sets_remove(file);
    file->closed = true;
    daytona_stack_abort(engine.stack, engine_now(), file->id);
    file_gone(file);
    wait_wake(file, ~0u);
}

void file_changed(struct file *file, unsigned now, unsigned edges)
{
    file->edges |= edges;
    if ((now & DAYTONA_READY_GONE) != 0) {
        file_gone(file);
        return;
    }
    wait_wake(file, now | edges);
    if (bridge_is_up(file)) {
        engine_add_work(file, FILE_WORK_MIRROR);
        return;
    }
    if (file->kind == FILE_KIND_LISTENER) {
        if ((now & DAYTONA_READY_IN) != 0)
            engine_add_work(file, FILE_WORK_ACCEPT);
    } else if ((file->mirror.watchers > 0 || file->mirror.early) && !sets_offer(file)) {
        engine_add_work(file, FILE_WORK_MIRROR);
    }
}

void file_end(struct file *file)
{
    if (file->closed)
        return;
    sets_remove(file);
    file->closed = true;
    if (file->held != NULL) {
        struct file *held = file->held;
        file->held = NULL;
        file_abort(held);
    }
    daytona_stack_close(engine.stack, engine_now(), file->id);
    wait_wake(file, ~0u);
}

void file_end_after_calls(struct file *file)
{
    if (file->callers > 0)
        file->ends_late = true;
    else
        file_end(file);
}

void file_call_over(struct file *file)
{
    if (!file->ends_late || file->callers > 0 || file->closed)
        return;
    file_end(file);
    pump_output();
}

/* ------------------------------------------------------------------ listen, accept */

int file_listen(struct file *file, int backlog)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_listen(engine.stack, file->id, backlog < 0 ? 0 : backlog);
    if (status == 0 && file->descriptor >= 0)
        real.listen(file->descriptor, backlog);
    engine_leave();
    return status;
}

/* What accept() on the twin returned is the end of a pair; the name of the other end says which
 * connection it is. */
static int attach_accepted(int fd, int flags, struct twin_name name,
                           struct daytona_endpoint *remote)
{
    int status = engine_enter();
    if (status < 0)
        return status;
    struct file *file = file_by_index(name.index, name.generation);
    status = -EPROTO;
    if (file != NULL && !file->accepted && file_attach(file, fd)) {
        file->accepted = true;
        file->unclaimed = false;
        struct daytona_call call;
        daytona_stack_call_begin(engine.stack, engine_now(), file->id, DAYTONA_CALL_ACCEPT, 0,
                                 &call);
        daytona_stack_call_end(engine.stack, engine_now(), &call, fd);
        atomic_store(&file->nonblocking, (flags & SOCK_NONBLOCK) != 0);
        struct daytona_endpoint nobody;
        /* A connection that was reset while it waited is handed out, as the kernel does; its
         * address is no longer known then. */
        if (daytona_stack_endpoints(engine.stack, file->id, NULL, remote ? remote : &nobody) < 0 &&
            remote != NULL)
            *remote = (struct daytona_endpoint){0};
        status = 0;
    }
    engine_leave();
    return status;
}

/* A client by IPv6: the connection is the kernel's, and so is the descriptor from now on. */
static int accept_kernel(int fd, int flags)
{
    if (twin_take_kernel(fd, flags) < 0)
        return -EPROTO;
    descriptors_new(fd);
    log_once(LOG_LEVEL_INFO, "clients by IPv6 are served by the kernel's TCP");
    return 0;
}

/* A blocking accept() has what it was called on for as long as it lasts, whoever closes that or
 * puts something else in its place: the twin under another number, and the file as one of its
 * callers. */
struct accepting {
    struct file *file;
    int fd;
    int held; /* that number; -1: there is none, and `fd` must do */
};

static bool accepting_begin(struct accepting *accepting)
{
    int first, end;
    if (file_enter(accepting->file) < 0)
        return false;
    accepting->file->callers++;
    engine_leave();
    engine_table_protected_run(&first, &end);
    accepting->held = real.fcntl(accepting->fd, F_DUPFD_CLOEXEC, first > 64 ? first - 64 : 0);
    return true;
}

static void accepting_end(void *context)
{
    struct accepting *accepting = context;
    if (accepting->held >= 0)
        real.close(accepting->held);
    if (engine_enter() < 0)
        return;
    accepting->file->callers--;
    file_call_over(accepting->file);
    engine_leave();
}

/* Waits as a runner of the pump, if there is none yet, and accepts. */
static int accept_later(struct accepting *accepting, int flags, struct twin_name *name)
{
    uint64_t us = atomic_load(&accepting->file->timeout_us[FILE_RECEIVE]);
    struct daytona_instant deadline =
        us == 0 ? DAYTONA_NEVER : daytona_instant_after_us(engine_now(), us);
    int fd = accepting->held >= 0 ? accepting->held : accepting->fd;
    int status = file_enter(accepting->file);
    if (status < 0)
        return status;
    status = wait_accept(accepting->file, fd, deadline);
    engine_leave();
    return status < 0 ? status : twin_accept(fd, flags, name);
}

/* One connection of the twin's, or -errno. */
static int accept_one(struct file *file, int fd, int flags, struct twin_name *name)
{
    struct accepting accepting = {file, fd, -1};
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int accepted;
    if (atomic_load(&file->nonblocking) || real.poll(&entry, 1, 0) != 0)
        return twin_accept(fd, flags, name);
    if (!accepting_begin(&accepting))
        return -EBADF;
    pthread_cleanup_push(accepting_end, &accepting);
    accepted = accept_later(&accepting, flags, name);
    pthread_cleanup_pop(0);
    /* Its end is the end of a listener that has been closed meanwhile. */
    accepting_end(&accepting);
    return accepted;
}

void file_let_in(struct file *listener)
{
    if (listener->held != NULL || listener->kernel_waits)
        engine_add_work(listener, FILE_WORK_ACCEPT);
}

static void make_room_for_more(struct file *file)
{
    if (file_enter(file) < 0)
        return;
    file_let_in(file);
    engine_leave();
}

int file_accept(struct file *file, int fd, int flags, struct daytona_endpoint *remote)
{
    if (file->kind != FILE_KIND_LISTENER)
        return -EINVAL;
    if (file->epoch != engine.epoch || !engine_alive())
        return -EOPNOTSUPP;
    for (;;) {
        struct twin_name name;
        int status, accepted = accept_one(file, fd, flags, &name);
        if (accepted < 0)
            return accepted;
        if (name.index == TWIN_KERNEL)
            status = accept_kernel(accepted, flags);
        else
            status = attach_accepted(accepted, flags, name, remote);
        if (status < 0)
            real.close(accepted); /* a stranger found the abstract name */
        make_room_for_more(file);
        if (status != -EPROTO)
            return status < 0 ? status : accepted;
    }
}

/* ------------------------------------------------------------------ connect */

static bool is_established(const struct file *file)
{
    struct daytona_connection_info info;
    return daytona_stack_info(engine.stack, engine_now(), file->id, &info) == 0 &&
           info.state != DAYTONA_TCP_CLOSED;
}

/* What connect() tells is told: the twin, which shows it, too, says it no more. */
static void forget_shown(const struct file *file)
{
    int error;
    socklen_t length = sizeof error;
    if (bridge_is_up(file) && file->descriptor >= 0 && !engine_is_thread())
        real.getsockopt(file->descriptor, SOL_SOCKET, SO_ERROR, &error, &length);
}

/* When SO_ERROR has told it before, Linux says ECONNABORTED here. */
int file_outcome(struct file *file)
{
    int error = daytona_stack_take_error(engine.stack, file->id);
    if (error < 0)
        return error;
    if (error == 0 && file->bridge.error != 0) { /* who carried the data has taken it */
        error = file->bridge.error;
        file->bridge.error = 0;
        forget_shown(file);
    }
    file->connecting = false;
    file->connected = error == 0 && is_established(file);
    if (!file->connected && !bridge_is_up(file)) /* what has failed, and was told, is forgotten */
        daytona_stack_forget(engine.stack, engine_now(), file->id);
    return error > 0 ? -error : file->connected ? 0 : -ECONNABORTED;
}

static bool attempt_is_over(const struct file *file)
{
    return (daytona_stack_readiness(engine.stack, file->id) &
            (DAYTONA_READY_OUT | DAYTONA_READY_HUP | DAYTONA_READY_ERROR)) != 0;
}

int file_wait_connected(struct file *file)
{
    uint64_t us = atomic_load(&file->timeout_us[FILE_SEND]);
    struct daytona_instant deadline =
        us == 0 ? DAYTONA_NEVER : daytona_instant_after_us(engine_now(), us);
    struct daytona_call call;
    daytona_stack_call_begin(engine.stack, engine_now(), file->id, DAYTONA_CALL_CONNECT, 0, &call);
    daytona_stack_call_waits(engine.stack, engine_now(), &call, 0);
    int status = wait_file(file, DAYTONA_READY_OUT, deadline, false);
    if (status == -EAGAIN)
        status = -EINPROGRESS; /* SO_SNDTIMEO, as in Linux */
    status = status < 0 ? status : file_outcome(file);
    if (file->spent && status != -EINTR) /* by shutdown(), meanwhile */
        status = -ECONNRESET;
    file_call_over(file);
    daytona_stack_call_end(engine.stack, engine_now(), &call, status);
    return status;
}

/* The stack, too, says once that the last attempt has failed, which connect() has told already. */
static int try_again(struct file *file, const struct daytona_endpoint *remote)
{
    int status = daytona_stack_connect(engine.stack, engine_now(), file->id, NULL, remote);
    if (status == -ECONNABORTED)
        status = daytona_stack_connect(engine.stack, engine_now(), file->id, NULL, remote);
    file->connecting = status == -EINPROGRESS;
    pump_output();
    return status;
}

static int connect_locked(struct file *file, const struct daytona_endpoint *remote)
{
    bool waits = !atomic_load(&file->nonblocking);
    if (file->kind == FILE_KIND_LISTENER || file->connected)
        return -EISCONN;
    if (file->spent)
        return -EINVAL;
    if (file->connecting && attempt_is_over(file))
        return file_outcome(file);
    if (file->connecting)
        return waits ? file_wait_connected(file) : -EALREADY;
    if (remote == NULL)
        return -EDESTADDRREQ;
    int status = try_again(file, remote);
    return status == -EINPROGRESS && waits ? file_wait_connected(file) : status;
}

int file_connect(struct file *file, const struct daytona_endpoint *remote)
{
    pthread_testcancel();
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = connect_locked(file, remote);
    engine_leave();
    return status;
}

/* The engine's thread settles the attempt, and leaves it to be told. */
int file_connect_again(struct file *file)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    if (file->kind == FILE_KIND_LISTENER)
        status = -EISCONN;
    else if (file->connecting)
        status = -EALREADY;
    else
        status = file->told ? -EISCONN : 0;
    file->told = true;
    engine_leave();
    return status;
}

/* ------------------------------------------------------------------ the rest */

/* Linux: an attempt that is shut down before it is told of counts as told, or as spoiled for good.
 */
static void settle_attempt(struct file *file)
{
    struct daytona_connection_info info;
    if (!file->connecting || daytona_stack_info(engine.stack, engine_now(), file->id, &info) < 0)
        return;
    bool goes_on = info.state != DAYTONA_TCP_SYN_SENT && info.state != DAYTONA_TCP_CLOSED;
    file->connecting = !goes_on;
    file->connected = goes_on;
    file->spent = !goes_on;
}

int file_shutdown(struct file *file, int how)
{
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    int status = file_enter(file);
    if (status == -EBADF && bridge_is_up(file))
        return -ENOTCONN;
    if (status < 0)
        return status;
    settle_attempt(file);
    if (bridge_is_up(file) && file->descriptor >= 0) {
        status = bridge_before_shutdown(file, how);
        if (status == 0 && real.shutdown(file->descriptor, how) < 0)
            status = -errno;
        engine_leave();
        return status;
    }
    enum daytona_shutdown direction = how == SHUT_RD   ? DAYTONA_SHUTDOWN_READ
                                      : how == SHUT_WR ? DAYTONA_SHUTDOWN_WRITE
                                                       : DAYTONA_SHUTDOWN_BOTH;
    status = daytona_stack_shutdown(engine.stack, engine_now(), file->id, direction);
    file->shut |= file->kind == FILE_KIND_LISTENER && status == 0 && how != SHUT_WR;
    if (file->kind == FILE_KIND_LISTENER && status == 0 && file->descriptor >= 0)
        real.shutdown(file->descriptor, how); /* ends an accept() that waits there */
    pump_output();
    engine_leave();
    return status;
}

int file_before_shutdown(struct file *file, int how)
{
    int status = file_enter(file);
    if (status < 0)
        return -ENOTCONN;
    status = file->kind == FILE_KIND_CONNECTION ? bridge_before_shutdown(file, how) : 0;
    engine_leave();
    return status;
}

/* Linux: who has no connection has no peer, also when there was one. */
static bool has_peer(const struct file *file)
{
    struct daytona_connection_info info;
    return daytona_stack_info(engine.stack, engine_now(), file->id, &info) < 0 ||
           (info.state != DAYTONA_TCP_CLOSED && info.state != DAYTONA_TCP_SYN_SENT &&
            info.state != DAYTONA_TCP_TIME_WAIT);
}

int file_endpoints(struct file *file, struct daytona_endpoint *local,
                   struct daytona_endpoint *remote)
{
    int status = file_enter(file);
    if (status < 0)
        return status;
    status = daytona_stack_endpoints(engine.stack, file->id, local, remote);
    if (status >= 0 && remote != NULL && !has_peer(file))
        status = -ENOTCONN;
    engine_leave();
    return status;
}

void file_note_option(struct file *file, size_t row)
{
    atomic_fetch_or(&file->changed[row / 64], UINT64_C(1) << row % 64);
}

int file_domain(const struct file *file)
{
    return file->domain;
}

bool file_is_connected(const struct file *file)
{
    return file->kind == FILE_KIND_LISTENER || file->connected;
}

bool file_is_listener(const struct file *file)
{
    return file->kind == FILE_KIND_LISTENER;
}
