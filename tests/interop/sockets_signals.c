/*
 * sockets_signals.c - claims about signal handlers: what a program sees of those it installs, and
 * what they may do while a call on a socket is in progress.
 */
#include "tests/interop/claims.h"
#include <setjmp.h>
#include <ucontext.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* sigset(), siginterrupt() */

static struct ends theirs; /* the handlers' own connection */
static volatile sig_atomic_t calls, wrong_line;

/* Within a handler: nothing but what is async-signal-safe. */
#define RIGHT(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && wrong_line == 0)                                                       \
            wrong_line = __LINE__;                                                                 \
    } while (0)

static void use_sockets(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    char got[8];
    struct pollfd entry = {.fd = theirs.server, .events = POLLIN};
    RIGHT(number == SIGALRM && info->si_signo == SIGALRM && info->si_code == SI_TIMER);
    RIGHT(info->si_value.sival_int == 42);
    RIGHT(((ucontext_t *)context)->uc_stack.ss_size != 1);
    RIGHT(write(theirs.client, "ab", 2) == 2);
    RIGHT(poll(&entry, 1, SOON) == 1);
    RIGHT(recv(theirs.server, got, sizeof got, MSG_PEEK) >= 1);
    RIGHT(read(theirs.server, got, 1) == 1 && got[0] == 'a');
    RIGHT(recv(theirs.server, got, 1, MSG_WAITALL) == 1 && got[0] == 'b');
    if (calls % 8 == 0) {
        int other = connect_to(PORT + 1, 0);
        RIGHT(other >= 0 && send(other, "x", 1, MSG_NOSIGNAL) == 1 && close(other) == 0);
    }
    calls++;
    errno = saved;
}

/* A signal every so often, and not only when this process has run so long. */
static timer_t every(long us)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec times = {.it_interval.tv_nsec = us * 1000, .it_value.tv_nsec = us * 1000};
    event.sigev_value.sival_int = 42;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &times, NULL);
    return timer;
}

static void *accept_all(void *context)
{
    int fd;
    while ((fd = accept(*(int *)context, NULL, NULL)) >= 0)
        close(fd);
    return NULL;
}

static void block_alarm(int how)
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(how, &alarm, NULL);
}

/* The interrupted code sends, receives, connects and closes all the time. */
static bool handlers_may_use_sockets_at_any_moment(void)
{
    enum { HANDLED = 300 };
    struct sigaction action = {.sa_sigaction = use_sockets, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct ends ends;
    pthread_t thread;
    char data[2000], back[sizeof data];
    port_in_use = PORT;
    int listener = listen_on(++port_in_use, 100);
    block_alarm(SIG_BLOCK); /* inherited by the thread */
    MUST(make(&theirs) && make(&ends));
    MUST(pthread_create(&thread, NULL, accept_all, &listener) == 0);
    calls = wrong_line = 0;
    MUST(sigaction(SIGALRM, &action, NULL) == 0);
    timer_t timer = every(1000);
    block_alarm(SIG_UNBLOCK);
    for (unsigned round = 0; calls < HANDLED; round++) {
        memset(data, (int)(round % 251), sizeof data);
        MUST(write(ends.client, data, sizeof data) == (ssize_t)sizeof data);
        MUST(recv(ends.server, back, sizeof back, MSG_WAITALL) == (ssize_t)sizeof back);
        MUST(memcmp(data, back, sizeof data) == 0);
        int other = connect_to(PORT + 1, 0);
        MUST(other >= 0 && close(other) == 0);
        MUST(wrong_line == 0);
    }
    timer_delete(timer);
    signal(SIGALRM, SIG_DFL);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    drop(&theirs);
    drop(&ends);
    return true;
}

/* The handler itself waits for what another thread sends. */
static void read_byte(int number)
{
    char got;
    RIGHT(number == SIGUSR1);
    RIGHT(read(theirs.server, &got, 1) == 1 && got == 'h');
    calls++;
}

static void *interrupt_then_write(void *context)
{
    pthread_t thread = *(pthread_t *)context;
    usleep(50000);
    pthread_kill(thread, SIGUSR1);
    usleep(50000);
    RIGHT(write(theirs.client, "h", 1) == 1);
    usleep(50000);
    RIGHT(write(theirs.client, "m", 1) == 1);
    return NULL;
}

static bool handler_may_block_in_the_call_that_it_interrupts(void)
{
    struct sigaction action = {.sa_handler = read_byte, .sa_flags = SA_RESTART};
    pthread_t thread, self = pthread_self();
    char got;
    MUST(make(&theirs));
    calls = wrong_line = 0;
    MUST(sigaction(SIGUSR1, &action, NULL) == 0);
    MUST(pthread_create(&thread, NULL, interrupt_then_write, &self) == 0);
    MUST(read(theirs.server, &got, 1) == 1 && got == 'm');
    MUST(calls == 1 && wrong_line == 0);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_DFL);
    drop(&theirs);
    return true;
}

