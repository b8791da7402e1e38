#include "scripts/records.h"

#include <daytona/profile.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ROW_BYTES_MAX 65536u
#define BLOCK_BYTES   ((size_t)1 << 20) /* rows that are read at once */
#define TRIES_MAX     100

#define VARIABLES_AT                                                                               \
    (offsetof(struct daytona_record_row, state) +                                                  \
     offsetof(struct daytona_connection_state, variables))

const char *records_directory(void)
{
    const char *set = getenv("DAYTONA_RECORD");
    return set != NULL && set[0] != '\0' && strcmp(set, "off") != 0 ? set
                                                                    : DAYTONA_RECORD_DIRECTORY;
}

/* ------------------------------------------------------------------ one record */

static bool header_sound(const struct daytona_record_header *header)
{
    return header->magic == DAYTONA_RECORD_MAGIC && header->version == DAYTONA_RECORD_VERSION &&
           header->rows_at >= offsetof(struct daytona_record_header, counters) &&
           header->row_bytes >= VARIABLES_AT && header->row_bytes <= ROW_BYTES_MAX &&
           header->row_bytes % sizeof(uint64_t) == 0 &&
           header->variable_count <= (header->row_bytes - VARIABLES_AT) / sizeof(uint64_t);
}

/* Reads until the sequence at `guard` stood still around it. */
static int read_guarded(int file, off_t guard, void *out, size_t bytes, off_t at)
{
    for (int try = 0; try < TRIES_MAX; try++) {
        uint64_t before, after;
        if (pread(file, &before, sizeof before, guard) != (ssize_t)sizeof before)
            return -EINVAL;
        atomic_thread_fence(memory_order_seq_cst);
        if (pread(file, out, bytes, at) != (ssize_t)bytes)
            return -EINVAL;
        atomic_thread_fence(memory_order_seq_cst);
        if (pread(file, &after, sizeof after, guard) != (ssize_t)sizeof after)
            return -EINVAL;
        if (before == after && before % 2 == 0)
            return 0;
    }
    return -EBUSY;
}

static int read_header(struct record *record)
{
    struct daytona_record_header *header = &record->header;
    int status = read_guarded(record->file, offsetof(struct daytona_record_header, sequence),
                              header, sizeof *header, 0);
    if (status == -EBUSY) /* or its writer has died at it: what never changes is there */
        status = 0;
    if (status == 0 && !header_sound(header))
        status = -EINVAL;
    if (header->row_end > DAYTONA_RECORD_ROWS_MAX)
        header->row_end = DAYTONA_RECORD_ROWS_MAX;
    size_t known = sizeof(struct daytona_counters) / sizeof(uint64_t);
    if (header->counter_count < known)
        memset((uint64_t *)(void *)&header->counters + header->counter_count, 0,
               (known - header->counter_count) * sizeof(uint64_t));
    header->program[sizeof header->program - 1] = '\0';
    return status;
}

static bool is_kept(int file)
{
    struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(file, F_OFD_GETLK, &first) == 0 && first.l_type != F_UNLCK;
}

int record_open(struct record *record, const char *path)
{
    struct stat status;
    *record = (struct record){.file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (record->file < 0)
        return -errno;
    snprintf(record->path, sizeof record->path, "%s", path);
    int result = fstat(record->file, &status) < 0                 ? -errno
                 : S_ISREG(status.st_mode) && status.st_size == 0 ? -ENOENT
                 : !S_ISREG(status.st_mode)                       ? -EINVAL
                                                                  : read_header(record);
    record->owner = status.st_uid;
    record->alive = result == 0 && is_kept(record->file);
    if (result < 0)
        record_close(record);
    return result;
}

void record_close(struct record *record)
{
    close(record->file);
    record->file = -1;
}

/* ------------------------------------------------------------------ asking */

int record_ask(const struct record *record, const struct daytona_control_request *request,
               int patience_ms)
{
    struct daytona_control_answer answer;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path, sizeof name.sun_path, "%s.control", record->path);
    if (length < 0 || (size_t)length >= sizeof name.sun_path)
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int result = 0;
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) < 0 ||
        send(fd, request, sizeof *request, MSG_NOSIGNAL) < 0)
        result = -errno;
    else if (poll(&entry, 1, patience_ms) <= 0)
        result = -ETIMEDOUT;
    else if (recv(fd, &answer, sizeof answer, 0) != (ssize_t)sizeof answer)
        result = -ECONNREFUSED;
    else
        result = answer.result;
    if (fd >= 0)
        close(fd);
    return result;
}

int record_refresh(struct record *record, int patience_ms)
{
    const struct daytona_control_request request = {.verb = DAYTONA_CONTROL_REFRESH};
    int asked = record_ask(record, &request, patience_ms);
    int read = read_header(record);
    return read < 0 ? read : asked;
}

