#include "scripts/ring_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX ((uint32_t)1 << 24)
#define TRIES     64 /* to read faster than the writer writes */

static bool copy(const struct ring_reader *reader, uint64_t offset, void *to, size_t bytes)
{
    return reader->source.copy(reader->source.context, offset, to, bytes);
}

#define COPY_MEMBER(reader, member, to)                                                            \
    copy(reader, offsetof(struct daytona_ring_header, member), to, sizeof *(to))

/* ------------------------------------------------------------------ slots */

static bool copy_slots(struct ring_reader *reader, uint64_t position, size_t count)
{
    uint64_t first = position & (reader->header.slot_count - 1);
    size_t before_wrap = reader->header.slot_count - first;
    size_t part = count < before_wrap ? count : before_wrap;
    uint64_t start = reader->header.slots_at;
    return copy(reader, start + first * DAYTONA_RING_SLOT_BYTES, reader->slots,
                part * DAYTONA_RING_SLOT_BYTES) &&
           (part == count ||
            copy(reader, start, reader->slots + part, (count - part) * DAYTONA_RING_SLOT_BYTES));
}

static uint64_t oldest(const struct ring_reader *reader, uint64_t end)
{
    return end > reader->header.slot_count ? end - reader->header.slot_count : 0;
}

/* Copies what is there, and forgets what was overwritten meanwhile. */
static bool fill(struct ring_reader *reader)
{
    for (int try = 0; try < TRIES; try++) {
        uint64_t head, reserved;
        if (!COPY_MEMBER(reader, head, &head) || head == reader->position)
            return false;
        if (head < reader->position || reader->position < oldest(reader, head))
            reader->position = oldest(reader, head);
        uint64_t count = head - reader->position;
        if (count > RING_READER_BATCH)
            count = RING_READER_BATCH;
        if (!copy_slots(reader, reader->position, (size_t)count) ||
            !COPY_MEMBER(reader, reserved, &reserved))
            return false;
        uint64_t valid = oldest(reader, reserved);
        if (valid >= reader->position + count) { /* faster than us: where it will not be soon */
            uint64_t ahead = valid + reader->header.slot_count / 2;
            reader->position = ahead < head ? ahead : head;
            continue;
        }
        reader->next = valid > reader->position ? (size_t)(valid - reader->position) : 0;
        reader->count = (size_t)count;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ events */

static const char *word_of(struct ring_reader *reader, uint8_t number)
{
    char *word = reader->words[number];
    if (number == 0)
        return NULL;
    if (word[0] == '\0') {
        copy(reader, DAYTONA_RING_WORDS_AT + (uint64_t)number * DAYTONA_RING_WORD_BYTES, word,
             DAYTONA_RING_WORD_BYTES);
        word[DAYTONA_RING_WORD_BYTES - 1] = '\0';
    }
    return word;
}

/* Takes the event at `next`; false when it is none. */
static bool take(struct ring_reader *reader, struct seen *seen)
{
    static const uint8_t no_rest[SEEN_HEADER_MAX];
    const union ring_slot *slot = &reader->slots[reader->next];
    if (slot->event.more > 1) /* the rest of one that is gone */
        return false;
    memset(seen, 0, sizeof *seen);
    seen->event = slot->event;
    const uint8_t *rest = slot->event.more == 1 ? slot[1].rest.header : no_rest;
    if (!seen_complete(seen, rest))
        return false;
    seen->reason = word_of(reader, slot->event.reason);
    seen->missed = reader->number != 0 && seen->event.number > reader->number + 1
                       ? seen->event.number - reader->number - 1
                       : 0;
    reader->number = seen->event.number;
    return true;
}

/* The last slot copied may lack its other half. */
static bool at_half(const struct ring_reader *reader)
{
    return reader->next + 1 == reader->count && reader->slots[reader->next].event.more == 1;
}

bool ring_reader_next(struct ring_reader *reader, struct seen *seen)
{
    for (;;) {
        if (reader->next >= reader->count || at_half(reader)) {
            reader->position += reader->next;
            reader->next = reader->count = 0;
            if (!fill(reader) || at_half(reader))
                return false;
        }
        bool taken = take(reader, seen);
        reader->next += taken && seen->event.more == 1 ? 2 : 1;
        if (taken)
            return true;
    }
}

void ring_reader_skip(struct ring_reader *reader)
{
    reader->next = reader->count = 0;
    COPY_MEMBER(reader, head, &reader->position);
}

/* ------------------------------------------------------------------ beginning */

static bool makes_sense(const struct daytona_ring_header *header)
{
    uint32_t count = header->slot_count;
    return header->magic == DAYTONA_RING_MAGIC && header->version == DAYTONA_RING_VERSION &&
           header->slot_bytes == DAYTONA_RING_SLOT_BYTES && count >= 4 && count <= SLOTS_MAX &&
           (count & (count - 1)) == 0 && header->slots_at == DAYTONA_RING_SLOTS_AT;
}

int ring_reader_begin(struct ring_reader *reader, const struct ring_source *source)
{
    memset(reader, 0, sizeof *reader);
    reader->source = *source;
    reader->file = reader->place = -1;
    if (!copy(reader, 0, &reader->header, sizeof reader->header) || !makes_sense(&reader->header))
        return -EINVAL;
    reader->header.program[sizeof reader->header.program - 1] = '\0';
    return 0;
}

static bool copy_from_file(void *context, uint64_t offset, void *to, size_t bytes)
{
    const struct ring_reader *reader = context;
    ssize_t got = pread(reader->file, to, bytes, (off_t)offset);
    return got == (ssize_t)bytes;
}

int ring_reader_open(struct ring_reader *reader, const char *path)
{
    int file = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return -errno;
    memset(reader, 0, sizeof *reader);
    reader->source = (struct ring_source){copy_from_file, reader};
    reader->place = -1;
    reader->file = file;
    if (copy(reader, 0, &reader->header, sizeof reader->header) && makes_sense(&reader->header)) {
        reader->header.program[sizeof reader->header.program - 1] = '\0';
        return 0;
    }
    close(file);
    return -EINVAL;
}

void ring_reader_close(struct ring_reader *reader)
{
    if (reader->place >= 0)
        ring_reader_attach(reader, 0);
    if (reader->file >= 0)
        close(reader->file);
    reader->file = -1;
}

/* ------------------------------------------------------------------ wishes */

static bool lock_place(const struct ring_reader *reader, int place, short kind)
{
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = 1 + place, .l_len = 1};
    return fcntl(reader->file, F_OFD_SETLK, &lock) == 0;
}

static int tell(const struct ring_reader *reader, uint64_t mask)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const struct daytona_ring_reader wish = {mask, (uint64_t)getpid()};
    const uint64_t change = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    off_t at = (off_t)(offsetof(struct daytona_ring_header, readers) +
                       (size_t)reader->place * sizeof wish);
    if (pwrite(reader->file, &wish, sizeof wish, at) != (ssize_t)sizeof wish ||
        pwrite(reader->file, &change, sizeof change,
               offsetof(struct daytona_ring_header, wishes)) != (ssize_t)sizeof change)
        return -errno;
    return 0;
}

int ring_reader_attach(struct ring_reader *reader, uint64_t mask)
{
    for (int place = 0; reader->place < 0 && place < DAYTONA_RING_READERS; place++)
        if (lock_place(reader, place, F_WRLCK))
            reader->place = place;
    if (reader->place < 0)
        return -EBUSY;
    int status = tell(reader, mask);
    if (mask == 0) {
        lock_place(reader, reader->place, F_UNLCK);
        reader->place = -1;
    }
    return status;
}

bool ring_reader_alive(const struct ring_reader *reader)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(reader->file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
