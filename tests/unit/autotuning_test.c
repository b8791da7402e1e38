/* Buffers that nobody has set follow the path and the reader. */
#include "tests/sim/world.h"
#include "tests/unit/peer.h"

#define GIGABIT    125000000u /* bytes per second */
#define ONE_WAY_US 50000u
#define BULK_BYTES 400000000u

/* ------------------------------------------------------------------ the pipe */

/* One transfer over 1 Gbit/s and a round trip of 100 ms, from host `from`; microseconds from the
 * connect to the last byte read. */
static uint64_t transfer_us(unsigned from, const char *controller)
{
    static struct sim_scenario scenario;
    static struct sim_world world;
    sim_scenario_plain(&scenario, 1);
    for (unsigned i = 0; i < 2; i++) {
        scenario.links[i].bytes_per_second = GIGABIT;
        scenario.links[i].delay_us = ONE_WAY_US;
        scenario.hosts[i].config.congestion = controller;
        scenario.hosts[i].region_bytes = (size_t)256 << 20;
    }
    struct sim_connection_plan *plan = sim_scenario_add(&scenario, 0, 1);
    plan->sides[from].bytes = BULK_BYTES;
    for (unsigned i = 0; i < 2; i++)
        plan->sides[i].write_max = plan->sides[i].read_max = 65536;
    sim_world_init(&world, &scenario, -1, false);
    sim_world_run(&world);
    if (world.failed)
        fail_msg("%s", world.failure);
    struct daytona_instant end = world.connections[0].sides[1 - from].ended_at;
    sim_world_release(&world);
    sim_scenario_release(&scenario);
    return (end.ns - scenario.origin.ns) / 1000;
}

/* The line needs 3.3 s for the bytes and their headers; slow start from ten segments to 8,600 takes
 * ten round trips, half filled in the mean. */
static void default_buffers_fill_a_gigabit_at_100_ms(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 2; from++) {
        uint64_t us = transfer_us(from, "reno");
        print_message("400 MB from side %u: %u ms\n", from, (unsigned)(us / 1000));
        assert_true(us < 4600000);
    }
}

/* ------------------------------------------------------------------ the receive buffer */

#define ROUND_TRIP_US 20000u

static void start_connected(struct peer *peer, const struct offer *offer)
{
    peer_start(peer, NULL);
    peer_connects(peer, offer);
}

static int64_t in_force(struct peer *peer, enum daytona_option option)
{
    int64_t value;
    assert_int_equal(daytona_stack_get_option(peer->stack, peer->id, option, &value), 0);
    return value;
}

/* The peer sends `bytes` in full segments, from `*at` on, in answer to the last ACK. */
static void peer_sends(struct peer *peer, uint32_t *at, uint32_t bytes)
{
    for (uint32_t sent = 0; sent < bytes; sent += 1448, *at += 1448) {
        assert_int_equal(peer_say_bytes(peer, TCP_ACK, *at, 1, 1448), DAYTONA_VERDICT_ACCEPTED);
        peer_hears_all(peer);
    }
}

static void we_read(struct peer *peer, size_t bytes)
{
    static uint8_t data[1 << 20];
    assert_int_equal(we_receive(peer, data, bytes, 0), (ptrdiff_t)bytes);
    peer_hears_all(peer);
}

/* Rounds in which the peer sends what we read, doubling from ten segments; then as many bytes in
 * each of as many rounds. */
static void fast_rounds(struct peer *peer, unsigned doublings)
{
    uint32_t at = 1, bytes = 10 * 1448;
    for (unsigned i = 0; i < 2 * doublings; i++) {
        peer_wait_us(peer, ROUND_TRIP_US);
        peer_sends(peer, &at, bytes);
        we_read(peer, bytes);
        bytes *= i < doublings ? 2 : 1;
    }
}

static void receive_buffer_follows_a_fast_reader(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    fast_rounds(&peer, 4);
    int64_t buffer = in_force(&peer, DAYTONA_OPTION_RECEIVE_BUFFER);
    assert_in_range(buffer, 2 * 160 * 1448, 33554432);
    peer_stop(&peer);
}

/* A receiver that sends nothing has only ACKs to measure with: the echoes that come back, or,
 * without timestamps, the time until a window is full. */
static void round_trip_is_measured_by_a_receiver(void **state)
{
    (void)state;
    const struct offer *offers[] = {&offer_all, &offer_no_time};
    for (unsigned i = 0; i < 2; i++) {
        struct peer peer;
        start_connected(&peer, offers[i]);
        assert_int_equal(our_info(&peer).receive_round_trip_us, 0);
        fast_rounds(&peer, 3);
        assert_in_range(our_info(&peer).receive_round_trip_us, 1000, 2 * ROUND_TRIP_US);
        peer_stop(&peer);
    }
}

