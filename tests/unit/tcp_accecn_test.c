/* Accurate ECN: the opening in all its answers, the counter and the option in both directions. */
#include "tests/unit/ecn_peer.h"

#define ASKED 7u /* AE, CWR and ECE, on a SYN */

/* The counter that says `marks` packets came marked. */
static unsigned counter(unsigned marks)
{
    return (marks + 5) % 8;
}

static void start_agreed(struct peer *peer)
{
    struct daytona_socket_id listener;
    assert_int_equal(ecn_syn(peer, DAYTONA_ECN_ACCURATE, ASKED, &listener), 2);
    ecn_accept(peer, listener, 2);
    assert_int_equal(our_info(peer).ecn, DAYTONA_ECN_MODE_ACCURATE);
    peer->ace = counter(0);
}

static void say_marked(struct peer *peer, uint32_t seq, size_t length, uint8_t ecn)
{
    peer->ecn = ecn;
    assert_int_equal(peer_say_bytes(peer, TCP_ACK, seq, 1, length), DAYTONA_VERDICT_ACCEPTED);
    peer->ecn = IP_ECN_NOT_ECT;
}

/* An ACK with the counters in the option; `fields` as in struct tcp_accecn. */
static void say_counters(struct peer *peer, uint32_t ack, uint8_t fields, uint32_t e0b,
                         uint32_t ceb, uint32_t e1b)
{
    struct tcp_header header = {
        .seq = {peer->peer_isn + 1},
        .ack = {peer->our_isn + ack},
        .flags = TCP_ACK,
        .window = peer->window,
        .has_timestamps = true,
        .timestamp_value = peer->timestamp,
        .timestamp_echo = peer->timestamp_echo,
        .accecn = {.present = true, .fields = fields, .counters = {e0b, ceb, e1b}},
    };
    tcp_accecn_ace_set(&header, peer->ace);
    assert_int_equal(peer_say_header(peer, &header, (struct daytona_span){NULL, 0}),
                     DAYTONA_VERDICT_ACCEPTED);
}

/* RFC 9768 3.1.2 table 2 */
static void syn_ack_tells_how_the_syn_arrived(void **state)
{
    (void)state;
    static const unsigned told[] = {
        [IP_ECN_NOT_ECT] = 2, [IP_ECN_ECT_1] = 3, [IP_ECN_ECT_0] = 4, [IP_ECN_CE] = 6};
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        struct peer peer;
        struct daytona_socket_id listener;
        peer_start(&peer, NULL);
        listener = peer_listener(&peer, peer.our_port, 16);
        daytona_stack_set_option(peer.stack, peer.now, listener, DAYTONA_OPTION_ECN,
                                 DAYTONA_ECN_ACCURATE_PASSIVE);
        peer.ace = ASKED;
        peer.ecn = ecn;
        peer_syn(&peer, &offer_all);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, told[ecn]);
        peer_stop(&peer);
    }
}

/* RFC 9768 3.1.3: what is not known is answered as the accurate kind */
static void unknown_request_is_taken_for_the_accurate_kind(void **state)
{
    (void)state;
    static const unsigned unknown[] = {1, 2, 4, 5, 6};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct peer peer;
        struct daytona_socket_id listener;
        assert_int_equal(ecn_syn(&peer, DAYTONA_ECN_ACCURATE, unknown[i], &listener), 2);
        peer_stop(&peer);
    }
}

/* RFC 9768 3.1.2 table 2, 3.1.3, 3.2.2.3: by AE, CWR and ECE of the SYN-ACK */
static void every_answer_has_its_mode(void **state)
{
    (void)state;
    static const struct {
        enum daytona_ecn_mode mode;
        bool capable;
    } rows[8] = {
        [0] = {DAYTONA_ECN_MODE_NONE, false},     [1] = {DAYTONA_ECN_MODE_CLASSIC, true},
        [2] = {DAYTONA_ECN_MODE_ACCURATE, true},  [3] = {DAYTONA_ECN_MODE_ACCURATE, false},
        [4] = {DAYTONA_ECN_MODE_ACCURATE, false}, [5] = {DAYTONA_ECN_MODE_ACCURATE, true},
        [6] = {DAYTONA_ECN_MODE_ACCURATE, false}, [7] = {DAYTONA_ECN_MODE_NONE, false},
    };
    for (unsigned ace = 0; ace < 8; ace++) {
        struct peer peer;
        assert_int_equal(ecn_connect(&peer, DAYTONA_ECN_ACCURATE), ASKED);
        ecn_answer(&peer, ace);
        assert_int_equal(our_info(&peer).ecn, rows[ace].mode);
        peer.ace = counter(0);
        assert_int_equal(ecn_capable(&peer), rows[ace].capable);
        peer_stop(&peer);
    }
}

