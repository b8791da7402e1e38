/*
 * sockets_process.c - claims about signals, threads, descriptors and processes.
 */
#include "tests/interop/claims.h"
#include <sys/resource.h>
#include <sys/syscall.h>

/* ------------------------------------------------------------------ signals, time, threads */

static void on_alarm(int number)
{
    (void)number;
}

static void alarm_in(long ms, int flags)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval timer = {.it_value.tv_usec = ms * 1000};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static bool handler_interrupts_a_blocked_read(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    alarm_in(50, 0);
    MUST(read(ends.server, &got, 1) == -1 && errno == EINTR);
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static bool restarting_handler_does_not(void)
{
    struct ends ends;
    char got;
    pthread_t thread;
    MUST(make(&ends));
    alarm_in(20, SA_RESTART);
    pthread_create(&thread, NULL, write_later, &ends.client);
    MUST(read(ends.server, &got, 1) == 1);
    pthread_join(thread, NULL);
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static bool poll_is_interrupted_in_any_case(void)
{
    struct ends ends;
    struct pollfd entry = {.events = POLLIN};
    MUST(make(&ends));
    entry.fd = ends.server;
    alarm_in(30, SA_RESTART);
    MUST(poll(&entry, 1, SOON) == -1 && errno == EINTR);
    signal(SIGALRM, SIG_DFL);
    drop(&ends);
    return true;
}

static bool receive_timeout_is_eagain(void)
{
    struct ends ends;
    char got;
    struct timeval some = {.tv_usec = 50000};
    MUST(make(&ends));
    MUST(setsockopt(ends.server, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof some) == 0);
    long long start = now_ms();
    MUST(read(ends.server, &got, 1) == -1 && errno == EAGAIN);
    MUST(now_ms() - start >= 49 && now_ms() - start < 300);
    drop(&ends);
    return true;
}

static void *echo_once(void *context)
{
    char got;
    int fd = *(int *)context;
    if (read(fd, &got, 1) == 1 && write(fd, &got, 1) == 1)
        return context;
    return NULL;
}

static bool many_threads_block_each_on_its_own(void)
{
    enum { THREADS = 20 };
    struct ends ends[THREADS];
    pthread_t threads[THREADS];
    void *result;
    char got;
    for (int i = 0; i < THREADS; i++) {
        MUST(make(&ends[i]));
        MUST(pthread_create(&threads[i], NULL, echo_once, &ends[i].server) == 0);
    }
    for (int i = THREADS - 1; i >= 0; i--) {
        MUST(write(ends[i].client, "x", 1) == 1);
        MUST(read(ends[i].client, &got, 1) == 1);
        pthread_join(threads[i], &result);
        MUST(result != NULL);
        drop(&ends[i]);
    }
    return true;
}

static void *block_in_read(void *context)
{
    char got;
    ssize_t ignored = read(*(int *)context, &got, 1);
    (void)ignored;
    return NULL;
}

static bool cancelled_thread_leaves_the_others_alone(void)
{
    struct ends one, two;
    pthread_t first, second;
    void *result;
    char got;
    MUST(make(&one) && make(&two));
    MUST(pthread_create(&first, NULL, block_in_read, &one.server) == 0);
    usleep(20000);
    MUST(pthread_create(&second, NULL, echo_once, &two.server) == 0);
    usleep(20000);
    MUST(pthread_cancel(first) == 0 && pthread_join(first, &result) == 0);
    MUST(result == PTHREAD_CANCELED);
    MUST(write(two.client, "x", 1) == 1 && read(two.client, &got, 1) == 1);
    pthread_join(second, &result);
    MUST(result != NULL);
    drop(&one);
    drop(&two);
    return true;
}

/* ------------------------------------------------------------------ descriptors, processes */

static bool copies_keep_a_connection_open(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    int copy = dup(ends.client), high = fcntl(ends.client, F_DUPFD_CLOEXEC, 100);
    MUST(copy >= 0 && high >= 100);
    MUST(close(ends.client) == 0);
    MUST(write(copy, "a", 1) == 1 && read(ends.server, &got, 1) == 1);
    MUST(dup2(high, copy) == copy);
    MUST(write(copy, "b", 1) == 1 && read(ends.server, &got, 1) == 1);
    MUST(close(high) == 0);
    MUST(polled(ends.server, POLLIN, NOT) == 0);
    int other = open("/dev/null", O_RDWR);
    MUST(dup2(other, copy) == copy);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(read(ends.server, &got, 1) == 0);
    close(other);
    close(copy);
    close(ends.server);
    close(ends.listener);
    return true;
}

static bool numbers_are_the_lowest_free(void)
{
    struct ends ends;
    int before = open("/dev/null", O_RDONLY);
    close(before);
    MUST(make(&ends));
    MUST(ends.listener == before && ends.client == before + 1 && ends.server == before + 2);
    drop(&ends);
    int after = open("/dev/null", O_RDONLY);
    MUST(after == before);
    close(after);
    return true;
}

static bool child_of_a_bare_system_call_keeps_a_connection(void)
{
    struct ends ends;
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int closed[2], status = 0;
    char got;
    MUST(make(&ends) && pipe(closed) == 0);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        bool right = read(closed[0], &got, 1) == 1 &&
                     getpeername(ends.server, (struct sockaddr *)&peer, &length) == 0 &&
                     peer.sin_family == AF_INET && write(ends.server, "x", 1) == 1;
        _exit(right ? 0 : 1);
    }
    MUST(child > 0 && close(ends.server) == 0 && write(closed[1], "c", 1) == 1);
    MUST(read(ends.client, &got, 1) == 1 && got == 'x');
    MUST(waitpid(child, &status, 0) == child && status == 0);
    MUST(read(ends.client, &got, 1) == 0);
    close(closed[0]);
    close(closed[1]);
    close(ends.client);
    return true;
}

static bool child_that_closes_leaves_the_parent_connected(void)
{
    struct ends ends;
    char got;
    int status;
    MUST(make(&ends));
    pid_t child = fork();
    if (child == 0) {
        close(ends.client);
        close(ends.server);
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child && status == 0);
    MUST(write(ends.client, "a", 1) == 1 && read(ends.server, &got, 1) == 1);
    close(ends.client);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN && read(ends.server, &got, 1) == 0);
    close(ends.server);
    close(ends.listener);
    return true;
}

