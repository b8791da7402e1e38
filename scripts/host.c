#include "scripts/host.h"

#include "preload/server.h"
#include "preload/server_listeners.h"
#include "scripts/say.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/** A server that crashes more often than that, in that time, is not started again. */
enum { CRASHES_MAX = 10, CRASHES_SECONDS = 60 };

/** A user whom nobody else is: who else has the server's user could pass for it. "DAYT". */
enum { OWN_USER = 0x44415954 };

/* ------------------------------------------------------------------ addresses */

/** A path that a dead server has left is taken over; a living one's is not. */
static int make_front(const char *path)
{
    int front = server_make_front(path);
    struct stat status;
    if (front != -EADDRINUSE)
        return front;
    int probe = server_reach_front(path);
    if (probe >= 0) {
        close(probe);
        return -EADDRINUSE;
    }
    if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode) || unlink(path) < 0)
        return -EADDRINUSE;
    return server_make_front(path);
}

/** Addresses of servers whose keeper was killed, too, in the directory of this one's. */
static void sweep(const char *path)
{
    char directory[PATH_MAX], other[2 * PATH_MAX];
    struct stat status;
    snprintf(directory, sizeof directory, "%s", path);
    DIR *listing = opendir(dirname(directory));
    if (listing == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (strncmp(entry->d_name, "server.", strlen("server.")) != 0)
            continue;
        snprintf(other, sizeof other, "%s/%s", directory, entry->d_name);
        int probe = server_reach_front(other);
        if (probe >= 0)
            close(probe);
        else if (probe == -ECONNREFUSED && lstat(other, &status) == 0 && S_ISSOCK(status.st_mode))
            unlink(other);
    }
    closedir(listing);
}

static bool make_addresses(struct host *host)
{
    const char *path = host->plan->socket;
    if (host->plan->program != NULL)
        sweep(path);
    if (getrandom(&host->nonce, sizeof host->nonce, 0) < 0)
        return false;
    host->front = make_front(path);
    if (host->front == -EADDRINUSE)
        say("server: another one listens at %s", path);
    else if (host->front < 0)
        say("server: cannot listen at %s: %s", path, strerror(-host->front));
    if (host->front < 0)
        return false;
    host->service = server_make_service(host->nonce);
    if (host->service < 0)
        say("server: cannot begin: %s", strerror(-host->service));
    return host->service >= 0;
}

/* ------------------------------------------------------------------ the process */

static void choose_user(struct server_plan *server)
{
    const struct passwd *entry = getpwnam("daytona");
    server->user = entry != NULL ? entry->pw_uid : OWN_USER;
    server->group = entry != NULL ? entry->pw_gid : OWN_USER;
}

_Noreturn static void become_server(const struct host *host, int control)
{
    struct server_plan server = {.front = host->front,
                                 .service = host->service,
                                 .control = control,
                                 .nonce = host->nonce,
                                 .listeners = host->listeners,
                                 .ports = host->plan->ports,
                                 .port_count = host->plan->port_count};
    static const struct daytona_port_span every = {1, UINT16_MAX};
    if (host->plan->every_port) {
        server.ports = &every;
        server.port_count = 1;
    }
    choose_user(&server);
    _exit(server_run(&server));
}

static bool launch(struct host *host)
{
    int pair[2];
    char ready;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        (host->server = fork()) < 0) {
        say("server: cannot make a process: %s", strerror(errno));
        host->server = 0;
        return false;
    }
    if (host->server == 0) {
        close(pair[0]);
        become_server(host, pair[1]);
    }
    close(pair[1]);
    host->channel = pair[0];
    return read(host->channel, &ready, 1) == 1;
}

bool host_start(struct host *host, const struct plan *plan)
{
    *host = (struct host){.plan = plan, .front = -1, .service = -1, .channel = -1};
    host->listeners = server_listeners_make();
    if (host->listeners == NULL)
        say("server: no memory");
    return host->listeners != NULL && make_addresses(host) && launch(host);
}

void host_finish(struct host *host)
{
    if (host->channel >= 0)
        close(host->channel);
    host->channel = -1;
}

static bool may_start_again(struct host *host)
{
    int64_t now = (int64_t)time(NULL);
    if (host->crashes == 0 || now - host->first_crash > CRASHES_SECONDS) {
        host->crashes = 0;
        host->first_crash = now;
    }
    return ++host->crashes <= CRASHES_MAX;
}

void host_ended(struct host *host, int status)
{
    bool asked = host->channel < 0;
    host->server = 0;
    host_finish(host);
    if (asked)
        return;
    bool again = may_start_again(host);
    if (WIFSIGNALED(status))
        say("server: ended by signal %d (%s); %s", WTERMSIG(status), strsignal(WTERMSIG(status)),
            again ? "another one takes its place" : "too often: no other takes its place");
    else
        say("server: ended with status %d; %s", WEXITSTATUS(status),
            again ? "another one takes its place" : "too often: no other takes its place");
    if (again && !launch(host))
        say("server: none could be started in its place");
}

bool host_is_alone(const struct host *host)
{
    FILE *children = fopen("/proc/thread-self/children", "re");
    int pid = 0;
    bool others = false;
    while (children != NULL && !others && fscanf(children, "%d", &pid) == 1)
        others = pid != host->server;
    if (children != NULL)
        fclose(children);
    return !others;
}

void host_forget(struct host *host)
{
    if (host->front >= 0) {
        unlink(host->plan->socket);
        close(host->front);
    }
    if (host->service >= 0)
        close(host->service);
    host->front = host->service = -1;
}
