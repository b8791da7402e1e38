/* The receiving side: acceptance, reordering, SACK, windows, acknowledgments, urgent data, PAWS. */
#include "tests/unit/peer.h"
#include <errno.h>

static char buffer[1 << 20];

static void start_connected(struct peer *peer, const struct offer *offer)
{
    peer_start(peer, NULL);
    peer_connects(peer, offer);
}

/* Uses up the quick ACKs of a new connection: `count` full segments, each acknowledged. */
static uint32_t end_quick_acks(struct peer *peer)
{
    uint32_t seq = 1;
    for (unsigned i = 0; i < 16; i++) {
        peer_say_bytes(peer, TCP_ACK, seq, 1, 1000);
        seq += 1000;
        expect_segment(peer, TCP_ACK, 1, seq, 0);
    }
    return seq;
}

static void expect_bytes(struct peer *peer, uint64_t offset, size_t length)
{
    assert_int_equal(we_receive(peer, buffer, sizeof buffer, 0), (ptrdiff_t)length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal((uint8_t)buffer[i], peer_byte(offset + i));
}

/* RFC 9293 3.10.7.4, seventh */
static void text_in_order_is_read_as_it_came(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -EAGAIN);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 1000);
    peer_say_bytes(&peer, TCP_ACK, 1001, 1, 500);
    expect_bytes(&peer, 1, 1500);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -EAGAIN);
    peer_stop(&peer);
}

/* RFC 9293 3.4: overlapping segments are trimmed on both sides */
static void overlapping_text_is_taken_once(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 100);
    peer_say_bytes(&peer, TCP_ACK, 51, 1, 100);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 150);
    expect_bytes(&peer, 1, 150);
    peer_stop(&peer);
}

/* RFC 5681 4.2, RFC 2018 4: at once, the block that changed last first */
static void text_beyond_gaps_is_sacked_newest_block_first(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    const uint32_t order[] = {2001, 4001, 6001, 2501};
    for (unsigned i = 0; i < 4; i++) {
        peer_say_bytes(&peer, TCP_ACK, order[i], 1, 500);
        expect_segment(&peer, TCP_ACK, 1, 1, 0);
    }
    const struct tcp_header *header = &peer.heard.header;
    assert_int_equal(header->sack_count, 3);
    assert_int_equal(header->sacks[0].left.value - peer.peer_isn, 2001);
    assert_int_equal(header->sacks[0].right.value - peer.peer_isn, 3001);
    assert_int_equal(header->sacks[1].left.value - peer.peer_isn, 6001);
    assert_int_equal(header->sacks[2].left.value - peer.peer_isn, 4001);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 2000); /* the first gap */
    expect_segment(&peer, TCP_ACK, 1, 3001, 0);
    assert_int_equal(peer.heard.header.sack_count, 2);
    expect_bytes(&peer, 1, 3000);
    assert_int_equal(our_info(&peer).out_of_order_in, 4);
    peer_stop(&peer);
}

/* RFC 5681 4.2: without SACK each segment beyond a gap makes its own duplicate ACK */
static void without_sack_every_segment_beyond_a_gap_is_acknowledged(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    for (unsigned i = 0; i < 3; i++)
        peer_say_bytes(&peer, TCP_ACK, 2001 + 100 * i, 1, 100);
    assert_int_equal(peer_hears_all(&peer), 3);
    assert_int_equal(peer.heard.ack, 1);
    peer_stop(&peer);
}

/* RFC 9293 3.8.6.3, RFC 5681 4.2 */
static void second_full_segment_is_acknowledged_at_once_a_single_one_after_40_ms(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    uint32_t seq = end_quick_acks(&peer);
    peer_say_bytes(&peer, TCP_ACK, seq, 1, 1000);
    expect_silence(&peer);
    peer_say_bytes(&peer, TCP_ACK, seq + 1000, 1, 1000);
    expect_segment(&peer, TCP_ACK, 1, seq + 2000, 0);
    peer_say_bytes(&peer, TCP_ACK, seq + 2000, 1, 1000);
    peer_wait_us(&peer, 39999);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK, 1, seq + 3000, 0);
    peer_stop(&peer);
}

/* Captured super-frames count as the segments they were made of */
static void super_frame_is_acknowledged_at_once(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    uint32_t seq = end_quick_acks(&peer);
    we_receive(&peer, buffer, sizeof buffer, 0);
    peer_hears_all(&peer);
    assert_int_equal(peer_say_bytes(&peer, TCP_ACK, seq, 1, 60000), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_ACK, 1, seq + 60000, 0);
    expect_bytes(&peer, seq, 60000);
    peer_stop(&peer);
}

