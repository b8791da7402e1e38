#include "preload/summary.h"

#include "preload/engine.h"
#include "preload/engine_thread.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define CAUSES         1024 /* connections that may end at the same time, each at its own place */

static int output = -1;   /* in the engine's table */
static bool complained;   /* of the file, in this process */
static bool line_is_torn; /* the file ends within a line of ours */

/* Lines that wait for the engine's thread. Connections whose line finds no room have none: a
 * program must not wait for a file because a connection ends. */
static char waiting[256 << 10];
static size_t waiting_bytes;

/* Why sockets changed their state last, by their index. */
static struct {
    uint32_t generation;
    const char *reason;
} causes[CAUSES];

/* ------------------------------------------------------------------ the line */

static void add_endpoint(struct text *line, const char *name,
                         const struct daytona_endpoint *endpoint)
{
    const uint8_t *bytes = endpoint->address.bytes + 12;
    text_add_format(line, ",\"%s\":\"%u.%u.%u.%u:%u\"", name, bytes[0], bytes[1], bytes[2],
                    bytes[3], endpoint->port);
}

static void add_number(struct text *line, const char *name, uint64_t value)
{
    text_add_format(line, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void compose(struct text *line, const struct daytona_connection_info *info,
                    const char *cause)
{
    text_add_format(line, "{\"pid\":%d", (int)engine.pid);
    add_endpoint(line, "local", &info->local);
    add_endpoint(line, "remote", &info->remote);
    text_add_format(line, ",\"state\":\"%s\",\"cause\":\"%s\",\"congestion\":\"%s\"",
                    daytona_tcp_state_name(info->state), cause,
                    info->congestion == NULL ? "" : info->congestion);
    add_number(line, "bytes_sent", info->bytes_sent);
    add_number(line, "bytes_acked", info->bytes_acked);
    add_number(line, "bytes_received", info->bytes_received);
    add_number(line, "bytes_retransmitted", info->bytes_retransmitted);
    add_number(line, "segments_out", info->segments_out);
    add_number(line, "segments_in", info->segments_in);
    add_number(line, "segments_retransmitted", info->segments_retransmitted);
    add_number(line, "timeouts", info->timeouts);
    add_number(line, "fast_retransmits", info->fast_retransmits);
    add_number(line, "out_of_order_in", info->out_of_order_in);
    add_number(line, "ecn", info->ecn);
    add_number(line, "ce_received", info->ce_received);
    add_number(line, "delivered_ce", info->delivered_ce);
    add_number(line, "ece_received", info->ece_received);
    add_number(line, "srtt_us", info->srtt_us);
    add_number(line, "rtt_min_us", info->rtt_min_us);
    add_number(line, "rto_us", info->rto_us);
    add_number(line, "cwnd_bytes", info->cwnd_bytes);
    add_number(line, "send_mss", info->send_mss);
    add_number(line, "duration_us", info->age_us);
    text_add(line, "}\n");
}

/* ------------------------------------------------------------------ when a connection ends */

static void note_cause(void *context, const struct daytona_event *event)
{
    (void)context;
    causes[event->socket_index % CAUSES].generation = event->socket_generation;
    causes[event->socket_index % CAUSES].reason = event->reason;
}

static void note_end(void *context, const struct daytona_connection_info *last)
{
    char room[LINE_MAX_BYTES];
    struct text line = text_begin(room, sizeof room);
    uint32_t place = last->id.index % CAUSES;
    bool known = causes[place].generation == last->id.generation && causes[place].reason != NULL;
    (void)context;
    compose(&line, last, known ? causes[place].reason : "");
    if (line.length > sizeof waiting - waiting_bytes)
        return;
    memcpy(waiting + waiting_bytes, room, line.length);
    waiting_bytes += line.length;
    engine.kick_thread = true;
}

const struct daytona_observer *summary_observer(void)
{
    static const struct daytona_observer observer = {
        .event = note_cause, .mask = 1u << DAYTONA_EVENT_STATE, .ended = note_end};
    return settings.summary_file[0] != '\0' ? &observer : NULL;
}

/* ------------------------------------------------------------------ the file */

/* Who asks for lines and gets none shall know why. (The process that lingers after the program's
 * end has nobody to tell.) */
static void complain(const char *failure, int error)
{
    char room[SETTINGS_FILE_MAX + 128];
    struct text line = text_begin(room, sizeof room);
    if (complained)
        return;
    complained = true;
    text_add_format(&line, "DAYTONA_SUMMARY: %s %s: %s; connections go on without their lines",
                    failure, settings.summary_file, strerror(error));
    engine_thread_say(LOG_LEVEL_ERROR, room);
}

/* A file that lets itself be opened may still take nothing, as /dev/full, which an empty write
 * finds out. O_NONBLOCK: a pipe without a reader must not hold up the first connection. */
int summary_open(void)
{
    return open(settings.summary_file,
                O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
}

void summary_take(int file)
{
    output = file;
}

void summary_begin(void)
{
    waiting_bytes = 0;
    complained = line_is_torn = false;
    if (settings.summary_file[0] == '\0' || engine.server != NULL)
        return;
    output = summary_open();
    if (output < 0)
        complain("cannot open", errno);
    else if (real.write(output, "", 0) < 0)
        complain("cannot write to", errno);
}

/* What was written last ends within a line: takes it back, or, in a pipe or when another process
 * has written since, has it ended before the next one. */
static void mend_line(const char *written, size_t length)
{
    size_t torn = 0;
    struct stat status;
    while (torn < length && written[length - torn - 1] != '\n')
        torn++;
    off_t end = lseek(output, 0, SEEK_CUR); /* after an O_APPEND write: where that ended */
    bool taken_back = torn == 0 || (end >= (off_t)torn && fstat(output, &status) == 0 &&
                                    S_ISREG(status.st_mode) && status.st_size == end &&
                                    ftruncate(output, end - (off_t)torn) == 0);
    line_is_torn = !taken_back;
}

/* A full disk costs the lines, nothing else. */
void summary_write(void)
{
    size_t length = waiting_bytes;
    waiting_bytes = 0;
    if (length == 0 || output < 0)
        return;
    if (line_is_torn)
        line_is_torn = real.write(output, "\n", 1) != 1;
    if (line_is_torn)
        return;
    ssize_t written = real.write(output, waiting, length);
    if (written == (ssize_t)length)
        return;
    complain("cannot write to", written < 0 ? errno : ENOSPC);
    if (written > 0)
        mend_line(waiting, (size_t)written);
}

void summary_write_all(void)
{
    struct daytona_socket_id id = {0, 0};
    struct daytona_connection_info info;
    while (summary_observer() != NULL && daytona_stack_next(engine.stack, &id))
        if (daytona_stack_info(engine.stack, engine_now(), id, &info) == 0 && info.segments_out > 0)
            note_end(NULL, &info);
    summary_write();
}
