#include "preload/engine_thread.h"

#include "preload/address_space.h"
#include "preload/control.h"
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/event_ring.h"
#include "preload/file_record.h"
#include "preload/leftover.h"
#include "preload/linger.h"
#include "preload/log.h"
#include "preload/port_claims.h"
#include "preload/profile.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/record.h"
#include "preload/remote.h"
#include "preload/server.h"
#include "preload/settings.h"
#include "preload/shares.h"
#include "preload/shield.h"
#include "preload/summary.h"
#include "preload/twin.h"
#include "preload/wait.h"

#include <daytona/profile.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long an application thread must have left the pump alone before the engine's thread takes
 * it, and how long one must have been at it before the engine's thread stops looking. */
#define RING_BYTES ((size_t)64 << 20) /* for packets that wait */
#define TICK_US    ((uint64_t)2 * 1000)
#define TRUST_US   ((uint64_t)10 * 1000)

static int control = -1; /* the engine's end */
static bool control_hung_up;
static int service = -1;  /* where other processes ask, see remote.h */
static int front = -1;    /* where they ask for sockets, see server.h */
static int steering = -1; /* where they do who look on, see control.h */
static int ends = -1;     /* epoll: the engine's ends of twins, for the application's last close */

void engine_thread_say(enum log_level level, const char *line)
{
    int lent = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
    if (lent < 0)
        return;
    real.dup3(lent, STDERR_FILENO, O_CLOEXEC);
    real.close(lent);
    log_line(level, "%s", line);
    real.dup3(STDIN_FILENO, STDERR_FILENO, O_CLOEXEC); /* the empty device again */
}

/* ------------------------------------------------------------------ files */

static void close_number(int *fd)
{
    if (*fd >= 0)
        real.close(*fd);
    *fd = -1;
}

static void watch_end(struct file *file)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET};
    event.data.u64 = (uint64_t)file->generation << 32 | file_index(file);
    real.epoll_ctl(ends, EPOLL_CTL_ADD, file->engine_end, &event);
}

/* Of a bridged socket: all that happens. */
static void watch_bridge(struct file *file)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    if (file->bridge.watched || file->engine_end < 0)
        return;
    bridge_prepare_end(file);
    event.data.u64 = (uint64_t)file->generation << 32 | file_index(file);
    file->bridge.watched = real.epoll_ctl(ends, EPOLL_CTL_MOD, file->engine_end, &event) == 0;
}

/* A listener of both families: IPv6 connections come from the kernel. */
static void watch_kernel(struct file *listener)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    event.data.u64 = (uint64_t)listener->generation << 32 | file_index(listener);
    real.epoll_ctl(ends, EPOLL_CTL_ADD, listener->reservation, &event);
}

/* One socket less that the reservation is for. */
static void unguard(struct file *holder)
{
    if (--holder->guarded == 0)
        close_number(&holder->reservation);
}

static bool reuses_address(const struct file *listener)
{
    int value = 0;
    socklen_t length = sizeof value;
    return real.getsockopt(listener->reservation, SOL_SOCKET, SO_REUSEADDR, &value, &length) == 0 &&
           value != 0;
}

/* The connection gets a guard of its own, if that is allowed. */
static void guard_alone(struct file *file)
{
    struct file *listener = file->guard;
    int own =
        shield_raise_for(&file->guarded_ends[0], &file->guarded_ends[1], reuses_address(listener));
    if (own < 0)
        return;
    file->reservation = own;
    file->guarded = 1;
    file->guard = NULL;
    unguard(listener);
    file_put(listener);
}

/* As long as a listener's reservation guards connections, nobody else can listen on the port. */
static void guard_singly(struct file *listener)
{
    if (listener->reservation >= 0 && listener->guarded > 1)
        file_each_guarded(listener, guard_alone);
}

