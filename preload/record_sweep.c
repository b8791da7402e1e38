#include "preload/record_sweep.h"

#include "preload/real.h"
#include "preload/text.h"

#include <daytona/profile.h>
#include <daytona/record.h>
#include <daytona/ring.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEPT_MAX       16
#define LOOKS_MAX      4096 /* files of a directory that may be anybody's */
#define AGE_MAX_S      86400
#define NAME_MAX_BYTES 64

/* A record that nobody keeps. */
struct dead {
    char name[NAME_MAX_BYTES];
    time_t changed; /**< 0: it is empty, its process has ended in order */
};

static bool is_record(const char *name)
{
    return strncmp(name, DAYTONA_RECORD_PREFIX, strlen(DAYTONA_RECORD_PREFIX)) == 0 &&
           strlen(name) < NAME_MAX_BYTES - strlen(".control") && strstr(name, ".control") == NULL &&
           strstr(name, DAYTONA_RING_SUFFIX) == NULL &&
           strstr(name, DAYTONA_PROFILE_SUFFIX) == NULL;
}

/* Whether the file is a record of this user that no process holds; when it was written last. */
static bool is_dead(int directory, const char *name, time_t *changed)
{
    struct stat status;
    struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool dead = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
                real.fcntl(fd, F_OFD_GETLK, &first) == 0 && first.l_type == F_UNLCK;
    real.close(fd);
    *changed = status.st_size > 0 ? status.st_mtime : 0;
    return dead;
}

static void discard(int directory, const char *name)
{
    static const char *const suffixes[] = {"", ".control", DAYTONA_RING_SUFFIX,
                                           DAYTONA_PROFILE_SUFFIX};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char room[NAME_MAX_BYTES + 8];
        struct text text = text_begin(room, sizeof room);
        text_add_format(&text, "%s%s", name, suffixes[i]);
        unlinkat(directory, room, 0);
    }
}

/* Keeps the newest: the oldest of those kept makes room, or the new one goes at once. */
static void judge(int directory, struct dead *kept, size_t *count, const struct dead *found)
{
    size_t oldest = 0;
    if (found->changed + AGE_MAX_S < time(NULL)) {
        discard(directory, found->name);
        return;
    }
    if (*count < KEPT_MAX) {
        kept[(*count)++] = *found;
        return;
    }
    for (size_t i = 1; i < *count; i++)
        if (kept[i].changed < kept[oldest].changed)
            oldest = i;
    if (found->changed < kept[oldest].changed) {
        discard(directory, found->name);
        return;
    }
    discard(directory, kept[oldest].name);
    kept[oldest] = *found;
}

void record_sweep(const char *directory)
{
    struct dead kept[KEPT_MAX], found;
    size_t count = 0;
    int looks = LOOKS_MAX;
    DIR *list = opendir(directory);
    if (list == NULL)
        return;
    for (struct dirent *entry; looks-- > 0 && (entry = readdir(list)) != NULL;) {
        if (!is_record(entry->d_name) || !is_dead(dirfd(list), entry->d_name, &found.changed))
            continue;
        memcpy(found.name, entry->d_name, strlen(entry->d_name) + 1); /* is_record() */
        judge(dirfd(list), kept, &count, &found);
    }
    closedir(list);
}
