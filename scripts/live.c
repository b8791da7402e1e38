#include "scripts/live.h"

#include "scripts/records.h"
#include "scripts/ring_reader.h"
#include "scripts/say.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREFIX         "daytona."
#define RINGS_MAX      64
#define PAUSE_NS       5000000
#define LOOK_NS        UINT64_C(200000000) /* for processes that have begun meanwhile */
#define PATH_BYTES     512
#define NAME_MAX_BYTES 96
#define TURN_EVENTS    100000u /* of one ring, before the others have theirs */

struct followed {
    char name[NAME_MAX_BYTES];
    struct trace_about about;
    bool ended;
    struct ring_reader reader;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

int live_stopped(void)
{
    return stopped;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------------ finding */

static const char *directory_of(const struct live *live)
{
    return live->directory != NULL ? live->directory : records_directory();
}

/* The process of a ring by its file's name, 0: it is no ring. */
static pid_t pid_of(const char *name)
{
    size_t length = strlen(name), tail = strlen(DAYTONA_RING_SUFFIX);
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || length <= tail || length >= NAME_MAX_BYTES ||
        strcmp(name + length - tail, DAYTONA_RING_SUFFIX) != 0)
        return 0;
    return (pid_t)strtol(name + strlen(PREFIX), NULL, 10);
}

static bool is_followed(struct followed *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i]->name, name) == 0)
            return true;
    return false;
}

static struct followed *follow(const struct live *live, const char *name)
{
    char path[PATH_BYTES];
    struct followed *followed = calloc(1, sizeof *followed);
    snprintf(path, sizeof path, "%s/%s", directory_of(live), name);
    if (followed == NULL || ring_reader_open(&followed->reader, path) < 0) {
        free(followed);
        return NULL;
    }
    const struct daytona_ring_header *header = &followed->reader.header;
    snprintf(followed->name, sizeof followed->name, "%s", name);
    followed->about = (struct trace_about){.pid = (uint32_t)header->pid,
                                           .began_ns = header->began.ns,
                                           .began_realtime_ns = header->began_realtime_ns};
    memcpy(followed->about.program, header->program, sizeof header->program);
    bool alive = ring_reader_alive(&followed->reader);
    if (alive && !live->history && live->expects == NULL)
        ring_reader_skip(&followed->reader);
    if (alive ? ring_reader_attach(&followed->reader, live->mask) < 0
              : live->pid == 0 && live->expects == NULL) {
        ring_reader_close(&followed->reader); /* the dead are told of when they are asked for */
        free(followed);
        return NULL;
    }
    if (live->says)
        say("%s[%u] %s", header->program, followed->about.pid,
            alive || live->expects != NULL ? "is followed"
                                           : "has ended without a word: what it left");
    return followed;
}

/* Adds what is not followed yet; -errno. */
static int look(const struct live *live, struct followed **list, size_t *count)
{
    DIR *listing = opendir(directory_of(live));
    if (listing == NULL)
        return -errno;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL && *count < RINGS_MAX;) {
        pid_t pid = pid_of(entry->d_name);
        if (pid == 0 || (live->pid != 0 && pid != live->pid) ||
            is_followed(list, *count, entry->d_name))
            continue;
        struct followed *followed = follow(live, entry->d_name);
        if (followed != NULL)
            list[(*count)++] = followed;
    }
    closedir(listing);
    return 0;
}

/* ------------------------------------------------------------------ reading */

/* Takes what is there; returns how many events, or what take() said. */
static int drain(struct live *live, struct followed *followed)
{
    struct seen seen;
    int count = 0;
    while (count < (int)TURN_EVENTS && ring_reader_next(&followed->reader, &seen)) {
        live->missed += seen.missed;
        if ((live->mask & DAYTONA_EVENT_BIT(seen.type)) == 0)
            continue;
        live->events++;
        count++;
        int status = live->take(live->context, &followed->about, &seen);
        if (status < 0)
            return status;
    }
    return count;
}

/* Whether anything can still come. */
static bool goes_on(const struct live *live, struct followed *const *list, size_t count)
{
    bool any = live->expects != NULL && live->expects(live->context);
    for (size_t i = 0; i < count; i++)
        any = any || !list[i]->ended;
    return any || (live->pid == 0 && live->expects == NULL);
}

static int take_all(struct live *live, struct followed *const *list, size_t count)
{
    int taken = 0;
    for (size_t i = 0; i < count; i++) {
        /* Asked first: what it wrote before its end is then there to be taken. */
        bool ended = !ring_reader_alive(&list[i]->reader);
        int status = drain(live, list[i]);
        if (status < 0)
            return status;
        taken += status;
        list[i]->ended = ended && status == 0;
    }
    return taken;
}

/* By a signal; what is still waited for comes first. */
static bool is_stopped(const struct live *live)
{
    return stopped != 0 && (live->expects == NULL || !live->expects(live->context));
}

static int read_on(struct live *live, struct followed **list, size_t *count)
{
    uint64_t end = live->seconds == 0 ? UINT64_MAX : now_ns() + live->seconds * 1000000000u;
    uint64_t looked = now_ns();
    while (goes_on(live, list, *count) && !is_stopped(live) && now_ns() < end) {
        if (live->expects != NULL ||
            (live->pid == 0 && !live->single && now_ns() - looked > LOOK_NS)) {
            look(live, list, count);
            looked = now_ns();
        }
        int taken = take_all(live, list, *count);
        if (taken < 0)
            return taken;
        if (taken == 0)
            nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
    }
    if (live->expects != NULL)
        look(live, list, count);
    int taken = take_all(live, list, *count);
    return taken < 0 ? taken : 0;
}

int live_run(struct live *live)
{
    struct followed *list[RINGS_MAX];
    size_t count = 0;
    struct sigaction action = {.sa_handler = stop};
    int status = look(live, list, &count);
    if (status == 0 && count == 0 && (live->pid != 0 || live->single))
        status = -ESRCH;
    if (status == 0 && count > 1 && live->single)
        status = -E2BIG;
    if (status == 0 && live->begin != NULL)
        status = live->begin(live->context);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (status == 0)
        status = read_on(live, list, &count);
    for (size_t i = 0; i < count; i++) {
        ring_reader_close(&list[i]->reader);
        free(list[i]);
    }
    return status;
}

/* ------------------------------------------------------------------ masks */

static uint64_t mask_of_name(const char *name, size_t length)
{
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++) {
        const char *known = daytona_event_name((enum daytona_event_type)type);
        if (strlen(known) == length && strncasecmp(known, name, length) == 0)
            return DAYTONA_EVENT_BIT(type);
    }
    return 0;
}

uint64_t live_mask(const char *text)
{
    uint64_t mask = 0;
    if (strcmp(text, "all") == 0)
        return DAYTONA_EVENTS_ALL;
    if (strcmp(text, "rare") == 0)
        return daytona_events_of(DAYTONA_PACE_RARE);
    if (strcmp(text, "ack") == 0)
        return ~daytona_events_of(DAYTONA_PACE_SEGMENT);
    for (;;) {
        size_t length = strcspn(text, ",");
        uint64_t one = mask_of_name(text, length);
        mask |= one;
        if (one == 0 || text[length] == '\0')
            return one == 0 ? 0 : mask;
        text += length + 1;
    }
}
