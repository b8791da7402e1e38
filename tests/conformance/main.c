/*
 * daytona-conformance - plays packet scripts (docs/packet-scripts.md).
 *
 *     daytona-conformance [--linux] [--jobs N] [--trace] SCRIPT...
 *
 *     --linux   against the kernel's TCP in real time, each script in a network namespace of its
 *               own (root); without it, against Daytona's stack in virtual time
 *     --jobs    so many at a time (1)
 *     --trace   shows the packets of scripts that go well too
 *
 *     daytona-conformance --states DIRECTORY [--show] [--linux]
 *
 *               tries every state with every segment and every call, as the tables there say;
 *               --show writes what comes of each cell
 *
 * Standard output is in the Test Anything Protocol; the exit status is 1 when a script failed.
 */
#include "tests/conformance/play.h"
#include "tests/conformance/states.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX    64
#define SECONDS_MAX 60 /* a script that takes longer hangs */

enum outcome { OUTCOME_RIGHT, OUTCOME_WRONG, OUTCOME_SKIPPED };

struct command {
    bool on_linux, trace;
    int jobs;
};

struct job {
    pid_t pid;
    int output;
    const char *path;
};

static enum outcome play_file(const struct command *command, const char *path)
{
    static struct script script;
    const char *why;
    if (!script_read(path, &script))
        return OUTCOME_WRONG;
    if (script.only == (command->on_linux ? SIDE_DAYTONA : SIDE_LINUX)) {
        printf("it is for the other\n");
        return OUTCOME_SKIPPED;
    }
    struct subject *subject = command->on_linux ? subject_linux(&script.settings, &why)
                                                : subject_daytona(&script.settings, &why);
    if (subject == NULL) {
        printf("%s\n", why);
        return command->on_linux ? OUTCOME_SKIPPED : OUTCOME_WRONG;
    }
    return play(&script, subject, command->trace) ? OUTCOME_RIGHT : OUTCOME_WRONG;
}

static void begin(const struct command *command, struct job *job, const char *path)
{
    job->path = path;
    job->output = memfd_create("output", MFD_CLOEXEC);
    fflush(stdout);
    job->pid = fork();
    if (job->pid != 0)
        return;
    dup2(job->output, STDOUT_FILENO);
    dup2(job->output, STDERR_FILENO);
    alarm(SECONDS_MAX);
    enum outcome outcome = play_file(command, path);
    fflush(stdout);
    _exit((int)outcome);
}

static void show_output(int fd, const char *prefix)
{
    FILE *file = fdopen(fd, "r");
    char line[1024];
    if (file == NULL)
        return;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        printf("%s%s", prefix, line);
    fclose(file);
}

/* Reports the job; false when it failed. */
static bool report(const struct command *command, const struct job *job, int status)
{
    const char *subject = command->on_linux ? "linux" : "daytona";
    bool ended = WIFEXITED(status);
    int code = ended ? WEXITSTATUS(status) : OUTCOME_WRONG;
    if (code == OUTCOME_SKIPPED) {
        printf("ok - %s %s # SKIP ", subject, job->path);
        show_output(job->output, "");
        return true;
    }
    printf("%s - %s %s\n", code == OUTCOME_RIGHT ? "ok" : "not ok", subject, job->path);
    show_output(job->output, "# ");
    if (!ended)
        printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return code == OUTCOME_RIGHT;
}

/* Waits for one of the jobs and frees its place. */
static bool finish_one(const struct command *command, struct job *jobs)
{
    int status;
    pid_t pid = wait(&status);
    for (int i = 0; i < command->jobs; i++) {
        if (jobs[i].pid == pid && pid > 0) {
            bool right = report(command, &jobs[i], status);
            jobs[i].pid = 0;
            return right;
        }
    }
    return false;
}

static struct job *free_place(const struct command *command, struct job *jobs)
{
    for (int i = 0; i < command->jobs; i++)
        if (jobs[i].pid == 0)
            return &jobs[i];
    return NULL;
}

static int play_all(const struct command *command, char *const *paths, int count)
{
    struct job jobs[JOBS_MAX] = {0};
    int running = 0;
    bool right = true;
    for (int i = 0; i < count; i++) {
        struct job *place;
        while ((place = free_place(command, jobs)) == NULL) {
            right = finish_one(command, jobs) && right;
            running--;
        }
        begin(command, place, paths[i]);
        running++;
    }
    for (; running > 0; running--)
        right = finish_one(command, jobs) && right;
    return right ? 0 : 1;
}

static int states(const char *directory, char *const *arguments, int count)
{
    bool show = false, on_linux = false;
    for (int i = 0; i < count; i++) {
        show = show || strcmp(arguments[i], "--show") == 0;
        on_linux = on_linux || strcmp(arguments[i], "--linux") == 0;
    }
    /* Alone, it may go first: on a busy machine the kernel's timers would meddle. Where that is not
     * allowed it goes on as it is. */
    struct sched_param first = {.sched_priority = 1};
    if (on_linux)
        sched_setscheduler(0, SCHED_FIFO, &first);
    return states_try(on_linux ? subject_linux : subject_daytona, directory, show, on_linux) ? 0
                                                                                             : 1;
}

int main(int argc, char **argv)
{
    struct command command = {.jobs = 1};
    if (argc >= 3 && strcmp(argv[1], "--states") == 0)
        return states(argv[2], argv + 3, argc - 3);
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--linux") == 0)
            command.on_linux = true;
        else if (strcmp(argv[at], "--trace") == 0)
            command.trace = true;
        else if (strcmp(argv[at], "--jobs") == 0 && at + 1 < argc)
            command.jobs = atoi(argv[++at]);
        else
            break;
    }
    if (at >= argc || argv[at][0] == '-' || command.jobs < 1 || command.jobs > JOBS_MAX) {
        fprintf(stderr, "usage: %s [--linux] [--jobs N] [--trace] SCRIPT...\n", argv[0]);
        return 2;
    }
    return play_all(&command, argv + at, argc - at);
}
