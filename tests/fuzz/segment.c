#include "tests/fuzz/segment.h"

#include <stdlib.h>
#include <string.h>

/* Timestamps that the stack accepts, or nearly. */
static void add_timestamps(struct fuzz_reader *reader, const struct fuzz_subject *subject,
                           struct fuzz_segment *segment)
{
    uint8_t *option = segment->options + segment->options_length;
    uint32_t late = fuzz_take(reader, 1);
    option[0] = 8;
    option[1] = 10;
    fuzz_put32(option + 2, (uint32_t)(subject->now.ns / 1000000) - (late < 240 ? 0 : late));
    fuzz_put32(option + 6, segment->peer->timestamp - late % 8);
    segment->options_length += 10;
}

/* One to three SACK blocks above what the segment acknowledges. */
static void add_sacks(struct fuzz_reader *reader, struct fuzz_segment *segment)
{
    uint8_t *option = segment->options + segment->options_length;
    uint32_t count = 1 + fuzz_take(reader, 1) % 3;
    option[0] = 5;
    option[1] = (uint8_t)(2 + 8 * count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = segment->ack + fuzz_take(reader, 1) * 64;
        fuzz_put32(option + 2 + 8 * i, left);
        fuzz_put32(option + 6 + 8 * i, left + fuzz_take(reader, 1) * 32);
    }
    segment->options_length += option[1];
}

static void take_options(struct fuzz_reader *reader, const struct fuzz_subject *subject,
                         struct fuzz_segment *segment)
{
    uint32_t kind = fuzz_take(reader, 1) % 8;
    if (kind == 0) {
        size_t length = fuzz_take(reader, 1) % 41;
        const uint8_t *bytes = fuzz_borrow(reader, &length);
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
static uint32_t take_acknowledgement(struct fuzz_reader *reader, const struct fuzz_peer *peer)
{
    uint32_t how = fuzz_take(reader, 1);
    if (how < 64)
        return peer->ack + fuzz_take_distance(reader);
    return how < 128 ? peer->ack : peer->ack - how % 64 * 256;
}

struct fuzz_segment fuzz_take_segment(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = {.peer = &subject->peers[fuzz_take(reader, 1) % FUZZ_PEERS_MAX]};
    segment.flags = (uint8_t)fuzz_take(reader, 1);
    segment.seq = segment.peer->next + fuzz_take_distance(reader);
    segment.ack = take_acknowledgement(reader, segment.peer);
    segment.window = (uint16_t)fuzz_take(reader, 2);
    uint32_t kind = fuzz_take(reader, 1);
    segment.sum = kind % 16 == 0   ? FUZZ_SUM_WRONG
                  : kind % 16 == 1 ? FUZZ_SUM_PARTIAL
                                   : FUZZ_SUM_RIGHT;
    segment.urgent_pointer = (segment.flags & SIM_URG) != 0 ? (uint16_t)fuzz_take(reader, 2) : 0;
    segment.payload_length = kind / 16 < 8    ? 0
                             : kind / 16 < 12 ? fuzz_take(reader, 1)
                                              : fuzz_take(reader, 2) % 2001;
    take_options(reader, subject, &segment);
    return segment;
}

void fuzz_step_segment(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = fuzz_take_segment(reader, subject);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    fuzz_input(subject, packet->bytes, packet->length, packet->length);
    free(packet);
}

void fuzz_step_raw(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    size_t length = fuzz_take(reader, 1);
    size_t beyond = fuzz_take(reader, 1) % 4 == 0 ? fuzz_take(reader, 1) : 0;
    const uint8_t *bytes = fuzz_borrow(reader, &length);
    fuzz_input(subject, bytes, length, length + beyond);
}

void fuzz_step_damaged(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = fuzz_take_segment(reader, subject);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    uint32_t how = fuzz_take(reader, 1);
    for (uint32_t i = 0; i <= how % 4; i++)
        packet->bytes[fuzz_take(reader, 2) % packet->length] = (uint8_t)fuzz_take(reader, 1);
    if (how >= 64)
        sim_packet_store_sums(packet);
    uint32_t captured =
        how % 16 == 0 ? fuzz_take(reader, 2) % (packet->length + 1) : packet->length;
    fuzz_input(subject, packet->bytes, captured, packet->length);
    free(packet);
}

void fuzz_step_fragments(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = fuzz_take_segment(reader, subject);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    uint16_t identification = (uint16_t)fuzz_take(reader, 1);
    uint32_t payload = packet->length - 20;
    for (uint32_t count = fuzz_take(reader, 1) % 8; count > 0; count--) {
        uint32_t next, offset = fuzz_take(reader, 1) * 8 % payload;
        uint32_t mtu = 28 + fuzz_take(reader, 1) * 8;
        struct sim_packet *fragment =
            sim_packet_fragment(packet, mtu, offset / 8 * 8, identification, &next);
        fuzz_input(subject, fragment->bytes, fragment->length, fragment->length);
        free(fragment);
    }
    free(packet);
}

void fuzz_step_icmp(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    struct fuzz_segment segment = fuzz_take_segment(reader, subject);
    struct fuzz_peer turned = {segment.peer->remote_port, segment.peer->local_port, 0, 0, 0};
    uint32_t sent = segment.ack;
    segment.peer = &turned;
    segment.seq = sent - fuzz_take(reader, 1);
    struct sim_packet *packet = fuzz_segment_packet(&segment);
    memcpy(packet->bytes + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    struct sim_packet *error =
        sim_packet_unreachable(packet, FUZZ_PEER_ADDRESS, SIM_ICMP_TOO_BIG, fuzz_take(reader, 2));
    if (fuzz_take(reader, 1) % 2 == 0) {
        error->bytes[20] = (uint8_t)fuzz_take(reader, 1);
        error->bytes[21] = (uint8_t)fuzz_take(reader, 1);
        sim_packet_store_sums(error);
    }
    fuzz_input(subject, error->bytes, error->length, error->length);
    free(packet);
    free(error);
}

void fuzz_step_time(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    uint32_t how = fuzz_take(reader, 1);
    struct daytona_instant deadline = daytona_stack_deadline(subject->stack);
    if (how >= 128 && deadline.ns != UINT64_MAX && deadline.ns > subject->now.ns)
        subject->now = deadline;
    else
        subject->now = daytona_instant_after_us(subject->now, 1ull << how % 28);
}
