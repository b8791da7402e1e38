#include "preload/engine.h"

#include "preload/address_space.h"
#include "preload/engine_table.h"
#include "preload/engine_thread.h"
#include "preload/file_record.h"
#include "preload/host_secret.h"
#include "preload/ledger.h"
#include "preload/observers.h"
#include "preload/port_claims.h"
#include "preload/privileges.h"
#include "preload/process.h"
#include "preload/profile.h"
#include "preload/real.h"
#include "preload/refusal.h"
#include "preload/server.h"
#include "preload/settings.h"
#include "preload/signals.h"
#include "preload/summary.h"

#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct engine engine = {.lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP};

/*
 * One word on a page that the kernel wipes in every child of a fork, however it was made: 1 says
 * that this process is the one in which the engine's thread runs.
 */
static atomic_uint not_alive;
static atomic_uint *alive = &not_alive;

/* Whether this thread has the lock, whether it is the engine's own, and what cancellation was
 * before the lock. */
static ATTRIBUTE_THREAD bool locked_here;
static ATTRIBUTE_THREAD bool is_engine_thread;
static ATTRIBUTE_THREAD int cancel_state_before;

bool engine_alive(void)
{
    return atomic_load_explicit(alive, memory_order_relaxed) != 0;
}

bool engine_is_thread(void)
{
    return is_engine_thread;
}

bool engine_is_locked(void)
{
    return locked_here;
}

struct daytona_instant engine_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (struct daytona_instant){(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec};
}

/* ------------------------------------------------------------------ the lock */

static void lock(void)
{
    signals_hold();
    if (profile_is_on())
        profile_lock(&engine.lock);
    else
        pthread_mutex_lock(&engine.lock);
    locked_here = true;
}

static void wake(int eventfd)
{
    const uint64_t one = 1;
    int saved = errno;
    profile_sleep();
    ssize_t written = real.write(eventfd, &one, sizeof one);
    (void)written; /* full means that it is awake */
    profile_awake();
    errno = saved;
}

static void unlock(void)
{
    bool kick_thread = engine.kick_thread, kick_runner = engine.kick_runner;
    engine.kick_thread = engine.kick_runner = false;
    profile_go();
    locked_here = false;
    pthread_mutex_unlock(&engine.lock);
    if (kick_thread && !is_engine_thread)
        wake(engine.thread_wake);
    if (kick_runner)
        wake(engine.runner_wake);
    signals_release();
}

int engine_enter(void)
{
    if (!engine_alive())
        return -EOPNOTSUPP;
    if (locked_here)
        return -EDEADLK;
    if (engine.exit_wanted)
        return -ESHUTDOWN; /* the lock may never be given back (linger.h) */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_before);
    lock();
    profile_come();
    return 0;
}

/* Somebody sleeps until a time that was right when it went to sleep; what was done since may want
 * the pump to run earlier. */
static void shorten_sleep(void)
{
    struct daytona_instant deadline = daytona_stack_deadline(engine.stack);
    if (!daytona_instant_before(deadline, engine.sleeps_until))
        return;
    engine.sleeps_until = deadline;
    if (engine.runner == ENGINE_RUNNER_APPLICATION)
        engine.kick_runner = !pthread_equal(engine.runner_thread, pthread_self());
    else
        engine.kick_thread = true;
}

void engine_leave(void)
{
    shorten_sleep();
    unlock();
    pthread_setcancelstate(cancel_state_before, NULL);
}

void engine_pause(void)
{
    unlock();
    profile_sleep();
    pthread_setcancelstate(cancel_state_before, NULL);
}

void engine_resume(void)
{
    int ignored;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ignored);
    profile_awake();
    lock();
    profile_come_back();
}

void engine_add_work(struct file *file, unsigned work)
{
    if (file->work == 0) {
        file_hold(file);
        file->next_work = engine.work;
        engine.work = file;
    }
    file->work |= work;
    engine.kick_thread = true;
}