/* RFC 9768 3.2.2.1 table 3: on a pure ACK, before any data; the counter from then on */
static void final_ack_tells_how_the_syn_ack_arrived(void **state)
{
    (void)state;
    static const unsigned told[] = {
        [IP_ECN_NOT_ECT] = 2, [IP_ECN_ECT_1] = 3, [IP_ECN_ECT_0] = 4, [IP_ECN_CE] = 6};
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        struct peer peer;
        ecn_connect(&peer, DAYTONA_ECN_ACCURATE);
        peer.ecn = ecn;
        ecn_answer(&peer, 2);
        assert_int_equal(peer.heard.ace, told[ecn]);
        we_send(&peer, 10, 0);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, counter(ecn == IP_ECN_CE));
        peer_stop(&peer);
    }
}

/* RFC 9768 3.1.4.1 */
static void syn_asks_twice_for_the_accurate_kind(void **state)
{
    (void)state;
    struct peer peer;
    assert_int_equal(ecn_connect(&peer, DAYTONA_ECN_ACCURATE), ASKED);
    static const unsigned then[] = {ASKED, 0, 0};
    for (unsigned i = 0; i < 3; i++) {
        peer_wait_deadline(&peer);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, then[i]);
    }
    peer_stop(&peer);
}

/* RFC 9768 3.2.3.2.1: the first SYN-ACK has the option, a repeated one has not */
static void repeated_syn_ack_has_no_option(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener;
    ecn_syn(&peer, DAYTONA_ECN_ACCURATE, ASKED, &listener);
    assert_true(peer.heard.header.accecn.present);
    assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_E0B], 1);
    assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_CEB], 0);
    assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_E1B], 1);
    peer_wait_deadline(&peer);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.ace, 2);
    assert_false(peer.heard.header.accecn.present);
    peer_stop(&peer);
}

/* RFC 9768 3.2.2.1 table 4, 3.2.2.3: an answer of zero or a changed field makes us send Not-ECT,
 * but we go on counting */
static void mangled_opening_is_not_trusted_with_marks(void **state)
{
    (void)state;
    for (unsigned ace = 0; ace < 8; ace++) {
        struct peer peer;
        struct daytona_socket_id listener;
        ecn_syn(&peer, DAYTONA_ECN_ACCURATE, ASKED, &listener);
        ecn_accept(&peer, listener, ace);
        bool mangled = ace == 0 || ace == 3 || ace == 4 || ace == 6;
        peer.ace = counter(ace == 6);
        assert_int_equal(ecn_capable(&peer), !mangled);
        say_marked(&peer, 1, 100, IP_ECN_CE);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, counter(1));
        peer_stop(&peer);
    }
}

/* RFC 9768 3.2.2.4 */
static void first_counter_of_zero_was_written_by_the_path(void **state)
{
    (void)state;
    struct peer peer;
    ecn_connect(&peer, DAYTONA_ECN_ACCURATE);
    ecn_answer(&peer, 2);
    assert_true(ecn_capable(&peer));
    peer.ace = 0;
    uint32_t before = our_info(&peer).cwnd_bytes;
    peer_say(&peer, TCP_ACK, 1, 101, NULL);
    assert_true(our_info(&peer).cwnd_bytes >= before);
    assert_false(ecn_capable(&peer));
    peer_stop(&peer);
}

/* RFC 9768 3.2.2, 3.2.2.2, 3.2.3: packets in the flags, bytes in the option */
static void marks_are_counted_in_packets_and_bytes(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    say_marked(&peer, 1, 100, IP_ECN_ECT_0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.ace, counter(0));
    assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_E0B], 101);
    uint32_t seq = 101;
    for (unsigned marks = 1; marks < 13; marks++, seq += 50) {
        say_marked(&peer, seq, 50, IP_ECN_CE);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, counter(marks));
        assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_CEB], 50 * marks);
        assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_E1B], 1);
    }
    say_marked(&peer, seq, 7, IP_ECN_ECT_1);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.accecn.counters[TCP_ACCECN_E1B], 8);
    assert_int_equal(our_info(&peer).ce_received, 12);
    assert_int_equal(our_info(&peer).received_ecn_bytes[TCP_ACCECN_CEB], 600);
    peer_stop(&peer);
}