/* Linux: once answers follow requests, the ACK rides on the answer */
static void answer_carries_the_acknowledgment(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_say(&peer, TCP_ACK | TCP_PSH, 1, 1, "question");
    expect_segment(&peer, TCP_ACK, 1, 9, 0); /* quick, at the start */
    we_send(&peer, 6, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 9, 6);
    peer_say(&peer, TCP_ACK | TCP_PSH, 9, 7, "question");
    expect_silence(&peer);
    we_send(&peer, 6, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 7, 17, 6);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* Sends as long as the window allows; returns the next number. */
static uint32_t fill_window(struct peer *peer, uint32_t seq)
{
    for (;;) {
        uint32_t window = our_info(peer).receive_window;
        uint32_t length = window < 1000 ? window : 1000;
        if (length == 0)
            return seq;
        assert_int_equal(peer_say_bytes(peer, TCP_ACK, seq, 1, length), DAYTONA_VERDICT_ACCEPTED);
        seq += length;
        while (peer_hears(peer)) {
        }
    }
}

/* RFC 9293 3.8.6: "shrinking the window" is avoided */
static void right_edge_never_moves_back_when_the_buffer_shrinks(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    uint32_t before = our_info(&peer).receive_window;
    we_set(&peer, DAYTONA_OPTION_RECEIVE_BUFFER, 2000);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 1000);
    assert_true(peer_hears(&peer));
    /* Less than the unit of the scale may be lost to rounding (RFC 7323 section 2.4). */
    assert_true(1001 + ((uint32_t)peer.heard.header.window << 10) + 1023 >= 1 + before);
    uint32_t end = fill_window(&peer, 1001);
    assert_in_range(end, 1 + before, 1 + before + 1023);
    assert_int_equal(peer.heard.header.window, 0);
    peer_stop(&peer);
}

/* RFC 9293 3.8.6.1, 3.10.7.4: a probe of a closed window is acknowledged, its text is not taken */
static void closed_window_answers_probes_and_opens_when_the_reader_reads(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_RECEIVE_BUFFER, 20000);
    uint32_t seq = fill_window(&peer, 1);
    peer_say_bytes(&peer, TCP_ACK, seq, 1, 1);
    expect_segment(&peer, TCP_ACK, 1, seq, 0);
    assert_int_equal(peer.heard.header.window, 0);
    peer_say(&peer, TCP_ACK, seq - 1, 1, NULL); /* Linux's probe */
    expect_segment(&peer, TCP_ACK, 1, seq, 0);
    assert_int_equal(peer.last[DAYTONA_EVENT_ZERO_WINDOW].a, 3);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), (ptrdiff_t)seq - 1);
    expect_segment(&peer, TCP_ACK, 1, seq, 0); /* the window update */
    assert_true(peer.heard.header.window > 0);
    assert_int_equal(peer.last[DAYTONA_EVENT_ZERO_WINDOW].a, 4);
    peer_stop(&peer);
}

/* RFC 9293 3.8.6.2.2 */
static void window_does_not_open_by_crumbs(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_RECEIVE_BUFFER, 20000);
    fill_window(&peer, 1);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(we_receive(&peer, buffer, 100, 0), 100);
    expect_silence(&peer);
    assert_int_equal(our_info(&peer).receive_window, 0);
    peer_stop(&peer);
}

/* The window grows with what the reader reads in a round trip, when SO_RCVBUF was not set */
static void window_grows_for_a_reader_that_keeps_up(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    uint32_t before = our_info(&peer).receive_window, seq = 1;
    for (unsigned trip = 0; trip < 8; trip++) {
        uint32_t window = our_info(&peer).receive_window;
        for (uint32_t sent = 0; sent + 1000 <= window; sent += 1000, seq += 1000)
            assert_int_equal(peer_say_bytes(&peer, TCP_ACK, seq, 1, 1000),
                             DAYTONA_VERDICT_ACCEPTED);
        peer_wait_us(&peer, 10000);
        while (we_receive(&peer, buffer, sizeof buffer, 0) > 0) {
        }
        peer_hears_all(&peer);
    }
    assert_true(our_info(&peer).receive_window > 4 * before);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4, first check */
static void segment_outside_the_window_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    assert_int_equal(peer_say(&peer, TCP_ACK, 10000000, 1, "far away"),
                     DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, (uint32_t)-100, 1, "long ago"),
                     DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -EAGAIN);
    peer_stop(&peer);
}

