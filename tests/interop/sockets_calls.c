/*
 * sockets_calls.c - claims about calls by their names: each of those that preload/calls.def lists
 * and no other claim uses is used here on a connection.
 */
#include "tests/interop/claims.h"
#include <aio.h>
#include <dlfcn.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#pragma GCC diagnostic ignored "-Wpedantic" /* dlsym() gives functions as data */

/* A function under a name that no header declares. */
#define NAMED(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_DEFAULT, name))

static bool reads(int fd, const char *wanted)
{
    char got[64];
    size_t length = strlen(wanted);
    return recv(fd, got, length, MSG_WAITALL) == (ssize_t)length &&
           memcmp(got, wanted, length) == 0;
}

/* ------------------------------------------------------------------ data */

static bool other_names_of_reading_and_writing(void)
{
    struct ends ends;
    char got[8];
    socklen_t none = 0;
    MUST(make(&ends));
    MUST(NAMED("__write", ssize_t, int, const void *, size_t)(ends.client, "abcdef", 6) == 6);
    MUST(NAMED("__send", ssize_t, int, const void *, size_t, int)(ends.client, "gh", 2, 0) == 2);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(NAMED("__read", ssize_t, int, void *, size_t)(ends.server, got, 1) == 1 && *got == 'a');
    MUST(NAMED("__read_chk", ssize_t, int, void *, size_t, size_t)(ends.server, got, 1, 8) == 1 &&
         *got == 'b');
    MUST(NAMED("__recv_chk", ssize_t, int, void *, size_t, size_t, int)(ends.server, got, 1, 8,
                                                                        0) == 1 &&
         *got == 'c');
    MUST(NAMED("__recvfrom_chk", ssize_t, int, void *, size_t, size_t, int, void *,
               socklen_t *)(ends.server, got, 1, 8, 0, NULL, &none) == 1 &&
         *got == 'd');
    MUST(reads(ends.server, "efgh"));
    drop(&ends);
    return true;
}

