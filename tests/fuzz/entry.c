/*
 * entry.c - LLVMFuzzerTestOneInput(): reads the input as a program of short steps (segments made
 * to fit or nearly fit a connection, raw packets, fragments, ICMP, time, calls of the
 * application) and runs it on the subject. libFuzzer can call it directly; main.c is a
 * driver for any compiler.
 */
#include "tests/fuzz/entry.h"
#include "tests/fuzz/subject.h"
#include <stdlib.h>
#include <string.h>

/* The input, read from the front; zeros beyond its end. */
struct reader {
    const uint8_t *at;
    size_t left;
};

static uint32_t take(struct reader *reader, unsigned bytes)
{
    uint32_t value = 0;
    for (; bytes > 0; bytes--) {
        value = value << 8 | (reader->left > 0 ? *reader->at : 0);
        if (reader->left > 0) {
            reader->at++;
            reader->left--;
        }
    }
    return value;
}

/* Up to `length` bytes of the input itself. */
static const uint8_t *borrow(struct reader *reader, size_t *length)
{
    const uint8_t *at = reader->at;
    if (*length > reader->left)
        *length = reader->left;
    reader->at += *length;
    reader->left -= *length;
    return at;
}

/* A distance that is mostly small: around a right number, a window or half the space away. */
static uint32_t take_distance(struct reader *reader)
{
    static const uint32_t units[8] = {0, 0, 0, 1, 1, 1460, 65536, 0x20000000};
    uint32_t unit = units[take(reader, 1) % 8];
    uint32_t count = take(reader, 1);
    return count < 128 ? unit * count : 0u - unit * (256 - count);
}

/* Timestamps that the stack accepts, or nearly. */
static void add_timestamps(struct reader *reader, const struct fuzz_subject *subject,
                           struct fuzz_segment *segment)
{
    uint8_t *option = segment->options + segment->options_length;
    uint32_t late = take(reader, 1);
    option[0] = 8;
    option[1] = 10;
    fuzz_put32(option + 2, (uint32_t)(subject->now.ns / 1000000) - (late < 240 ? 0 : late));
    fuzz_put32(option + 6, segment->peer->timestamp - late % 8);
    segment->options_length += 10;
}

/* One to three SACK blocks above what the segment acknowledges. */
static void add_sacks(struct reader *reader, struct fuzz_segment *segment)
{
    uint8_t *option = segment->options + segment->options_length;
    uint32_t count = 1 + take(reader, 1) % 3;
    option[0] = 5;
    option[1] = (uint8_t)(2 + 8 * count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = segment->ack + take(reader, 1) * 64;
        fuzz_put32(option + 2 + 8 * i, left);
        fuzz_put32(option + 6 + 8 * i, left + take(reader, 1) * 32);
    }
    segment->options_length += option[1];
}

static void take_options(struct reader *reader, const struct fuzz_subject *subject,
                         struct fuzz_segment *segment)
{
    uint32_t kind = take(reader, 1) % 8;
    if (kind == 0) {
        size_t length = take(reader, 1) % 41;
        const uint8_t *bytes = borrow(reader, &length);
        memcpy(segment->options, bytes, length);
        segment->options_length = (uint32_t)length;
    }
    if (kind >= 2)
        add_timestamps(reader, subject, segment);
    if (kind >= 5)
        add_sacks(reader, segment);
}

/* What an acknowledgement is about: mostly the newest data, often some before it, so that there
 * is something to be lost. */
static uint32_t take_acknowledgement(struct reader *reader, const struct fuzz_peer *peer)
{
    uint32_t how = take(reader, 1);
    if (how < 64)
        return peer->ack + take_distance(reader);
    return how < 128 ? peer->ack : peer->ack - how % 64 * 256;
}

static struct fuzz_segment take_segment(struct reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = {.peer = &subject->peers[take(reader, 1) % FUZZ_PEERS_MAX]};
    segment.flags = (uint8_t)take(reader, 1);
    segment.seq = segment.peer->next + take_distance(reader);
    segment.ack = take_acknowledgement(reader, segment.peer);
    segment.window = (uint16_t)take(reader, 2);
    uint32_t kind = take(reader, 1);
    segment.sum = kind % 16 == 0   ? FUZZ_SUM_WRONG
                  : kind % 16 == 1 ? FUZZ_SUM_PARTIAL
                                   : FUZZ_SUM_RIGHT;
    segment.urgent_pointer = (segment.flags & SIM_URG) != 0 ? (uint16_t)take(reader, 2) : 0;
    segment.payload_length = kind / 16 < 8    ? 0
                             : kind / 16 < 12 ? take(reader, 1)
                                              : take(reader, 2) % 2001;
    take_options(reader, subject, &segment);
    return segment;
}

static void step_segment(struct reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = take_segment(reader, subject);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    fuzz_input(subject, packet->bytes, packet->length, packet->length);
    free(packet);
}

static void step_raw(struct reader *reader, struct fuzz_subject *subject)
{
    size_t length = take(reader, 1);
    size_t beyond = take(reader, 1) % 4 == 0 ? take(reader, 1) : 0;
    const uint8_t *bytes = borrow(reader, &length);
    fuzz_input(subject, bytes, length, length + beyond);
}

