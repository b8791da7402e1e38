#include "preload/linger.h"

#include "preload/engine.h"
#include "preload/engine_thread.h"
#include "preload/event_ring.h"
#include "preload/file_record.h"
#include "preload/leftover.h"
#include "preload/profile.h"
#include "preload/real.h"
#include "preload/record.h"
#include "preload/settings.h"
#include "preload/summary.h"
#include "preload/twin.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* TIME-WAIT protects a later connection of the same pair of ports; the ports are given back
 * with this process, so only the retransmission of a lost last ACK is worth waiting for. And not
 * even that where the ports are guarded by listening sockets instead of rules: they would be in
 * the way of the program's next start. */
#define TIME_WAIT_US ((uint64_t)1000 * 1000)
#define PATIENCE_S   10
#define PATIENCE_US  ((uint64_t)120 * 1000 * 1000) /* without a packet from any peer */

/* Futexes: how many engines' threads have been told to end after they have left a child behind, and
 * have let go of what they held. */
static atomic_uint deserted, ended;

struct unfinished {
    bool open;      /* something is still to be delivered or closed */
    bool time_wait; /* connections that only wait */
    bool listening; /* other processes hold listeners */
    bool held;      /* ... or connections */
};

static struct unfinished look(void)
{
    struct unfinished found = {.held = file_any_held()};
    struct daytona_socket_id id = {0, 0};
    struct daytona_connection_info info;
    while (daytona_stack_next(engine.stack, &id)) {
        if (daytona_stack_info(engine.stack, engine_now(), id, &info) < 0)
            continue;
        if (info.state == DAYTONA_TCP_TIME_WAIT)
            found.time_wait = true;
        else if (info.state == DAYTONA_TCP_LISTEN)
            found.listening = true;
        else if (info.state != DAYTONA_TCP_CLOSED)
            found.open = true;
    }
    return found;
}

void linger_end_deserted(struct file *file)
{
    if (file->kind == FILE_KIND_LISTENER && !twin_listens(file)) {
        file_detach_all(file);
        file_end(file);
    }
}

static struct daytona_instant next_look(struct daytona_instant now)
{
    struct daytona_instant until = daytona_instant_after_us(now, TIME_WAIT_US / 4);
    struct daytona_instant deadline = daytona_stack_deadline(engine.stack);
    return daytona_instant_before(deadline, until) ? deadline : until;
}

/* The port of a listener that has ended is free again: another program, or the next run of this
 * one, may have it by now, and its connections are no affair of ours. */
static void finish_connections(void)
{
    struct daytona_instant progress = engine_now(), last_open = progress;
    uint64_t packets = 0;
    for (;;) {
        file_each_left(linger_end_deserted);
        leftover_begin();
        leftover_look();
        struct daytona_instant now = engine_now();
        struct unfinished found = look();
        if (!found.listening)
            daytona_stack_retire(engine.stack);
        uint64_t seen = daytona_stack_counters(engine.stack)->packets_in;
        if (seen != packets || found.held || found.listening)
            progress = now;
        packets = seen;
        if (found.open)
            last_open = now;
        bool waits = found.time_wait && settings.rules == SETTINGS_RULES_ON &&
                     daytona_instant_since_us(now, last_open) < TIME_WAIT_US;
        if ((!found.open && !found.held && !found.listening && !waits) ||
            daytona_instant_since_us(now, progress) > PATIENCE_US)
            return;
        engine_thread_linger(next_look(now));
    }
}

/* Handlers are the program's, and the program is gone: only its default for SIGTERM is kept, so
 * that this process can be ended. */
static _Noreturn void child(void)
{
    sigset_t end;
    prctl(PR_SET_NAME, "daytona-linger");
    setsid();
    int ignored = chdir("/");
    (void)ignored;
    real.signal(SIGTERM, SIG_DFL);
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &end, NULL);
    engine_go_on();
    record_go_on();
    linger_here();
}