static sigjmp_buf out_of_here;

static void jump_out(int number)
{
    (void)number;
    siglongjmp(out_of_here, 1);
}

/* Old programs bound a wait so. */
static bool handler_may_jump_out_of_a_blocking_call(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    for (int i = 0; i < 3; i++) {
        struct itimerval timer = {.it_value.tv_usec = 20000};
        signal(SIGALRM, jump_out);
        if (sigsetjmp(out_of_here, 1) == 0) {
            setitimer(ITIMER_REAL, &timer, NULL);
            MUST(read(ends.server, &got, 1) == -2); /* never returns */
        }
        MUST(write(ends.client, "x", 1) == 1 && read(ends.server, &got, 1) == 1);
    }
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static void count(int number)
{
    (void)number;
    calls++;
}

static void count_with_information(int number, siginfo_t *info, void *context)
{
    (void)context;
    calls += info->si_signo == number;
}

static bool actions_are_told_as_they_were_set(void)
{
    struct sigaction one = {.sa_handler = count, .sa_flags = SA_RESTART}, told;
    struct sigaction two = {.sa_sigaction = count_with_information,
                            .sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER};
    union {
        void (*three)(int number, siginfo_t *info, void *context);
        sighandler_t one;
    } both = {.three = count_with_information};
    const int visible = SA_RESTART | SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER;
    sigaddset(&one.sa_mask, SIGUSR2);
    MUST(sigaction(SIGUSR1, &one, NULL) == 0);
    MUST(sigaction(SIGUSR1, NULL, &told) == 0);
    MUST(told.sa_handler == count && (told.sa_flags & visible) == SA_RESTART);
    MUST(sigismember(&told.sa_mask, SIGUSR2) == 1 && sigismember(&told.sa_mask, SIGINT) == 0);
    MUST(sigaction(SIGUSR1, &two, &told) == 0 && told.sa_handler == count);
    MUST(signal(SIGUSR1, count) == both.one);
    MUST(sigaction(SIGUSR1, &two, &told) == 0);
    MUST(told.sa_handler == count && (told.sa_flags & visible) == SA_RESTART);
    MUST(sigismember(&told.sa_mask, SIGUSR1) == 1);
    calls = 0;
    MUST(raise(SIGUSR1) == 0 && calls == 1);
    MUST(sigaction(SIGUSR1, NULL, &told) == 0 && told.sa_handler == SIG_DFL);
    MUST(sigset(SIGUSR1, count) == SIG_DFL && sigset(SIGUSR1, SIG_HOLD) == count);
    MUST(sigset(SIGUSR1, SIG_IGN) == SIG_HOLD && signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    MUST(signal(SIGUSR1, count) == SIG_DFL && siginterrupt(SIGUSR1, 1) == 0);
    MUST(sigaction(SIGUSR1, NULL, &told) == 0 && (told.sa_flags & SA_RESTART) == 0);
    MUST(signal(SIGUSR1, SIG_DFL) == count && siginterrupt(SIGUSR1, 0) == 0);
    MUST(sigaction(SIGKILL, &one, NULL) == -1 && errno == EINVAL);
    MUST(sigaction(1000, &one, NULL) == -1 && errno == EINVAL);
    MUST(signal(SIGSTOP, count) == SIG_ERR && errno == EINVAL);
    return true;
}

/* Which handler it was decides, not which there are. */
static bool only_the_handler_that_ran_decides_about_restarting(void)
{
    struct sigaction restarts = {.sa_handler = count, .sa_flags = SA_RESTART};
    struct sigaction interrupts = {.sa_handler = count};
    struct itimerval timer = {.it_value.tv_usec = 20000};
    struct ends ends;
    pthread_t thread;
    char got;
    MUST(make(&ends));
    MUST(sigaction(SIGUSR2, &interrupts, NULL) == 0);
    MUST(sigaction(SIGALRM, &restarts, NULL) == 0);
    MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    pthread_create(&thread, NULL, write_later, &ends.client);
    MUST(read(ends.server, &got, 1) == 1);
    pthread_join(thread, NULL);
    signal(SIGALRM, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    drop(&ends);
    return true;
}

/* The race that ppoll() and its like were made for. */
static bool waits_with_a_mask_take_a_pending_signal(void)
{
    struct sigaction restarts = {.sa_handler = count, .sa_flags = SA_RESTART};
    struct epoll_event event = {.events = EPOLLIN};
    struct ends ends;
    sigset_t none;
    fd_set set;
    sigemptyset(&none);
    MUST(make(&ends));
    struct pollfd entry = {.fd = ends.server, .events = POLLIN};
    int epoll = epoll_create1(0);
    MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, ends.server, &event) == 0);
    MUST(sigaction(SIGALRM, &restarts, NULL) == 0);
    block_alarm(SIG_BLOCK);
    calls = 0;
    raise(SIGALRM);
    MUST(ppoll(&entry, 1, NULL, &none) == -1 && errno == EINTR && calls == 1);
    raise(SIGALRM);
    FD_ZERO(&set);
    FD_SET(ends.server, &set);
    MUST(pselect(ends.server + 1, &set, NULL, NULL, NULL, &none) == -1 && errno == EINTR);
    raise(SIGALRM);
    MUST(epoll_pwait(epoll, &event, 1, -1, &none) == -1 && errno == EINTR && calls == 3);
    block_alarm(SIG_UNBLOCK);
    signal(SIGALRM, SIG_DFL);
    close(epoll);
    drop(&ends);
    return true;
}

static int many_of; /* the socket that the handler polls */
static volatile sig_atomic_t polled_well, polls;

static void poll_many(int number)
{
    static struct pollfd entries[1000];
    int saved = errno;
    (void)number;
    for (size_t i = 0; i < 1000; i++)
        entries[i] = (struct pollfd){.fd = many_of, .events = POLLIN | POLLOUT};
    polls++;
    if (poll(entries, 1000, SOON) == 1000 && entries[999].revents == POLLOUT)
        polled_well++;
    errno = saved;
}

/* The interrupted thread is in the allocator nearly all of the time. */
static bool handler_may_poll_a_thousand_entries_within_malloc(void)
{
    struct ends ends;
    struct sigaction action = {.sa_handler = poll_many, .sa_flags = SA_RESTART};
    struct itimerval timer = {.it_interval.tv_usec = 500, .it_value.tv_usec = 500}, none = {0};
    void *blocks[64];
    MUST(make(&ends));
    many_of = ends.client;
    polls = polled_well = 0;
    MUST(sigaction(SIGALRM, &action, NULL) == 0);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (size_t size = 100; polls < 50; size = size < 9000 ? size + 37 : 100) {
        for (size_t i = 0; i < 64; i++)
            blocks[i] = malloc(size + i * 16);
        for (size_t i = 0; i < 64; i++)
            free(blocks[i]);
    }
    setitimer(ITIMER_REAL, &none, NULL);
    signal(SIGALRM, SIG_DFL);
    MUST(polled_well == polls);
    drop(&ends);
    return true;
}

static const struct claim claims[] = {
    CLAIM(handlers_may_use_sockets_at_any_moment),
    CLAIM(handler_may_block_in_the_call_that_it_interrupts),
    CLAIM(handler_may_jump_out_of_a_blocking_call),
    CLAIM(actions_are_told_as_they_were_set),
    CLAIM(only_the_handler_that_ran_decides_about_restarting),
    CLAIM(waits_with_a_mask_take_a_pending_signal),
    CLAIM(handler_may_poll_a_thousand_entries_within_malloc),
};

int main(int count_of_arguments, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof *claims, count_of_arguments, arguments);
}
