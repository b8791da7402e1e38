/*
 * A pcap file as the sink: nanosecond stamps, link type "raw IP". The file is a whole number of
 * records at every moment between two calls.
 */
#include "rawtx/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PCAP_MAGIC_NANOSECONDS 0xa1b23c4du /* in the writer's byte order */
#define PCAP_SNAPSHOT_BYTES    65535u
#define PCAP_LINKTYPE_RAW      101u

struct pcap_file_header {
    uint32_t magic;
    uint16_t version_major, version_minor;
    uint32_t time_zone, accuracy; /* both zero in every file */
    uint32_t snapshot_bytes, link_type;
};

struct pcap_record_header {
    uint32_t seconds, nanoseconds;
    uint32_t captured_bytes, wire_bytes;
};

struct file_sink {
    struct daytona_rawtx base;
    int descriptor;
    off_t end;  /* of the last whole record */
    int broken; /* the positive errno that ended the writing; 0 while it goes on */
};

/* Writes all pieces at the end of the file, or nothing: 0 or -errno. */
static int file_append(struct file_sink *sink, const struct iovec *pieces, int count)
{
    size_t wanted = 0;
    for (int i = 0; i < count; i++)
        wanted += pieces[i].iov_len;
    ssize_t written = writev(sink->descriptor, pieces, count);
    sink->base.counters.calls++;
    if (written >= 0 && (size_t)written == wanted) {
        sink->end += written;
        return 0;
    }
    int error = written < 0 ? errno : ENOSPC;
    if (written > 0 && (ftruncate(sink->descriptor, sink->end) != 0 ||
                        lseek(sink->descriptor, sink->end, SEEK_SET) < 0))
        error = errno;
    return -error;
}

static int file_append_one(struct file_sink *sink, struct daytona_instant now,
                           const struct daytona_packet_out *packet)
{
    uint32_t bytes = (uint32_t)rawtx_packet_bytes(packet);
    struct pcap_record_header record = {
        .seconds = (uint32_t)(now.ns / 1000000000u),
        .nanoseconds = (uint32_t)(now.ns % 1000000000u),
        .captured_bytes = bytes,
        .wire_bytes = bytes,
    };
    struct iovec pieces[2 + DAYTONA_PACKET_SPANS_MAX];
    pieces[0] = rawtx_piece(&record, sizeof record);
    pieces[1] = rawtx_piece(packet->header, packet->header_length);
    for (size_t i = 0; i < packet->span_count; i++)
        pieces[2 + i] = rawtx_piece(packet->spans[i].data, packet->spans[i].length);
    return file_append(sink, pieces, 2 + packet->span_count);
}

/* As a network would see it. */
static int file_append_packet(struct file_sink *sink, struct daytona_instant now,
                              const struct daytona_packet_out *packet)
{
    if (!rawtx_packet_is_unfinished(packet))
        return file_append_one(sink, now, packet);
    int error = 0;
    for (unsigned i = 0; i < daytona_packet_parts(packet) && error == 0; i++) {
        struct daytona_packet_out part;
        daytona_packet_part(packet, i, &part);
        error = file_append_one(sink, now, &part);
    }
    return error;
}

static int file_send(struct daytona_rawtx *base, struct daytona_instant now,
                     const struct daytona_packet_out *packets, size_t count,
                     struct daytona_rawtx_refusal *refusals)
{
    struct file_sink *sink = (struct file_sink *)base;
    int refused = 0;
    for (size_t i = 0; i < count; i++) {
        if (sink->broken != 0) {
            rawtx_count_refused(base, sink->broken);
            refusals[refused++] = (struct daytona_rawtx_refusal){.index = i, .error = sink->broken};
            continue;
        }
        int error = file_append_packet(sink, now, &packets[i]);
        if (error != 0) {
            sink->broken = -error;
            base->counters.failed += count - i;
            return error;
        }
        rawtx_count_sent(base, &packets[i]);
    }
    return refused;
}

static size_t file_descriptors(const struct daytona_rawtx *base, int *out)
{
    out[0] = ((const struct file_sink *)base)->descriptor;
    return 1;
}

static void file_close(struct daytona_rawtx *base)
{
    struct file_sink *sink = (struct file_sink *)base;
    close(sink->descriptor);
    free(sink);
}

static const struct rawtx_operations file_operations = {
    .send = file_send, .descriptors = file_descriptors, .close = file_close};

static int file_write_header(struct file_sink *sink)
{
    const struct pcap_file_header header = {
        .magic = PCAP_MAGIC_NANOSECONDS,
        .version_major = 2,
        .version_minor = 4,
        .snapshot_bytes = PCAP_SNAPSHOT_BYTES,
        .link_type = PCAP_LINKTYPE_RAW,
    };
    struct iovec piece = rawtx_piece(&header, sizeof header);
    int error = file_append(sink, &piece, 1);
    sink->base.counters = (struct daytona_rawtx_counters){0};
    return error;
}

int daytona_rawtx_open_file(const char *path, struct daytona_rawtx **out, char *message,
                            size_t message_size)
{
    int error = -ENOMEM;
    struct file_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL)
        goto refuse;
    sink->base.operations = &file_operations;
    sink->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
    error = sink->descriptor < 0 ? -errno : file_write_header(sink);
    if (error != 0)
        goto release;
    *out = &sink->base;
    return 0;

release:
    if (sink->descriptor >= 0)
        close(sink->descriptor);
    free(sink);
refuse:
    snprintf(message, message_size, "cannot write packets to %s: %s", path, strerror(-error));
    return error;
}
