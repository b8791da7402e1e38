/*
 * The parts of the simulator that a wrong verdict could hide in: contents, order, packets, link.
 */
#include "tests/sim/invariant.h"
#include "tests/sim/link.h"
#include "tests/sim/queue.h"
#include "tests/sim/stream.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void stream_pieces_are_the_same_as_the_whole(void **state)
{
    (void)state;
    uint8_t whole[100], piece[100];
    sim_stream_fill(7, 1000, whole, sizeof whole);
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        sim_stream_fill(7, 1000, piece, cut);
        sim_stream_fill(7, 1000 + cut, piece + cut, sizeof whole - cut);
        assert_memory_equal(whole, piece, sizeof whole);
    }
}

static void stream_match_finds_the_first_wrong_byte(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t wrong = 0; wrong < sizeof bytes; wrong++) {
        sim_stream_fill(7, 13, bytes, sizeof bytes);
        assert_int_equal(sim_stream_match(7, 13, bytes, sizeof bytes), sizeof bytes);
        bytes[wrong] ^= 1;
        assert_int_equal(sim_stream_match(7, 13, bytes, sizeof bytes), wrong);
    }
}

static void queue_gives_events_by_time_then_by_age(void **state)
{
    (void)state;
    struct sim_queue queue = {0};
    struct sim_random random = sim_random_from(1, 1);
    for (unsigned i = 0; i < 1000; i++)
        sim_queue_add(&queue, (struct sim_event){.at.ns = sim_random_between(&random, 0, 99),
                                                 .kind = SIM_EVENT_ACCEPT});
    struct sim_event last = {0};
    for (unsigned i = 0; i < 1000; i++) {
        struct sim_event event = sim_queue_take(&queue);
        assert_true(event.at.ns > last.at.ns ||
                    (event.at.ns == last.at.ns && (i == 0 || event.order > last.order)));
        last = event;
    }
    assert_int_equal(sim_queue_next(&queue).ns, UINT64_MAX);
    sim_queue_release(&queue);
}

/* A TCP segment of 100 payload bytes with right sums. */
static struct sim_packet *segment_packet(void)
{
    struct sim_packet *packet = sim_packet_new(140);
    memset(packet->bytes, 0, packet->length);
    static const uint8_t ip[20] = {0x45, 0, 0,  140, 0, 0, 0x40, 0, 64, 6,
                                   0,    0, 10, 0,   0, 1, 10,   0, 0,  2};
    memcpy(packet->bytes, ip, sizeof ip);
    packet->bytes[32] = 0x50;
    packet->bytes[33] = SIM_ACK;
    sim_stream_fill(1, 0, packet->bytes + 40, 100);
    sim_packet_store_sums(packet);
    return packet;
}

