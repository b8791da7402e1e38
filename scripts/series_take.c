#include "scripts/series_take.h"

#include "stack/wire/bytes.h"

#include <string.h>

#define ACK 16u

enum { OPTION_SACK = 5 };

/* ------------------------------------------------------------------ sequence numbers */

static void stream_begin(struct series_stream *stream, uint32_t number)
{
    if (stream->begun)
        return;
    stream->begun = true;
    stream->last = number;
}

/* How far `number` is from the first one. What lies before that is 0. */
static int64_t widen(struct series_stream *stream, uint32_t number)
{
    stream_begin(stream, number);
    stream->wide += (int32_t)(number - stream->last);
    stream->last = number;
    return stream->wide < 0 ? 0 : stream->wide;
}

static int64_t at_us(const struct series *series, const struct seen *seen)
{
    return (int64_t)((seen->event.at_ns - series->first_ns) / 1000);
}

/* ------------------------------------------------------------------ segments */

/* What a segment acknowledges of `stream`, and how far its sender may send. */
static bool acknowledge(struct series *series, size_t which, const struct seen *seen,
                        struct series_stream *stream, enum series_table table)
{
    if ((seen->numbers[3] & ACK) == 0 || !stream->begun)
        return true;
    int64_t acknowledged = widen(stream, (uint32_t)seen->numbers[2]), edge = 0;
    if (seen->event.window_scale > 0)
        edge = acknowledged + seen_window_bytes(seen);
    return series_add(series, table, which, (int64_t[]){at_us(series, seen), acknowledged, edge});
}

static bool blocks(struct series *series, size_t which, const struct seen *seen,
                   struct series_stream *stream, enum series_table table)
{
    const uint8_t *option = seen_option(seen, OPTION_SACK);
    if (option == NULL || !stream->begun)
        return true;
    unsigned count = (option[-1] - 2u) / 8u;
    for (unsigned i = 0; i < count; i++) {
        int64_t left = widen(stream, load_32(option + (size_t)8 * i));
        int64_t right = widen(stream, load_32(option + (size_t)8 * i + 4));
        if (!series_add(series, table, which, (int64_t[]){at_us(series, seen), left, right}))
            return false;
    }
    return true;
}

static bool data_in(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    struct series_stream *in = &connection->in;
    int64_t start = widen(in, (uint32_t)seen->numbers[0]), end = start + seen->payload_bytes;
    enum series_kind kind = SERIES_FIRST;
    if (seen->payload_bytes == 0)
        return true;
    if (in->end != 0 && end <= in->end)
        kind = SERIES_AGAIN;
    else if (in->end != 0 && start > in->end)
        kind = SERIES_BEYOND;
    if (kind != SERIES_AGAIN) {
        connection->bytes_in += (uint64_t)(end - (in->end == 0 ? start : in->end));
        in->end = end;
    }
    connection->segments_in++;
    return series_add(series, SERIES_RECEIVED, which,
                      (int64_t[]){at_us(series, seen), start, seen->payload_bytes, kind});
}

static bool segment_in(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    return acknowledge(series, which, seen, &connection->out, SERIES_ACKED) &&
           blocks(series, which, seen, &connection->out, SERIES_SACKED) &&
           data_in(series, which, seen);
}

static bool data_out(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    struct series_stream *out = &connection->out;
    int64_t start = widen(out, (uint32_t)seen->numbers[0]), end = start + seen->payload_bytes;
    uint32_t each = seen->event.segment_bytes;
    enum series_kind kind = SERIES_FIRST;
    if (seen->payload_bytes == 0)
        return true;
    if (start < out->end)
        kind = connection->again_sequence == (uint32_t)seen->numbers[0]
                   ? (enum series_kind)connection->again_kind
                   : SERIES_AGAIN;
    if (end > out->end) {
        connection->bytes_out += (uint64_t)(end - (start > out->end ? start : out->end));
        out->end = end;
    }
    connection->segments_out += each == 0 ? 1 : (seen->payload_bytes + each - 1) / each;
    return series_add(series, SERIES_SENT, which,
                      (int64_t[]){at_us(series, seen), start, seen->payload_bytes, kind});
}

static bool segment_out(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    return data_out(series, which, seen) &&
           acknowledge(series, which, seen, &connection->in, SERIES_ACKING) &&
           blocks(series, which, seen, &connection->in, SERIES_SACKING);
}

/* ------------------------------------------------------------------ the sender's numbers */

/* What a packet does to the window is told in steps, of which the last one holds. */
static bool window_changed(struct series *series, size_t which, const struct seen *seen)
{
    const struct daytona_ring_event *event = &seen->event;
    struct series_connection *connection = &series->connections[which];
    const struct daytona_ring_event *before = &connection->last;
    const int64_t cells[] = {at_us(series, seen), event->cwnd_bytes, event->ssthresh_bytes,
                             event->in_flight_bytes};
    if (event->cwnd_bytes == 0 || event->socket_generation == 0 ||
        (event->cwnd_bytes == before->cwnd_bytes &&
         event->ssthresh_bytes == before->ssthresh_bytes &&
         event->in_flight_bytes == before->in_flight_bytes))
        return true;
    if (connection->window_row > 0 && connection->window_row == series->rows[SERIES_WINDOW].count &&
        series_last(series, SERIES_WINDOW)[0] == cells[0]) {
        memcpy(series_last(series, SERIES_WINDOW), cells, sizeof cells);
        return true;
    }
    if (!series_add(series, SERIES_WINDOW, which, cells))
        return false;
    series->connections[which].window_row = series->rows[SERIES_WINDOW].count;
    return true;
}