void engine_wait_round(void)
{
    unsigned round = atomic_load(&engine.rounds);
    engine.kick_thread = true;
    engine_pause();
    syscall(SYS_futex, &engine.rounds, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0);
    engine_resume();
}

/* ------------------------------------------------------------------ starting */

/* Of payload in a frame. An IP packet of 65,522 bytes or more is too long for the kernel's
 * segmentation offload, which then splits it in software at six times the cost. */
#define SUPER_SEGMENT_BYTES 65400

static void ask_path(void *context, const struct daytona_address *local,
                     const struct daytona_address *remote, struct daytona_path *out)
{
    struct daytona_route route;
    (void)context;
    if (daytona_route_ask(remote, local, &route) == 0)
        out->mtu = route.mtu;
    else
        out->mtu = 1500;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static int make_stack(char *message, size_t size)
{
    struct daytona_stack_config config = {
        .path = ask_path,
        .answers = refusal_answers,
        .port_low = settings.port_range.low,
        .port_high = settings.port_range.high,
        .accept_partial_checksum = true,
        .calls_are_told = true,
        .super_segment_bytes_max = SUPER_SEGMENT_BYTES,
        .checksum_offload = true,
        .congestion = settings.congestion,
        .loss_detection = settings.loss_detection,
        .mtu_probing = settings.mtu_probing,
        .syn_cookies = settings.syn_cookies,
        .ecn = settings.ecn,
        .receive_buffer_bytes = (uint32_t)settings.receive_buffer_bytes,
        .send_buffer_bytes = (uint32_t)settings.send_buffer_bytes,
        .receive_buffer_max =
            (uint32_t)larger(settings.receive_buffer_max, settings.receive_buffer_bytes),
        .send_buffer_max = (uint32_t)larger(settings.send_buffer_max, settings.send_buffer_bytes),
    };
    struct daytona_room region = address_space_take((size_t)settings.memory_bytes);
    int status = region.data == NULL ? -ENOMEM : 0;
    if (status == 0 && getrandom(config.secret, sizeof config.secret, 0) < 0)
        status = -errno;
    host_secret_read(settings.host_secret_file, config.host_secret);
    if (status == 0) {
        madvise(region.data, region.length, MADV_DONTFORK);
        engine.region = region;
        status =
            daytona_stack_init(engine.region, &config,
                               observers_all(ledger_observer(summary_observer())), &engine.stack);
        if (status == 0)
            observers_begin();
    }
    if (status < 0)
        snprintf(message, size, "no memory for connections (DAYTONA_MEMORY): %s",
                 strerror(-status));
    return status;
}

static int make_alive_word(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (alive != &not_alive)
        return 0;
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || madvise(memory, page, MADV_WIPEONFORK) < 0)
        return -errno;
    alive = memory;
    return 0;
}

/* The thread is made with all signals blocked: handlers are the application's threads' business. */
static int make_thread(struct engine_birth *birth)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&thread, &attributes, engine_thread_main, birth);
    if (status == EINVAL) { /* the program's thread-local variables alone take more */
        pthread_attr_destroy(&attributes);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        status = pthread_create(&thread, &attributes, engine_thread_main, birth);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -status;
}

/* The thread answers on the control connection, with the descriptors for both tables. */
static int meet_thread(char *message, size_t size)
{
    struct engine_birth birth = {.first = engine_table_reserve()};
    struct engine_answer answer = {0};
    int control[2];
    if (birth.first < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
        snprintf(message, size, "no descriptors left");
        return -EMFILE;
    }
    birth.control = control[1];
    birth.ports = port_claims(&birth.port_count);
    int status = make_thread(&birth);
    if (status == 0)
        status = engine_table_take(control[0], &answer, sizeof answer);
    real.close(control[1]);
    if (status == 0 && answer.status == 0) {
        engine.control = engine_table_protect(control[0]);
        if (engine.control >= 0)
            return 0;
        status = -EMFILE;
    }
    snprintf(message, size, "%s", answer.status < 0 ? answer.message : strerror(-status));
    engine_table_forget();
    real.close(control[0]); /* the thread takes this as its end */
    return answer.status < 0 ? answer.status : status;
}

