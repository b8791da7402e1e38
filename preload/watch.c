#include "preload/watch.h"

#include "preload/real.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "tfd:       5 events:       1b data:                5  pos:0 ino:..." */
static int read_line(const char *line, int fd, struct epoll_event *event)
{
    int number;
    unsigned events;
    uint64_t data;
    if (sscanf(line, "tfd: %d events: %x data: %" SCNx64, &number, &events, &data) != 3 ||
        number != fd)
        return 0;
    event->events = events;
    event->data.u64 = data;
    return 1;
}

/* What the kernel has on record for `fd` in `set`; 1 found. A set may be long: it is read piece
 * by piece. */
static int read_record(int set, int fd, struct epoll_event *event)
{
    char name[48], text[4096];
    size_t kept = 0;
    int found = 0;
    snprintf(name, sizeof name, "/proc/self/fdinfo/%d", set);
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    while (!found) {
        ssize_t got = real.read(file, text + kept, sizeof text - 1 - kept);
        if (got <= 0)
            break;
        text[kept + (size_t)got] = '\0';
        char *line = text, *end;
        while (!found && (end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            found = read_line(line, fd, event);
            line = end + 1;
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
    real.close(file);
    return found;
}

/* Adding it would fail if it were there. */
static int is_watched(int set, int fd)
{
    struct epoll_event nothing = {0};
    if (real.epoll_ctl(set, EPOLL_CTL_ADD, fd, &nothing) == 0) {
        real.epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    return errno == EEXIST;
}

size_t watch_take(int fd, struct watch *out, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < SETS_MAX && count < room; i++) {
        int set = sets_number(i);
        if (set < 0 || !is_watched(set, fd) || !read_record(set, fd, &out[count].event))
            continue;
        real.epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
        out[count].fd = fd;
        out[count++].set = set;
    }
    return count;
}
