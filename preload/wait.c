#include "preload/wait.h"

#include "preload/engine.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/signals.h"

#include <daytona/profile.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* While packets flow a runner wakes up at least this often, which is earlier than any timer that
 * sending may start: so a sender need not wake it for its timer's sake. */
#define ACTIVE_STEP_US ((uint64_t)50 * 1000)
#define ACTIVE_FOR_US  ((uint64_t)1000 * 1000)

/* A thread that waits for a file without running the pump. Lives on its stack, in two lists. */
struct wait_follower {
    struct signals_sleep sleep;
    bool parted;                         /* it is in no list any more */
    struct wait_follower *next;          /* in engine.followers */
    struct wait_follower *next_for_file; /* in file->followers */
    struct file *file;
    unsigned interest;
    atomic_uint word; /* futex: enum follower_word */
};

enum follower_word { FOLLOWER_WAITS, FOLLOWER_WOKEN, FOLLOWER_RUNS };

struct daytona_instant wait_until(struct daytona_instant now, struct daytona_instant deadline)
{
    struct daytona_instant until = daytona_stack_deadline(engine.stack);
    if (daytona_instant_before(deadline, until))
        until = deadline;
    if (daytona_instant_since_us(now, engine.active) < ACTIVE_FOR_US) {
        struct daytona_instant step = daytona_instant_after_us(now, ACTIVE_STEP_US);
        if (daytona_instant_before(step, until))
            until = step;
    }
    return until;
}

struct daytona_instant wait_deadline(const struct timespec *timeout)
{
    if (timeout == NULL)
        return DAYTONA_NEVER;
    uint64_t us = (uint64_t)timeout->tv_sec * 1000000u + (uint64_t)(timeout->tv_nsec + 999) / 1000u;
    return daytona_instant_after_us(engine_now(), us);
}

const struct timespec *wait_left(struct daytona_instant deadline, struct timespec *room)
{
    if (deadline.ns == DAYTONA_NEVER.ns)
        return NULL;
    struct daytona_instant now = engine_now();
    uint64_t ns = deadline.ns > now.ns ? deadline.ns - now.ns : 0;
    *room = (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                              .tv_nsec = (long)(ns % 1000000000u)};
    return room;
}

/* ------------------------------------------------------------------ the runner */

static void futex_wake(atomic_uint *word)
{
    daytona_profile_enter(engine.profiler, DAYTONA_ACTIVITY_wake);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    daytona_profile_leave(engine.profiler);
}

static void note_interruption(const struct signals_sleep *sleep);

static void take_role(void)
{
    if (engine.rest == ENGINE_REST_CAPTURE)
        engine.kick_thread = true; /* it shall no longer wake up for packets */
    engine.runner = ENGINE_RUNNER_APPLICATION;
    engine.runner_thread = pthread_self();
    engine.runner_since = engine_now();
}

/* Hands the role to a thread that waits and has not been woken yet: that one will run the pump, if
 * only to hand the role on. */
static bool hand_over(void)
{
    for (struct wait_follower *one = engine.followers; one != NULL; one = one->next) {
        unsigned waits = FOLLOWER_WAITS;
        if (atomic_compare_exchange_strong(&one->word, &waits, FOLLOWER_RUNS)) {
            futex_wake(&one->word);
            return true;
        }
    }
    return false;
}

static void leave_role(void)
{
    engine.runner = ENGINE_RUNNER_NONE;
    engine.runner_left = engine_now();
    if (!hand_over() && engine.rest == ENGINE_REST_LONG)
        engine.kick_thread = true;
}

/* A thread that left a wait by longjmp out of a signal handler still has the role. */
static bool role_is_free(void)
{
    return engine.runner != ENGINE_RUNNER_APPLICATION ||
           pthread_equal(engine.runner_thread, pthread_self());
}

static bool has_role(void)
{
    return engine.runner == ENGINE_RUNNER_APPLICATION &&
           pthread_equal(engine.runner_thread, pthread_self());
}

/* What a runner sleeps in. */
struct runner_bed {
    struct signals_sleep sleep;
    struct wait_set *set;
    bool counted; /* among the callers of the set's file */
};