static void release(struct file *file)
{
    shares_give(file);
    guard_singly(file);
    if (file->kind == FILE_KIND_LISTENER)
        leftover_begin();
    bridge_release_end(file);
    close_number(&file->engine_end);
    if (file->reservation >= 0 && file->guarded > 1 && file->domain == AF_INET6)
        shield_raise(file->reservation); /* nobody accepts any more, by IPv6 either */
    if (file->guarded > 0)
        unguard(file);
    if (file->guard != NULL) {
        unguard(file->guard);
        file_put(file->guard);
    }
    file_put(file);
}

void engine_thread_adopt(struct file *file, int reservation, int end)
{
    file->reservation = reservation;
    file->guarded = 1;
    file->engine_end = end;
    file->attached = true;
    if (file->engine_end >= 0)
        watch_end(file);
    if (file->kind == FILE_KIND_LISTENER && file->domain == AF_INET6)
        watch_kernel(file);
    engine_add_work(file, file->gone ? FILE_WORK_GONE : FILE_WORK_MIRROR);
}

/* A server's: where it is asked, or the one file that it writes. */
static void take_service(const int *received, size_t count)
{
    if (count == 1) {
        summary_take(received[0]);
    } else if (count == 2) {
        front = received[0];
        service = received[1];
    }
}

/* Its socket becomes the kernel's again: the application wants the reservation back through
 * `through`. One that others need too stays. */
static void give_back(struct file *file, int through)
{
    guard_singly(file);
    if (file->reservation >= 0 && file->guarded == 1 && !file->gone) {
        real.epoll_ctl(ends, EPOLL_CTL_DEL, file->reservation, NULL);
        engine_table_send(through, file_index(file), &file->reservation, 1);
        close_number(&file->reservation);
    }
    close_number(&through);
}

/* The application has sent the descriptors of a socket that has become Daytona's, or asks for the
 * one that it had. */
static void attach(void)
{
    uint32_t index;
    int received[2];
    size_t count;
    while (engine_table_receive(control, &index, received, &count)) {
        if (index == ENGINE_FOR_ITSELF)
            take_service(received, count);
        else if (file_by_number(index)->attached && count == 1)
            give_back(file_by_number(index), received[0]);
        else
            engine_thread_adopt(file_by_number(index), count > 0 ? received[0] : -1,
                                count > 1 ? received[1] : -1);
    }
}

/* The last descriptor of some twins is closed: by close() as we know already, or out of our
 * sight, or in a forked child that held it longer. */
static void notice_ends(void)
{
    struct epoll_event events[64];
    int count = real.epoll_wait(ends, events, 64, 0);
    for (int i = 0; i < count; i++) {
        uint32_t index = (uint32_t)events[i].data.u64;
        struct file *file = file_by_index(index, (uint32_t)(events[i].data.u64 >> 32));
        if (file != NULL && file->kind == FILE_KIND_LISTENER)
            engine_add_work(file, FILE_WORK_ACCEPT);
        if (file != NULL && bridge_is_up(file)) {
            daytona_profile_enter(engine.profiler, DAYTONA_ACTIVITY_twins);
            bridge_notice(file, events[i].events);
            daytona_profile_leave(engine.profiler);
            continue;
        }
        if (file == NULL || (events[i].events & (EPOLLRDHUP | EPOLLHUP)) == 0 ||
            (file->mirror.hung_up && !file->closed && file->descriptors > 0))
            continue; /* the last one: hung up by ourselves */
        file_detach_all(file);
        if (file->unclaimed) /* as the kernel ends what a listener leaves behind */
            file_abort(file);
        else
            file_end_after_calls(file);
        close_number(&file->engine_end);
    }
}

/* The next connection a listener has: one that found no room before, or one the stack has. */
static struct file *next_accepted(struct file *listener)
{
    struct daytona_socket_id id;
    struct file *file = listener->held;
    listener->held = NULL;
    if (file != NULL || daytona_stack_accept(engine.stack, listener->id, &id) < 0)
        return file;
    file = file_make(FILE_KIND_CONNECTION, listener->domain, id);
    if (file == NULL) {
        daytona_stack_abort(engine.stack, engine_now(), id);
        return NULL;
    }
    daytona_stack_set_user(engine.stack, id, file);
    file->attached = file->connected = file->unclaimed = true;
    file_claim_port(file, listener->claimed_port); /* it may outlive the listener */
    return file;
}