void linger_here(void)
{
    atomic_store(&engine.exit_wanted, false); /* whoever asks is answered */
    finish_connections();
    summary_write_all();
    event_ring_end();
    profile_end();
    record_end();
    real._exit(0);
    __builtin_unreachable();
}

/* Forks a process that is no child of this one, which may be about to become a program that waits
 * for all the children it has. The one between, which ends with no signal, is waited for by nobody
 * but us. Returns 0 in the new process. */
static int fork_stranger(void)
{
    long between = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (between == 0) {
        if (_Fork() == 0)
            return 0;
        syscall(SYS_exit_group, 0);
    }
    if (between > 0)
        waitpid((pid_t)between, NULL, (int)__WCLONE);
    return -1;
}

/* Leaves a child behind that finishes what is unfinished. */
static void leave_child(void)
{
    madvise(engine.region.data, engine.region.length, MADV_DOFORK);
    daytona_capture_pass_on(engine.capture, true);
    file_table_pass_on();
    struct unfinished found = look();
    bool needed = found.open || found.held || found.listening ||
                  (found.time_wait && settings.rules == SETTINGS_RULES_ON);
    if (needed && fork_stranger() == 0)
        child();
    if (!needed) {
        summary_write_all();
        event_ring_end();
        profile_end();
        record_end();
    }
}

static void end_unshared(struct file *file)
{
    if (!file->shared)
        file_end(file);
}

/* What the first thread ended with: the last number of its line, as waitpid() would tell it. */
static int status_of_the_first(void)
{
    char line[1024];
    int stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t got = stat < 0 ? 0 : real.read(stat, line, sizeof line - 1);
    line[got > 0 ? got : 0] = '\0';
    const char *last = strrchr(line, ' ');
    if (stat >= 0)
        real.close(stat);
    return last == NULL ? 0 : (int)(strtol(last, NULL, 10) >> 8 & 0xff);
}

/* Whether no other thread of the process lives. The first one is counted when it has ended, too. */
static bool is_alone(void)
{
    char text[4096];
    int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t got = status < 0 ? 0 : real.read(status, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    if (status >= 0)
        real.close(status);
    const char *first = strstr(text, "\nState:\t"), *threads = strstr(text, "\nThreads:\t");
    if (first == NULL || threads == NULL)
        return false;
    long living = strtol(threads + sizeof "\nThreads:", NULL, 10);
    return living == 1 || (living == 2 && first[sizeof "\nState:"] == 'Z');
}

/* The thread that ends last gives the process its status. */
void linger_if_alone(void)
{
    if (!is_alone())
        return;
    file_each_left(end_unshared);
    leave_child();
    for (;;)
        syscall(SYS_exit, status_of_the_first());
}

void linger_fork(void)
{
    leave_child();
    struct daytona_capture *capture = engine.capture;
    struct daytona_rawtx *sink = engine.sink;
    struct daytona_room region = engine.region;
    unsigned before = atomic_load(&deserted);
    atomic_store(&engine.exit_done, 1);
    syscall(SYS_futex, &engine.exit_done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    /* With the engine locked: two must not drive the same connections. */
    while (atomic_load(&deserted) == before)
        syscall(SYS_futex, &deserted, FUTEX_WAIT_PRIVATE, before, NULL, NULL, 0);
    daytona_capture_close(capture);
    daytona_rawtx_close(sink);
    munmap(region.data, region.length);
    real.close_range(0, ~0U, 0);
    atomic_fetch_add(&ended, 1);
    syscall(SYS_futex, &ended, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    pthread_exit(NULL);
}

void linger_desert(void)
{
    const struct timespec patience = {.tv_sec = PATIENCE_S};
    unsigned before = atomic_load(&ended);
    atomic_fetch_add(&deserted, 1);
    syscall(SYS_futex, &deserted, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    syscall(SYS_futex, &ended, FUTEX_WAIT_PRIVATE, before, &patience, NULL, 0);
}