static void bed_enter(struct runner_bed *bed)
{
    bed->counted = bed->set->file != NULL;
    if (bed->counted)
        bed->set->file->callers++;
}

static void bed_leave(struct runner_bed *bed)
{
    if (bed->counted)
        bed->set->file->callers--;
    bed->counted = false;
}

/* For good: the thread is cancelled, or the handler that is about to run may not come back. */
static void bed_abandon(struct runner_bed *bed)
{
    bool counted = bed->counted;
    bed_leave(bed);
    if (counted)
        file_call_over(bed->set->file);
}

static void cancelled_runner(void *bed)
{
    engine_resume();
    signals_sleep_end();
    bed_abandon(bed);
    if (has_role())
        leave_role();
    engine_leave();
}

#define NO_DESCRIPTOR INT_MAX /* poll() says so at once */

/* A handler may wait for something itself, and must not have to wait for this thread to pump. */
static void runner_up(struct signals_sleep *sleep)
{
    engine_resume();
    bed_abandon((struct runner_bed *)sleep);
    if (has_role())
        leave_role();
    engine_leave();
}

static void runner_awake(struct signals_sleep *sleep)
{
    ((struct runner_bed *)sleep)->set->entries[1].fd = NO_DESCRIPTOR;
}

static void clear(int eventfd)
{
    uint64_t count;
    ssize_t got = real.read(eventfd, &count, sizeof count);
    (void)got;
}

/* Sleeps until packets, a kick, one of the application's entries, `until` or a signal. The
 * number of the application's entries that have something, or -EINTR. */
static int runner_sleep(struct wait_set *set, struct daytona_instant until)
{
    struct daytona_instant now = engine_now();
    uint64_t ns = daytona_instant_before(now, until) ? until.ns - now.ns : 0;
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    bool for_ever = until.ns == DAYTONA_NEVER.ns;
    struct runner_bed bed = {.sleep = {.leave = runner_up, .wake = runner_awake}, .set = set};
    int got;

    set->entries[0] = (struct pollfd){.fd = engine.capture_descriptor, .events = POLLIN};
    set->entries[1] = (struct pollfd){.fd = engine.runner_wake, .events = POLLIN};
    engine.sleeps_until = until;
    bed_enter(&bed);
    signals_sleep_begin(&bed.sleep);
    pthread_cleanup_push(cancelled_runner, &bed);
    engine_pause();
    got =
        real.ppoll(set->entries, WAIT_ENTRIES + set->count, for_ever ? NULL : &timeout, set->mask);
    got = got < 0 ? -errno : got;
    engine_resume();
    pthread_cleanup_pop(0);
    signals_sleep_end();
    bed_leave(&bed);

    if (bed.sleep.interrupted)
        got = -EINTR;
    if (got == -EINTR)
        note_interruption(&bed.sleep);
    if (got < 0)
        return got;
    if (set->entries[1].revents != 0)
        clear(engine.runner_wake);
    return got - (set->entries[0].revents != 0) - (set->entries[1].revents != 0);
}

int wait_run(struct wait_set *set)
{
    int result;
    if (!role_is_free())
        return -EBUSY;
    take_role();
    for (;;) {
        bool more = pump();
        if (set->satisfied(set->context)) {
            result = 0;
            break;
        }
        struct daytona_instant now = engine_now();
        if (!daytona_instant_before(now, set->deadline)) {
            result = -EAGAIN;
            break;
        }
        int got = runner_sleep(set, more ? now : wait_until(now, set->deadline));
        if (got == -EINTR) {
            pump();
            result = set->satisfied(set->context) ? 0 : -EINTR;
            break;
        }
        if (got != 0) {
            result = got < 0 ? got : 1;
            break;
        }
    }
    if (has_role())
        leave_role();
    return result;
}

/* ------------------------------------------------------------------ followers */

static void follower_join(struct wait_follower *follower)
{
    follower->next = engine.followers;
    engine.followers = follower;
    follower->next_for_file = follower->file->followers;
    follower->file->followers = follower;
    follower->file->callers++;
}