/* RFC 9768 3.2.2.5.1: a mark after none at once, then every second; a delayed ACK otherwise */
static void mark_after_none_is_told_at_once(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    uint32_t seq = 1;
    for (unsigned i = 0; i < 16; i++, seq += 1000) { /* the quick ACKs */
        say_marked(&peer, seq, 1000, IP_ECN_ECT_0);
        assert_int_equal(peer_hears_all(&peer), 1);
    }
    say_marked(&peer, seq, 400, IP_ECN_ECT_0);
    expect_silence(&peer);
    say_marked(&peer, seq + 400, 100, IP_ECN_CE);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(peer.heard.ace, counter(1));
    say_marked(&peer, seq + 500, 100, IP_ECN_CE);
    expect_silence(&peer);
    say_marked(&peer, seq + 600, 100, IP_ECN_CE);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(peer.heard.ace, counter(3));
    peer_stop(&peer);
}

/* RFC 9768 3.2.2.5.1: marks on ACKs are acknowledged, but two ends do not answer each other for
 * ever */
static void marked_acks_are_acknowledged_every_third(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    peer.ecn = IP_ECN_CE;
    for (unsigned i = 1; i <= 9; i++) {
        peer_say(&peer, TCP_ACK, 1, 1, NULL);
        assert_int_equal(peer_hears_all(&peer), i % 3 == 0);
    }
    assert_int_equal(peer.heard.ace, counter(9));
    peer_stop(&peer);
}

static uint32_t send_window(struct peer *peer)
{
    we_send(peer, 100000, 0);
    peer_hears_all(peer);
    return our_info(peer).cwnd_bytes;
}

/* RFC 9768 3.2.2.2, RFC 3168 6.1.2: reduced once a window, and nobody waits for CWR */
static void counted_mark_reduces_the_window_once(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    uint32_t before = send_window(&peer);
    peer.ace = counter(1);
    peer_say(&peer, TCP_ACK, 1, 1449, NULL);
    uint32_t reduced = our_info(&peer).cwnd_bytes;
    assert_true(reduced < before);
    peer.ace = counter(2);
    peer_say(&peer, TCP_ACK, 1, 2897, NULL);
    assert_int_equal(our_info(&peer).cwnd_bytes, reduced);
    assert_int_equal(our_info(&peer).delivered_ce, 2);
    assert_int_equal(our_info(&peer).ece_received, 2);
    while (peer_hears(&peer))
        assert_int_equal(peer.heard.ace, counter(0)); /* 5: no CWR, ECE and AE as a number */
    peer_stop(&peer);
}

/* RFC 9768 3.2.2.2: an ACK that was overtaken would seem to count seven more */
static void overtaken_counter_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    send_window(&peer);
    peer.ace = counter(2);
    peer_say(&peer, TCP_ACK, 1, 2897, NULL);
    peer.ace = counter(1);
    peer_say(&peer, TCP_ACK, 1, 1449, NULL);
    assert_int_equal(our_info(&peer).delivered_ce, 2);
    peer_stop(&peer);
}

/* RFC 9768 A.1: by the timestamps, although it SACKs something new */
static void overtaken_counter_with_news_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    send_window(&peer);
    const uint32_t second[] = {1449, 2897}, third[] = {2897, 4345};
    peer.ace = counter(2);
    peer_sack(&peer, 1, third, 1);
    peer.ace = counter(1);
    peer.timestamp -= 100;
    peer_sack(&peer, 1, second, 1);
    assert_int_equal(our_info(&peer).sacked_bytes, 2896);
    assert_int_equal(our_info(&peer).delivered_ce, 2);
    peer_stop(&peer);
}

/* RFC 9768 3.2.2.5.2: ten packets acknowledged at once, the counter shows two: it may be ten */
static void counter_that_may_have_gone_round_is_taken_at_its_worst(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    send_window(&peer);
    peer.ace = counter(2);
    peer_say(&peer, TCP_ACK, 1, 14481, NULL);
    assert_int_equal(our_info(&peer).delivered_ce, 10);
    peer_stop(&peer);
}