static int start(char *message, size_t size)
{
    static bool forks_noticed;
    int status = file_table_init();
    if (status == 0)
        status = make_alive_word();
    if (status < 0) {
        snprintf(message, size, "no memory: %s", strerror(-status));
        return status;
    }
    engine.epoch++;
    engine.pid = getpid();
    engine.sleeps_until = DAYTONA_NEVER;
    if (engine.server != NULL)
        engine.nonce = engine.server->nonce;
    else if (getrandom(&engine.nonce, sizeof engine.nonce, 0) < 0)
        return -errno;
    port_claims_begin();
    ledger_begin();
    status = make_stack(message, size);
    if (status == 0 && engine.server != NULL)
        status = privileges_drop(engine.server->user, engine.server->group, message, size);
    if (status == 0)
        status = meet_thread(message, size);
    if (status < 0)
        return status;
    if (!forks_noticed)
        pthread_atfork(process_fork_prepare, process_fork_parent, process_fork_child);
    forks_noticed = true;
    atomic_store(alive, 1);
    return 0;
}

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static void say_outcome(int status, const char *message)
{
    if (status == 0)
        log_line(LOG_LEVEL_INFO, "engine started");
    else
        log_line(LOG_LEVEL_ERROR, "%s; %s", message,
                 engine.server != NULL ? "the server ends"
                 : settings.fallback == SETTINGS_FALLBACK_FAIL
                     ? "the program ends (DAYTONA_FALLBACK=fail)"
                     : "the program goes on with the kernel's TCP");
}

int engine_start(void)
{
    static int failed;
    static pid_t failed_in;
    int cancel_state;
    if (engine_alive())
        return 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    signals_hold();
    pthread_mutex_lock(&starting);
    int status = engine_alive() ? 0 : failed < 0 && failed_in == getpid() ? failed : 1;
    if (status == 1) {
        char message[ENGINE_MESSAGE_MAX] = "";
        status = failed = start(message, sizeof message);
        failed_in = getpid();
        say_outcome(status, message);
    }
    pthread_mutex_unlock(&starting);
    signals_release();
    pthread_setcancelstate(cancel_state, NULL);
    return status;
}

/* ------------------------------------------------------------------ fork */

void engine_fork_prepare(void)
{
    signals_hold();
    pthread_mutex_lock(&starting);
    if (engine_alive() && !locked_here)
        pthread_mutex_lock(&engine.lock);
}

void engine_fork_parent(void)
{
    if (engine_alive() && !locked_here)
        pthread_mutex_unlock(&engine.lock);
    pthread_mutex_unlock(&starting);
    signals_release();
}

void engine_fork_child(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_mutex_t fresh_adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    uint32_t epoch = engine.epoch;
    memcpy(&starting, &fresh, sizeof starting);
    engine = (struct engine){.epoch = epoch};
    memcpy(&engine.lock, &fresh_adaptive, sizeof engine.lock);
    profile_forget();
    engine_table_forget();
    signals_release();
}

void engine_go_on(void)
{
    engine.pid = getpid();
    atomic_store(&engine.exit_wanted, false);
    atomic_store(alive, 1);
}

void engine_left_behind(void)
{
    static const pthread_mutex_t fresh_adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    uint32_t epoch = engine.epoch;
    atomic_store(alive, 0);
    engine = (struct engine){.epoch = epoch};
    memcpy(&engine.lock, &fresh_adaptive, sizeof engine.lock); /* its thread keeps the old one */
    profile_forget();
    engine_table_forget();
}

/* ------------------------------------------------------------------ the engine's thread */

void engine_become_thread(void)
{
    is_engine_thread = true;
}

void engine_thread_lock(void)
{
    profile_awake();
    lock();
    profile_come();
}

void engine_thread_unlock(void)
{
    unlock();
    profile_sleep();
}
