#include "preload/signals.h"

#include "preload/memory.h"
#include "preload/real.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define KERNEL_SET_BYTES ((NSIG - 1) / 8) /* of a signal set; the C library's is longer */

ATTRIBUTE_THREAD volatile sig_atomic_t signals_held, signals_waiting;

static ATTRIBUTE_THREAD siginfo_t waiting_info;
static ATTRIBUTE_THREAD sigset_t mask_before;
static ATTRIBUTE_THREAD struct signals_sleep *volatile sleeping;

/* What the program has installed, by signal. Only read where the kernel has our handler: an
 * action without one leaves it as it is, so that the child of a vfork() does no harm. */
static struct {
    _Atomic(sighandler_t) handler;
    atomic_int flags;
} installed[NSIG];

/* ------------------------------------------------------------------ delivery */

/* A signal that the thread raised by what it does now cannot wait. */
static bool is_fault(int number, const siginfo_t *info)
{
    return info->si_code > 0 && (number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
                                 number == SIGILL || number == SIGTRAP || number == SIGSYS);
}

/* The kernel blocks what this says when the handler returns; its set is shorter than the type. */
static void put_off(int number, const siginfo_t *info, ucontext_t *context)
{
    sigemptyset(&mask_before);
    memcpy(&mask_before, &context->uc_sigmask, KERNEL_SET_BYTES);
    memset(&context->uc_sigmask, 0xff, KERNEL_SET_BYTES);
    waiting_info = *info;
    signals_waiting = number;
}

static void call(int number, siginfo_t *info, void *context, int flags)
{
    union {
        sighandler_t one;
        void (*three)(int number, siginfo_t *info, void *context);
    } handler = {.one = atomic_load(&installed[number].handler)};
    if ((flags & (int)SA_RESETHAND) != 0) {
        const struct sigaction standard = {.sa_handler = SIG_DFL};
        real.sigaction(number, &standard, NULL);
    }
    if ((flags & SA_SIGINFO) != 0)
        handler.three(number, info, context);
    else
        handler.one(number);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved = errno, flags = atomic_load(&installed[number].flags);
    struct signals_sleep *sleep = sleeping;
    if (signals_held > 0 && !is_fault(number, info)) {
        put_off(number, info, context);
        return;
    }
    sleeping = NULL;
    if (sleep != NULL)
        sleep->leave(sleep);
    errno = saved;
    call(number, info, context, flags);
    if (sleep == NULL)
        return;
    saved = errno;
    sleep->restarts = (flags & SA_RESTART) != 0 && (sleep->restarts || !sleep->interrupted);
    sleep->interrupted = true;
    sleep->wake(sleep);
    sleeping = sleep;
    errno = saved;
}

/* Once more, while it is blocked; then what was blocked before decides. */
void signals_deliver(void)
{
    int saved = errno, number = signals_waiting;
    siginfo_t info = waiting_info;
    sigset_t mask = mask_before;
    signals_waiting = 0;
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), number, &info) < 0)
        raise(number); /* too many signals wait for this user */
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    errno = saved;
}

void signals_sleep_begin(struct signals_sleep *sleep)
{
    sleep->interrupted = sleep->restarts = false;
    sleeping = sleep;
}

void signals_sleep_end(void)
{
    sleeping = NULL;
}

/* ------------------------------------------------------------------ installing */

static bool is_handler(sighandler_t handler)
{
    return handler != SIG_DFL && handler != SIG_IGN;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == handle;
}

sighandler_t signals_seen(int number, sighandler_t handler)
{
    union {
        sighandler_t one;
        void (*three)(int number, siginfo_t *info, void *context);
    } ours = {.three = handle};
    return handler == ours.one ? atomic_load(&installed[number].handler) : handler;
}

void signals_set_restart(int number, bool restarts)
{
    if (restarts)
        atomic_fetch_or(&installed[number].flags, SA_RESTART);
    else
        atomic_fetch_and(&installed[number].flags, ~SA_RESTART);
}

/* What the kernel has, as the program put it. */
static void translate(struct sigaction *action, sighandler_t handler, int flags)
{
    if (!is_ours(action))
        return;
    action->sa_handler = handler;
    action->sa_flags &= ~(SA_SIGINFO | (int)SA_RESETHAND);
    action->sa_flags |= flags & (SA_SIGINFO | (int)SA_RESETHAND);
}

int signals_action(int number, const struct sigaction *action, struct sigaction *before)
{
    struct sigaction given, found;
    if (number < 1 || number >= NSIG)
        return -EINVAL;
    if (action != NULL && !memory_can_be_read(action, sizeof *action))
        return -EFAULT;
    if (real.sigaction(number, NULL, &found) < 0)
        return -errno;
    sighandler_t handler = atomic_load(&installed[number].handler);
    int flags = atomic_load(&installed[number].flags);
    if (action != NULL) {
        given = *action;
        if (is_handler(given.sa_handler)) {
            atomic_store(&installed[number].handler, given.sa_handler);
            atomic_store(&installed[number].flags, given.sa_flags);
            given.sa_sigaction = handle;
            given.sa_flags = (given.sa_flags | SA_SIGINFO) & ~(int)SA_RESETHAND;
        }
        if (real.sigaction(number, &given, &found) < 0)
            return -errno;
    }
    translate(&found, handler, flags);
    if (before != NULL && !memory_can_be_read(before, sizeof *before))
        return -EFAULT;
    if (before != NULL)
        *before = found;
    return 0;
}