static void packet_reader_accepts_right_sums_and_no_flipped_bit(void **state)
{
    (void)state;
    struct sim_packet *packet = segment_packet();
    struct sim_segment segment;
    assert_null(sim_packet_read(packet, &segment));
    assert_int_equal(segment.payload_length, 100);
    for (uint32_t bit = 0; bit < packet->length * 8; bit++) {
        packet->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_non_null(sim_packet_read(packet, &segment));
        assert_false(sim_packet_sums_hold(packet));
        packet->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(packet);
}

static void corruption_that_sums_do_not_show_is_told_apart(void **state)
{
    (void)state;
    struct sim_packet *packet = segment_packet();
    uint8_t high = packet->bytes[40], low = packet->bytes[41];
    packet->bytes[40] = packet->bytes[42];
    packet->bytes[41] = packet->bytes[43];
    packet->bytes[42] = high;
    packet->bytes[43] = low;
    assert_true(sim_packet_sums_hold(packet));
    free(packet);
}

static void fragments_hold_the_packet_in_pieces_of_the_mtu(void **state)
{
    (void)state;
    struct sim_packet *packet = segment_packet();
    uint8_t together[120];
    uint32_t offset = 0, total = 0;
    do {
        uint32_t next;
        struct sim_packet *fragment = sim_packet_fragment(packet, 68, offset, 9, &next);
        assert_true(fragment->length <= 68);
        memcpy(together + offset, fragment->bytes + 20, fragment->length - 20);
        total += fragment->length - 20;
        offset = next;
        free(fragment);
    } while (offset != 0);
    assert_int_equal(total, 120);
    assert_memory_equal(together, packet->bytes + 20, 120);
    free(packet);
}

static struct sim_link link_of(struct sim_queue *queue, struct sim_link_config config)
{
    config.mtu = 1500;
    return (struct sim_link){
        .config = config, .events = queue, .to = 1, .random = sim_random_from(1, 2)};
}

/* Sends `count` packets at one instant. */
static void offer(struct sim_link *link, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sim_link_carry(link, (struct daytona_instant){0}, segment_packet());
}

/* The next packet that arrives, and when; serves the line meanwhile. NULL: no more. */
static struct sim_packet *next_arrival(struct sim_link *link, struct daytona_instant *at)
{
    while (sim_queue_next(link->events).ns != UINT64_MAX) {
        struct sim_event event = sim_queue_take(link->events);
        *at = event.at;
        if (event.kind == SIM_EVENT_PACKET)
            return event.subject;
        sim_link_go_on(link, event.at);
    }
    return NULL;
}

/* Lets everything arrive and returns how much. */
static unsigned drain(struct sim_link *link)
{
    struct daytona_instant at;
    struct sim_packet *packet;
    unsigned count = 0;
    for (; (packet = next_arrival(link, &at)) != NULL; count++)
        free(packet);
    return count;
}

static void clean_link_delivers_all_at_the_rate_of_the_line(void **state)
{
    (void)state;
    struct sim_queue queue = {0};
    struct sim_link link =
        link_of(&queue, (struct sim_link_config){.bytes_per_second = 140000, .delay_us = 500});
    assert_true(sim_link_is_clean(&link.config));
    offer(&link, 10);
    for (unsigned i = 1; i <= 10; i++) {
        struct daytona_instant at;
        free(next_arrival(&link, &at));
        assert_int_equal(at.ns, i * 1000000ull + 500000);
    }
    assert_int_equal(drain(&link), 0);
    sim_queue_release(&queue);
}

static void full_queue_drops_the_tail(void **state)
{
    (void)state;
    struct sim_queue queue = {0};
    struct sim_link link =
        link_of(&queue, (struct sim_link_config){.bytes_per_second = 140000, .queue_bytes = 280});
    offer(&link, 10);
    assert_int_equal(drain(&link), 3);
    assert_int_equal(link.counters.queue_full, 7);
    sim_queue_release(&queue);
}

static void losses_come_at_the_rate_asked_for(void **state)
{
    (void)state;
    struct sim_queue queue = {0};
    struct sim_link link = link_of(&queue, (struct sim_link_config){.loss = 100000});
    offer(&link, 10000);
    assert_in_range(drain(&link), 8900, 9100);
    sim_queue_release(&queue);
}

static void damaged_packets_never_have_right_sums(void **state)
{
    (void)state;
    struct sim_queue queue = {0};
    struct sim_link link = link_of(&queue, (struct sim_link_config){.corrupt = 1000000});
    offer(&link, 20000);
    uint64_t scheduled = link.counters.scheduled;
    assert_int_equal(scheduled + link.counters.undetectable, 20000);
    for (uint64_t i = 0; i < scheduled; i++) {
        struct sim_event event = sim_queue_take(&queue);
        const struct sim_packet *packet = event.subject;
        assert_false(packet->intact);
        assert_false(sim_packet_sums_hold(packet));
        free(event.subject);
    }
    sim_queue_release(&queue);
}

static void a_seed_makes_the_same_scenario_twice(void **state)
{
    (void)state;
    static struct sim_scenario first, second;
    for (uint64_t seed = 0; seed < 100; seed++) {
        sim_scenario_from_seed(&first, seed);
        sim_scenario_from_seed(&second, seed);
        assert_int_equal(first.connection_count, second.connection_count);
        assert_memory_equal(first.connections, second.connections,
                            first.connection_count * sizeof *first.connections);
        sim_scenario_release(&first);
        sim_scenario_release(&second);
        first.connection_capacity = second.connection_capacity = 0;
        assert_memory_equal(&first, &second, sizeof first);
    }
}

static void state_table_knows_figure_5(void **state)
{
    (void)state;
    assert_true(sim_state_edge_is_legal(DAYTONA_TCP_SYN_SENT, DAYTONA_TCP_SYN_RECEIVED));
    assert_true(sim_state_edge_is_legal(DAYTONA_TCP_FIN_WAIT_1, DAYTONA_TCP_CLOSING));
    assert_false(sim_state_edge_is_legal(DAYTONA_TCP_CLOSE_WAIT, DAYTONA_TCP_TIME_WAIT));
    assert_false(sim_state_edge_is_legal(DAYTONA_TCP_TIME_WAIT, DAYTONA_TCP_ESTABLISHED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_pieces_are_the_same_as_the_whole),
        cmocka_unit_test(stream_match_finds_the_first_wrong_byte),
        cmocka_unit_test(queue_gives_events_by_time_then_by_age),
        cmocka_unit_test(packet_reader_accepts_right_sums_and_no_flipped_bit),
        cmocka_unit_test(corruption_that_sums_do_not_show_is_told_apart),
        cmocka_unit_test(fragments_hold_the_packet_in_pieces_of_the_mtu),
        cmocka_unit_test(clean_link_delivers_all_at_the_rate_of_the_line),
        cmocka_unit_test(full_queue_drops_the_tail),
        cmocka_unit_test(losses_come_at_the_rate_asked_for),
        cmocka_unit_test(damaged_packets_never_have_right_sums),
        cmocka_unit_test(a_seed_makes_the_same_scenario_twice),
        cmocka_unit_test(state_table_knows_figure_5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