static bool round_trip(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    uint32_t rtt_us = (uint32_t)seen->numbers[0];
    if (connection->rtt_min_us == 0 || rtt_us < connection->rtt_min_us)
        connection->rtt_min_us = rtt_us;
    connection->rto_us = (uint32_t)seen->numbers[1];
    return series_add(
        series, SERIES_RTT, which,
        (int64_t[]){at_us(series, seen), rtt_us, seen->event.srtt_us, connection->rto_us});
}

/* A timeout doubles the timer: a row without a round trip. */
static bool timed_out(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    connection->timeouts++;
    connection->rto_us = (uint32_t)seen->numbers[2];
    return series_add(series, SERIES_RTT, which,
                      (int64_t[]){at_us(series, seen), 0, seen->event.srtt_us, connection->rto_us});
}

/* ------------------------------------------------------------------ events */

static void sent_again(struct series_connection *connection, const struct seen *seen)
{
    const char *why = seen->reason == NULL ? "" : seen->reason;
    connection->retransmissions++;
    connection->again_sequence = (uint32_t)seen->numbers[0];
    connection->again_kind = strcmp(why, "fast") == 0      ? SERIES_FAST
                             : strcmp(why, "timeout") == 0 ? SERIES_TIMEOUT
                             : strcmp(why, "probe") == 0   ? SERIES_PROBE
                                                           : SERIES_AGAIN;
}

static void note_state(struct series_connection *connection, const struct seen *seen)
{
    if (seen->numbers[1] == DAYTONA_TCP_SYN_RECEIVED)
        connection->server = true;
    if (seen->numbers[1] == DAYTONA_TCP_SYN_SENT)
        connection->server = false;
}

/* Segments, round trips and what each acknowledgment does to the window have tables of their own.
 */
static bool is_told(const struct seen *seen)
{
    if (seen->type == DAYTONA_EVENT_CWND)
        return seen->reason != NULL && strcmp(seen->reason, "acked") != 0;
    return seen->type != DAYTONA_EVENT_SEGMENT_IN && seen->type != DAYTONA_EVENT_SEGMENT_OUT &&
           seen->type != DAYTONA_EVENT_RTT_SAMPLE;
}

/* What arrives is told of by these; all others count what this end sends. */
static bool counts_received(const struct seen *seen)
{
    return seen->type == DAYTONA_EVENT_OUT_OF_ORDER || seen->type == DAYTONA_EVENT_DELAYED_ACK ||
           (seen->reason != NULL && strcmp(seen->reason, "receive") == 0);
}

/* A number of an event; a sequence number as the other tables have it. */
static int64_t number_of(const struct series_connection *connection, const struct seen *seen,
                         unsigned which)
{
    const struct series_stream *stream = counts_received(seen) ? &connection->in : &connection->out;
    uint64_t number = seen->numbers[which];
    if (daytona_event_kind(seen->type)->fields[which].unit != DAYTONA_UNIT_SEQUENCE)
        return (int64_t)number;
    int64_t wide = stream->wide + (int32_t)((uint32_t)number - stream->last);
    return stream->begun && wide > 0 ? wide : 0;
}

static bool add_event(struct series *series, size_t which, const struct seen *seen)
{
    const struct series_connection *connection = &series->connections[which];
    if (!is_told(seen))
        return true;
    return series_add(series, SERIES_EVENT, which,
                      (int64_t[]){at_us(series, seen), seen->type,
                                  series_word(series, seen->reason), seen->event.call,
                                  number_of(connection, seen, 0), number_of(connection, seen, 1),
                                  number_of(connection, seen, 2), number_of(connection, seen, 3)});
}

static bool apply(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    if (seen->type == DAYTONA_EVENT_SEGMENT_IN)
        return segment_in(series, which, seen);
    if (seen->type == DAYTONA_EVENT_SEGMENT_OUT)
        return segment_out(series, which, seen);
    if (seen->type == DAYTONA_EVENT_RTT_SAMPLE)
        return round_trip(series, which, seen);
    if (seen->type == DAYTONA_EVENT_TIMEOUT)
        return timed_out(series, which, seen);
    if (seen->type == DAYTONA_EVENT_RETRANSMIT)
        sent_again(connection, seen);
    if (seen->type == DAYTONA_EVENT_STATE)
        note_state(connection, seen);
    if (seen->type == DAYTONA_EVENT_LOSS)
        connection->losses += (uint32_t)seen->numbers[2];
    return true;
}

bool series_take(struct series *series, size_t which, const struct seen *seen)
{
    struct series_connection *connection = &series->connections[which];
    if (seen->event.socket_generation != 0 && seen->event.nxt != 0)
        stream_begin(&connection->out, seen->event.una);
    bool taken = apply(series, which, seen) && window_changed(series, which, seen) &&
                 add_event(series, which, seen);
    series->connections[which].last = seen->event;
    return taken;
}
