/* What an ACK says of text that came twice (RFC 2883), and what is thrown away when there is too
 * much beyond gaps. */
#include "tests/unit/peer.h"

static void start_connected(struct peer *peer, const struct offer *offer)
{
    peer_start(peer, NULL);
    peer_connects(peer, offer);
}

static void say(struct peer *peer, uint32_t seq, size_t length)
{
    peer_say_bytes(peer, TCP_ACK, seq, 1, length);
}

/* The next segment is an ACK of `ack` with these blocks, pairs of relative numbers. */
static void expect_blocks(struct peer *peer, uint32_t ack, const uint32_t *blocks, unsigned count)
{
    expect_segment(peer, TCP_ACK, 1, ack, 0);
    const struct tcp_header *header = &peer->heard.header;
    assert_int_equal(header->sack_count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(header->sacks[i].left.value - peer->peer_isn, blocks[2 * i]);
        assert_int_equal(header->sacks[i].right.value - peer->peer_isn, blocks[2 * i + 1]);
    }
}
#define EXPECT_BLOCKS(peer, ack, ...)                                                              \
    expect_blocks(peer, ack, (const uint32_t[]){__VA_ARGS__},                                      \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / 8)

/* RFC 2883 4.1.1: all of the segment is acknowledged already */
static void duplicate_below_the_ack_is_reported_once(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1, 1000);
    expect_segment(&peer, TCP_ACK, 1, 1001, 0);
    say(&peer, 1, 1000);
    EXPECT_BLOCKS(&peer, 1001, 1, 1001);
    say(&peer, 1001, 100);
    expect_segment(&peer, TCP_ACK, 1, 1101, 0);
    assert_int_equal(peer.heard.header.sack_count, 0);
    assert_int_equal(daytona_stack_counters(peer.stack)->duplicates_reported, 1);
    peer_stop(&peer);
}

/* RFC 2883 4.1.2, 4.1.3: first the duplicate, then what lies beyond the gap */
static void duplicate_comes_before_the_blocks_beyond_a_gap(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1, 500);
    say(&peer, 1001, 500);
    peer_hears_all(&peer);
    say(&peer, 1, 500);
    EXPECT_BLOCKS(&peer, 501, 1, 501, 1001, 1501);
    peer_stop(&peer);
}

/* RFC 2883 4.2.1: a duplicate beyond the ACK; the second block is the one that it lies in */
static void duplicate_beyond_a_gap_names_the_block_it_lies_in(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1001, 500);
    say(&peer, 1501, 500);
    say(&peer, 3001, 500);
    peer_hears_all(&peer);
    say(&peer, 1501, 500);
    EXPECT_BLOCKS(&peer, 1, 1501, 2001, 1001, 2001, 3001, 3501);
    peer_stop(&peer);
}

/* RFC 2883 4.2.2, 4.2.3: only the part that is a duplicate */
static void only_the_part_that_came_twice_is_reported(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1001, 500);
    peer_hears_all(&peer);
    say(&peer, 1201, 700);
    EXPECT_BLOCKS(&peer, 1, 1201, 1501, 1001, 1901);
    say(&peer, 501, 600);
    EXPECT_BLOCKS(&peer, 1, 1001, 1101, 501, 1901);
    peer_stop(&peer);
}

/* RFC 2883 4: a segment of which the first part is old */
static void old_part_of_a_segment_that_moves_the_ack_is_reported(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1, 500);
    expect_segment(&peer, TCP_ACK, 1, 501, 0);
    say(&peer, 201, 1000);
    EXPECT_BLOCKS(&peer, 1201, 201, 501);
    peer_stop(&peer);
}

/* A retransmission that fills the gap and repeats what lay beyond it */
static void repair_that_repeats_what_lay_beyond_the_gap_reports_it(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 501, 500);
    peer_hears_all(&peer);
    say(&peer, 1, 1000);
    EXPECT_BLOCKS(&peer, 1001, 501, 1001);
    peer_stop(&peer);
}

/* RFC 2883 4: each duplicate is told, also when two come before an ACK can go out */
static void two_duplicates_at_once_are_told_in_two_acks(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1, 1000);
    say(&peer, 1001, 1000);
    peer_hears_all(&peer);
    say(&peer, 1, 500);
    say(&peer, 1001, 500);
    EXPECT_BLOCKS(&peer, 2001, 1, 501);
    EXPECT_BLOCKS(&peer, 2001, 1001, 1501);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 7323 5.3: what PAWS drops is a duplicate, too */
