#include "scripts/command.h"

#include "scripts/records.h"
#include "scripts/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BY_ITSELF_S = 2, PATIENCE_S = 10 };

static const char variable[] = "DAYTONA_RINGS";

/* Programs that change their user write here, too: each its own file, which no other user reads. */
static int make_directory(struct command *command)
{
    int length = snprintf(command->rings, sizeof command->rings, "%s/daytona-trace.XXXXXX",
                          records_directory());
    if (length >= (int)sizeof command->rings)
        return -ENAMETOOLONG;
    if (mkdtemp(command->rings) == NULL || chmod(command->rings, 01777) < 0)
        return -errno;
    return setenv(variable, command->rings, 1) < 0 ? -errno : 0;
}

int command_begin(struct command *command, char **arguments)
{
    int status = make_directory(command);
    command->pid = status < 0 ? -1 : fork();
    if (command->pid == 0) {
        execvp(arguments[0], arguments);
        say("trace: %s: %s", arguments[0], strerror(errno));
        _exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
    }
    return status < 0 ? status : command->pid < 0 ? -errno : 0;
}

static long now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1;
}

static void tell(struct command *command)
{
    if (!command->told)
        kill(command->pid, SIGTERM);
    command->told = true;
}

bool command_runs(struct command *command, int stopped)
{
    if (!command->ended)
        command->ended = waitpid(command->pid, &command->status, WNOHANG) != 0;
    if (command->ended || stopped == 0)
        return !command->ended;
    if (command->stopped_at == 0)
        command->stopped_at = now_s();
    long waited = now_s() - command->stopped_at;
    if (stopped != SIGINT || waited > BY_ITSELF_S)
        tell(command);
    return waited <= PATIENCE_S;
}

static void remove_rings(const struct command *command)
{
    DIR *listing = opendir(command->rings);
    for (const struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;)
        unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing != NULL)
        closedir(listing);
    rmdir(command->rings);
}

int command_end(struct command *command)
{
    if (command_runs(command, 0)) {
        tell(command);
        while (waitpid(command->pid, &command->status, 0) < 0 && errno == EINTR)
            continue;
        command->ended = true;
    }
    remove_rings(command);
    return WIFEXITED(command->status) ? WEXITSTATUS(command->status)
                                      : 128 + WTERMSIG(command->status);
}