/* The connection may outlive its listener: where no firewall rule does it, the kernel has to be
 * kept silent for as long as it lives. */
static void share_reservation(struct file *file, struct file *listener)
{
    if (settings.rules == SETTINGS_RULES_ON || listener->guarded == 0)
        return;
    if (daytona_stack_endpoints(engine.stack, file->id, &file->guarded_ends[0],
                                &file->guarded_ends[1]) < 0)
        return; /* it is over already */
    listener->guarded++;
    file_hold(listener);
    file->guard = listener;
}

/* What has changed at the connection reaches its twin. */
static void show(struct file *file)
{
    bool bridged = bridge_is_up(file);
    daytona_profile_enter(engine.profiler,
                          bridged ? DAYTONA_ACTIVITY_twins : DAYTONA_ACTIVITY_wake);
    if (bridged) {
        watch_bridge(file);
        bridge_carry(file);
    } else if (!sets_offer(file)) {
        mirror_update(file);
    }
    daytona_profile_leave(engine.profiler);
}

/* Its user has no share left for more connections: they wait as the backlog says. */
static bool is_starved(struct file *listener)
{
    listener->starved =
        listener->served && listener->has_share && !shares_may_take(listener->owner);
    return listener->starved;
}

static void join_accepted(struct file *listener)
{
    struct file *file;
    while (!listener->closed && !is_starved(listener) && (file = next_accepted(listener)) != NULL) {
        int end = twin_join(file, listener);
        if (end == -EMFILE) {
            engine_table_raise_limit();
            end = twin_join(file, listener);
            engine_table_restore_limit();
        }
        if (end == -EAGAIN) {
            listener->held = file;
            return;
        }
        if (end < 0) {
            if (!listener->closed && end != -ECONNREFUSED)
                engine_thread_say(LOG_LEVEL_WARNING,
                                  "no descriptor for an accepted connection: it is reset");
            file_abort(file);
            continue;
        }
        file->engine_end = end;
        file->served = file->told = listener->served;
        if (file->served)
            shares_take(file, listener->owner);
        if (settings.mode == SETTINGS_MODE_BRIDGED || file->served)
            bridge_from_birth(file);
        share_reservation(file, listener);
        file->mirror.early = listener->mirror.watchers > 0;
        watch_end(file);
        show(file);
    }
}

/* What the kernel has accepted for the listener by IPv6. */
static void join_kernel(struct file *listener)
{
    struct pollfd entry = {.fd = listener->reservation, .events = POLLIN};
    listener->kernel_waits = false;
    while (!listener->closed && listener->domain == AF_INET6 && entry.fd >= 0 &&
           real.poll(&entry, 1, 0) > 0) {
        int status = twin_join_kernel(entry.fd, listener);
        if (status < 0) {
            listener->kernel_waits = status == -EAGAIN;
            return;
        }
    }
}

static void join_waiting(struct file *listener)
{
    join_accepted(listener);
    join_kernel(listener);
}

