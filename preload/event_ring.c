#include "preload/event_ring.h"

#include "preload/engine.h"
#include "preload/log.h"
#include "preload/observers.h"
#include "preload/real.h"
#include "preload/record.h"
#include "preload/ring.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * 4 MB of events; of a busy program a fifth of a second. As with the record, pages are made sure of
 * before they are written: the file system may have no room for them, and a store would end the
 * program with SIGBUS.
 */
#define SLOTS       ((uint32_t)32768)
#define CHUNK_SLOTS ((uint32_t)2048)
#define PATH_BYTES  (SETTINGS_FILE_MAX + 96)

static struct ring ring;
static uint32_t room;         /* slots that can be written */
static uint64_t wishes_known; /* readers' wishes that the mask follows from */
static int file = -1;         /* in the engine's table, locked */

static size_t total_bytes(void)
{
    return ring_bytes(SLOTS);
}

/* Whether somebody has started this process to see all its events: who reads them when it has
 * ended, and removes them then. */
static bool is_awaited(void)
{
    return settings.rings_directory[0] != '\0';
}

static void path_of(char *path)
{
    struct text text = text_begin(path, PATH_BYTES);
    text_add_format(&text, "%s/%s" DAYTONA_RING_SUFFIX,
                    is_awaited() ? settings.rings_directory : settings.record_directory,
                    record_name());
}

/* ------------------------------------------------------------------ the file */

static bool claim(int fd)
{
    struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return real.fcntl(fd, F_OFD_SETLK, &first) == 0;
}

static void *map(int fd)
{
    if (ftruncate(fd, (off_t)total_bytes()) < 0 ||
        fallocate(fd, 0, 0, (off_t)ring_bytes(CHUNK_SLOTS)) < 0)
        return NULL;
    void *memory = mmap(NULL, total_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void describe(struct daytona_ring_header *header)
{
    struct timespec real_time;
    const char *program = program_invocation_short_name;
    clock_gettime(CLOCK_REALTIME, &real_time);
    header->pid = engine.pid;
    header->began = engine_now();
    header->began_realtime_ns =
        (uint64_t)real_time.tv_sec * 1000000000u + (uint64_t)real_time.tv_nsec;
    for (size_t i = 0; i + 1 < sizeof header->program && program[i] != '\0'; i++)
        header->program[i] = program[i];
}

static void forget(void)
{
    if (ring.header != NULL)
        munmap(ring.header, total_bytes());
    ring.header = NULL;
    if (file >= 0)
        real.close(file);
    file = -1;
}

void event_ring_begin(void)
{
    char path[PATH_BYTES];
    file = -1; /* the parent's was never in this table */
    forget();
    observers_set_ring(0);
    if (record_name()[0] == '\0')
        return;
    path_of(path);
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    void *memory = file >= 0 && claim(file) ? map(file) : NULL;
    if (memory == NULL) {
        event_ring_end();
        return;
    }
    ring_init(&ring, memory, SLOTS);
    describe(ring.header);
    room = CHUNK_SLOTS;
    wishes_known = 0;
    ring.header->mask = is_awaited() ? DAYTONA_EVENTS_ALL : daytona_events_of(DAYTONA_PACE_RARE);
    ring_publish(&ring);
    observers_set_ring(ring.header->mask);
}

void event_ring_end(void)
{
    char path[PATH_BYTES];
    observers_set_ring(0);
    if (ring.header != NULL)
        munmap(ring.header, total_bytes());
    ring.header = NULL;
    if (file >= 0 && record_name()[0] != '\0' && !is_awaited()) {
        path_of(path);
        if (unlink(path) < 0 && ftruncate(file, 0) < 0) /* a server may not: an empty one is none */
            log_line(LOG_LEVEL_DEBUG, "the ring %s stays", path);
    }
    forget();
}

/* ------------------------------------------------------------------ writing */

/* More slots to write to, the first time the ring comes by; else they are not written. */
static bool make_room(void)
{
    if (room >= SLOTS)
        return true;
    uintptr_t start = ((uintptr_t)ring.header + ring_bytes(room)) & ~(uintptr_t)4095;
    uintptr_t end = (uintptr_t)ring.header + ring_bytes(room + CHUNK_SLOTS);
    if (madvise((void *)start, end - start, MADV_POPULATE_WRITE) < 0)
        return false;
    room += CHUNK_SLOTS;
    return true;
}

void event_ring_write(const struct daytona_event *event)
{
    if (ring.header != NULL && (ring.head + 2 <= room || make_room()))
        ring_write(&ring, event);
}

/* ------------------------------------------------------------------ readers */

static uint64_t load(const uint64_t *word)
{
    return atomic_load_explicit((const _Atomic uint64_t *)word, memory_order_acquire);
}

static void heed(void)
{
    uint64_t mask = daytona_events_of(DAYTONA_PACE_RARE);
    for (unsigned i = 0; i < DAYTONA_RING_READERS; i++)
        mask |= load(&ring.header->readers[i].mask);
    ring.header->mask = mask;
    observers_set_ring(mask);
}

void event_ring_look(void)
{
    if (ring.header == NULL)
        return;
    uint64_t wishes = load(&ring.header->wishes);
    if (wishes == wishes_known)
        return;
    wishes_known = wishes;
    heed();
}

void event_ring_check(void)
{
    bool changed = false;
    for (unsigned i = 0; ring.header != NULL && i < DAYTONA_RING_READERS; i++) {
        struct daytona_ring_reader *reader = &ring.header->readers[i];
        struct flock place = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1 + (off_t)i, .l_len = 1};
        if (load(&reader->mask) == 0 || real.fcntl(file, F_OFD_GETLK, &place) < 0 ||
            place.l_type != F_UNLCK)
            continue;
        reader->mask = 0;
        changed = true;
    }
    if (changed)
        heed();
}
