#include "tests/differential/stage_talk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void stage_signal(const struct stage *stage, int actor, int number)
{
    syscall(SYS_tgkill, stage->actors[actor].pid, stage->actors[actor].tid, number);
}

/* Whether the thread sleeps until something happens. */
static bool thread_is_asleep(pid_t pid, const char *thread)
{
    char path[300], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%s/stat", pid, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got < 0 ? 0 : got] = '\0';
    const char *state = strrchr(text, ')');
    return state != NULL && state[1] == ' ' && state[2] == 'S';
}

static bool is_asleep(const struct actor *actor)
{
    char thread[12];
    snprintf(thread, sizeof thread, "%d", actor->tid);
    return thread_is_asleep(actor->pid, thread);
}

static bool process_is_asleep(pid_t pid)
{
    char path[32];
    bool asleep = true;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    for (struct dirent *entry = NULL; threads != NULL && (entry = readdir(threads)) != NULL;)
        if (entry->d_name[0] != '.')
            asleep &= thread_is_asleep(pid, entry->d_name);
    if (threads != NULL)
        closedir(threads);
    return asleep;
}

bool stage_is_asleep(const struct stage *stage)
{
    for (int i = 0; i < ACTORS_MAX; i++)
        if (stage->book.alive[i] && !process_is_asleep(stage->actors[i].pid))
            return false;
    return true;
}

static bool take_answer(struct actor *actor)
{
    ssize_t got = recv(actor->channel, &actor->answer, sizeof actor->answer, MSG_DONTWAIT);
    return got == (ssize_t)sizeof actor->answer;
}

enum hearing stage_hear(struct stage *stage, int number, int patience_ms, int asleep_ms)
{
    struct actor *actor = &stage->actors[number];
    long long end = now_ms() + patience_ms, asleep_since = 0;
    for (;;) {
        struct pollfd entries[] = {{.fd = actor->channel, .events = POLLIN},
                                   {.fd = actor->process, .events = POLLIN}};
        int ready = poll(entries, 2, asleep_ms > 0 ? 1 : patience_ms);
        long long now = now_ms();
        if (entries[0].revents != 0 && take_answer(actor))
            return HEARD_ANSWER;
        if (ready > 0 && entries[1].revents != 0)
            return HEARD_END;
        if (!(asleep_ms > 0 && is_asleep(actor)))
            asleep_since = 0;
        else if (asleep_since == 0)
            asleep_since = now;
        else if (now - asleep_since >= asleep_ms && poll(entries, 1, 0) == 0)
            return HEARD_ASLEEP;
        if (now >= end)
            return HEARD_NOTHING;
    }
}

void stage_tell(struct stage *stage, int actor, const struct request *request)
{
    send(stage->actors[actor].channel, request, sizeof *request, MSG_NOSIGNAL);
}

void stage_greet(struct stage *stage, int number)
{
    struct actor *actor = &stage->actors[number];
    if (stage_hear(stage, number, 4 * STAGE_PATIENCE_MS, 0) != HEARD_ANSWER) {
        fprintf(stderr, "actor %d on %s does not come\n", number, stage->mode->name);
        exit(2);
    }
    if (actor->process >= 0)
        close(actor->process);
    actor->pid = actor->answer.pid;
    actor->tid = actor->answer.tid;
    actor->process = (int)syscall(SYS_pidfd_open, actor->pid, 0);
    actor->busy = actor->answered = false;
}