void engine_thread_work(void)
{
    while (engine.work != NULL) {
        struct file *file = engine.work;
        unsigned work = file->work;
        engine.work = file->next_work;
        file->next_work = NULL;
        file->work = 0;
        if ((work & FILE_WORK_ACCEPT) != 0)
            join_waiting(file);
        if ((work & FILE_WORK_MIRROR) != 0)
            show(file);
        if ((work & FILE_WORK_COUNT) != 0)
            bridge_count_queue(file);
        if ((work & FILE_WORK_GONE) != 0 && file->attached)
            release(file);
        file_put(file);
    }
    summary_write();
    atomic_fetch_add(&engine.rounds, 1);
    syscall(SYS_futex, &engine.rounds, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* ------------------------------------------------------------------ the loop */

/* Decides how to wait, after pumping if nobody else does; returns until when. */
static struct daytona_instant settle_down(void)
{
    struct daytona_instant now = engine_now();
    if (engine.runner == ENGINE_RUNNER_APPLICATION) {
        bool trusted = daytona_instant_since_us(now, engine.runner_since) > TRUST_US;
        engine.rest = trusted ? ENGINE_REST_LONG : ENGINE_REST_TICK;
        return trusted ? DAYTONA_NEVER : daytona_instant_after_us(now, TICK_US);
    }
    uint64_t left = daytona_instant_since_us(now, engine.runner_left);
    if (engine.runner_left.ns != 0 && left < TICK_US) {
        engine.rest = ENGINE_REST_TICK;
        engine.sleeps_until = daytona_instant_after_us(now, TICK_US - left);
        return engine.sleeps_until;
    }
    if (engine.served_set != 0)
        sets_stop_serving();
    bool more = pump();
    engine.rest = ENGINE_REST_CAPTURE;
    engine.sleeps_until = more || engine.work != NULL ? now : wait_until(now, DAYTONA_NEVER);
    return engine.sleeps_until;
}

static struct daytona_instant earlier(struct daytona_instant a, struct daytona_instant b)
{
    return daytona_instant_before(a, b) ? a : b;
}

static void write_record(void)
{
    struct daytona_instant now = engine_now();
    if (!daytona_instant_before(now, record_deadline()))
        record_write(now);
}

#define LOOK_US ((uint64_t)50 * 1000)

/* Nobody has the other end of `control` any more: each thread of the application has ended by
 * itself, or somebody has closed a number that was not theirs, with a system call that no wrapper
 * saw. A thread that ends closes its descriptors some time before it is seen to have ended. Until
 * when to look again. */
static struct daytona_instant hung_up(void)
{
    static struct daytona_instant next;
    struct daytona_instant now = engine_now();
    if (control >= 0 || !daytona_instant_before(now, next)) {
        close_number(&control);
        linger_if_alone();
        next = daytona_instant_after_us(now, LOOK_US);
    }
    return next;
}

static void rest(struct daytona_instant until)
{
    struct daytona_instant now = engine_now();
    uint64_t ns = daytona_instant_before(now, until) ? until.ns - now.ns : 0;
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    bool receives = engine.rest == ENGINE_REST_CAPTURE;
    struct pollfd entries[] = {
        {.fd = engine.thread_wake, .events = POLLIN},
        {.fd = control, .events = POLLIN},
        {.fd = ends, .events = POLLIN},
        {.fd = receives ? engine.capture_descriptor : -1, .events = POLLIN},
        {.fd = service, .events = POLLIN},
        {.fd = front, .events = POLLIN},
        {.fd = steering, .events = POLLIN},
    };
    engine_thread_unlock();
    real.ppoll(entries, 7, until.ns == DAYTONA_NEVER.ns ? NULL : &timeout, NULL);
    engine_thread_lock();
    engine.rest = ENGINE_REST_NONE;
    if ((entries[1].revents & POLLHUP) != 0)
        control_hung_up = true;
    if (entries[4].revents != 0)
        remote_serve(service);
    if (entries[5].revents != 0)
        remote_serve(front);
    if (entries[6].revents != 0)
        control_serve();
    if (entries[0].revents != 0) {
        uint64_t count;
        ssize_t got = real.read(engine.thread_wake, &count, sizeof count);
        (void)got;
    }
}

void engine_thread_linger(struct daytona_instant until)
{
    close_number(&control); /* the other end is the application's, and hung up */
    notice_ends();
    pump();
    engine_thread_work();
    write_record();
    engine.rest = ENGINE_REST_CAPTURE;
    rest(engine.work != NULL ? engine_now() : earlier(until, record_deadline()));
}

static void report_drops(void)
{
    static bool said;
    struct daytona_capture_counters counters;
    if (said)
        return;
    daytona_capture_counters(engine.capture, &counters);
    said = counters.dropped_by_ring > 0;
    if (said)
        engine_thread_say(LOG_LEVEL_WARNING,
                          "the capture ring was full and packets were lost: the program is too "
                          "slow for what arrives");
}

static void loop(void)
{
    struct daytona_instant looked = engine_now();
    engine_thread_lock();
    for (;;) {
        attach();
        notice_ends();
        struct daytona_instant until = settle_down();
        if (engine.work != NULL)
            until = (struct daytona_instant){0};
        engine_thread_work();
        if (engine.exit_wanted && engine.server != NULL)
            linger_here();
        if (engine.exit_wanted)
            linger_fork();
        if (control_hung_up)
            until = earlier(until, hung_up());
        if (engine.server != NULL)
            until = server_look(until);
        if (daytona_instant_since_us(engine_now(), looked) > 1000000) {
            looked = engine_now();
            report_drops();
            event_ring_check();
            leftover_look();
        }
        write_record();
        rest(earlier(until, record_deadline()));
    }
}

/* ------------------------------------------------------------------ the beginning */

static int open_floor_2(const struct engine_birth *birth, char *message, size_t size)
{
    const char *names[SETTINGS_NAMES_MAX];
    for (size_t i = 0; i < settings.interfaces.count; i++)
        names[i] = settings.interfaces.names[i];
    struct daytona_port_span ruled[PORT_RULES_MAX];
    const struct daytona_capture_config config = {
        .interfaces = names,
        .interface_count = settings.interfaces.count,
        .ports = birth->ports,
        .port_count = birth->port_count,
        .openings = ruled,
        .opening_count = port_claims_ruled(ruled),
        .lock_filter = engine.server != NULL,
        .ring_bytes = (uint32_t)address_space_share(RING_BYTES),
    };
    int status = daytona_capture_open(&config, &engine.capture, message, size);
    if (status == 0) {
        status = daytona_rawtx_open(settings.transmit, &engine.sink, message, size);
        if (status < 0)
            daytona_capture_close(engine.capture);
    }
    return status;
}

static int open_all(const struct engine_birth *birth, int *shared, size_t *count,
                    struct engine_answer *answer)
{
    int status = open_floor_2(birth, answer->message, sizeof answer->message);
    if (status < 0)
        return status;
    engine.capture_descriptor = daytona_capture_descriptor(engine.capture);
    engine.runner_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine.thread_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *count = daytona_capture_descriptors(engine.capture, shared,
                                         ENGINE_SHARED_MAX - DAYTONA_RAWTX_DESCRIPTORS_MAX - 2);
    *count += daytona_rawtx_descriptors(engine.sink, shared + *count);
    shared[(*count)++] = engine.runner_wake;
    shared[(*count)++] = engine.thread_wake;
    return 0;
}

static int begin(const struct engine_birth *birth, int *shared, size_t *count,
                 struct engine_answer *answer)
{
    control = birth->control;
    control_hung_up = false;
    int status = engine_table_leave(&control, birth->first);
    if (status < 0) {
        snprintf(answer->message, sizeof answer->message, "no descriptor table of its own: %s",
                 strerror(-status));
        return status;
    }
    status = open_all(birth, shared, count, answer);
    engine_table_settle(control, birth->first);
    if (status == 0) {
        ends = epoll_create1(EPOLL_CLOEXEC);
        service = engine.server == NULL ? remote_open() : -1;
        record_begin();
        event_ring_begin();
        profile_begin();
        steering = control_open();
        summary_begin();
    }
    return status;
}

void *engine_thread_main(void *birth)
{
    struct engine_answer answer = {0};
    int shared[ENGINE_SHARED_MAX];
    size_t count = 0;
    engine_become_thread();
    prctl(PR_SET_NAME, "daytona");
    answer.status = begin(birth, shared, &count, &answer);
    bool failed = answer.status < 0;
    if (engine_table_share(control, shared, count, &answer, sizeof answer) < 0 || failed)
        return NULL;
    loop();
    return NULL;
}