static void duplicate_that_is_too_old_by_its_timestamp_is_reported(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1, 1000);
    expect_segment(&peer, TCP_ACK, 1, 1001, 0);
    peer.timestamp -= 1000;
    say(&peer, 1, 1000);
    EXPECT_BLOCKS(&peer, 1001, 1, 1001);
    peer_stop(&peer);
}

/* A full segment of ours has no room: the duplicate goes in an ACK of its own */
static void duplicate_is_told_beside_full_segments(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say(&peer, 1, 100);
    expect_segment(&peer, TCP_ACK, 1, 101, 0);
    we_send(&peer, 4344, 0);
    say(&peer, 1, 100);
    EXPECT_BLOCKS(&peer, 101, 1, 101);
    expect_segment(&peer, TCP_ACK, 1, 101, 1448);
    peer_stop(&peer);
}

/* RFC 2018 2: nothing of this to a peer that has not offered SACK */
static void without_sack_a_duplicate_is_only_acknowledged(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    say(&peer, 1, 1000);
    expect_segment(&peer, TCP_ACK, 1, 1001, 0);
    say(&peer, 1, 1000);
    expect_segment(&peer, TCP_ACK, 1, 1001, 0);
    assert_int_equal(peer.heard.header.sack_count, 0);
    peer_stop(&peer);
}

/* RFC 2018 3: four blocks without timestamps, three with */
static void as_many_blocks_are_told_as_the_header_has_room_for(void **state)
{
    (void)state;
    for (unsigned with_time = 0; with_time < 2; with_time++) {
        struct peer peer;
        start_connected(&peer, with_time ? &offer_all : &offer_no_time);
        for (unsigned i = 0; i < 6; i++)
            say(&peer, 1001 + 1000 * i, 500);
        peer_hears_all(&peer);
        assert_int_equal(peer.heard.header.sack_count, with_time ? 3 : 4);
        say(&peer, 6001, 500);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.header.sack_count, with_time ? 3 : 4);
        assert_int_equal(peer.heard.header.sacks[0].left.value, peer.peer_isn + 6001);
        assert_int_equal(peer.heard.header.sacks[1].left.value, peer.peer_isn + 6001);
        peer_stop(&peer);
    }
}

/* Crumbs: a bounded number of gaps, and the nearest are kept */
static void too_many_gaps_throw_away_the_farthest(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    for (uint32_t i = 0; i < 600; i++) /* from far to near */
        say(&peer, 60001 - 100 * i, 50);
    peer_hears_all(&peer);
    assert_int_equal(daytona_stack_counters(peer.stack)->out_of_order_pruned, 88);
    for (uint32_t i = 0; i < 600; i++) /* the holes below and the crumbs between */
        say(&peer, 1 + 100 * i, 100);
    assert_int_equal(our_info(&peer).receive_queued, 60000);
    peer_stop(&peer);
}

/* What continues a block needs no new one */
static void block_grows_when_there_are_too_many_gaps(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    for (uint32_t i = 0; i < 512; i++)
        say(&peer, 101 + 100 * i, 50);
    say(&peer, 101 + 51100 + 50, 50);
    peer_hears_all(&peer);
    assert_int_equal(daytona_stack_counters(peer.stack)->out_of_order_pruned, 0);
    assert_int_equal(peer.heard.header.sacks[0].left.value, peer.peer_isn + 51201);
    assert_int_equal(peer.heard.header.sacks[0].right.value, peer.peer_isn + 51301);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duplicate_below_the_ack_is_reported_once),
        cmocka_unit_test(duplicate_comes_before_the_blocks_beyond_a_gap),
        cmocka_unit_test(duplicate_beyond_a_gap_names_the_block_it_lies_in),
        cmocka_unit_test(only_the_part_that_came_twice_is_reported),
        cmocka_unit_test(old_part_of_a_segment_that_moves_the_ack_is_reported),
        cmocka_unit_test(repair_that_repeats_what_lay_beyond_the_gap_reports_it),
        cmocka_unit_test(two_duplicates_at_once_are_told_in_two_acks),
        cmocka_unit_test(duplicate_that_is_too_old_by_its_timestamp_is_reported),
        cmocka_unit_test(duplicate_is_told_beside_full_segments),
        cmocka_unit_test(without_sack_a_duplicate_is_only_acknowledged),
        cmocka_unit_test(as_many_blocks_are_told_as_the_header_has_room_for),
        cmocka_unit_test(too_many_gaps_throw_away_the_farthest),
        cmocka_unit_test(block_grows_when_there_are_too_many_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
