#include "scripts/trace_file.h"

#include "scripts/trace_pack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC        "DAYTRACE"
#define MAGIC_BYTES  8u
#define FIXED_BYTES  44u /* of the header, up to the names */
#define HEADER_MAX   65536u
#define RECORD_MAX   512u
#define FIRST_HEADER 32u /* bytes of a TCP header that an event holds */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "an event's words are written as they are in memory");

static void put(uint8_t *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

/* ------------------------------------------------------------------ writing */

/* A disk that is full takes a part: the records in it are whole but for the last, as the reader
 * knows. */
int trace_writer_flush(struct trace_writer *writer)
{
    size_t done = 0;
    while (done < writer->waiting) {
        ssize_t count = write(writer->file, writer->buffer + done, writer->waiting - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            writer->waiting = 0;
            return count == 0 ? -ENOSPC : -errno;
        }
        done += (size_t)count;
        writer->written += (size_t)count;
    }
    writer->waiting = 0;
    return 0;
}

/* Room for a record, NULL: *status says why not. */
static uint8_t *room_for(struct trace_writer *writer, size_t bytes, int *status)
{
    *status = 0;
    if (writer->waiting + bytes > sizeof writer->buffer)
        *status = trace_writer_flush(writer);
    return *status < 0 ? NULL : writer->buffer + writer->waiting;
}

int trace_writer_begin(struct trace_writer *writer, int file, const struct trace_about *about)
{
    memset(writer, 0, sizeof *writer);
    writer->file = file;
    uint8_t *out = writer->buffer;
    uint8_t *names = out + MAGIC_BYTES + 8 + FIXED_BYTES, *end = names;
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++)
        end = (uint8_t *)stpcpy((char *)end, daytona_event_name((enum daytona_event_type)type)) + 1;
    memcpy(out, MAGIC, MAGIC_BYTES); /* NOLINT(bugprone-not-null-terminated-result): no string */
    put(out + 8, TRACE_VERSION, 4);
    put(out + 12, (uint64_t)(end - out) - MAGIC_BYTES - 8, 4);
    put(out + 16, about->pid, 4);
    put(out + 24, about->began_ns, 8);
    put(out + 32, about->began_realtime_ns, 8);
    memcpy(out + 40, about->program, sizeof about->program);
    put(out + 56, DAYTONA_EVENT_COUNT, 4);
    writer->waiting = (size_t)(end - out);
    return trace_writer_flush(writer);
}

static int add_word(struct trace_writer *writer, uint8_t number, const char *text)
{
    int status;
    size_t length = strnlen(text, DAYTONA_RING_WORD_BYTES - 1);
    uint8_t *out = room_for(writer, RECORD_MAX, &status);
    if (out == NULL)
        return status;
    put(out, 2 + length, 2);
    out[2] = 'W';
    out[3] = number;
    memcpy(out + 4, text, length);
    writer->waiting += 4 + length;
    writer->known[number] = true;
    return 0;
}

static int add_losses(struct trace_writer *writer, uint64_t count)
{
    int status;
    uint8_t *out = room_for(writer, RECORD_MAX, &status);
    if (out == NULL)
        return status;
    put(out, 9, 2);
    out[2] = 'L';
    put(out + 3, count, 8);
    writer->waiting += 11;
    return 0;
}

int trace_writer_add(struct trace_writer *writer, const struct seen *seen)
{
    int status = 0;
    uint8_t word = seen->event.reason;
    if (seen->reason != NULL && !writer->known[word])
        status = add_word(writer, word, seen->reason);
    if (status == 0 && seen->missed > 0)
        status = add_losses(writer, seen->missed);
    uint8_t *out = status < 0 ? NULL : room_for(writer, RECORD_MAX, &status);
    if (out == NULL)
        return status;
    size_t length = 1 + trace_pack(&writer->packer, &seen->event, out + 3);
    if (seen->event.header_bytes > FIRST_HEADER) {
        size_t rest = seen->event.header_bytes - FIRST_HEADER;
        memcpy(out + 2 + length, seen->header + FIRST_HEADER, rest);
        length += rest;
    }
    put(out, length, 2);
    out[2] = 'E';
    writer->waiting += 2 + length;
    writer->events++;
    return 0;
}