/* A good segment with some bytes overwritten; the sums are made right again or not. */
static void step_damaged(struct reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = take_segment(reader, subject);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    uint32_t how = take(reader, 1);
    for (uint32_t i = 0; i <= how % 4; i++)
        packet->bytes[take(reader, 2) % packet->length] = (uint8_t)take(reader, 1);
    if (how >= 64)
        sim_packet_store_sums(packet);
    uint32_t captured = how % 16 == 0 ? take(reader, 2) % (packet->length + 1) : packet->length;
    fuzz_input(subject, packet->bytes, captured, packet->length);
    free(packet);
}

static void step_fragments(struct reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = take_segment(reader, subject);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    uint16_t identification = (uint16_t)take(reader, 1);
    uint32_t payload = packet->length - 20;
    for (uint32_t count = take(reader, 1) % 8; count > 0; count--) {
        uint32_t next, offset = take(reader, 1) * 8 % payload;
        uint32_t mtu = 28 + take(reader, 1) * 8;
        struct sim_packet *fragment =
            sim_packet_fragment(packet, mtu, offset / 8 * 8, identification, &next);
        fuzz_input(subject, fragment->bytes, fragment->length, fragment->length);
        free(fragment);
    }
    free(packet);
}

/* An ICMP error about a segment that the stack may have sent. */
static void step_icmp(struct reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = take_segment(reader, subject);
    struct fuzz_peer turned = {segment.peer->remote_port, segment.peer->local_port, 0, 0, 0};
    uint32_t sent = segment.ack;
    segment.peer = &turned;
    segment.seq = sent - take(reader, 1);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    memcpy(packet->bytes + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    struct sim_packet *error =
        sim_packet_unreachable(packet, FUZZ_PEER_ADDRESS, SIM_ICMP_TOO_BIG, take(reader, 2));
    if (take(reader, 1) % 2 == 0) {
        error->bytes[20] = (uint8_t)take(reader, 1);
        error->bytes[21] = (uint8_t)take(reader, 1);
        sim_packet_store_sums(error);
    }
    fuzz_input(subject, error->bytes, error->length, error->length);
    free(packet);
    free(error);
}

static void step_time(struct reader *reader, struct fuzz_subject *subject)
{
    uint32_t how = take(reader, 1);
    struct daytona_instant deadline = daytona_stack_deadline(subject->stack);
    if (how >= 128 && deadline.ns != UINT64_MAX && deadline.ns > subject->now.ns)
        subject->now = deadline;
    else
        subject->now = daytona_instant_after_us(subject->now, 1ull << how % 28);
}

static void step_call(struct reader *reader, struct fuzz_subject *subject)
{
    static uint8_t bytes[8192];
    uint32_t which = take(reader, 1), call = take(reader, 1);
    struct daytona_socket_id id = subject->listener;
    if (subject->socket_count > 0 && which % 8 != 7)
        id = subject->sockets[which % subject->socket_count];
    size_t length = take(reader, 2) % (sizeof bytes + 1);
    struct daytona_span span = {bytes, length};
    struct daytona_room room = {bytes, length};
    struct daytona_stack *stack = subject->stack;
    switch (call % 10) {
    case 0:
    case 1:
        daytona_stack_send(stack, subject->now, id, &span, 1, call / 10 % 4);
        break;
    case 2:
    case 3:
        daytona_stack_receive(stack, subject->now, id, &room, 1, call / 10 % 8);
        break;
    case 4:
        daytona_stack_shutdown(stack, subject->now, id, (enum daytona_shutdown)(call / 10 % 3));
        break;
    case 5:
        daytona_stack_close(stack, subject->now, id);
        break;
    case 6:
        if (subject->socket_count < FUZZ_SOCKETS_MAX &&
            daytona_stack_accept(stack, subject->listener,
                                 &subject->sockets[subject->socket_count]) == 0)
            subject->socket_count++;
        break;
    case 7: {
        struct daytona_address remote = daytona_address_from_ipv4(FUZZ_PEER_ADDRESS);
        daytona_stack_path_changed(stack, subject->now, &remote, (uint32_t)length);
        break;
    }
    case 8: {
        enum daytona_option option = (enum daytona_option)(call / 10 % DAYTONA_OPTION_COUNT);
        int64_t value = which % 2 == 0 ? (int64_t)(which / 4 % 2) : (int64_t)length * 1000;
        daytona_stack_set_option(stack, subject->now, id, option, value);
        break;
    }
    case 9: {
        struct daytona_connection_info info;
        daytona_stack_info(stack, subject->now, id, &info);
        daytona_stack_take_error(stack, id);
        break;
    }
    }
}

static void step(struct reader *reader, struct fuzz_subject *subject)
{
    switch (take(reader, 1) % 16) {
    case 0:
        step_raw(reader, subject);
        break;
    case 1:
    case 2:
        step_damaged(reader, subject);
        break;
    case 3:
        step_fragments(reader, subject);
        break;
    case 4:
        step_icmp(reader, subject);
        break;
    case 5:
        step_time(reader, subject);
        break;
    case 6:
    case 7:
    case 8:
        step_call(reader, subject);
        break;
    case 9:
        fuzz_take_ready(subject);
        break;
    case 10:
        fuzz_drain(subject);
        break;
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
        step_segment(reader, subject);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = {data, size};
    struct fuzz_subject subject;
    fuzz_subject_prepare(&subject, take(&reader, 1));
    for (unsigned steps = 0; reader.left > 0 && steps < 200; steps++) {
        step(&reader, &subject);
        if (take(&reader, 1) % 2 == 0)
            fuzz_drain(&subject);
    }
    fuzz_subject_finish(&subject);
    return 0;
}
