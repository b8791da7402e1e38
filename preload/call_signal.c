/*
 * call_signal.c - the calls that install signal handlers: all of them are sigaction() with flags of
 * their own. A program without settings makes the C library's.
 */
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/signals.h"
#include "preload/wrappers.h"

#include <stddef.h>

/* Signals whose handlers siginterrupt() wants to interrupt calls. */
static atomic_ullong interrupting;

static unsigned long long bit_of(int number)
{
    return number >= 1 && number < NSIG ? 1ULL << (number - 1) : 0;
}

int daytona_sigaction(int number, const struct sigaction *action, struct sigaction *previous)
{
    int before = errno;
    if (!settings.present)
        return real.sigaction(number, action, previous);
    return (int)result_give(signals_action(number, action, previous), before);
}

/* What handled the signal before, or SIG_ERR. */
static sighandler_t install(int number, sighandler_t handler, int flags, bool masks_itself)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, previous;
    sigemptyset(&action.sa_mask);
    if (masks_itself)
        sigaddset(&action.sa_mask, number);
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return daytona_sigaction(number, &action, &previous) < 0 ? SIG_ERR : previous.sa_handler;
}

sighandler_t daytona_signal(int number, sighandler_t handler)
{
    if (!settings.present)
        return real.signal(number, handler);
    bool interrupts = (atomic_load(&interrupting) & bit_of(number)) != 0;
    return install(number, handler, interrupts ? 0 : SA_RESTART, true);
}

sighandler_t daytona_sysv_signal(int number, sighandler_t handler)
{
    if (!settings.present)
        return real.sysv_signal(number, handler);
    return install(number, handler, (int)SA_RESETHAND | SA_NODEFER, false);
}

/* Whether the calling thread blocks the signal; from now on it does as `how` says. */
static bool change_mask(int number, int how)
{
    sigset_t one, previous;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigemptyset(&previous);
    pthread_sigmask(how, &one, &previous);
    return sigismember(&previous, number) == 1;
}

sighandler_t daytona_sigset(int number, sighandler_t handler)
{
    if (!settings.present)
        return real.sigset(number, handler);
    if (handler == SIG_HOLD) { /* installs nothing */
        sighandler_t seen = real.sigset(number, handler);
        return seen == SIG_ERR || seen == SIG_HOLD ? seen : signals_seen(number, seen);
    }
    sighandler_t previous = install(number, handler, 0, false);
    if (previous == SIG_ERR)
        return SIG_ERR;
    return change_mask(number, SIG_UNBLOCK) ? SIG_HOLD : previous;
}

/* The C library's changes the action that is installed, ours. */
int daytona_siginterrupt(int number, int flag)
{
    int result = real.siginterrupt(number, flag);
    if (result != 0)
        return result;
    signals_set_restart(number, flag == 0);
    if (flag != 0)
        atomic_fetch_or(&interrupting, bit_of(number));
    else
        atomic_fetch_and(&interrupting, ~bit_of(number));
    return 0;
}