/* ------------------------------------------------------------------ rows */

static uint64_t sequence_of(const uint8_t *row)
{
    uint64_t sequence;
    memcpy(&sequence, row, sizeof sequence);
    return sequence;
}

/* `bytes` are those of a writer that may know more variables or fewer. */
static void adopt(const struct record *record, uint32_t index, const uint8_t *bytes,
                  struct daytona_record_row *out)
{
    size_t known = record->header.variable_count;
    if (known > DAYTONA_VARIABLE_COUNT)
        known = DAYTONA_VARIABLE_COUNT;
    memset(out, 0xff, sizeof *out); /* DAYTONA_VARIABLE_NONE */
    memcpy(out, bytes, VARIABLES_AT + known * sizeof(uint64_t));
    out->state.id.index = index;
    out->state.congestion[sizeof out->state.congestion - 1] = '\0';
    daytona_state_later(&out->state, record->header.updated); /* nothing has happened to it since */
}

/* Three copies of the same rows, of which the middle one counts where the others agree. */
struct block {
    uint8_t *before, *rows, *after;
};

static bool read_block(const struct record *record, uint32_t first, uint32_t count,
                       struct block *block)
{
    size_t bytes = (size_t)count * record->header.row_bytes;
    off_t at = (off_t)(record->header.rows_at + (uint64_t)first * record->header.row_bytes);
    uint8_t *copies[] = {block->before, block->rows, block->after};
    for (size_t i = 0; i < 3; i++) {
        if (pread(record->file, copies[i], bytes, at) != (ssize_t)bytes)
            return false;
        atomic_thread_fence(memory_order_seq_cst);
    }
    return true;
}

static int visit_block(struct record *record, uint32_t first, uint32_t count,
                       const struct block *block,
                       void (*each)(void *context, const struct daytona_record_row *row),
                       void *context)
{
    size_t row_bytes = record->header.row_bytes;
    struct daytona_record_row row;
    int used = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *bytes = block->rows + i * row_bytes;
        uint64_t before = sequence_of(block->before + i * row_bytes);
        off_t at = (off_t)(record->header.rows_at + (uint64_t)(first + i) * row_bytes);
        bool still = before % 2 == 0 && before == sequence_of(block->after + i * row_bytes);
        if (!still && read_guarded(record->file, at, bytes, row_bytes, at) < 0)
            continue;
        adopt(record, first + i, bytes, &row);
        if (row.state.id.generation == 0)
            continue;
        each(context, &row);
        used++;
    }
    return used;
}

int record_rows(struct record *record,
                void (*each)(void *context, const struct daytona_record_row *row), void *context)
{
    uint32_t at_once = (uint32_t)(BLOCK_BYTES / record->header.row_bytes);
    uint8_t *memory = malloc(3 * BLOCK_BYTES);
    int used = 0;
    if (memory == NULL)
        return -ENOMEM;
    struct block block = {memory, memory + BLOCK_BYTES, memory + 2 * BLOCK_BYTES};
    for (uint32_t first = 0; first < record->header.row_end; first += at_once) {
        uint32_t left = record->header.row_end - first;
        uint32_t count = left < at_once ? left : at_once;
        if (!read_block(record, first, count, &block))
            break; /* cut short: there is no more */
        used += visit_block(record, first, count, &block, each, context);
    }
    free(memory);
    return used;
}

/* ------------------------------------------------------------------ all of them */

static int is_record(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return strncmp(name, DAYTONA_RECORD_PREFIX, strlen(DAYTONA_RECORD_PREFIX)) == 0 &&
           strstr(name, ".control") == NULL && strstr(name, DAYTONA_RING_SUFFIX) == NULL &&
           strstr(name, DAYTONA_PROFILE_SUFFIX) == NULL;
}

static int by_process(const struct dirent **a, const struct dirent **b)
{
    long first = atol((*a)->d_name + strlen(DAYTONA_RECORD_PREFIX));
    long second = atol((*b)->d_name + strlen(DAYTONA_RECORD_PREFIX));
    return first < second ? -1 : first > second;
}

int records_visit(const char *directory, void (*each)(void *context, struct record *record),
                  void *context, struct records_met *met)
{
    struct dirent **entries;
    int visited = 0;
    int count = scandir(directory, &entries, is_record, by_process);
    *met = (struct records_met){0};
    if (count < 0)
        return -errno;
    for (int i = 0; i < count; i++) {
        char path[RECORD_PATH_MAX];
        struct record record;
        int length = snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        int status = (size_t)length < sizeof path ? record_open(&record, path) : -ENAMETOOLONG;
        free(entries[i]);
        if (status == 0) {
            each(context, &record);
            record_close(&record);
            visited++;
        } else if (status == -EACCES) {
            met->refused++;
        } else if (status != -ENOENT) {
            met->strange++;
        }
    }
    free(entries);
    return visited;
}
