#include "scripts/keeper.h"

#include "scripts/descriptors.h"
#include "scripts/host.h"
#include "scripts/say.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct keeper {
    const struct plan *plan;
    struct orphans *orphans;
    const struct original_signals *signals;
    int channel;  /**< to the wrapper; -1 when it is gone */
    int hold;     /**< keeps the claim alive; -1 without a claim */
    int children; /**< signalfd of SIGCHLD */
    pid_t program;
    struct host host;
    bool ended;    /**< the program, not all of its descendants */
    int status;    /**< of the program */
    bool reported; /**< to the wrapper */
};

static void tell(struct keeper *keeper, enum keeper_event event, int value)
{
    struct keeper_message message = {event, value};
    if (keeper->channel >= 0)
        send(keeper->channel, &message, sizeof message, MSG_NOSIGNAL);
}

/* ------------------------------------------------------------------ claiming */

/** Rules need a claim; a reservation alone is only tried, for without rules root is not needed. */
static bool claim_ports(struct keeper *keeper)
{
    const struct plan *plan = keeper->plan;
    char words[1024];
    bool rules = plan->rules_wanted && plan->port_count > 0;
    bool reserve = plan->local_ports.low > 0 && (rules || daytona_rules_permitted());
    int self = getpid();
    int result = 0;
    if (rules)
        result = daytona_rules_claim(&plan->rules, self, plan->ports, plan->port_count, words,
                                     sizeof words);
    if (result == 0 && reserve)
        result = daytona_rules_reserve(&plan->rules, self, plan->local_ports, words, sizeof words);
    if (result == 0 && (rules || reserve))
        result = keeper->hold = daytona_rules_hold(&plan->rules, self, words, sizeof words);
    if (result >= 0)
        return true;
    if (!rules)
        return true; /* a machine where nothing can be reserved: as good as not root */
    say("run: %s", words);
    daytona_rules_release(&plan->rules, self, words, sizeof words);
    return false;
}

static void release_ports(struct keeper *keeper)
{
    char words[1024];
    if (keeper->hold < 0)
        return;
    close(keeper->hold);
    keeper->hold = -1;
    if (daytona_rules_release(&keeper->plan->rules, getpid(), words, sizeof words) < 0)
        say("run: %s; `daytona rules sweep` tries again", words);
}

/* ------------------------------------------------------------------ the program */

/** A server without programs of its own: there is nothing to run until somebody ends it. */
_Noreturn static void serve(const struct plan *plan)
{
    sigset_t ends;
    int number = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    say("server: listens at %s", plan->socket);
    sigwait(&ends, &number);
    _exit(0);
}

_Noreturn static void become_program(const struct keeper *keeper)
{
    if (keeper->plan->program == NULL)
        serve(keeper->plan);
    char *const *program = keeper->plan->program;
    sigaction(SIGCHLD, &keeper->signals->child, NULL);
    sigprocmask(SIG_SETMASK, &keeper->signals->mask, NULL);
    execvp(program[0], program);
    int error = errno;
    say("run: cannot run %s: %s", program[0], strerror(error));
    _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static bool start_program(struct keeper *keeper)
{
    keeper->program = fork();
    if (keeper->program == 0)
        become_program(keeper);
    if (keeper->program < 0) {
        say("run: cannot make a process: %s", strerror(errno));
        return false;
    }
    tell(keeper, KEEPER_STARTED, keeper->program);
    return true;
}

/** Leaves the user's session, where a SIGKILL to the process group would end the keeper with the
 *  rest, and lets go of everything inherited. Standard error stays while the program runs. */
static void withdraw(struct keeper *keeper)
{
    const int kept[] = {keeper->channel,       keeper->hold,       keeper->children,
                        keeper->orphans->lock, keeper->host.front, keeper->host.service,
                        keeper->host.channel};
    setsid();
    descriptors_silence(STDIN_FILENO);
    descriptors_silence(STDOUT_FILENO);
    descriptors_keep_only(kept, sizeof kept / sizeof kept[0]);
}

/* ------------------------------------------------------------------ waiting */

static void program_changed(struct keeper *keeper, int status)
{
    if (WIFSTOPPED(status)) {
        tell(keeper, KEEPER_STOPPED, WSTOPSIG(status));
    } else if (WIFCONTINUED(status)) {
        tell(keeper, KEEPER_CONTINUED, 0);
    } else {
        keeper->ended = true;
        keeper->status = status;
    }
}

/** The peers of its connections are told by the next one, which answers where it listens. */
static void server_ended(struct keeper *keeper, int status)
{
    int dead = keeper->host.server;
    host_ended(&keeper->host, status);
    if (keeper->host.server != 0)
        orphans_reset_one(keeper->orphans, keeper->plan, dead);
}

/** Takes note of all children that changed; false when none is left. Orphaned descendants of the
 *  program are children too, because the keeper is their subreaper. */
static bool reap(struct keeper *keeper)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (pid < 0)
            return errno == EINTR;
        if (pid == 0)
            return true;
        if (pid == keeper->program && !keeper->ended)
            program_changed(keeper, status);
        else if (pid == keeper->host.server && (WIFEXITED(status) || WIFSIGNALED(status)))
            server_ended(keeper, status);
    }
}