static bool many_parts_and_messages(void)
{
    struct ends ends;
    char one[3] = "", two[4] = "";
    struct iovec out[2] = {{"ab", 2}, {"cde", 3}}, in[2] = {{one, 2}, {two, 3}};
    struct mmsghdr sent[2] = {{.msg_hdr = {.msg_iov = out, .msg_iovlen = 2}},
                              {.msg_hdr = {.msg_iov = out, .msg_iovlen = 1}}};
    struct mmsghdr received = {.msg_hdr = {.msg_iov = in, .msg_iovlen = 2}};
    MUST(make(&ends));
    MUST(writev(ends.client, out, 2) == 5);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(readv(ends.server, in, 2) == 5 && strcmp(one, "ab") == 0 && strcmp(two, "cde") == 0);
    MUST(sendmsg(ends.client, &sent[0].msg_hdr, 0) == 5);
    MUST(recvmsg(ends.server, &received.msg_hdr, MSG_WAITALL) == 5 && strcmp(two, "cde") == 0);
    MUST(sendmmsg(ends.client, sent, 2, 0) == 2 && sent[0].msg_len == 5 && sent[1].msg_len == 2);
    MUST(recvmmsg(ends.server, &received, 1, MSG_WAITALL, NULL) == 1 && received.msg_len == 5);
    MUST(sendto(ends.client, "x", 1, 0, NULL, 0) == 1 && reads(ends.server, "abx"));
    MUST(pwritev2(ends.client, out, 2, -1, 0) == 5 && polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(preadv2(ends.server, in, 2, -1, 0) == 5 && strcmp(two, "cde") == 0);
    MUST(preadv2(ends.server, in, 2, 5, 0) == -1 && errno == ESPIPE);
    MUST(pread(ends.server, one, 1, 0) == -1 && errno == ESPIPE);
    MUST(lseek(ends.server, 0, SEEK_CUR) == -1 && errno == ESPIPE);
    drop(&ends);
    return true;
}

static bool files_and_pipes_are_sent_and_received(void)
{
    struct ends ends;
    int pipes[2];
    FILE *file = tmpfile();
    off_t offset = 1;
    MUST(make(&ends) && file != NULL && pipe(pipes) == 0);
    MUST(fputs("0123456789", file) > 0 && fflush(file) == 0);
    MUST(sendfile(ends.client, fileno(file), &offset, 4) == 4 && offset == 5);
    MUST(reads(ends.server, "1234"));
    MUST(write(pipes[1], "pipe", 4) == 4);
    MUST(splice(pipes[0], NULL, ends.client, NULL, 4, 0) == 4);
    MUST(polled(ends.server, POLLIN, SOON) == POLLIN);
    MUST(splice(ends.server, NULL, pipes[1], NULL, 4, 0) == 4 && read(pipes[0], &offset, 4) == 4 &&
         memcmp(&offset, "pipe", 4) == 0);
    MUST(tee(ends.server, pipes[1], 4, 0) == -1 && errno == EINVAL);
    MUST(copy_file_range(ends.server, NULL, fileno(file), NULL, 4, 0) == -1 && errno == EINVAL);
    fclose(file);
    close(pipes[0]);
    close(pipes[1]);
    drop(&ends);
    return true;
}

static bool asynchronous_input_and_output(void)
{
    struct ends ends;
    char got[5] = "";
    struct aiocb out = {.aio_buf = (void *)"later", .aio_nbytes = 5}, in = {.aio_buf = got};
    struct aiocb *both[] = {&in, &out};
    MUST(make(&ends));
    out.aio_fildes = ends.client;
    in.aio_fildes = ends.server;
    in.aio_nbytes = sizeof got;
    in.aio_sigevent.sigev_notify = out.aio_sigevent.sigev_notify = SIGEV_NONE;
    for (int way = 0; way < 2; way++) {
        const struct aiocb *waited = &in;
        memset(got, 0, sizeof got);
        out.aio_lio_opcode = LIO_WRITE;
        in.aio_lio_opcode = LIO_READ;
        MUST(way == 0 ? aio_read(&in) == 0 && aio_write(&out) == 0
                      : lio_listio(LIO_NOWAIT, both, 2, NULL) == 0);
        while (aio_error(&in) == EINPROGRESS)
            aio_suspend(&waited, 1, NULL);
        MUST(aio_return(&in) == 5 && memcmp(got, "later", 5) == 0);
        while (aio_error(&out) == EINPROGRESS)
            usleep(1000);
        MUST(aio_return(&out) == 5);
    }
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ names, readiness */

static bool names_options_and_marks(void)
{
    struct ends ends;
    struct sockaddr_in one, two;
    socklen_t length = sizeof one;
    struct stat about;
    MUST(make(&ends));
    MUST(getsockname(ends.client, (struct sockaddr *)&one, &length) == 0);
    MUST(getpeername(ends.server, (struct sockaddr *)&two, &length) == 0);
    MUST(one.sin_port == two.sin_port && one.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    int on = 0;
    length = sizeof on;
    MUST(getsockopt(ends.listener, SOL_SOCKET, SO_ACCEPTCONN, &on, &length) == 0 && on == 1);
    MUST(sockatmark(ends.server) == 0 && isfdtype(ends.server, S_IFSOCK) == 1);
    MUST(fstat(ends.server, &about) == 0 && S_ISSOCK(about.st_mode));
    MUST(isatty(ends.server) == 0 && errno == ENOTTY);
    MUST(fsync(ends.server) == -1 && errno == EINVAL);
    MUST(ftruncate(ends.server, 0) == -1 && errno == EINVAL);
    MUST(NAMED("__connect", int, int, const void *, socklen_t)(ends.client, &one, sizeof one) ==
         -1);
    MUST(errno == EISCONN);
    MUST(bind(ends.client, (struct sockaddr *)&one, sizeof one) == -1 && errno == EINVAL);
    int again = connect_to(port_in_use, 0);
    int accepted = accept4(ends.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    MUST(again >= 0 && accepted >= 0 && (fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
    MUST(NAMED("__fcntl", int, int, int, ...)(accepted, F_GETFD) == FD_CLOEXEC);
    MUST(NAMED("fcntl64", int, int, int, ...)(accepted, F_SETFL, O_RDWR) == 0);
    MUST((fcntl(accepted, F_GETFL) & O_NONBLOCK) == 0 && shutdown(accepted, SHUT_WR) == 0);
    MUST(polled(again, POLLRDHUP, SOON) == POLLRDHUP);
    close(again);
    close(accepted);
    drop(&ends);
    return true;
}

static bool every_way_to_wait(void)
{
    struct ends ends;
    struct epoll_event event = {.events = EPOLLIN};
    const struct timespec soon = {.tv_sec = SOON / 1000};
    struct timeval time = {.tv_sec = SOON / 1000};
    fd_set set;
    MUST(make(&ends));
    struct pollfd entry = {.fd = ends.server, .events = POLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, ends.server, &event) == 0);
    MUST(write(ends.client, "x", 1) == 1);
    MUST(ppoll(&entry, 1, &soon, NULL) == 1);
    MUST(NAMED("__poll", int, struct pollfd *, nfds_t, int)(&entry, 1, SOON) == 1);
    MUST(NAMED("__poll_chk", int, struct pollfd *, nfds_t, int, size_t)(&entry, 1, SOON,
                                                                        sizeof entry) == 1);
    MUST(NAMED("__ppoll_chk", int, struct pollfd *, nfds_t, const struct timespec *,
               const sigset_t *, size_t)(&entry, 1, &soon, NULL, sizeof entry) == 1);
    FD_ZERO(&set);
    FD_SET(ends.server, &set);
    MUST(NAMED("__select", int, int, fd_set *, fd_set *, fd_set *,
               struct timeval *)(ends.server + 1, &set, NULL, NULL, &time) == 1);
    MUST(pselect(ends.server + 1, &set, NULL, NULL, &soon, NULL) == 1);
    MUST(epoll_wait(epoll, &event, 1, SOON) == 1 && epoll_pwait(epoll, &event, 1, SOON, NULL) == 1);
    MUST(epoll_pwait2(epoll, &event, 1, &soon, NULL) == 1 && event.events == EPOLLIN);
    close(epoll);
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ descriptors */

static bool a_closed_stream_ends_its_connection(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    FILE *stream = NAMED("_IO_fdopen", FILE *, int, const char *)(ends.client, "r+");
    MUST(stream != NULL && fputs("bye", stream) >= 0 && fclose(stream) == 0);
    MUST(reads(ends.server, "bye") && read(ends.server, &got, 1) == 0);
    close(ends.server);
    close(ends.listener);
    MUST(make(&ends));
    MUST((stream = fdopen(ends.client, "r+")) != NULL);
    MUST((stream = freopen("/dev/null", "w", stream)) != NULL);
    MUST(read(ends.server, &got, 1) == 0);
    fclose(stream);
    close(ends.server);
    close(ends.listener);
    return true;
}

static bool descriptors_are_copied_and_closed_by_every_name(void)
{
    struct ends ends;
    char got;
    MUST(make(&ends));
    int copy = dup(ends.client);
    MUST(NAMED("__close", int, int)(ends.client) == 0);
    MUST(NAMED("__dup2", int, int, int)(copy, 60) == 60 && dup3(60, 61, O_CLOEXEC) == 61);
    MUST(close(copy) == 0 && write(61, "x", 1) == 1 && reads(ends.server, "x"));
    MUST(NAMED("__dprintf_chk", int, int, int, const char *, ...)(60, 1, "%s", "y") == 1);
    MUST(reads(ends.server, "y"));
    closefrom(60);
    MUST(read(ends.server, &got, 1) == 0);
    close(ends.server);
    close(ends.listener);
    return true;
}

/* ------------------------------------------------------------------ programs */

static int speaks_to; /* the descriptor that a program writes to */
static char command[64], *words[] = {"sh", "-c", command, NULL};

static void by_execv(void)
{
    execv("/bin/sh", words);
}

static void by_execve(void)
{
    execve("/bin/sh", words, environ);
}

static void by_execvp(void)
{
    execvp("sh", words);
}

static void by_execvpe(void)
{
    execvpe("sh", words, environ);
}

static void by_execl(void)
{
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
}

static void by_execlp(void)
{
    execlp("sh", "sh", "-c", command, (char *)NULL);
}

static void by_execle(void)
{
    execle("/bin/sh", "sh", "-c", command, (char *)NULL, environ);
}

static void by_fexecve(void)
{
    fexecve(open("/bin/sh", O_RDONLY | O_CLOEXEC), words, environ);
}

static void by_execveat(void)
{
    execveat(AT_FDCWD, "/bin/sh", words, environ, 0);
}

static bool each_exec_hands_a_connection_on(void)
{
    static void (*const ways[])(void) = {by_execv,  by_execve, by_execvp,  by_execvpe, by_execl,
                                         by_execlp, by_execle, by_fexecve, by_execveat};
    struct ends ends;
    int status;
    MUST(make(&ends));
    snprintf(command, sizeof command, "echo spoken >&%d", ends.client);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        pid_t child = fork();
        if (child == 0) {
            ways[i]();
            _exit(1);
        }
        MUST(waitpid(child, &status, 0) == child && status == 0);
        MUST(reads(ends.server, "spoken\n"));
    }
    drop(&ends);
    return true;
}

static bool children_of_vfork_and_spawn_inherit(void)
{
    struct ends ends;
    posix_spawn_file_actions_t actions;
    int status;
    pid_t child;
    MUST(make(&ends));
    speaks_to = ends.client;
    snprintf(command, sizeof command, "echo spoken >&%d", speaks_to);
    MUST(posix_spawn(&child, "/bin/sh", NULL, NULL, words, environ) == 0);
    MUST(waitpid(child, &status, 0) == child && reads(ends.server, "spoken\n"));
    MUST(posix_spawnp(&child, "sh", NULL, NULL, words, environ) == 0);
    MUST(waitpid(child, &status, 0) == child && reads(ends.server, "spoken\n"));
    child = vfork();
    if (child == 0) {
        execv("/bin/sh", words);
        _exit(1);
    }
    MUST(waitpid(child, &status, 0) == child && reads(ends.server, "spoken\n"));
    fcntl(speaks_to, F_SETFD, FD_CLOEXEC);
    strcpy(command, "echo spoken");
    posix_spawn_file_actions_init(&actions);
    MUST(posix_spawn_file_actions_adddup2(&actions, speaks_to, 1) == 0);
    MUST(posix_spawn(&child, "/bin/sh", &actions, NULL, words, environ) == 0);
    MUST(waitpid(child, &status, 0) == child && reads(ends.server, "spoken\n"));
    posix_spawn_file_actions_destroy(&actions);
    FILE *pipe = NAMED("_IO_popen", FILE *, const char *, const char *)("exit 3", "r");
    MUST(pipe != NULL && pclose(pipe) == 3 << 8);
    drop(&ends);
    return true;
}

/* ------------------------------------------------------------------ ends */

static void by_daemon(int status)
{
    if (daemon(1, 1) != 0)
        _exit(1);
    usleep(50000); /* its parent has ended */
    int fd = connect_to(port_in_use, 0);
    if (write(fd, "d", 1) == 1)
        exit(status);
}

static void by_exec(int status)
{
    execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
    _exit(status + 1);
}

/* What a process wrote before it ended by `end` arrives, and then the end of the stream. */
static bool delivers(void (*end)(int status), size_t bytes)
{
    static char data[200000];
    int listener = listen_on(++port_in_use, 5), status;
    pid_t child = fork();
    if (child == 0) {
        int fd = connect_to(port_in_use, SOCK_CLOEXEC);
        if (write(fd, data, bytes) != (ssize_t)bytes)
            _exit(1);
        end(0);
    }
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0);
    MUST(waitpid(child, &status, 0) == child && status == 0);
    MUST(drain(server, bytes) && read(server, data, 1) == 0);
    close(server);
    if (end == by_daemon) {
        MUST((server = accept(listener, NULL, NULL)) >= 0);
        MUST(reads(server, "d") && read(server, data, 1) == 0);
        close(server);
    }
    close(listener);
    return true;
}

static bool what_was_written_before_the_end_arrives(void)
{
    static void (*const ends[])(int status) = {exit, _exit, _Exit, quick_exit, by_exec, by_daemon};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        MUST(delivers(ends[i], 200000));
    return true;
}

static const struct claim claims[] = {
    CLAIM(other_names_of_reading_and_writing),
    CLAIM(many_parts_and_messages),
    CLAIM(files_and_pipes_are_sent_and_received),
    CLAIM(asynchronous_input_and_output),
    CLAIM(names_options_and_marks),
    CLAIM(every_way_to_wait),
    CLAIM(a_closed_stream_ends_its_connection),
    CLAIM(descriptors_are_copied_and_closed_by_every_name),
    CLAIM(each_exec_hands_a_connection_on),
    CLAIM(children_of_vfork_and_spawn_inherit),
    CLAIM(what_was_written_before_the_end_arrives),
};

int main(int count, char **arguments)
{
    return run_claims(claims, sizeof claims / sizeof *claims, count, arguments);
}