/* RFC 7323 5.3 R1 */
static void old_timestamp_is_acknowledged_and_dropped(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_say(&peer, TCP_ACK, 1, 1, "new");
    expect_segment(&peer, TCP_ACK, 1, 4, 0);
    peer.timestamp -= 10;
    assert_int_equal(peer_say(&peer, TCP_ACK, 4, 1, "old"), DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 1, 4, 0);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    peer_stop(&peer);
}

/* RFC 7323 4.3, 5.3; Linux TCP_PAWS_WINDOW */
static void a_tick_may_be_lost_but_time_does_not_go_back(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    uint32_t latest = peer.timestamp;
    peer.timestamp = latest - 1;
    assert_int_equal(peer_say_bytes(&peer, TCP_ACK, 1, 1, 100), DAYTONA_VERDICT_ACCEPTED);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.timestamp_echo, latest);
    peer.timestamp = latest - 2;
    assert_int_equal(peer_say_bytes(&peer, TCP_ACK, 101, 1, 100), DAYTONA_VERDICT_UNACCEPTABLE);
    peer_stop(&peer);
}

/* Linux tcp_disordered_ack(): what an overtaken ACK SACKs is news */
static void sack_of_an_overtaken_ack_counts(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 14480, 0);
    peer_hears_all(&peer);
    const uint32_t second[] = {1449, 2897}, third[] = {2897, 4345};
    peer_sack(&peer, 1, third, 1);
    peer.timestamp -= 100;
    assert_int_equal(peer_sack(&peer, 1, second, 1), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_info(&peer).sacked_bytes, 2896);
    peer.timestamp -= 3600000; /* an hour is not a reordering */
    assert_int_equal(peer_sack(&peer, 1, second, 1), DAYTONA_VERDICT_UNACCEPTABLE);
    peer_stop(&peer);
}

/* RFC 7323 5.5: TS.Recent of a connection idle for longer than 24 days says nothing */
static void timestamp_is_believed_again_after_24_days(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_wait_us(&peer, UINT64_C(25) * 24 * 3600 * 1000000);
    peer.timestamp = 999000;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "x"), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4, eighth; a FIN beyond a gap is kept */
static void fin_beyond_a_gap_counts_when_the_gap_is_filled(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_say(&peer, TCP_ACK | TCP_FIN, 4, 1, "def");
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    peer_say(&peer, TCP_ACK, 1, 1, "abc");
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSE_WAIT);
    peer_hears_all(&peer);
    assert_int_equal(peer.heard.ack, 8);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 6);
    assert_memory_equal(buffer, "abcdef", 6);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    peer_stop(&peer);
}

static enum daytona_verdict say_urgent(struct peer *peer, uint32_t seq, uint16_t pointer,
                                       const char *text)
{
    struct tcp_header header = {.seq = {peer->peer_isn + seq},
                                .ack = {peer->our_isn + 1},
                                .flags = TCP_ACK | TCP_URG,
                                .window = 1000,
                                .urgent_pointer = pointer,
                                .has_timestamps = peer->timestamps,
                                .timestamp_value = peer->timestamp,
                                .timestamp_echo = peer->timestamp_echo};
    return peer_say_header(peer, &header,
                           (struct daytona_span){(const uint8_t *)text, strlen(text)});
}

static int64_t at_mark(struct peer *peer)
{
    int64_t value;
    daytona_stack_get_option(peer->stack, peer->id, DAYTONA_OPTION_AT_MARK, &value);
    return value;
}

/* RFC 9293 3.8.5, RFC 6093: as Linux, the pointer is one past the byte */
static void urgent_byte_is_read_apart_and_reads_stop_before_it(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), -EINVAL);
    say_urgent(&peer, 1, 4, "abcXdef");
    assert_true(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_URGENT);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    assert_int_equal(at_mark(&peer), 1);
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), 1);
    assert_int_equal(buffer[0], 'X');
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), -EINVAL);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    assert_memory_equal(buffer, "def", 3);
    assert_int_equal(at_mark(&peer), 0);
    peer_stop(&peer);
}

