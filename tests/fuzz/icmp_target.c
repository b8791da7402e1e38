/*
 * ICMP at connections that have data in flight: errors that quote segments of theirs, rightly or
 * nearly so, garbage behind right sums, and the bare parser. Nothing of that ends an established
 * connection (RFC 5927 section 5.2) nor lets it send more than its path takes (RFC 1191).
 */
#include "stack/wire/icmp.h"
#include "tests/fuzz/segment.h"
#include <stdlib.h>
#include <string.h>

static void step_parse(struct fuzz_reader *reader)
{
    size_t length = fuzz_take(reader, 1);
    const uint8_t *bytes = fuzz_borrow(reader, &length);
    uint8_t *copy = malloc(length + 1);
    fuzz_demand(copy != NULL, "memory for the fuzzer");
    memcpy(copy, bytes, length);
    struct icmp_error error;
    if (icmp_parse((struct daytona_span){copy, length}, &error) == 0)
        fuzz_demand(error.quoted_transport.length >= 8 && error.quoted_transport.data >= copy + 8 &&
                        error.quoted_transport.data + error.quoted_transport.length <=
                            copy + length,
                    "what is quoted lies in the message");
    free(copy);
}

/* Any type, code and body from anybody, the sum made right. */
static void step_message(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    size_t length = fuzz_take(reader, 1);
    const uint8_t *bytes = fuzz_borrow(reader, &length);
    struct sim_packet *packet = sim_packet_new((uint32_t)(20 + length));
    memset(packet->bytes, 0, 20);
    packet->bytes[0] = 0x45;
    packet->bytes[2] = (uint8_t)(packet->length >> 8);
    packet->bytes[3] = (uint8_t)packet->length;
    packet->bytes[8] = 64;
    packet->bytes[9] = 1;
    fuzz_put32(packet->bytes + 12, FUZZ_PEER_ADDRESS + (uint32_t)length);
    fuzz_put32(packet->bytes + 16, FUZZ_STACK_ADDRESS);
    memcpy(packet->bytes + 20, bytes, length);
    sim_packet_store_sums(packet);
    fuzz_input(subject, packet->bytes, packet->length, packet->length);
    free(packet);
}

static void step(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    switch (fuzz_take(reader, 1) % 8) {
    case 0:
        step_parse(reader);
        break;
    case 1:
        step_message(reader, subject);
        break;
    case 2:
        fuzz_step_time(reader, subject);
        break;
    case 3:
        fuzz_step_data(reader, &subject->application, subject->now);
        break;
    default:
        fuzz_step_icmp(reader, subject);
        break;
    }
}

/* The states that nothing but the peer, the application and time may leave. */
static bool survives(struct fuzz_subject *subject, struct daytona_socket_id id)
{
    struct daytona_connection_info info;
    return daytona_stack_info(subject->stack, subject->now, id, &info) == 0 &&
           info.state == DAYTONA_TCP_ESTABLISHED && info.path_mtu >= 68 && info.path_mtu <= 1500;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t text[40000];
    struct fuzz_reader reader = {data, size};
    struct fuzz_subject subject;
    fuzz_subject_prepare(&subject, fuzz_take(&reader, 1), DAYTONA_TCP_ESTABLISHED);
    struct daytona_socket_id connected = subject.application.ids[1];
    daytona_stack_send(subject.stack, subject.now, connected,
                       &(struct daytona_span){text, sizeof text}, 1, 0);
    fuzz_drain(&subject);
    for (unsigned steps = 0; reader.left > 0 && steps < 200; steps++) {
        bool before = survives(&subject, connected);
        bool icmp = reader.at[0] % 8 == 1 || reader.at[0] % 8 >= 4;
        step(&reader, &subject);
        fuzz_demand(!icmp || !before || survives(&subject, connected),
                    "ICMP ends no established connection");
        if (fuzz_take(&reader, 1) % 2 == 0)
            fuzz_drain(&subject);
    }
    fuzz_judge_sockets(subject.stack, subject.now);
    fuzz_subject_finish(&subject);
    return 0;
}
