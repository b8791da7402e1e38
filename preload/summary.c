#include "preload/summary.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define CAUSES         4096 /* connections that end between two looks, without two at one place */

/* What was known of a connection when it was asked last, by the number of its record. */
struct noted {
    struct daytona_connection_info info;
    uint32_t generation; /* of the record */
};

static int output = -1; /* in the engine's table */
static struct noted *noted;

/* Why the sockets that ended lately did, by their index. */
static struct {
    uint32_t generation;
    const char *reason;
} causes[CAUSES];

static bool wanted(void)
{
    return settings.summary_file[0] != '\0';
}

void summary_begin(void)
{
    if (!wanted())
        return;
    output = open(settings.summary_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (noted == NULL) {
        void *memory = mmap(NULL, FILES_MAX * sizeof *noted, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        noted = memory == MAP_FAILED ? NULL : memory;
    }
}

static void note_cause(void *context, const struct daytona_event *event)
{
    (void)context;
    if (event->b != DAYTONA_TCP_CLOSED)
        return;
    causes[event->socket_index % CAUSES].generation = event->socket_generation;
    causes[event->socket_index % CAUSES].reason = event->reason;
}

const struct daytona_observer *summary_observer(void)
{
    static const struct daytona_observer observer = {.event = note_cause,
                                                     .mask = 1u << DAYTONA_EVENT_STATE};
    return wanted() ? &observer : NULL;
}

void summary_note(const struct file *file)
{
    struct daytona_connection_info info;
    if (noted == NULL || file->kind != FILE_KIND_CONNECTION ||
        daytona_stack_info(engine.stack, engine_now(), file->id, &info) < 0)
        return;
    /* In TIME-WAIT the stack keeps addresses only: what was known before says more. */
    if (noted[file_index(file)].generation == file->generation && info.segments_out == 0) {
        noted[file_index(file)].info.state = info.state;
        return;
    }
    noted[file_index(file)].info = info;
    noted[file_index(file)].generation = file->generation;
}

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
    add_number(line, "srtt_us", info->srtt_us);
    add_number(line, "rtt_min_us", info->rtt_min_us);
    add_number(line, "rto_us", info->rto_us);
    add_number(line, "cwnd_bytes", info->cwnd_bytes);
    add_number(line, "send_mss", info->send_mss);
    add_number(line, "duration_us", info->age_us);
    text_add(line, "}\n");
}

void summary_write(struct file *file)
{
    if (output < 0 || noted == NULL || file->kind != FILE_KIND_CONNECTION ||
        noted[file_index(file)].generation != file->generation)
        return;
    char room[LINE_MAX_BYTES];
    struct text line = text_begin(room, sizeof room);
    uint32_t place = file->id.index % CAUSES;
    bool known = causes[place].generation == file->id.generation && causes[place].reason != NULL;
    compose(&line, &noted[file_index(file)].info, known ? causes[place].reason : "");
    ssize_t written = real.write(output, room, line.length);
    (void)written;
    noted[file_index(file)].generation = 0;
}

static void note_and_write(struct file *file)
{
    summary_note(file);
    summary_write(file);
}

void summary_write_rest(void)
{
    file_each_record(note_and_write);
}
