/*
 * What holds several segments, cut into the packets that a network takes (stack/wire/parts.c).
 */
#include "stack/wire/tcp_header.h"
#include "tests/unit/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT  100
#define FLAGS_AT 33 /* in a packet without IP options */

static const struct packet_ends ends = {ADDRESS(10, 0, 0, 1), ADDRESS(10, 0, 0, 2), 5000, 80};
static uint8_t payload[350];

/* 350 bytes in spans that begin and end anywhere. */
static struct daytona_packet_out train(uint8_t flags)
{
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 11 + 1);
    struct daytona_packet_out packet =
        packet_tcp(ends, 0xffffff80u, (struct daytona_span){payload, 99});
    packet.spans[1] = (struct daytona_span){payload + 99, 1};
    packet.spans[2] = (struct daytona_span){payload + 100, 173};
    packet.spans[3] = (struct daytona_span){payload + 273, 77};
    packet.span_count = 4;
    packet.payload_length = sizeof payload;
    packet.segment_bytes = SEGMENT;
    packet.checksum_partial = true;
    packet.header[4] = 0xff; /* identification 0xffff */
    packet.header[5] = 0xff;
    packet.header[FLAGS_AT] = flags;
    return packet;
}

static size_t gather(const struct daytona_packet_out *whole, unsigned index, uint8_t *out)
{
    struct daytona_packet_out part;
    daytona_packet_part(whole, index, &part);
    assert_false(part.checksum_partial);
    assert_int_equal(part.segment_bytes, 0);
    return packet_gather(&part, out, 1500);
}

static void parts_carry_the_payload_in_order(void **state)
{
    (void)state;
    struct daytona_packet_out packet = train(TCP_ACK);
    uint8_t bytes[1500], seen[sizeof payload];
    size_t at = 0;
    assert_int_equal(daytona_packet_parts(&packet), 4);
    for (unsigned i = 0; i < 4; i++) {
        size_t length = gather(&packet, i, bytes);
        assert_int_equal(length, PACKET_HEADERS + (i < 3 ? SEGMENT : 50));
        assert_int_equal(packet_number((struct daytona_span){bytes, length}),
                         0xffffff80u + i * SEGMENT);
        memcpy(seen + at, bytes + PACKET_HEADERS, length - PACKET_HEADERS);
        at += length - PACKET_HEADERS;
    }
    assert_memory_equal(seen, payload, sizeof payload);
}

static void parts_have_lengths_and_checksums_of_their_own(void **state)
{
    (void)state;
    struct daytona_packet_out packet = train(TCP_ACK);
    uint8_t bytes[1500];
    for (unsigned i = 0; i < 4; i++) {
        size_t length = gather(&packet, i, bytes);
        assert_int_equal(bytes[2] << 8 | bytes[3], length);
        assert_int_equal((bytes[4] << 8 | bytes[5]), (0xffff + i) & 0xffff);
        assert_int_equal(packet_sum((struct daytona_span){bytes, 20}, 0), 0xffff);
        assert_int_equal(tcp_checksum_judge(&packet.source, &packet.destination,
                                            (struct daytona_span){bytes + 20, length - 20}),
                         TCP_CHECKSUM_COMPLETE);
    }
}

static void flags_that_end_the_data_stand_on_the_last_part(void **state)
{
    (void)state;
    struct daytona_packet_out packet = train(TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR | TCP_ECE);
    static const uint8_t wanted[] = {TCP_ACK | TCP_CWR | TCP_ECE, TCP_ACK | TCP_ECE,
                                     TCP_ACK | TCP_ECE, TCP_ACK | TCP_PSH | TCP_FIN | TCP_ECE};
    uint8_t bytes[1500];
    for (unsigned i = 0; i < 4; i++) {
        gather(&packet, i, bytes);
        assert_int_equal(bytes[FLAGS_AT], wanted[i]);
    }
}

static void single_packet_is_completed(void **state)
{
    (void)state;
    struct daytona_packet_out packet = train(TCP_ACK | TCP_PSH);
    packet.segment_bytes = 0;
    assert_int_equal(daytona_packet_parts(&packet), 1);
    uint8_t bytes[1500];
    size_t length = gather(&packet, 0, bytes);
    assert_int_equal(length, PACKET_HEADERS + sizeof payload);
    assert_int_equal(bytes[FLAGS_AT], TCP_ACK | TCP_PSH);
    assert_int_equal(tcp_checksum_judge(&packet.source, &packet.destination,
                                        (struct daytona_span){bytes + 20, length - 20}),
                     TCP_CHECKSUM_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_carry_the_payload_in_order),
        cmocka_unit_test(parts_have_lengths_and_checksums_of_their_own),
        cmocka_unit_test(flags_that_end_the_data_stand_on_the_last_part),
        cmocka_unit_test(single_packet_is_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
