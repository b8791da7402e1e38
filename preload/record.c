#include "preload/record.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/guarded.h"
#include "preload/log.h"
#include "preload/profile.h"
#include "preload/real.h"
#include "preload/record_sweep.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <daytona/record.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A store to a page for which the file system has no room would end the program with SIGBUS. So
 * rows are used in chunks, each made sure of before its first row is written.
 */
#define CHUNK_ROWS      ((uint32_t)96)
#define ROW_BYTES       sizeof(struct daytona_record_row)
#define ROWS_AT         ((size_t)4096)
#define TOTAL_BYTES     (ROWS_AT + DAYTONA_RECORD_ROWS_MAX * ROW_BYTES)
#define TURN_ROWS       256 /* written before others may have the engine */
#define TURN_ROWS_FOUND 16  /* that are as they were take as long as one that is written */

_Static_assert(sizeof(struct daytona_record_header) <= ROWS_AT, "the header has room before rows");
_Static_assert(ROW_BYTES % sizeof(uint64_t) == 0, "a row is made of words");

static struct daytona_record_header *header; /* NULL: there is no record */
static size_t mapped_bytes;                  /* of the file: what has been used */
static uint32_t row_count;                   /* that there is room for */
static bool room_is_short;                   /* there will be no more */
static char name[64];
static int file = -1; /* in the engine's table, locked */
static bool touched;
static struct daytona_instant written;

static struct daytona_record_row *row_at(uint32_t index)
{
    return (struct daytona_record_row *)((uint8_t *)header + ROWS_AT) + index;
}

/* ------------------------------------------------------------------ the file */

static struct text path_of(char *room, size_t size)
{
    struct text path = text_begin(room, size);
    text_add_format(&path, "%s/%s", settings.record_directory, name);
    return path;
}