/* ------------------------------------------------------------------ reading */

/* Our numbers for the types of the file. */
static bool read_names(struct trace_reader *reader, const char *names, size_t length,
                       uint32_t count)
{
    size_t at = 0;
    memset(reader->types, UINT8_MAX, sizeof reader->types);
    for (uint32_t number = 0; number < count && number < UINT8_MAX; number++) {
        size_t bytes = strnlen(names + at, length - at);
        if (at + bytes >= length)
            return false;
        for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++)
            if (strcmp(daytona_event_name((enum daytona_event_type)type), names + at) == 0)
                reader->types[number] = (uint8_t)type;
        at += bytes + 1;
    }
    return true;
}

static bool read_header(struct trace_reader *reader)
{
    uint8_t start[MAGIC_BYTES + 8], rest[HEADER_MAX];
    if (fread(start, sizeof start, 1, reader->file) != 1 ||
        memcmp(start, MAGIC, MAGIC_BYTES) != 0 || get(start + 8, 4) != TRACE_VERSION)
        return false;
    size_t length = (size_t)get(start + 12, 4);
    if (length < FIXED_BYTES || length > sizeof rest || fread(rest, length, 1, reader->file) != 1)
        return false;
    reader->about.pid = (uint32_t)get(rest, 4);
    reader->about.began_ns = get(rest + 8, 8);
    reader->about.began_realtime_ns = get(rest + 16, 8);
    memcpy(reader->about.program, rest + 24, sizeof reader->about.program - 1);
    return read_names(reader, (const char *)rest + FIXED_BYTES, length - FIXED_BYTES,
                      (uint32_t)get(rest + 40, 4));
}

int trace_reader_open(struct trace_reader *reader, const char *path)
{
    memset(reader, 0, sizeof *reader);
    reader->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (reader->file == NULL)
        return -errno;
    if (read_header(reader))
        return 0;
    trace_reader_close(reader);
    return -EINVAL;
}

void trace_reader_close(struct trace_reader *reader)
{
    if (reader->file != stdin)
        fclose(reader->file);
}

/* The kind of the next record, its bytes in `record`; 0 at the end. */
static int read_record(struct trace_reader *reader, uint8_t *record, size_t *length)
{
    uint8_t start[2];
    size_t got = fread(start, 1, sizeof start, reader->file);
    *length = (size_t)get(start, 2);
    if (got == sizeof start && *length > 0 && *length <= RECORD_MAX &&
        fread(record, *length, 1, reader->file) == 1)
        return record[0];
    reader->torn = got > 0;
    return 0;
}

static void read_word(struct trace_reader *reader, const uint8_t *record, size_t length)
{
    if (length < 2 || length - 2 >= DAYTONA_RING_WORD_BYTES)
        return;
    memcpy(reader->words[record[1]], record + 2, length - 2);
    reader->words[record[1]][length - 2] = '\0';
}

static bool read_event(struct trace_reader *reader, struct daytona_span bytes, struct seen *seen)
{
    uint8_t rest[SEEN_HEADER_MAX] = {0};
    memset(seen, 0, sizeof *seen);
    size_t used = trace_unpack(&reader->packer, bytes, &seen->event);
    if (used == 0 || bytes.length - used > sizeof rest)
        return false;
    memcpy(rest, bytes.data + used, bytes.length - used);
    seen->event.type = reader->types[seen->event.type];
    if (!seen_complete(seen, rest))
        return false;
    seen->reason = seen->event.reason == 0 ? NULL : reader->words[seen->event.reason];
    seen->missed = reader->missed;
    reader->missed = 0;
    return true;
}

bool trace_reader_next(struct trace_reader *reader, struct seen *seen)
{
    uint8_t record[RECORD_MAX];
    size_t length;
    for (int kind; (kind = read_record(reader, record, &length)) != 0;) {
        if (kind == 'W')
            read_word(reader, record, length);
        else if (kind == 'L' && length == 9)
            reader->missed += get(record + 1, 8);
        else if (kind == 'E' &&
                 read_event(reader, (struct daytona_span){record + 1, length - 1}, seen))
            return true;
    }
    return false;
}