static void slow_reader_keeps_the_buffer_it_has(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    int64_t buffer = in_force(&peer, DAYTONA_OPTION_RECEIVE_BUFFER);
    uint32_t at = 1;
    peer_sends(&peer, &at, 80 * 1448);
    for (unsigned i = 0; i < 200; i++) {
        peer_wait_us(&peer, 5 * ROUND_TRIP_US);
        we_read(&peer, 40 * 1448); /* and leaves as much */
        peer_sends(&peer, &at, 40 * 1448);
    }
    assert_int_equal(in_force(&peer, DAYTONA_OPTION_RECEIVE_BUFFER), buffer);
    peer_stop(&peer);
}

static void buffers_that_were_set_stay(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_RECEIVE_BUFFER, 200000);
    we_set(&peer, DAYTONA_OPTION_SEND_BUFFER, 30000);
    fast_rounds(&peer, 3);
    we_send(&peer, 14480, 0);
    peer_hears_all(&peer);
    peer_wait_us(&peer, ROUND_TRIP_US);
    peer.window = 60000;
    peer_say(&peer, TCP_ACK, 1 + (10 + 20 + 40 + 4 * 80 - 80) * 1448, 14481, NULL);
    assert_int_equal(in_force(&peer, DAYTONA_OPTION_RECEIVE_BUFFER), 200000);
    assert_int_equal(in_force(&peer, DAYTONA_OPTION_SEND_BUFFER), 30000);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ the send buffer */

static void send_buffer_holds_two_congestion_windows(void **state)
{
    (void)state;
    struct daytona_stack_config config = {.send_buffer_bytes = 20000};
    struct peer peer;
    peer_start(&peer, &config);
    peer_connects(&peer, &offer_all);
    we_send(&peer, 20000, 0);
    peer_hears_all(&peer);
    peer_wait_us(&peer, ROUND_TRIP_US);
    peer_say(&peer, TCP_ACK, 1, 14481, NULL);
    uint32_t cwnd = our_info(&peer).cwnd_bytes;
    assert_true(cwnd > 14480);
    assert_int_equal(in_force(&peer, DAYTONA_OPTION_SEND_BUFFER), 2 * cwnd);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ the region */

/* A connection that may write as much as there is memory for. */
static void start_hoarding(struct peer *peer)
{
    struct daytona_stack_config config = {.send_buffer_max = 1u << 30};
    peer_start(peer, &config);
    peer_connects(peer, &offer_all);
    we_set(peer, DAYTONA_OPTION_SEND_BUFFER, 1 << 29);
}

/* Writes until `percent` of the region are in use. */
static void fill_region(struct peer *peer, unsigned percent)
{
    struct daytona_memory_use memory;
    for (;;) {
        daytona_stack_memory(peer->stack, &memory);
        if (memory.used_bytes / percent >= memory.region_bytes / 100)
            return;
        we_send(peer, 65536, 0);
    }
}

static void crowded_region_lets_no_buffer_grow(void **state)
{
    (void)state;
    struct peer peer;
    start_hoarding(&peer);
    int64_t buffer = in_force(&peer, DAYTONA_OPTION_RECEIVE_BUFFER);
    fill_region(&peer, 55);
    fast_rounds(&peer, 3);
    assert_int_equal(in_force(&peer, DAYTONA_OPTION_RECEIVE_BUFFER), buffer);
    peer_stop(&peer);
}

/* What was promised is kept, but the window's edge moves on by four segments only. */
static void full_region_offers_a_trickle(void **state)
{
    (void)state;
    struct peer peer;
    start_hoarding(&peer);
    fill_region(&peer, 80);
    peer_hears_all(&peer);
    uint32_t at = 1;
    while (our_info(&peer).receive_window > 4 * 1460) {
        uint32_t window = our_info(&peer).receive_window;
        peer_sends(&peer, &at, 1448);
        we_read(&peer, 1448);
        assert_true(our_info(&peer).receive_window < window);
    }
    peer_sends(&peer, &at, 1448);
    we_read(&peer, 1448);
    assert_in_range(our_info(&peer).receive_window, 2 * 1460, 5 * 1460);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_buffers_fill_a_gigabit_at_100_ms),
        cmocka_unit_test(receive_buffer_follows_a_fast_reader),
        cmocka_unit_test(round_trip_is_measured_by_a_receiver),
        cmocka_unit_test(slow_reader_keeps_the_buffer_it_has),
        cmocka_unit_test(buffers_that_were_set_stay),
        cmocka_unit_test(send_buffer_holds_two_congestion_windows),
        cmocka_unit_test(crowded_region_lets_no_buffer_grow),
        cmocka_unit_test(full_region_offers_a_trickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