static void follower_part(struct wait_follower *follower)
{
    struct wait_follower **at = &engine.followers;
    while (*at != follower)
        at = &(*at)->next;
    *at = follower->next;
    at = &follower->file->followers;
    while (*at != follower)
        at = &(*at)->next_for_file;
    *at = follower->next_for_file;
    follower->file->callers--;
}

/* Goes; true when it was handed the role. */
static bool follower_go(struct wait_follower *follower)
{
    if (!follower->parted)
        follower_part(follower);
    follower->parted = true;
    return atomic_load(&follower->word) == FOLLOWER_RUNS;
}

/* It was handed the role and will not take it. */
static void pass_on(void)
{
    if (engine.runner == ENGINE_RUNNER_NONE)
        leave_role();
}

static void cancelled_follower(void *context)
{
    struct wait_follower *follower = context;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
    engine_resume();
    signals_sleep_end();
    if (follower_go(follower))
        pass_on();
    file_call_over(follower->file);
    engine_leave();
}

/* The handler may never return, and leave this memory to others. */
static void follower_up(struct signals_sleep *sleep)
{
    struct wait_follower *follower = (struct wait_follower *)sleep;
    int type;
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    engine_resume();
    if (follower_go(follower))
        pass_on();
    file_call_over(follower->file);
    engine_leave();
    pthread_setcanceltype(type, NULL);
}

static void follower_awake(struct signals_sleep *sleep)
{
    atomic_store(&((struct wait_follower *)sleep)->word, FOLLOWER_WOKEN);
}

/* The cancellation type is what makes a blocking system call of the C library's a cancellation
 * point; a futex has no such wrapper. */
static int futex_wait(atomic_uint *word, struct daytona_instant deadline)
{
    struct timespec at = {(time_t)(deadline.ns / 1000000000u), (long)(deadline.ns % 1000000000u)};
    bool for_ever = deadline.ns == DAYTONA_NEVER.ns;
    int type;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, FOLLOWER_WAITS,
                          for_ever ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY);
    int error = result < 0 ? errno : 0;
    pthread_setcanceltype(type, NULL);
    return -error;
}

/* Until somebody wakes this thread for the file (0) or hands it the role (1), or -EINTR. */
static int follow(struct file *file, unsigned interest, struct daytona_instant deadline)
{
    struct wait_follower follower = {.sleep = {.leave = follower_up, .wake = follower_awake},
                                     .file = file,
                                     .interest = interest};
    int result;
    follower_join(&follower);
    signals_sleep_begin(&follower.sleep);
    pthread_cleanup_push(cancelled_follower, &follower);
    engine_pause();
    result = futex_wait(&follower.word, deadline);
    engine_resume();
    pthread_cleanup_pop(0);
    signals_sleep_end();
    if (follower.sleep.interrupted)
        result = -EINTR;
    bool runs = follower_go(&follower);
    if (result != -EINTR)
        return runs;
    note_interruption(&follower.sleep);
    if (runs)
        pass_on();
    return -EINTR;
}

void wait_wake(struct file *file, unsigned now)
{
    for (struct wait_follower *one = file->followers; one != NULL; one = one->next_for_file) {
        if ((one->interest & now) == 0 && !file->closed)
            continue;
        unsigned waits = FOLLOWER_WAITS;
        if (atomic_compare_exchange_strong(&one->word, &waits, FOLLOWER_WOKEN))
            futex_wake(&one->word);
    }
}

/* ------------------------------------------------------------------ one file */

struct file_interest {
    struct file *file;
    unsigned interest;
};

static bool file_is_ready(void *context)
{
    const struct file_interest *wanted = context;
    return wanted->file->closed || (bridge_is_up(wanted->file) && !wanted->file->connecting) ||
           (daytona_stack_readiness(engine.stack, wanted->file->id) & wanted->interest) != 0;
}

static void cancelled_wait(void *file)
{
    file_put(file);
}

