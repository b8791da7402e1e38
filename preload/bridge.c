#include "preload/bridge.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/server.h"
#include "preload/shares.h"
#include "preload/unix_socket.h"
#include "preload/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define CARRY_BYTES ((size_t)64 << 10)
#define TWIN_BUFFER (1 << 20) /* SO_SNDBUF asked for; net.core.wmem_max bounds it */
#define BLOCK_BYTES (32 << 10)

/* ------------------------------------------------------------------ the beginning */

bool bridge_is_up(const struct file *file)
{
    return atomic_load_explicit(&file->bridged, memory_order_acquire);
}

static void set_timeout(int fd, int option, uint64_t us)
{
    struct timeval time = {.tv_sec = (time_t)(us / 1000000u),
                           .tv_usec = (suseconds_t)(us % 1000000u)};
    if (us != 0)
        real.setsockopt(fd, SOL_SOCKET, option, &time, sizeof time);
}

/* It holds back the reader, not the engine. */
static void take_low_water(struct file *file, int fd)
{
    int64_t bytes = 1;
    daytona_stack_get_option(engine.stack, file->id, DAYTONA_OPTION_RECEIVE_LOW_WATER, &bytes);
    if (bytes <= 1)
        return;
    int native = (int)bytes;
    real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &native, sizeof native);
    daytona_stack_set_option(engine.stack, engine_now(), file->id, DAYTONA_OPTION_RECEIVE_LOW_WATER,
                             1);
}

