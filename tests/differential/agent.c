#include "tests/differential/agent.h"

#include "tests/differential/perform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local int own_number;
static char *own_path;

void answer_say(struct answer *answer, const char *format, ...)
{
    size_t used = strlen(answer->text);
    va_list list;
    va_start(list, format);
    vsnprintf(answer->text + used, sizeof answer->text - used, format, list);
    va_end(list);
}

/* ------------------------------------------------------------------ signals */

static atomic_int pipe_signals, async_signals, urgent_signals, chosen_signals;
#define CHOSEN_SIGNAL 40

static void on_signal(int number)
{
    if (number == SIGPIPE)
        atomic_fetch_add(&pipe_signals, 1);
    if (number == SIGIO)
        atomic_store(&async_signals, 1); /* how many there are is a matter of time */
    if (number == SIGURG)
        atomic_store(&urgent_signals, 1);
}

/* One that F_SETSIG has chosen tells the descriptor. */
static void on_chosen(int number, siginfo_t *about, void *context)
{
    (void)number, (void)context;
    atomic_store(&chosen_signals, about->si_fd + 1);
}

/* SIGUSR1 interrupts, SIGUSR2 would have a call begin again. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGIO, &action, NULL);
    sigaction(SIGURG, &action, NULL);
    action.sa_sigaction = on_chosen;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigaction(CHOSEN_SIGNAL, &action, NULL);
}

static void say_signals(struct answer *answer)
{
    int pipes = atomic_load(&pipe_signals);
    if (pipes > 0)
        answer_say(answer, " SIGPIPE*%d", pipes);
    if (atomic_load(&async_signals) != 0)
        answer_say(answer, " SIGIO");
    if (atomic_load(&urgent_signals) != 0)
        answer_say(answer, " SIGURG");
    if (atomic_load(&chosen_signals) != 0)
        answer_say(answer, " signal of %d", atomic_load(&chosen_signals) - 1);
}

static void forget_signals(void)
{
    atomic_store(&pipe_signals, 0);
    atomic_store(&async_signals, 0);
    atomic_store(&urgent_signals, 0);
    atomic_store(&chosen_signals, 0);
}

/* ------------------------------------------------------------------ other actors */

long agent_fork(int number)
{
    pid_t pid = fork();
    if (pid == 0) {
        forget_signals();
        agent_run(number);
    }
    return pid > 0 ? 0 : -1;
}

static void *run_thread(void *context)
{
    int number = *(int *)context;
    free(context);
    agent_run(number);
}

long agent_thread(int number)
{
    pthread_t thread;
    int *context = malloc(sizeof *context);
    if (context == NULL)
        return -1;
    *context = number;
    int error = pthread_create(&thread, NULL, run_thread, context);
    if (error == 0)
        pthread_detach(thread);
    else
        free(context);
    errno = error == 0 ? errno : error;
    return error == 0 ? 0 : -1;
}

long agent_exec(void)
{
    char number[12];
    snprintf(number, sizeof number, "%d", own_number);
    char *words[] = {own_path, "agent", number, NULL};
    if (own_path == NULL)
        own_path = "/proc/self/exe";
    words[0] = own_path;
    return execv(own_path, words);
}

/* ------------------------------------------------------------------ requests */

typedef long (*perform_function)(const struct request *request, struct answer *answer);

static const perform_function performs[] = {
#define OPERATION(verb, parameters) perform_##verb,
#include "tests/differential/operations.def"
#undef OPERATION
};

/* A call that succeeds has no business with errno. */
static void perform(const struct request *request, struct answer *answer)
{
    errno = EXDEV;
    answer->result = performs[request->operation.verb](request, answer);
    answer->error = answer->result < 0 ? errno : 0;
    answer->touched = answer->result >= 0 && errno != EXDEV;
}

static void look(const struct request *request, struct answer *answer)
{
    for (unsigned i = 0; i < request->look_count; i++)
        perform_look(request->looks[i], answer);
    say_signals(answer);
}

static void reap(struct answer *answer)
{
    while (waitpid(-1, NULL, 0) > 0)
        answer->result++;
}

/* 0, 1 and 2 too may have become something else. */
static void reset(void)
{
    for (int fd = AGENT_FIRST; fd <= AGENT_LAST; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            close(fd);
    for (int fd = 0; fd < AGENT_FIRST; fd++)
        dup2(AGENT_KEPT + fd, fd);
    forget_signals();
}

static void answer_request(const struct request *request, struct answer *answer)
{
    switch (request->kind) {
    case REQUEST_DO:
        perform(request, answer);
        break;
    case REQUEST_LOOK:
        look(request, answer);
        break;
    case REQUEST_REAP:
        reap(answer);
        break;
    case REQUEST_RESET:
        reset();
        break;
    case REQUEST_END:
        _exit(0);
    }
}

static void say_hello(int channel)
{
    struct answer hello = {.pid = getpid(), .tid = (pid_t)syscall(SYS_gettid)};
    send(channel, &hello, sizeof hello, MSG_NOSIGNAL);
}

static void keep_standard_descriptors(void)
{
    for (int fd = 0; fd < AGENT_FIRST; fd++)
        if (fcntl(AGENT_KEPT + fd, F_GETFD) < 0)
            fcntl(fd, F_DUPFD_CLOEXEC, AGENT_KEPT + fd);
}

_Noreturn void agent_run(int number)
{
    int channel = AGENT_CHANNEL + number;
    own_number = number;
    keep_standard_descriptors();
    catch_signals();
    say_hello(channel);
    for (;;) {
        static _Thread_local struct request request;
        static _Thread_local struct answer answer;
        ssize_t got = recv(channel, &request, sizeof request, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof request)
            _exit(0);
        memset(&answer, 0, sizeof answer);
        answer.pid = getpid();
        answer.tid = (pid_t)syscall(SYS_gettid);
        answer_request(&request, &answer);
        send(channel, &answer, sizeof answer, MSG_NOSIGNAL);
    }
}