/* A child does so and so with an inherited connection; whether it ends well. */
static bool child_does(bool (*act)(int fd), int fd)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(act(fd) ? 0 : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

static bool reads_a(int fd)
{
    char got;
    return polled(fd, POLLIN, SOON) == POLLIN && read(fd, &got, 1) == 1 && got == 'a';
}

static bool writes_a(int fd)
{
    return polled(fd, POLLOUT, SOON) == POLLOUT && write(fd, "a", 1) == 1;
}

static bool child_and_parent_may_use_a_connection_in_turns(void)
{
    struct ends ends;
    MUST(make(&ends));
    for (int i = 0; i < 3; i++) {
        MUST(writes_a(ends.client));
        MUST(child_does(reads_a, ends.server));
        MUST(child_does(writes_a, ends.client));
        MUST(reads_a(ends.server));
        MUST(child_does(writes_a, ends.server));
        MUST(child_does(reads_a, ends.client));
    }
    drop(&ends);
    return true;
}

static bool shuts_writing(int fd)
{
    return shutdown(fd, SHUT_WR) == 0;
}

static bool shutdown_by_a_child_holds_for_the_parent(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    MUST(child_does(shuts_writing, ends.client));
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN && read(ends.server, &got, 1) == 0);
    MUST(send(ends.client, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
    MUST(writes_a(ends.server) && reads_a(ends.client));
    drop(&ends);
    return true;
}

static void *read_later(void *context)
{
    return reads_a(*(int *)context) ? context : NULL;
}

/* A thread of the parent waits for a connection that a child begins to use. */
static bool thread_in_a_blocking_call_goes_on_when_a_child_joins_in(void)
{
    struct ends ends;
    pthread_t thread;
    void *result;
    MUST(make(&ends));
    MUST(pthread_create(&thread, NULL, read_later, &ends.server) == 0);
    poll(NULL, 0, 50);
    MUST(child_does(writes_a, ends.server) && reads_a(ends.client));
    MUST(writes_a(ends.client));
    pthread_join(thread, &result);
    MUST(result != NULL);
    drop(&ends);
    return true;
}

static bool streams_read_and_write(void)
{
    struct ends ends;
    char line[32];
    MUST(make(&ends));
    MUST(write(ends.client, "first\nsecond\n", 13) == 13);
    FILE *in = fdopen(ends.server, "r"), *out = fdopen(dup(ends.server), "w");
    MUST(in != NULL && out != NULL);
    MUST(fgets(line, sizeof line, in) != NULL && strcmp(line, "first\n") == 0);
    MUST(fgets(line, sizeof line, in) != NULL && strcmp(line, "second\n") == 0);
    MUST(fprintf(out, "answer %d\n", 7) > 0 && fflush(out) == 0);
    MUST(drain(ends.client, 9));
    ends.server = -1;
    fclose(in);
    fclose(out);
    MUST(polled(ends.client, POLLIN, SOON) != 0);
    drop(&ends);
    return true;
}

static bool standard_streams_may_be_connections(void)
{
    struct ends ends;
    char line[32];
    MUST(make(&ends));
    int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO);
    fflush(stdout);
    MUST(dup2(ends.server, STDIN_FILENO) == STDIN_FILENO);
    MUST(dup2(ends.client, STDOUT_FILENO) == STDOUT_FILENO);
    printf("through %s\n", "stdio");
    fflush(stdout);
    bool same = fgets(line, sizeof line, stdin) != NULL && strcmp(line, "through stdio\n") == 0;
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    close(in);
    close(out);
    MUST(same);
    drop(&ends);
    return true;
}

static bool formatted_output_on_a_descriptor_is_sent(void)
{
    struct ends ends;
    MUST(make(&ends));
    MUST(dprintf(ends.client, "%s %d\n", "number", 42) == 10);
    MUST(drain(ends.server, 10));
    drop(&ends);
    return true;
}

static bool system_calls_of_the_program_itself_work(void)
{
    struct ends ends;
    char got[8] = "";
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    MUST(make(&ends));
    MUST(syscall(SYS_write, ends.client, "abc", 3L) == 3);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(syscall(SYS_recvfrom, ends.server, got, 3L, (long)MSG_PEEK, NULL, NULL) == 3);
    MUST(syscall(SYS_read, ends.server, got, 3L) == 3 && strcmp(got, "abc") == 0);
    MUST(syscall(SYS_getpeername, ends.client, &name, &length) == 0 && name.sin_family == AF_INET);
    MUST(syscall(SYS_read, -1, got, 3L) == -1 && errno == EBADF);
    int copy = (int)syscall(SYS_dup, ends.client);
    MUST(copy >= 0 && syscall(SYS_close, ends.client) == 0);
    ends.client = copy;
    MUST(syscall(SYS_write, ends.client, "d", 1L) == 1 && drain(ends.server, 1));
    drop(&ends);
    return true;
}

static bool commands_write_to_an_inherited_connection(void)
{
    struct ends ends;
    char command[64];
    MUST(make(&ends));
    snprintf(command, sizeof command, "echo spoken >&%d", ends.client);
    MUST(system(command) == 0);
    MUST(drain(ends.server, 7));
    FILE *pipe = popen(command, "r");
    MUST(pipe != NULL && pclose(pipe) == 0);
    MUST(drain(ends.server, 7));
    drop(&ends);
    return true;
}

/* Field 0 or 1 of what /proc tells of the process's memory, in bytes. */
static size_t memory_field(int field)
{
    size_t pages[2] = {0, 0};
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu %zu", &pages[0], &pages[1]) != 2)
        pages[field] = 0;
    if (file != NULL)
        fclose(file);
    return pages[field] * 4096;
}

static size_t reserved_bytes(void)
{
    return memory_field(0);
}

static size_t mapped_bytes(void)
{
    return memory_field(1);
}

/* As servers do with the process of a session. */
static bool a_child_may_bound_its_address_space(void)
{
    struct ends ends, childs;
    int status = -1;
    MUST(make(&ends));
    pid_t child = fork();
    if (child == 0) {
        rlim_t bound = reserved_bytes() + ((rlim_t)96 << 20);
        setrlimit(RLIMIT_AS, &(struct rlimit){bound, bound});
        void *room = malloc((size_t)16 << 20);
        _exit(room != NULL && make(&childs) && write(childs.client, "a", 1) == 1 &&
                      drain(childs.server, 1)
                  ? 0
                  : 1);
    }
    port_in_use++; /* the child's */
    MUST(waitpid(child, &status, 0) == child && status == 0);
    drop(&ends);
    return true;
}

/* A program that is not there, and one that the kernel does not take. */
static bool a_process_goes_on_after_an_exec_that_failed(void)
{
    static char huge[1 << 20];
    char *nothing[] = {"nothing", NULL}, *words[] = {"sh", huge, NULL};
    struct ends ends;
    size_t before = 0;
    memset(huge, 'x', sizeof huge - 1);
    MUST(make(&ends));
    MUST(fcntl(ends.client, F_SETFD, FD_CLOEXEC) == 0);
    MUST(execv("/nothing", nothing) == -1 && errno == ENOENT);
    MUST(execv("/etc/passwd", nothing) == -1 && errno == EACCES);
    MUST(execvp("nothing", nothing) == -1 && errno == ENOENT);
    MUST(write(ends.client, "a", 1) == 1 && drain(ends.server, 1));
    MUST(fcntl(ends.client, F_SETFD, 0) == 0);
    for (int i = 0; i < 5; i++) {
        struct ends more;
        MUST(execv("/bin/sh", words) == -1 && errno == E2BIG);
        MUST(make(&more));
        MUST(write(more.client, "b", 1) == 1 && drain(more.server, 1));
        MUST(write(ends.client, "a", 1) == 1 && drain(ends.server, 1));
        drop(&more);
        if (i == 1)
            before = mapped_bytes();
    }
    MUST(mapped_bytes() < before + (32 << 20)); /* each engine had that and more */
    drop(&ends);
    return true;
}

static bool close_range_ends_connections(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    int moved = fcntl(ends.client, F_DUPFD, 200);
    MUST(moved >= 200 && close(ends.client) == 0);
    MUST(close_range(150, ~0U, 0) == 0);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN && read(ends.server, &got, 1) == 0);
    close(ends.server);
    close(ends.listener);
    MUST(make(&ends));
    drop(&ends);
    return true;
}