/* ... and the option says that it has not */
static void bytes_in_the_option_tell_whether_the_counter_has_gone_round(void **state)
{
    (void)state;
    static const struct {
        uint32_t bytes, packets;
    } rows[] = {{2896, 2}, {14480, 10}};
    for (size_t i = 0; i < 2; i++) {
        struct peer peer;
        start_agreed(&peer);
        send_window(&peer);
        peer.ace = counter(2);
        say_counters(&peer, 14481, 7, 14481 - rows[i].bytes, rows[i].bytes, 1);
        assert_int_equal(our_info(&peer).delivered_ce, rows[i].packets);
        assert_int_equal(our_info(&peer).delivered_ecn_bytes[TCP_ACCECN_CEB], rows[i].bytes);
        peer_stop(&peer);
    }
}

/* RFC 9768 3.2.3.2.4 */
static void option_that_begins_with_zeros_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    send_window(&peer);
    peer.ace = counter(0);
    say_counters(&peer, 1449, 7, 0, 0, 0);
    say_counters(&peer, 2897, 7, 1, 1448, 0);
    assert_int_equal(our_info(&peer).delivered_ecn_bytes[TCP_ACCECN_CEB], 0);
    assert_int_equal(our_info(&peer).delivered_ce, 0);
    peer_stop(&peer);
}

/* The option must not make a full segment larger than the path takes */
static void full_segment_has_no_option(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    say_marked(&peer, 1, 100, IP_ECN_CE);
    we_send(&peer, 2000, 0);
    unsigned told = 0;
    while (peer_hears(&peer)) {
        told += peer.heard.header.accecn.present;
        assert_true(peer.heard.packet.header_length + peer.heard.length <= 1500);
        if (peer.heard.length == 1448)
            assert_false(peer.heard.header.accecn.present);
    }
    assert_true(told > 0);
    peer_stop(&peer);
}

/* A super-segment's parts repeat its header but for CWR (RFC 3168 6.1.2), which is a bit of the
 * counter: what has that bit goes one by one */
static void counter_is_the_same_on_every_part_of_a_super_segment(void **state)
{
    (void)state;
    for (unsigned marks = 0; marks < 8; marks++) {
        struct peer peer;
        struct daytona_stack_config config = {
            .owns_every_port = true, .ecn = "accurate", .super_segment_bytes_max = 64000};
        peer_start(&peer, &config);
        peer_we_connect(&peer);
        assert_true(peer_hears(&peer));
        ecn_answer(&peer, 2);
        peer.ace = counter(0);
        for (unsigned i = 0; i < marks; i++)
            say_marked(&peer, 1 + 10 * i, 10, IP_ECN_CE);
        peer_hears_all(&peer);
        we_send(&peer, 5 * 1448, 0);
        size_t heard = 0;
        for (; peer_hears(&peer) && peer.heard.length > 0; heard += peer.heard.length) {
            assert_int_equal(peer.heard.ace, counter(marks));
            assert_true(peer.heard.packet.segment_bytes == 0 || (peer.heard.ace & 2) == 0);
            if ((counter(marks) & 2) == 0)
                assert_int_equal(peer.heard.packet.segment_bytes, 1448);
        }
        assert_int_equal(heard, 5 * 1448);
        peer_stop(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syn_ack_tells_how_the_syn_arrived),
        cmocka_unit_test(unknown_request_is_taken_for_the_accurate_kind),
        cmocka_unit_test(every_answer_has_its_mode),
        cmocka_unit_test(final_ack_tells_how_the_syn_ack_arrived),
        cmocka_unit_test(syn_asks_twice_for_the_accurate_kind),
        cmocka_unit_test(repeated_syn_ack_has_no_option),
        cmocka_unit_test(mangled_opening_is_not_trusted_with_marks),
        cmocka_unit_test(first_counter_of_zero_was_written_by_the_path),
        cmocka_unit_test(marks_are_counted_in_packets_and_bytes),
        cmocka_unit_test(mark_after_none_is_told_at_once),
        cmocka_unit_test(marked_acks_are_acknowledged_every_third),
        cmocka_unit_test(counted_mark_reduces_the_window_once),
        cmocka_unit_test(overtaken_counter_is_ignored),
        cmocka_unit_test(overtaken_counter_with_news_is_ignored),
        cmocka_unit_test(counter_that_may_have_gone_round_is_taken_at_its_worst),
        cmocka_unit_test(bytes_in_the_option_tell_whether_the_counter_has_gone_round),
        cmocka_unit_test(option_that_begins_with_zeros_is_ignored),
        cmocka_unit_test(full_segment_has_no_option),
        cmocka_unit_test(counter_is_the_same_on_every_part_of_a_super_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