static void set_buffer(int fd, int size)
{
    real.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

void bridge_fit_buffer(struct file *file, int fd)
{
    int64_t bytes = 0;
    daytona_stack_get_option(engine.stack, file->id, DAYTONA_OPTION_NOT_SENT_LOW_WATER, &bytes);
    file->bridge.narrow = bytes > 0 && bytes < TWIN_BUFFER;
    set_buffer(fd, file->bridge.narrow ? (int)bytes : TWIN_BUFFER);
}

/* A byte for the engine's end to keep, see bridge.h. Before the application can write. */
static void plant(struct file *file, int fd)
{
    if (file->bridge.spent == 0 && !file->bridge.narrow &&
        real.send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
        file->bridge.spent = 1;
}

static bool is_writable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    return real.poll(&entry, 1, 0) > 0 && (entry.revents & POLLOUT) != 0;
}

/* As many as it takes to make the twin not writable; and so many that one more is refused, where
 * SIGIO shall tell that it is writable again. */
static void block(struct file *file, int fd)
{
    static const char junk[BLOCK_BYTES];
    bool async = (real.fcntl(fd, F_GETFL) & O_ASYNC) != 0;
    ssize_t sent = 1;
    while (sent > 0 && (async || is_writable(fd))) {
        sent = real.send(fd, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL);
        file->bridge.spent += sent > 0 ? (size_t)sent : 0;
    }
}

/* What the mirror has put into the twin is taken out, as far as this end can. While the connection
 * is being made, the twin stays not writable. */
static void clean_twin(struct file *file, int fd)
{
    char tokens[256];
    while (real.recv(fd, tokens, sizeof tokens, MSG_DONTWAIT) > 0)
        ;
    file->bridge.held_back = file->mirror.blocked && !file->connected;
    file->bridge.spent = (size_t)file->mirror.seeded + file->mirror.blocked;
    bridge_fit_buffer(file, fd);
    plant(file, fd);
    if (file->bridge.held_back)
        block(file, fd);
    take_low_water(file, fd);
    set_timeout(fd, SO_RCVTIMEO, atomic_load(&file->timeout_us[FILE_RECEIVE]));
    set_timeout(fd, SO_SNDTIMEO, atomic_load(&file->timeout_us[FILE_SEND]));
}

/* What shutdown() has told the stack, the twin is told when it becomes the socket. */
static void take_shutdown(struct file *file, int fd)
{
    struct daytona_connection_info info = {0};
    if (!file->connected || daytona_stack_info(engine.stack, engine_now(), file->id, &info) < 0 ||
        info.state == DAYTONA_TCP_ESTABLISHED || info.state == DAYTONA_TCP_CLOSE_WAIT)
        return;
    file->bridge.shut_by_call = true;
    real.shutdown(fd, SHUT_WR);
}

static void note_holder(struct file *file, int fd, pid_t holder)
{
    struct stat about;
    file->bridge.holder = holder != 0 ? holder : engine.pid;
    if (fstat(fd, &about) == 0)
        file->bridge.application = about.st_ino;
}

static void go_up(struct file *file)
{
    file->bridge.write_shut = file->mirror.read_shut;
    file->mirror = (struct mirror){0};
    sets_remove(file);
    atomic_store(&file->bridged, true);
    wait_wake(file, ~0u);
    engine.kick_runner = true; /* it may wait for this file */
    engine_add_work(file, FILE_WORK_MIRROR);
}

int bridge_begin(struct file *file, int fd, pid_t holder)
{
    if (file->kind != FILE_KIND_CONNECTION)
        return -EINVAL;
    bool unknown = file->bridge.application == 0;
    if (!bridge_is_up(file) || unknown)
        note_holder(file, fd, holder);
    if (bridge_is_up(file)) {
        if (unknown) { /* bridged from birth, and just accepted */
            bridge_fit_buffer(file, fd);
            plant(file, fd);
        }
        return 0;
    }
    clean_twin(file, fd);
    take_shutdown(file, fd);
    go_up(file);
    return 0;
}

void bridge_hold_back(struct file *file, int fd)
{
    file->bridge.held_back = true;
    block(file, fd);
}

void bridge_from_birth(struct file *file)
{
    go_up(file);
}

int bridge_descriptor(int fd)
{
    struct file *file = file_get(fd);
    int status = 0;
    if (file != NULL && file->kind == FILE_KIND_LISTENER && file_enter(file) == 0) {
        file->shared =
            true; /* its twin is a listener anywhere; the last close is the kernel's to see */
        engine_leave();
    }
    if (file != NULL && file->kind == FILE_KIND_CONNECTION && !bridge_is_up(file)) {
        status = file_enter(file);
        if (status == 0) {
            status = bridge_begin(file, fd, 0);
            engine_leave();
        }
    }
    file_put(file);
    return status;
}

void bridge_inheritable(void)
{
    if (engine.epoch == 0)
        return;
    if (!engine_alive() || getpid() != engine.pid) { /* a child, of vfork() perhaps */
        remote_bridge_inheritable();
        return;
    }
    for (int fd = 0; fd <= file_highest_descriptor(); fd++) {
        struct file *file = file_get(fd);
        bool goes_along = file != NULL && (real.fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
        file_put(file);
        if (goes_along)
            bridge_descriptor(fd);
    }
}

/* ------------------------------------------------------------------ the engine's thread */

static uint8_t carried[CARRY_BYTES];

static bool has_end(const struct file *file)
{
    return file->engine_end >= 0 && !file->closed;
}

/* The application's end, as a descriptor of this table; -1 when no holder is known. */
static int application_end(const struct file *file)
{
    pid_t pid = file->bridge.holder;
    struct stat about;
    char path[64];
    int process = (int)syscall(SYS_pidfd_open, pid, 0), found = -1;
    for (int fd = 0; process >= 0 && found < 0 && fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        if (stat(path, &about) == 0 && about.st_ino == file->bridge.application &&
            S_ISSOCK(about.st_mode))
            found = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    }
    if (process >= 0)
        real.close(process);
    return found;
}

/* AF_UNIX tells ECONNRESET to the one end when the other is closed with data unread. Where no byte
 * is kept for that, one must be sent by the application's end; where nobody is found that holds it,
 * the end of the stream must do. */
static void show_reset(struct file *file)
{
    char ignored[256];
    atomic_store(&file->bridge.failure, file->bridge.error != 0 ? file->bridge.error : ECONNRESET);
    bool unread = real.recv(file->engine_end, ignored, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    int end = unread || file->bridge.read_ended ? -1 : application_end(file);
    if (end >= 0) {
        real.send(end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        real.close(end);
    }
    real.close(file->engine_end);
    file->engine_end = -1;
    if (file->asker.length == 0) {
        file->failed = file->generation;
        file->failure = atomic_load(&file->bridge.failure);
        if (daytona_stack_endpoints(engine.stack, file->id, &file->failed_end, NULL) < 0)
            file->failed_end = (struct daytona_endpoint){0};
    }
    if (file->descriptors == 0)
        file_end(file);
}

/* The application's end is closed, and all that was written to it has been sent. */
static void end_stream(struct file *file)
{
    if (file->bridge.hung_up) {
        if (!file->bridge.write_shut)
            file_detach_all(file);
        file_end(file);
        return;
    }
    if (!file->bridge.read_ended)
        daytona_stack_shutdown(engine.stack, engine_now(), file->id, DAYTONA_SHUTDOWN_WRITE);
    file->bridge.read_ended = true;
}

static bool attempt_is_over(const struct file *file)
{
    return (daytona_stack_readiness(engine.stack, file->id) &
            (DAYTONA_READY_OUT | DAYTONA_READY_HUP | DAYTONA_READY_ERROR)) != 0;
}

void bridge_take_spent(struct file *file)
{
    size_t kept = file->bridge.narrow ? 0 : 1;
    while (file->bridge.spent > kept) {
        size_t most = file->bridge.spent - kept;
        ssize_t taken = real.recv(file->engine_end, carried,
                                  most < sizeof carried ? most : sizeof carried, MSG_DONTWAIT);
        if (taken <= 0)
            return;
        file->bridge.spent -= (size_t)taken;
    }
}

void bridge_release_end(struct file *file)
{
    file->bridge.narrow = true;
    if (file->engine_end >= 0)
        bridge_take_spent(file);
}

/* The peer does not want what is written, for the reason `error`: what waits in the twin is thrown
 * away, who writes more gets EPIPE, and a reset is shown when all from the peer has been. */
static void refuse_rest(struct file *file, int error)
{
    int unwanted = 0;
    real.shutdown(file->engine_end, SHUT_RD);
    if (real.ioctl(file->engine_end, FIONREAD, &unwanted) == 0)
        file->bridge.spent = (size_t)unwanted;
    bridge_take_spent(file);
    if (error != EPIPE || !file->bridge.read_ended) /* EPIPE: a reset behind the peer's FIN */
        file->bridge.error = error;
    file->bridge.read_ended = true;
}

static bool was_reset(const struct file *file)
{
    int error = 0;
    socklen_t length = sizeof error;
    return real.getsockopt(file->engine_end, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
           error == ECONNRESET;
}

/* All that was written has been sent. */
static void stop_reading(struct file *file, bool reset, bool shut)
{
    if (reset || (file->bridge.hung_up && was_reset(file))) {
        file_detach_all(file);
        file_abort(file); /* RFC 2525 section 2.17: closed with data unread */
    } else if (shut) {
        end_stream(file);
    }
}

static bool is_final(ptrdiff_t result)
{
    return result < 0 && result != -EAGAIN && result != -ENOTCONN && result != -ENOBUFS;
}

/* One piece of what the application has written; false when no more can be done now. */
static bool carry_piece_out(struct file *file)
{
    bool shut = file->bridge.shut; /* noticed before looking: nothing can come after it */
    ssize_t got = real.recv(file->engine_end, carried, sizeof carried, MSG_PEEK | MSG_DONTWAIT);
    size_t spent = file->bridge.spent;
    if (got <= (ssize_t)spent) {
        stop_reading(file, got < 0 && errno == ECONNRESET, shut || got == 0);
        return false;
    }
    if (!shares_may_send(file)) {
        file->starved = true;
        return false;
    }
    struct daytona_span span = {carried + spent, (size_t)got - spent};
    struct daytona_call call;
    daytona_stack_call_begin(engine.stack, engine_now(), file->id, DAYTONA_CALL_SEND, span.length,
                             &call);
    ptrdiff_t sent = daytona_stack_send(engine.stack, engine_now(), file->id, &span, 1,
                                        (size_t)got == sizeof carried ? DAYTONA_SEND_MORE : 0u);
    if (sent > 0) {
        daytona_stack_call_end(engine.stack, engine_now(), &call, sent);
        file->bridge.spent += (size_t)sent;
        bridge_take_spent(file);
    } else if (sent == -ENOBUFS) {
        file->starved = true;
    } else if (is_final(sent)) {
        refuse_rest(file, (int)-sent);
    }
    return sent > 0 || is_final(sent);
}

/* Who waits for a served connection is told of a failure before its twin shows anything, and of a
 * connection when the twin takes what is written. */
static void settle_attempt(struct file *file)
{
    int error = server_attempt_outcome(file);
    if (error == 0) {
        file->bridge.held_back = false;
        bridge_take_spent(file);
    }
    server_attempt_tell(file, error);
    if (error == 0)
        return;
    file->bridge.error = error;
    show_reset(file);
}

/* Nobody is left who could learn how the attempt ends (RFC 9293 section 3.10.4, SYN-SENT). */
static void give_up(struct file *file)
{
    file_detach_all(file);
    file_abort(file);
}

/* What the application has written, unless the attempt to connect goes on. */
static void carry_out(struct file *file)
{
    if (file->bridge.held_back && !attempt_is_over(file)) {
        if (file->bridge.hung_up && !file->connected)
            give_up(file);
        return;
    }
    file->bridge.held_back = false;
    bridge_take_spent(file);
    while (has_end(file) && (!file->bridge.read_ended || file->bridge.hung_up) &&
           carry_piece_out(file))
        ;
}

/* A reset behind the end of the peer's stream is no reader's error, but a writer's. */
static void take_late_error(struct file *file)
{
    int error = daytona_stack_take_error(engine.stack, file->id);
    file->bridge.error = error > 0 ? error : 0;
}

/* One piece of what the peer has sent; false when no more can be done now. */
static bool carry_piece_in(struct file *file)
{
    struct daytona_room room = {carried, sizeof carried};
    ptrdiff_t got =
        daytona_stack_receive(engine.stack, engine_now(), file->id, &room, 1, DAYTONA_RECEIVE_PEEK);
    if (is_final(got))
        file->bridge.error = (int)-got;
    else if (got == 0 && file->bridge.error == 0)
        take_late_error(file);
    if (is_final(got) || (got == 0 && file->bridge.error != 0)) {
        show_reset(file);
    } else if (got == 0 && !file->bridge.write_shut) {
        real.shutdown(file->engine_end, SHUT_WR);
        file->bridge.write_shut = true;
    }
    if (got <= 0)
        return false;
    ssize_t put = real.send(file->engine_end, carried, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EPIPE)
        put = got; /* after SHUT_RD what comes is thrown away */
    if (put <= 0)
        return false;
    room.length = (size_t)put;
    struct daytona_call call;
    daytona_stack_call_begin(engine.stack, engine_now(), file->id, DAYTONA_CALL_RECEIVE,
                             room.length, &call);
    daytona_stack_receive(engine.stack, engine_now(), file->id, &room, 1, DAYTONA_RECEIVE_DISCARD);
    daytona_stack_call_end(engine.stack, engine_now(), &call, put);
    return true;
}

void bridge_prepare_end(struct file *file)
{
    set_buffer(file->engine_end, TWIN_BUFFER);
}

void bridge_carry(struct file *file)
{
    if (file->gone)
        return;
    if (file->served && file->connecting && attempt_is_over(file))
        settle_attempt(file);
    while (has_end(file) && carry_piece_in(file))
        ;
    carry_out(file);
    pump_output();
}

/* ------------------------------------------------------------------ what waits to be sent */

void bridge_count_queue(struct file *file)
{
    struct daytona_connection_info info = {0};
    int in_twin = 0;
    if (file->engine_end >= 0)
        real.ioctl(file->engine_end, FIONREAD, &in_twin);
    in_twin -= (int)file->bridge.spent;
    if (in_twin < 0)
        in_twin = 0;
    daytona_stack_info(engine.stack, engine_now(), file->id, &info);
    file->bridge.queue = (struct bridge_queue){.unacknowledged = (int)info.send_queued + in_twin,
                                               .unsent = (int)info.not_sent + in_twin};
    file->bridge.counted = true;
}

int bridge_ask_queue(struct file *file, struct bridge_queue *out)
{
    int status = file_enter(file);
    *out = (struct bridge_queue){0};
    if (status < 0)
        return status == -EBADF ? 0 : status; /* it is over, and nothing waits */
    file->bridge.counted = false;
    if (engine_is_thread() || !file->attached)
        bridge_count_queue(file);
    while (!file->bridge.counted && !file->gone) {
        engine_add_work(file, FILE_WORK_COUNT);
        engine_wait_round();
    }
    *out = file->bridge.queue;
    engine_leave();
    return 0;
}

static bool is_over(const struct file *file)
{
    struct daytona_connection_info info;
    return file->closed || daytona_stack_info(engine.stack, engine_now(), file->id, &info) < 0 ||
           info.state == DAYTONA_TCP_CLOSED || info.state == DAYTONA_TCP_TIME_WAIT;
}

int bridge_before_shutdown(struct file *file, int how)
{
    file->bridge.shut_by_call = true;
    if (is_over(file))
        return -ENOTCONN;
    if (how != SHUT_WR && !file->bridge.held_back)
        daytona_stack_shutdown(engine.stack, engine_now(), file->id, DAYTONA_SHUTDOWN_READ);
    return 0;
}

/* AF_UNIX shows the last close, and a shutdown of both directions, as the same. */
static bool is_held(const struct file *file)
{
    if (!file->bridge.shut_by_call)
        return false;
    int exists = unix_socket_exists(file->bridge.application);
    return exists < 0 ? file->descriptors > 0 : exists > 0;
}

void bridge_notice(struct file *file, unsigned events)
{
    if ((events & EPOLLHUP) != 0 && !file->bridge.hung_up)
        file->bridge.hung_up = !is_held(file);
    if ((events & (EPOLLHUP | EPOLLRDHUP)) != 0)
        file->bridge.shut = true;
    engine_add_work(file, FILE_WORK_MIRROR);
}