static bool lingering_close_waits_for_delivery(void)
{
    struct ends ends;
    struct linger some = {.l_onoff = 1, .l_linger = 5};
    MUST(make(&ends));
    MUST(setsockopt(ends.client, SOL_SOCKET, SO_LINGER, &some, sizeof some) == 0);
    MUST(write(ends.client, "x", 1) == 1);
    long long start = now_ms();
    MUST(close(ends.client) == 0);
    MUST(now_ms() - start < SOON);
    MUST(drain(ends.server, 1));
    close(ends.server);
    close(ends.listener);
    return true;
}

/* iperf3 -s does so between two measurements. */
static bool closed_listener_leaves_its_port_at_once(void)
{
    for (int i = 0; i < 100; i++) {
        struct sockaddr_in address = address_of(PORT + 90);
        int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        MUST(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
        MUST(listen(listener, 4) == 0);
        int client = connect_to(PORT + 90, 0);
        MUST(client >= 0);
        int server = accept(listener, NULL, NULL);
        MUST(server >= 0);
        close(listener);
        close(server);
        close(client);
    }
    return true;
}

/* With the first thread alone, and with one that outlives it. */
static void *outlive(void *ends)
{
    usleep(50000);
    ssize_t written = write(((struct ends *)ends)->client, "x", 1);
    (void)written;
    return NULL;
}

static void end_thread_by_thread(bool second)
{
    static struct ends ends;
    pthread_t thread;
    if (!make(&ends))
        _exit(1);
    if (second)
        pthread_create(&thread, NULL, outlive, &ends);
    syscall(SYS_exit, 7);
}

static bool process_ends_with_its_last_thread(void)
{
    for (int second = 0; second < 2; second++) {
        int status, waits = 0;
        pid_t child = fork();
        if (child == 0)
            end_thread_by_thread(second == 1);
        while (waitpid(child, &status, WNOHANG) == 0 && waits++ < 10 * SOON / 10)
            usleep(10000);
        bool ended = waits < 10 * SOON / 10;
        if (!ended)
            kill(child, SIGKILL);
        MUST(ended);
        MUST(WIFEXITED(status) && (second == 1 || WEXITSTATUS(status) == 7));
        port_in_use++;
    }
    return true;
}

static const struct claim claims[] = {
    CLAIM(handler_interrupts_a_blocked_read),
    CLAIM(restarting_handler_does_not),
    CLAIM(poll_is_interrupted_in_any_case),
    CLAIM(receive_timeout_is_eagain),
    CLAIM(many_threads_block_each_on_its_own),
    CLAIM(cancelled_thread_leaves_the_others_alone),
    CLAIM(copies_keep_a_connection_open),
    CLAIM(numbers_are_the_lowest_free),
    CLAIM(child_of_a_bare_system_call_keeps_a_connection),
    CLAIM(child_that_closes_leaves_the_parent_connected),
    CLAIM(child_and_parent_may_use_a_connection_in_turns),
    CLAIM(shutdown_by_a_child_holds_for_the_parent),
    CLAIM(thread_in_a_blocking_call_goes_on_when_a_child_joins_in),
    CLAIM(streams_read_and_write),
    CLAIM(standard_streams_may_be_connections),
    CLAIM(formatted_output_on_a_descriptor_is_sent),
    CLAIM(system_calls_of_the_program_itself_work),
    CLAIM(commands_write_to_an_inherited_connection),
    CLAIM(a_process_goes_on_after_an_exec_that_failed),
    CLAIM(a_child_may_bound_its_address_space),
    CLAIM(close_range_ends_connections),
    CLAIM(process_ends_with_its_last_thread),
    CLAIM(lingering_close_waits_for_delivery),
    CLAIM(closed_listener_leaves_its_port_at_once),
};

int main(int count, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
