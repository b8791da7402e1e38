/*
 * daytona-run: runs a program with its TCP on Daytona. This is the process the user started; see
 * keeper.h for the other two.
 */
#include "scripts/descriptors.h"
#include "scripts/keeper.h"
#include "scripts/plan.h"
#include "scripts/say.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct wrapper {
    const struct plan *plan;
    struct orphans orphans;
    int channel; /**< to the keeper; -1 when it is gone */
    int signals; /**< signalfd of everything that can be caught */
    pid_t keeper;
    pid_t program;
};

/* ------------------------------------------------------------------ ending */

/** Ends as the program did: with its exit status, or by the same signal, but without a core file
 *  of our own over the program's. */
_Noreturn static void end_like(int status)
{
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    sigset_t set;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}

/** Stops as the program has stopped, so that the shell takes the terminal back; returns when
 *  continued. The signal may be pending already, from the terminal: it then counts once. */
static void stop_like(int number)
{
    sigset_t set;
    if (number == SIGSTOP) {
        raise(SIGSTOP);
        return;
    }
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ------------------------------------------------------------------ signals */

/** Whether the program got the signal without us: what the terminal sends goes to the whole
 *  process group. (Of what processes send nobody can tell whether it was meant for the group;
 *  the program may then see it twice, as it may under timeout(1).) */
static bool came_from_terminal(const struct signalfd_siginfo *info)
{
    if (info->ssi_code != SI_KERNEL)
        return false;
    switch (info->ssi_signo) {
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGHUP:
    case SIGWINCH:
    case SIGCONT:
        return true;
    default:
        return false; /* an alarm set before exec, for one, is meant for the program */
    }
}

static void relay(struct wrapper *wrapper)
{
    struct signalfd_siginfo info;
    if (read(wrapper->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    int number = (int)info.ssi_signo;
    bool started = wrapper->program > 0; /* else a ^C waits in the channel for the program */
    if (number == SIGCHLD || (started && came_from_terminal(&info)))
        return;
    if (wrapper->channel >= 0)
        send(wrapper->channel, &number, sizeof number, MSG_NOSIGNAL);
    else if (started)
        kill(wrapper->program, number);
}

/* ------------------------------------------------------------------ the keeper's reports */

/** The keeper was killed. The program, orphaned, is our child now: wait for it, and clean up in
 *  the keeper's place. */
static void keeper_is_gone(struct wrapper *wrapper)
{
    close(wrapper->channel);
    wrapper->channel = -1;
    say("run: the process that removes the firewall rules was killed");
    if (wrapper->program == 0)
        _exit(EXIT_REFUSED);
}

/** After keeper_is_gone(): whether the program changed. */
static void wait_for_program(struct wrapper *wrapper)
{
    char words[1024];
    int status = 0;
    pid_t pid = waitpid(wrapper->program, &status, WNOHANG | WUNTRACED);
    if (pid != wrapper->program)
        return;
    if (WIFSTOPPED(status)) {
        stop_like(WSTOPSIG(status));
        return;
    }
    if (wrapper->plan->rules_wanted &&
        daytona_rules_sweep(&wrapper->plan->rules, words, sizeof words) < 0)
        say("run: %s", words);
    if (WIFSIGNALED(status))
        orphans_reset(&wrapper->orphans, wrapper->plan);
    orphans_forget(&wrapper->orphans);
    end_like(status);
}

/** Handles all reports there are. A stop counts only when it is the last word: the program may
 *  have been continued together with us. */
static void hear_keeper(struct wrapper *wrapper)
{
    struct keeper_message message;
    ssize_t length = 0;
    int stopped = 0;
    while ((length = recv(wrapper->channel, &message, sizeof message, MSG_DONTWAIT)) > 0) {
        switch (message.event) {
        case KEEPER_STARTED:
            wrapper->program = message.value;
            break;
        case KEEPER_STOPPED:
            stopped = message.value;
            break;
        case KEEPER_CONTINUED:
            stopped = 0;
            break;
        case KEEPER_ENDED:
            end_like(message.value);
        case KEEPER_FAILED:
            _exit(message.value);
        }
    }
    if (length == 0)
        keeper_is_gone(wrapper);
    else if (stopped != 0)
        stop_like(stopped);
}

_Noreturn static void wait_for_keeper(struct wrapper *wrapper)
{
    for (;;) {
        struct pollfd events[] = {{.fd = wrapper->signals, .events = POLLIN},
                                  {.fd = wrapper->channel, .events = POLLIN}};
        if (wrapper->channel < 0)
            wait_for_program(wrapper);
        if (poll(events, 2, -1) < 0)
            continue;
        if (events[0].revents != 0)
            relay(wrapper);
        if (events[1].revents != 0)
            hear_keeper(wrapper);
    }
}

/* ------------------------------------------------------------------ starting */

/** Blocks every signal, in this process and those to come; they are read from a descriptor. */
static int block_signals(struct original_signals *original)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &original->mask);
    sigaction(SIGCHLD, &standard, &original->child); /* ignored, nobody could be waited for */
    return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int count, char **arguments)
{
    static struct plan plan;
    struct original_signals original;
    int pair[2];
    int result = plan_read(&plan, count, arguments);
    if (result >= 0)
        return result;

    static struct wrapper wrapper;
    wrapper.plan = &plan;
    wrapper.signals = block_signals(&original);
    orphans_begin(&wrapper.orphans, &plan);
    if (wrapper.signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
        (wrapper.keeper = fork()) < 0) {
        say("run: cannot start: %s", strerror(errno));
        orphans_forget(&wrapper.orphans);
        return EXIT_REFUSED;
    }
    if (wrapper.keeper == 0) {
        close(pair[0]);
        close(wrapper.signals);
        keeper_run(&plan, &wrapper.orphans, &original, pair[1]);
    }
    close(pair[1]);
    wrapper.channel = pair[0];
    /* Should the keeper be killed, its orphan, the program, becomes ours. */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const int kept[] = {wrapper.channel, wrapper.signals, wrapper.orphans.lock};
    descriptors_silence(STDIN_FILENO);
    descriptors_silence(STDOUT_FILENO);
    descriptors_keep_only(kept, sizeof kept / sizeof kept[0]);
    wait_for_keeper(&wrapper);
}
