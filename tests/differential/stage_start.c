/*
 * stage_start.c - how a stage comes to be, and ends.
 */
#include "tests/differential/stage.h"

#include "tests/differential/stage_talk.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct mode modes[] = {
#define MODE(name, excluded, ...) {name, excluded, {__VA_ARGS__}},
#include "tests/differential/modes.def"
#undef MODE
};

const struct mode *mode_at(size_t number)
{
    return number < sizeof modes / sizeof modes[0] ? &modes[number] : NULL;
}

const struct mode *mode_find(const char *name)
{
    for (size_t i = 0; mode_at(i) != NULL; i++)
        if (strcmp(mode_at(i)->name, name) == 0)
            return mode_at(i);
    return NULL;
}

/* ------------------------------------------------------------------ the first actor's process */

static void die(const char *what)
{
    perror(what);
    _exit(2);
}

static void write_setting(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        die(path);
    close(fd);
}

/* Other processes' networks are none of our business, nor is ours theirs. */
static void make_network(void)
{
    struct ifreq interface = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET) < 0)
        die("a network namespace");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &interface) < 0)
        die("lo");
    close(fd);
    write_setting("/proc/sys/net/ipv4/ip_local_port_range", "50000 60000");
}

static void choose_tcp(const struct mode *mode, const char *path)
{
    char library[4096];
    for (size_t i = 0; i < sizeof mode->settings / sizeof mode->settings[0]; i++) {
        if (mode->settings[i] == NULL)
            break;
        char *setting = strdup(mode->settings[i]);
        putenv(setting);
    }
    if (mode == mode_at(0))
        return;
    snprintf(library, sizeof library, "%.*s/libdaytona.so", (int)(strrchr(path, '/') - path), path);
    setenv("DAYTONA_LISTEN", "10000-29999", 1);
    setenv("DAYTONA_CONNECT", "10000-19999,30000-39999", 1);
    setenv("LD_PRELOAD", library, 1);
}

static bool needs_server(const struct mode *mode)
{
    return mode->settings[0] != NULL && strcmp(mode->settings[0], "DAYTONA_ENGINE=process") == 0;
}

/* The server and its rules are made, and removed, by `daytona run`. */
_Noreturn static void run_with_server(char *path)
{
    char runner[4096];
    char *words[] = {runner, "--server", "--", path, "agent", "0", NULL};
    snprintf(runner, sizeof runner, "%.*s/daytona-run", (int)(strrchr(path, '/') - path), path);
    unsetenv("LD_PRELOAD");
    execv(runner, words);
    die(runner);
    _exit(2);
}

static void move(int from, int to)
{
    if (dup2(from, to) < 0)
        die("dup2");
}

_Noreturn static void become_actor(const struct stage *stage)
{
    char path[4096] = "";
    char *words[] = {path, "agent", "0", NULL};
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        die("/proc/self/exe");
    if (!needs_server(stage->mode)) /* which ends by itself, and cleans up */
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    make_network();
    for (int i = 0; i < ACTORS_MAX; i++)
        move(stage->actors[i].theirs, AGENT_CHANNEL + i);
    move(stage->queue[0], AGENT_GIVING);
    move(stage->queue[1], AGENT_TAKING);
    close_range(3, AGENT_CHANNEL - 1, 0);
    choose_tcp(stage->mode, path);
    if (needs_server(stage->mode))
        run_with_server(path);
    execv(path, words);
    die(path);
    _exit(2);
}

/* ------------------------------------------------------------------ the stage */

static void make_pair(int type, int *one, int *other)
{
    int pair[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
        die("socketpair");
    *one = pair[0];
    *other = pair[1];
}

void stage_open(struct stage *stage, const struct mode *mode)
{
    memset(stage, 0, sizeof *stage);
    stage->mode = mode;
    stage->patience_ms = STAGE_PATIENCE_MS;
}

void stage_start(struct stage *stage)
{
    make_pair(SOCK_DGRAM, &stage->queue[0], &stage->queue[1]);
    for (int i = 0; i < ACTORS_MAX; i++) {
        stage->actors[i] = (struct actor){.process = -1};
        make_pair(SOCK_SEQPACKET, &stage->actors[i].channel, &stage->actors[i].theirs);
    }
    fflush(NULL);
    stage->serial = 0;
    stage->pid = fork();
    if (stage->pid < 0)
        die("fork");
    if (stage->pid == 0)
        become_actor(stage);
    stage_greet(stage, 0);
}

/* Whoever is left was forked by an actor, and has become ours with its parent's end. */
static void end_processes(struct stage *stage)
{
    for (int i = 0; i < ACTORS_MAX; i++) {
        if (stage->actors[i].process < 0)
            continue;
        syscall(SYS_pidfd_send_signal, stage->actors[i].process, SIGKILL, NULL, 0);
        close(stage->actors[i].process);
        stage->actors[i].process = -1;
    }
    waitpid(stage->pid, NULL, 0);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

void stage_restart(struct stage *stage)
{
    if (stage->pid == 0)
        return;
    end_processes(stage);
    for (int i = 0; i < ACTORS_MAX; i++) {
        close(stage->actors[i].channel);
        close(stage->actors[i].theirs);
    }
    close(stage->queue[0]);
    close(stage->queue[1]);
    stage->pid = 0;
}

void stage_close(struct stage *stage)
{
    stage_restart(stage);
}