/* SO_OOBINLINE */
static void urgent_byte_inline_is_part_of_the_stream_behind_a_stop(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_URGENT_INLINE, 1);
    say_urgent(&peer, 1, 4, "abcXdef");
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), -EINVAL);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    assert_int_equal(at_mark(&peer), 1);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 4);
    assert_memory_equal(buffer, "Xdef", 4);
    peer_stop(&peer);
}

/* RFC 9293 3.8.5: the pointer may come before the byte */
static void announced_urgent_byte_is_not_here_yet(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say_urgent(&peer, 1, 6, "abc");
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), -EAGAIN);
    assert_false(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_URGENT);
    peer_say(&peer, TCP_ACK, 4, 1, "deX");
    assert_true(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_URGENT);
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), 1);
    assert_int_equal(buffer[0], 'X');
    peer_stop(&peer);
}

/* Linux tcp_check_urg(): the byte of an old mark where the reader stands is lost */
static void second_urgent_byte_replaces_the_one_that_was_not_read(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    say_urgent(&peer, 1, 4, "abcX");
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    say_urgent(&peer, 5, 3, "deY");
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), 1);
    assert_int_equal(buffer[0], 'Y');
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 2);
    assert_memory_equal(buffer, "de", 2);
    peer_stop(&peer);
}

static void peeked_data_stay_and_discarded_data_go(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_say(&peer, TCP_ACK, 1, 1, "abcdef");
    assert_int_equal(we_receive(&peer, buffer, 3, DAYTONA_RECEIVE_PEEK), 3);
    assert_memory_equal(buffer, "abc", 3);
    assert_int_equal(we_receive(&peer, NULL, 2, DAYTONA_RECEIVE_DISCARD), 2);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 4);
    assert_memory_equal(buffer, "cdef", 4);
    peer_stop(&peer);
}

/* SO_RCVLOWAT */
static void readiness_waits_for_the_low_water_mark(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_RECEIVE_LOW_WATER, 5);
    peer_say(&peer, TCP_ACK, 1, 1, "abcd");
    assert_false(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_IN);
    peer_say(&peer, TCP_ACK, 5, 1, "e");
    assert_true(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_IN);
    peer_stop(&peer);
}

/* TCP_WINDOW_CLAMP */
static void window_clamp_bounds_the_window(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    daytona_stack_set_option(peer.stack, peer.now, listener, DAYTONA_OPTION_WINDOW_CLAMP, 8000);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer.heard.header.window, 8000);
    assert_int_equal(peer.heard.header.window_scale, 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_in_order_is_read_as_it_came),
        cmocka_unit_test(overlapping_text_is_taken_once),
        cmocka_unit_test(text_beyond_gaps_is_sacked_newest_block_first),
        cmocka_unit_test(without_sack_every_segment_beyond_a_gap_is_acknowledged),
        cmocka_unit_test(second_full_segment_is_acknowledged_at_once_a_single_one_after_40_ms),
        cmocka_unit_test(super_frame_is_acknowledged_at_once),
        cmocka_unit_test(answer_carries_the_acknowledgment),
        cmocka_unit_test(right_edge_never_moves_back_when_the_buffer_shrinks),
        cmocka_unit_test(closed_window_answers_probes_and_opens_when_the_reader_reads),
        cmocka_unit_test(window_does_not_open_by_crumbs),
        cmocka_unit_test(window_grows_for_a_reader_that_keeps_up),
        cmocka_unit_test(segment_outside_the_window_is_acknowledged_and_dropped),
        cmocka_unit_test(old_timestamp_is_acknowledged_and_dropped),
        cmocka_unit_test(a_tick_may_be_lost_but_time_does_not_go_back),
        cmocka_unit_test(sack_of_an_overtaken_ack_counts),
        cmocka_unit_test(timestamp_is_believed_again_after_24_days),
        cmocka_unit_test(fin_beyond_a_gap_counts_when_the_gap_is_filled),
        cmocka_unit_test(urgent_byte_is_read_apart_and_reads_stop_before_it),
        cmocka_unit_test(urgent_byte_inline_is_part_of_the_stream_behind_a_stop),
        cmocka_unit_test(announced_urgent_byte_is_not_here_yet),
        cmocka_unit_test(second_urgent_byte_replaces_the_one_that_was_not_read),
        cmocka_unit_test(peeked_data_stay_and_discarded_data_go),
        cmocka_unit_test(readiness_waits_for_the_low_water_mark),
        cmocka_unit_test(window_clamp_bounds_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
