/*
 * long_trace.c - writes a trace of many events, for what has to show one: a transfer over a path of
 * 40 ms whose window grows until something is lost, and some short ones beside it.
 *
 *   long_trace FILE EVENTS
 */
#include "scripts/trace_file.h"
#include "stack/wire/bytes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MSS = 1448, ROUND_TRIP_US = 40000, SHORT_EVERY = 20000 };

static struct trace_writer writer;
static uint64_t now_ns, events;

/* A connection, its sender's side. */
struct sender {
    uint32_t socket, call;
    uint32_t una, nxt, cwnd, ssthresh, in_flight;
    uint16_t port;
};

static struct seen begin(const struct sender *sender, enum daytona_event_type type)
{
    struct seen seen = {.type = type};
    seen.event = (struct daytona_ring_event){
        .number = ++events,
        .at_ns = now_ns,
        .socket_index = sender->socket,
        .socket_generation = 1,
        .una = sender->una,
        .nxt = sender->nxt,
        .cwnd_bytes = sender->cwnd,
        .ssthresh_bytes = sender->ssthresh,
        .srtt_us = ROUND_TRIP_US,
        .in_flight_bytes = sender->in_flight,
        .call = sender->call,
        .type = (uint8_t)type,
        .state = DAYTONA_TCP_ESTABLISHED,
        .local = {[10] = 0xff, 0xff, 10, 0, 0, 1},
        .remote = {[10] = 0xff, 0xff, 10, 0, 0, 2},
        .local_port = 80,
        .remote_port = sender->port,
    };
    return seen;
}

static void add(const struct seen *seen)
{
    if (trace_writer_add(&writer, seen) < 0) {
        perror("long_trace");
        exit(1);
    }
}

/* Words have numbers in a trace; 0 is none. */
static uint8_t number_of(const char *reason)
{
    static const char *const words[] = {"send", "acked", "single", "loss", "fast"};
    for (uint8_t i = 0; reason != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], reason) == 0)
            return i + 1;
    return 0;
}

static void tell(const struct sender *sender, enum daytona_event_type type, const char *reason,
                 const uint64_t *numbers)
{
    struct seen seen = begin(sender, type);
    memcpy(seen.event.numbers, numbers, sizeof seen.event.numbers);
    seen.reason = reason;
    seen.event.reason = number_of(reason);
    add(&seen);
}

/* A segment whose header has the ports, as the wire has them, cut off. */
static void segment(const struct sender *sender, bool in, uint32_t sequence, uint32_t acknowledged,
                    uint16_t length)
{
    struct seen seen = begin(sender, in ? DAYTONA_EVENT_SEGMENT_IN : DAYTONA_EVENT_SEGMENT_OUT);
    store_32(seen.event.header, sequence);
    store_32(seen.event.header + 4, acknowledged);
    store_16(seen.event.header + 8, 0x5010); /* 20 bytes, ACK */
    store_16(seen.event.header + 10, 4096);
    seen.event.header_bytes = 20;
    seen.event.window_scale = 8;
    seen.event.payload_bytes = length;
    add(&seen);
}

static void send_segment(struct sender *sender, uint32_t sequence)
{
    segment(sender, false, sequence, 1, MSS);
    if (sequence == sender->nxt)
        sender->nxt += MSS;
    sender->in_flight = sender->nxt - sender->una;
}

static void write_more(struct sender *sender)
{
    sender->call++;
    tell(sender, DAYTONA_EVENT_CALL, "send",
         (uint64_t[]){UINT64_C(8) * MSS, UINT64_C(8) * MSS, sender->nxt, 4000});
}

static void acknowledge(struct sender *sender, uint32_t up_to)
{
    uint32_t before = sender->cwnd;
    uint64_t rtt_us = ROUND_TRIP_US + sender->cwnd / 100 + events % 700;
    segment(sender, true, 1, up_to, 0);
    sender->una = up_to;
    sender->in_flight = sender->nxt - sender->una;
    sender->cwnd += sender->cwnd < sender->ssthresh ? MSS : 1 + (uint32_t)MSS * MSS / sender->cwnd;
    tell(sender, DAYTONA_EVENT_RTT_SAMPLE, NULL, (uint64_t[]){rtt_us, 240000, 2000, 0});
    tell(sender, DAYTONA_EVENT_CWND, "acked", (uint64_t[]){before, sender->cwnd, 0, 0});
}

/* The first segment of a window is lost, and sent again. */
static void lose(struct sender *sender)
{
    uint32_t before = sender->cwnd;
    tell(sender, DAYTONA_EVENT_LOSS, "single", (uint64_t[]){sender->una, MSS, 1, 0});
    sender->ssthresh = sender->cwnd / 10 * 7;
    sender->cwnd = sender->ssthresh;
    tell(sender, DAYTONA_EVENT_RECOVERY_ENTER, NULL, (uint64_t[]){sender->nxt, MSS, 0, 0});
    tell(sender, DAYTONA_EVENT_SSTHRESH, "loss", (uint64_t[]){before, sender->ssthresh, 0, 0});
    tell(sender, DAYTONA_EVENT_RETRANSMIT, "fast", (uint64_t[]){sender->una, MSS, 0, 0});
    send_segment(sender, sender->una);
}

/* One round trip of a transfer: a window out, acknowledgments of every second segment back. */
static void round_trip(struct sender *sender, uint32_t window_max)
{
    bool lost = sender->cwnd > window_max;
    uint32_t recovery = sender->nxt, segments = sender->cwnd / MSS;
    uint64_t step_ns = UINT64_C(1000) * ROUND_TRIP_US / (segments + 1);
    if (lost)
        lose(sender);
    for (uint32_t i = 0; i < segments; i++) {
        now_ns += step_ns;
        if (i % 8 == 0)
            write_more(sender);
        send_segment(sender, sender->nxt);
        if (i % 2 == 1 && sender->nxt - sender->una > 4 * MSS)
            acknowledge(sender, sender->una + 2 * MSS);
    }
    if (sender->in_flight > sender->cwnd)
        acknowledge(sender, sender->nxt - sender->cwnd);
    if (lost)
        tell(sender, DAYTONA_EVENT_RECOVERY_EXIT, "fast", (uint64_t[]){recovery, 0, 0, 0});
}

static struct sender sender_of(uint32_t socket)
{
    return (struct sender){.socket = socket,
                           .una = 1000,
                           .nxt = 1000,
                           .cwnd = 10 * MSS,
                           .ssthresh = UINT32_MAX,
                           .port = (uint16_t)(10000 + socket)};
}

int main(int count, char **arguments)
{
    uint64_t wanted = count == 3 ? strtoull(arguments[2], NULL, 10) : 0;
    int file = wanted == 0 ? -1 : open(arguments[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const struct trace_about about = {
        .pid = 1, .began_realtime_ns = UINT64_C(1700000000000000000), .program = "long"};
    if (file < 0 || trace_writer_begin(&writer, file, &about) < 0)
        return 1;
    struct sender large = sender_of(1);
    uint32_t others = 1;
    while (events < wanted) {
        round_trip(&large, 400 * MSS);
        if (events / SHORT_EVERY >= others) {
            struct sender brief = sender_of(++others);
            for (unsigned i = 0; i < 3; i++)
                round_trip(&brief, 400 * MSS);
        }
    }
    return trace_writer_flush(&writer) < 0 || close(file) < 0;
}
