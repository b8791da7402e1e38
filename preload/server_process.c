/*
 * server_process.c - the life of a server's process.
 */
#include "preload/engine.h"
#include "preload/engine_table.h"
#include "preload/engine_thread.h"
#include "preload/log.h"
#include "preload/privileges.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/server.h"
#include "preload/server_listeners.h"
#include "preload/settings.h"
#include "preload/summary.h"
#include "preload/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_NOT_STARTED 125
#define ANYBODY            0666 /* what a program may ask for is checked, not who it is */

static int make_service(const struct sockaddr_un *name, socklen_t length)
{
    int on = 1;
    int fd = real.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (real.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
        real.bind(fd, (const struct sockaddr *)name, length) == 0)
        return fd;
    int error = errno;
    real.close(fd);
    return -error;
}

int server_make_service(uint64_t nonce)
{
    struct sockaddr_un name;
    socklen_t length = twin_name_of_engine(&name, nonce);
    return make_service(&name, length);
}

/* Its length, or -ENAMETOOLONG. */
static int put_path(struct sockaddr_un *name, const char *path)
{
    size_t length = strlen(path);
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length >= sizeof name->sun_path)
        return -ENAMETOOLONG;
    memcpy(name->sun_path, path, length);
    return (int)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

int server_reach_front(const char *path)
{
    struct sockaddr_un name;
    int length = put_path(&name, path);
    return length < 0 ? length : remote_reach(&name, (socklen_t)length);
}

int server_make_front(const char *path)
{
    struct sockaddr_un name;
    int length = put_path(&name, path);
    if (length < 0)
        return length;
    int fd = make_service(&name, (socklen_t)length);
    if (fd >= 0 && chmod(path, ANYBODY) < 0) {
        int error = errno;
        real.close(fd);
        return -error;
    }
    return fd;
}

/* ------------------------------------------------------------------ the beginning */

enum { FRONT = 3, SERVICE, CONTROL, FIRST_FREE };

/* Whatever else was open here is another process's. */
static void settle_descriptors(struct server_plan *plan)
{
    int front = real.fcntl(plan->front, F_DUPFD_CLOEXEC, FIRST_FREE);
    int service = real.fcntl(plan->service, F_DUPFD_CLOEXEC, FIRST_FREE);
    int control = real.fcntl(plan->control, F_DUPFD_CLOEXEC, FIRST_FREE);
    plan->front = real.dup3(front, FRONT, O_CLOEXEC);
    plan->service = real.dup3(service, SERVICE, O_CLOEXEC);
    plan->control = real.dup3(control, CONTROL, O_CLOEXEC);
    real.close_range(FIRST_FREE, ~0U, 0);
}

static void silence(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        real.dup2(null, fd);
        real.close(null);
    }
}

/* Two descriptors for each connection. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool read_settings(void)
{
    static struct settings_messages messages;
    settings_read(environ, &settings, &messages);
    log_start(settings.log);
    return !settings.fault;
}

/* SIGTERM and the like are for the programs: the server ends after them. */
static void set_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ------------------------------------------------------------------ the end */

static void wait_for_the_end(int control)
{
    char word;
    ssize_t got;
    do
        got = real.read(control, &word, 1);
    while (got > 0 || (got < 0 && errno == EINTR));
    silence(STDERR_FILENO); /* nobody waits for what is still to be delivered */
    if (engine_enter() == 0) {
        atomic_store(&engine.exit_wanted, true);
        engine.kick_thread = true;
        engine_leave();
    }
    for (;;)
        pause();
}

/* It opens the file of DAYTONA_SUMMARY as who has started it. */
static int open_summary(void)
{
    int file = settings.summary_file[0] == '\0' ? -1 : summary_open();
    if (file < 0 && settings.summary_file[0] != '\0')
        log_line(LOG_LEVEL_ERROR, "DAYTONA_SUMMARY: cannot open %s: %s", settings.summary_file,
                 strerror(errno));
    return file;
}

static void hand_over(int summary)
{
    if (summary < 0)
        return;
    engine_table_send(engine.control, ENGINE_FOR_ITSELF, &summary, 1);
    real.close(summary);
}

static bool begin(const struct server_plan *plan)
{
    char message[ENGINE_MESSAGE_MAX];
    int summary = open_summary();
    const int services[] = {plan->front, plan->service};
    server_listeners_bind(plan->listeners);
    if (engine_start() < 0)
        return false;
    server_listeners_restore(plan->listeners);
    if (privileges_forbid_calls(message, sizeof message) < 0) {
        log_line(LOG_LEVEL_ERROR, "%s", message);
        return false;
    }
    if (engine_table_send(engine.control, ENGINE_FOR_ITSELF, services, 2) < 0)
        return false;
    hand_over(summary);
    real.close(plan->front);
    real.close(plan->service);
    return real.write(plan->control, "", 1) == 1;
}

int server_run(const struct server_plan *asked)
{
    static struct server_plan plan;
    plan = *asked;
    settle_descriptors(&plan);
    setsid();
    prctl(PR_SET_NAME, "daytona-server");
    silence(STDIN_FILENO);
    silence(STDOUT_FILENO);
    set_signals();
    raise_limit();
    engine.server = &plan;
    if (!read_settings() || !begin(&plan))
        return STATUS_NOT_STARTED;
    int ignored = chdir("/");
    (void)ignored;
    wait_for_the_end(plan.control);
    return 0;
}