static int wait_once(struct file *file, unsigned interest, struct wait_set *set)
{
    int result = wait_run(set);
    if (result == -EBUSY) {
        result = follow(file, interest, set->deadline);
        if (result == 1)
            result = wait_run(set);
        if (result == -EBUSY)
            result = 0; /* somebody was quicker to take the role */
    }
    bool whole = set->deadline.ns == DAYTONA_NEVER.ns && !set->begun;
    if (result == -EINTR && (set->satisfied(set->context) || (whole && wait_restarts())))
        result = 0;
    return result;
}

static int wait_repeatedly(struct file *file, unsigned interest, struct wait_set *set)
{
    int result = 0;
    while (result == 0 && !set->satisfied(set->context)) {
        if (!daytona_instant_before(engine_now(), set->deadline))
            result = -EAGAIN;
        else
            result = wait_once(file, interest, set);
    }
    return result;
}

static int wait_with(struct file *file, unsigned interest, struct wait_set *set)
{
    int result;
    pthread_cleanup_push(cancelled_wait, file);
    result = wait_repeatedly(file, interest, set);
    pthread_cleanup_pop(0);
    return result;
}

int wait_condition(struct file *file, bool (*satisfied)(void *context), void *context,
                   unsigned interest, struct daytona_instant deadline)
{
    struct pollfd entries[WAIT_ENTRIES];
    struct wait_set set = {.entries = entries,
                           .satisfied = satisfied,
                           .context = context,
                           .deadline = deadline,
                           .file = file};
    return wait_with(file, interest, &set);
}

int wait_file(struct file *file, unsigned interest, struct daytona_instant deadline, bool begun)
{
    struct file_interest wanted = {file, interest | DAYTONA_READY_HUP | DAYTONA_READY_ERROR};
    struct pollfd entries[WAIT_ENTRIES];
    struct wait_set set = {.entries = entries,
                           .satisfied = file_is_ready,
                           .context = &wanted,
                           .deadline = deadline,
                           .file = file,
                           .begun = begun};
    int result = wait_with(file, wanted.interest, &set);
    return result == 0 && file->closed ? -EBADF : result;
}

/* ------------------------------------------------------------------ accept, native waits */

static bool never(void *context)
{
    const struct file *listener = context;
    return listener->closed;
}

int wait_accept(struct file *listener, int fd, struct daytona_instant deadline)
{
    struct pollfd entries[WAIT_ENTRIES + 1];
    struct wait_set set = {.entries = entries,
                           .count = 1,
                           .satisfied = never,
                           .context = listener,
                           .deadline = deadline};
    int result = 0;
    entries[WAIT_ENTRIES] = (struct pollfd){.fd = fd, .events = POLLIN};
    pthread_cleanup_push(cancelled_wait, listener);
    do
        result = wait_run(&set);
    while (result == -EINTR && deadline.ns == DAYTONA_NEVER.ns && wait_restarts());
    pthread_cleanup_pop(0);
    return result == 1 || result == -EBUSY ? 0 : result == 0 ? -EBADF : result;
}

void wait_natively(void)
{
    if (atomic_load_explicit(&engine.rest, memory_order_relaxed) != ENGINE_REST_TICK ||
        engine_enter() < 0)
        return;
    engine.runner_left.ns = 0;
    engine.kick_thread = engine.runner == ENGINE_RUNNER_NONE;
    engine_leave();
}

/* Signals that a thread raises by what it does, not while it sleeps. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
           number == SIGTRAP || number == SIGABRT || number == SIGSYS;
}

/* Whether the handlers of the last interruption are known, and what follows from them. */
static ATTRIBUTE_THREAD bool interruption_known, interruption_restarts;

static void note_interruption(const struct signals_sleep *sleep)
{
    interruption_known = sleep->interrupted;
    interruption_restarts = sleep->restarts;
}

bool wait_restarts(void)
{
    sigset_t blocked;
    if (interruption_known)
        return interruption_restarts;
    sigemptyset(&blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (is_fault(number) || sigismember(&blocked, number) == 1 ||
            real.sigaction(number, NULL, &action) < 0)
            continue;
        bool handled = action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
        if (handled && (action.sa_flags & SA_RESTART) == 0)
            return false;
    }
    return true;
}