/** A signal the wrapper was sent. The program is our child: its pid cannot be another's. */
static void relay(struct keeper *keeper)
{
    int number = 0;
    ssize_t length = recv(keeper->channel, &number, sizeof number, MSG_DONTWAIT);
    if (length == 0) { /* the wrapper was killed: the program goes on without it */
        close(keeper->channel);
        keeper->channel = -1;
    } else if (length == (ssize_t)sizeof number && !keeper->ended) {
        kill(keeper->program, number);
    }
}

/** Tells the wrapper, once, how the program ended; the wrapper ends in the same way. From then on
 *  nothing of the user's is held open. */
static void report(struct keeper *keeper)
{
    if (keeper->reported)
        return;
    keeper->reported = true;
    descriptors_silence(STDERR_FILENO);
    tell(keeper, KEEPER_ENDED, keeper->status);
    close(keeper->channel);
    keeper->channel = -1;
}

static void wait_for_all(struct keeper *keeper)
{
    struct signalfd_siginfo info;
    while (reap(keeper)) {
        if (keeper->ended)
            report(keeper); /* descendants go on: the user need not wait for them */
        if (keeper->ended && host_is_alone(&keeper->host))
            host_finish(&keeper->host);
        struct pollfd events[] = {{.fd = keeper->children, .events = POLLIN},
                                  {.fd = keeper->channel, .events = POLLIN}};
        if (poll(events, 2, -1) < 0)
            continue;
        if (events[0].revents != 0) {
            ssize_t ignored = read(keeper->children, &info, sizeof info);
            (void)ignored; /* reap() asks the kernel who it was */
        }
        if (events[1].revents != 0)
            relay(keeper);
    }
}

_Noreturn static void give_up(struct keeper *keeper)
{
    orphans_forget(keeper->orphans);
    tell(keeper, KEEPER_FAILED, EXIT_REFUSED);
    _exit(EXIT_REFUSED);
}

_Noreturn void keeper_run(const struct plan *plan, struct orphans *orphans,
                          const struct original_signals *signals, int channel)
{
    struct keeper keeper = {
        .plan = plan, .orphans = orphans, .signals = signals, .channel = channel, .hold = -1};
    keeper.host = (struct host){.front = -1, .service = -1, .channel = -1};
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    keeper.children = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

    if (keeper.children < 0 || !claim_ports(&keeper))
        give_up(&keeper);
    if ((plan->serve && !host_start(&keeper.host, plan)) || !start_program(&keeper)) {
        host_finish(&keeper.host);
        host_forget(&keeper.host);
        release_ports(&keeper);
        give_up(&keeper);
    }
    withdraw(&keeper);
    wait_for_all(&keeper);
    assert(keeper.ended);
    /* With nobody left, the rules go first: when `daytona run` is back, so is the machine. */
    host_forget(&keeper.host);
    release_ports(&keeper);
    orphans_reset(orphans, plan);
    report(&keeper);
    _exit(0);
}