static int create(void)
{
    char room[SETTINGS_FILE_MAX + sizeof name];
    struct text made = text_begin(name, sizeof name);
    text_add_format(&made, DAYTONA_RECORD_PREFIX "%d.", (int)engine.pid);
    for (int digit = 60; digit >= 0; digit -= 4)
        text_add_character(&made, "0123456789abcdef"[engine.nonce >> digit & 0xf]);
    path_of(room, sizeof room);
    return open(room, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static bool claim(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return real.fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

static void *map(int fd)
{
    if (ftruncate(fd, (off_t)TOTAL_BYTES) < 0 || fallocate(fd, 0, 0, (off_t)ROWS_AT) < 0)
        return NULL;
    void *memory = mmap(NULL, ROWS_AT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    mapped_bytes = ROWS_AT;
    return memory == MAP_FAILED ? NULL : memory;
}

static void describe(void)
{
    const char *program = program_invocation_short_name;
    header->version = DAYTONA_RECORD_VERSION;
    header->rows_at = ROWS_AT;
    header->row_bytes = ROW_BYTES;
    header->variable_count = DAYTONA_VARIABLE_COUNT;
    header->counter_count = sizeof(struct daytona_counters) / sizeof(uint64_t);
    header->pid = engine.pid;
    header->began = engine_now();
    for (size_t i = 0; i + 1 < sizeof header->program && program[i] != '\0'; i++)
        header->program[i] = program[i];
    atomic_thread_fence(memory_order_release);
    header->magic = DAYTONA_RECORD_MAGIC;
}

static void forget(void)
{
    if (header != NULL)
        munmap(header, mapped_bytes);
    header = NULL;
    name[0] = '\0';
    file = -1;
}

void record_begin(void)
{
    forget(); /* the parent's: its file was never in this table */
    row_count = 0;
    room_is_short = touched = false;
    written = (struct daytona_instant){0};
    if (strcmp(settings.record_directory, "off") == 0)
        return;
    record_sweep(settings.record_directory);
    file = create();
    if (file < 0 || !claim(file) || (header = map(file)) == NULL) {
        record_end();
        return;
    }
    describe();
}

void record_end(void)
{
    char room[SETTINGS_FILE_MAX + sizeof name];
    if (file >= 0) {
        struct text path = path_of(room, sizeof room);
        if (header != NULL)
            munmap(header, mapped_bytes);
        header = NULL;
        if (unlink(room) < 0 && ftruncate(file, 0) < 0) /* a server may not: an empty one is none */
            log_line(LOG_LEVEL_DEBUG, "the record %s stays", room);
        text_add(&path, ".control");
        unlink(room);
        real.close(file);
    }
    forget();
}

void record_go_on(void)
{
    if (header == NULL)
        return;
    header->pid = engine.pid;
    header->lingers = 1;
}

const char *record_name(void)
{
    return name;
}

/* Maps the file up to that row, so that a program with few connections has little address space
 * taken. */
static bool map_rows(uint32_t count)
{
    size_t wanted = ROWS_AT + count * ROW_BYTES;
    if (wanted <= mapped_bytes)
        return true;
    size_t length = wanted < TOTAL_BYTES / 2 ? 2 * wanted : TOTAL_BYTES;
    void *moved = mremap(header, mapped_bytes, length, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return false;
    header = moved;
    mapped_bytes = length;
    return true;
}

/* Before Linux 5.14 the kernel cannot promise more room. */
static bool add_chunk(void)
{
    if (row_count + CHUNK_ROWS > DAYTONA_RECORD_ROWS_MAX || !map_rows(row_count + CHUNK_ROWS))
        return false;
    uintptr_t start = (uintptr_t)row_at(row_count) & ~(ROWS_AT - 1);
    size_t length = (uintptr_t)row_at(row_count + CHUNK_ROWS) - start;
    if (madvise((void *)start, length, MADV_POPULATE_WRITE) < 0)
        return false;
    row_count += CHUNK_ROWS;
    return true;
}

/* Whether row `index` can be written. */
static bool make_room(uint32_t index)
{
    while (index >= row_count && !room_is_short)
        room_is_short = !add_chunk();
    return index < row_count;
}

/* ------------------------------------------------------------------ writing */

static void write_row(uint32_t index, const struct daytona_record_row *row)
{
    struct daytona_record_row *place = row_at(index);
    guarded_write(&place->sequence, &place->pid, &row->pid,
                  sizeof *row - offsetof(struct daytona_record_row, pid));
}

static void clear_rows(uint32_t from, uint32_t to)
{
    static const struct daytona_record_row empty;
    for (uint32_t index = from; index < to && index < row_count; index++)
        if (row_at(index)->state.id.generation != 0)
            write_row(index, &empty);
}

static void write_totals(uint32_t row_end, uint32_t left_out, struct daytona_instant now)
{
    struct daytona_record_header totals = *header;
    struct daytona_capture_counters capture;
    daytona_capture_counters(engine.capture, &capture);
    totals.row_end = row_end;
    totals.left_out = left_out;
    totals.updated = now;
    totals.dropped_by_capture = capture.dropped_by_ring;
    totals.counters = *daytona_stack_counters(engine.stack);
    guarded_write(&header->sequence, &header->row_end, &totals.row_end,
                  sizeof totals - offsetof(struct daytona_record_header, row_end));
}

/* An end that neither listens nor was ever connected says nothing. */
static bool worth_telling(const struct daytona_connection_state *state)
{
    return state->variables.state != DAYTONA_TCP_CLOSED ||
           state->variables.segs_out != DAYTONA_VARIABLE_NONE;
}

/* A bridged socket may be another process's; a server's is that of who asked for it. */
static pid_t user_of(struct daytona_socket_id id)
{
    const struct file *user = daytona_stack_user(engine.stack, id);
    if (user == NULL)
        return engine.pid;
    if (user->asker.pid != 0)
        return user->asker.pid;
    return user->bridge.holder != 0 ? user->bridge.holder : engine.pid;
}

/* Its row says all, but for what time changes: the header says when that was looked at, and readers
 * bring it forward. */
static bool is_up_to_date(struct daytona_socket_id id, uint32_t pid)
{
    if (daytona_stack_take_stirred(engine.stack, id) || id.index >= row_count)
        return false;
    const struct daytona_record_row *row = row_at(id.index);
    return row->state.id.index == id.index && row->state.id.generation == id.generation &&
           row->pid == pid;
}

void record_touch(void)
{
    if (touched || header == NULL)
        return;
    touched = true;
    engine.kick_thread = true; /* which may be asleep for long */
}

struct daytona_instant record_deadline(void)
{
    return touched ? daytona_instant_after_us(written, DAYTONA_RECORD_PERIOD_US) : DAYTONA_NEVER;
}

enum written { WRITTEN_ANEW, WRITTEN_BEFORE, WRITTEN_NOTHING, WRITTEN_NO_ROOM };

static enum written write_socket(struct daytona_socket_id id)
{
    struct daytona_record_row row = {.pid = (uint32_t)user_of(id)};
    if (is_up_to_date(id, row.pid))
        return WRITTEN_BEFORE;
    if (daytona_stack_state(engine.stack, engine_now(), id, &row.state) < 0 ||
        !worth_telling(&row.state))
        return WRITTEN_NOTHING;
    if (!make_room(id.index))
        return WRITTEN_NO_ROOM;
    write_row(id.index, &row);
    return WRITTEN_ANEW;
}

void record_write(struct daytona_instant now)
{
    struct daytona_socket_id id = {0, 0};
    uint32_t next = 0, left_out = 0, turn = 0, end_before;
    if (header == NULL)
        return;
    end_before = header->row_end;
    touched = false;
    written = now;
    profile_update();
    futimens(file, NULL); /* stores do not count: how old a dead record is */
    while (daytona_stack_next(engine.stack, &id)) {
        enum written result = write_socket(id);
        left_out += result == WRITTEN_NO_ROOM;
        if (result == WRITTEN_ANEW || result == WRITTEN_BEFORE) {
            clear_rows(next, id.index);
            next = id.index + 1;
        }
        turn += result == WRITTEN_ANEW ? TURN_ROWS_FOUND : 1;
        if (turn < TURN_ROWS_FOUND * TURN_ROWS)
            continue;
        turn = 0;
        engine_thread_unlock();
        engine_thread_lock();
    }
    clear_rows(next, end_before);
    write_totals(next, left_out, now);
}
