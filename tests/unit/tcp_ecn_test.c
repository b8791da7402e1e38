/* Explicit congestion notification, the classic kind: who asks and who takes, the echo, the answer.
 */
#include "tests/unit/ecn_peer.h"

#define CLASSIC 3u /* CWR and ECE, on a SYN */
#define AGREED  1u /* ECE, on a SYN-ACK */

static void start_agreed(struct peer *peer)
{
    struct daytona_socket_id listener;
    assert_int_equal(ecn_syn(peer, DAYTONA_ECN_PASSIVE, CLASSIC, &listener), AGREED);
    peer->ace = 0;
    ecn_accept(peer, listener, 0);
    assert_int_equal(our_info(peer).ecn, DAYTONA_ECN_MODE_CLASSIC);
}

/* A segment of `length` bytes at `seq` with this ECN field. */
static void say_marked(struct peer *peer, uint8_t flags, uint32_t seq, size_t length, uint8_t ecn)
{
    peer->ecn = ecn;
    assert_int_equal(peer_say_bytes(peer, TCP_ACK | flags, seq, 1, length),
                     DAYTONA_VERDICT_ACCEPTED);
    peer->ecn = IP_ECN_NOT_ECT;
}

/* RFC 3168 6.1.1 */
static void policy_says_what_is_taken_from_a_syn(void **state)
{
    (void)state;
    static const struct {
        enum daytona_ecn_policy policy;
        unsigned syn, syn_ack;
        enum daytona_ecn_mode mode;
    } rows[] = {
        {DAYTONA_ECN_OFF, CLASSIC, 0, DAYTONA_ECN_MODE_NONE},
        {DAYTONA_ECN_ON, CLASSIC, AGREED, DAYTONA_ECN_MODE_CLASSIC},
        {DAYTONA_ECN_PASSIVE, CLASSIC, AGREED, DAYTONA_ECN_MODE_CLASSIC},
        {DAYTONA_ECN_PASSIVE, 0, 0, DAYTONA_ECN_MODE_NONE},
        {DAYTONA_ECN_PASSIVE, 1, 0, DAYTONA_ECN_MODE_NONE},         /* ECE alone is no request */
        {DAYTONA_ECN_PASSIVE, 2, 0, DAYTONA_ECN_MODE_NONE},         /* nor is CWR */
        {DAYTONA_ECN_PASSIVE, 7, AGREED, DAYTONA_ECN_MODE_CLASSIC}, /* accurate, less is had */
        {DAYTONA_ECN_ACCURATE, CLASSIC, AGREED, DAYTONA_ECN_MODE_CLASSIC},
        {DAYTONA_ECN_MIXED, CLASSIC, AGREED, DAYTONA_ECN_MODE_CLASSIC},
        {DAYTONA_ECN_ACCURATE_PASSIVE, 7, 2, DAYTONA_ECN_MODE_ACCURATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peer peer;
        struct daytona_socket_id listener;
        assert_int_equal(ecn_syn(&peer, rows[i].policy, rows[i].syn, &listener), rows[i].syn_ack);
        peer.ace = 0;
        ecn_accept(&peer, listener, rows[i].mode == DAYTONA_ECN_MODE_ACCURATE ? 2 : 0);
        assert_int_equal(our_info(&peer).ecn, rows[i].mode);
        assert_int_equal(ecn_capable(&peer), rows[i].mode != DAYTONA_ECN_MODE_NONE);
        peer_stop(&peer);
    }
}

/* RFC 3168 6.1.1: a SYN that arrives ECN-capable comes over a path that writes into the field */
static void syn_that_arrives_marked_agrees_to_nothing(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, peer.our_port, 16);
    peer.ace = CLASSIC;
    peer.ecn = IP_ECN_ECT_0;
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_stop(&peer);
}

/* RFC 3168 6.1.1, RFC 9768 3.1 */
static void policy_says_what_a_syn_asks_for(void **state)
{
    (void)state;
    static const unsigned asked[] = {
        [DAYTONA_ECN_OFF] = 0,      [DAYTONA_ECN_ON] = 3,    [DAYTONA_ECN_PASSIVE] = 0,
        [DAYTONA_ECN_ACCURATE] = 7, [DAYTONA_ECN_MIXED] = 3, [DAYTONA_ECN_ACCURATE_PASSIVE] = 0,
    };
    for (unsigned i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct peer peer;
        assert_int_equal(ecn_connect(&peer, (enum daytona_ecn_policy)i), asked[i]);
        peer_stop(&peer);
    }
}

/* RFC 3168 6.1.1: ECE without CWR agrees, both together are a reflection of our own flags */
static void only_ece_alone_on_a_syn_ack_agrees(void **state)
{
    (void)state;
    for (unsigned ace = 0; ace < 4; ace++) {
        struct peer peer;
        ecn_connect(&peer, DAYTONA_ECN_ON);
        ecn_answer(&peer, ace);
        peer.ace = 0;
        assert_int_equal(peer.heard.header.flags, TCP_ACK);
        assert_int_equal(peer.heard.ecn, IP_ECN_NOT_ECT); /* no pure ACK is, RFC 3168 6.1.4 */
        assert_int_equal(our_info(&peer).ecn == DAYTONA_ECN_MODE_CLASSIC, ace == 1);
        assert_int_equal(ecn_capable(&peer), ace == 1);
        peer_stop(&peer);
    }
}

/* RFC 3168 6.1.1.1 */
static void syn_without_an_answer_asks_no_more(void **state)
{
    (void)state;
    struct peer peer;
    assert_int_equal(ecn_connect(&peer, DAYTONA_ECN_ON), 3);
    peer_wait_deadline(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    ecn_answer(&peer, 1); /* to the first one: too late */
    peer.ace = 0;
    assert_false(ecn_capable(&peer));
    peer_stop(&peer);
}

/* RFC 3168 6.1.1.1, seen from the other side */
static void repeated_syn_that_asks_for_less_gets_less(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener;
    assert_int_equal(ecn_syn(&peer, DAYTONA_ECN_PASSIVE, CLASSIC, &listener), AGREED);
    peer.ace = 0;
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    ecn_accept(&peer, listener, 0);
    assert_false(ecn_capable(&peer));
    peer_stop(&peer);
}

/* RFC 3168 6.1.3 */
static void mark_is_echoed_until_the_window_is_reduced(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    say_marked(&peer, 0, 1, 100, IP_ECN_ECT_0);
    expect_segment(&peer, TCP_ACK, 1, 101, 0);
    say_marked(&peer, 0, 101, 100, IP_ECN_CE);
    expect_segment(&peer, TCP_ACK | TCP_ECE, 1, 201, 0);
    say_marked(&peer, 0, 201, 100, IP_ECN_ECT_0);
    expect_segment(&peer, TCP_ACK | TCP_ECE, 1, 301, 0);
    we_send(&peer, 10, 0); /* data bear it, too */
    expect_segment(&peer, TCP_ACK | TCP_ECE | TCP_PSH, 1, 301, 10);
    say_marked(&peer, TCP_CWR, 301, 100, IP_ECN_ECT_0);
    expect_segment(&peer, TCP_ACK, 11, 401, 0);
    say_marked(&peer, TCP_CWR, 401, 100, IP_ECN_CE); /* a new mark on the very answer */
    expect_segment(&peer, TCP_ACK | TCP_ECE, 11, 501, 0);
    assert_int_equal(our_info(&peer).ce_received, 2);
    assert_true(our_info(&peer).ecn_seen);
    peer_stop(&peer);
}

/* RFC 3168 6.1.4: what could not be marked by right says nothing */
static void mark_on_a_pure_ack_is_not_echoed(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    peer.ecn = IP_ECN_CE;
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    say_marked(&peer, 0, 1, 100, IP_ECN_ECT_0);
    expect_segment(&peer, TCP_ACK, 1, 101, 0);
    peer_stop(&peer);
}

/* Without an agreement the field means nothing */
static void mark_without_agreement_is_nothing(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    say_marked(&peer, 0, 1, 100, IP_ECN_CE);
    expect_segment(&peer, TCP_ACK, 1, 101, 0);
    assert_int_equal(our_info(&peer).ce_received, 0);
    peer_stop(&peer);
}

/* The whole first window is out, and its segments were ECN-capable. */
static void fill_window(struct peer *peer)
{
    we_send(peer, 100000, 0);
    while (peer_hears(peer))
        assert_int_equal(peer->heard.ecn, IP_ECN_ECT_0);
}

/* RFC 3168 6.1.2: as for a loss; once a window; CWR on the first new segment after it */
static void echo_halves_the_window_once_and_is_answered_by_cwr(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    fill_window(&peer);
    uint32_t before = our_info(&peer).cwnd_bytes, sent = before;
    assert_int_equal(before, 14480);
    peer_say(&peer, TCP_ACK | TCP_ECE, 1, 1449, NULL);
    uint32_t reduced = our_info(&peer).cwnd_bytes;
    assert_in_range(reduced, before / 2, before * 8 / 10);
    assert_int_equal(our_info(&peer).ssthresh_bytes, reduced);
    assert_int_equal(peer.last[DAYTONA_EVENT_ECN].a, 3);
    expect_silence(&peer); /* what is in flight is more than that */
    bool answered = false;
    for (uint32_t ack = 2897; ack <= sent + 1; ack += 1448) {
        peer_say(&peer, TCP_ACK | TCP_ECE, 1, ack, NULL);
        while (peer_hears(&peer)) {
            assert_int_equal((peer.heard.header.flags & TCP_CWR) != 0, !answered);
            answered = true;
        }
        assert_int_equal(our_info(&peer).cwnd_bytes, reduced);
    }
    assert_true(answered);
    assert_int_equal(our_info(&peer).segments_retransmitted, 0);
    peer_say(&peer, TCP_ACK | TCP_ECE, 1, sent + 1449, NULL); /* of the next window */
    assert_true(our_info(&peer).cwnd_bytes < reduced);
    peer_stop(&peer);
}

/* After the reduction, when the window is through, it grows again */
static void window_grows_again_when_the_marked_window_is_acknowledged(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    fill_window(&peer);
    peer_say(&peer, TCP_ACK | TCP_ECE, 1, 14481, NULL);
    uint32_t reduced = our_info(&peer).cwnd_bytes;
    for (uint32_t round = 0; round < 40; round++) {
        peer_hears_all(&peer);
        peer_wait_us(&peer, 10000);
        peer_say(&peer, TCP_ACK, 1, peer.heard.seq + (uint32_t)peer.heard.length, NULL);
    }
    assert_true(our_info(&peer).cwnd_bytes > reduced);
    peer_stop(&peer);
}

/* RFC 3168 6.1.5 */
static void retransmission_is_not_ecn_capable(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    assert_true(ecn_capable(&peer));
    we_set(&peer, DAYTONA_OPTION_LOSS_DETECTION, 1); /* the timer, not a probe */
    peer_wait_us(&peer, 2000000);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    assert_int_equal(peer.heard.ecn, IP_ECN_NOT_ECT);
    we_send(&peer, 100, 0);
    peer_say(&peer, TCP_ACK, 1, 101, NULL);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.ecn, IP_ECN_ECT_0);
    assert_int_equal(peer.heard.header.flags & TCP_CWR, TCP_CWR); /* 6.1.2: after a loss, too */
    peer_stop(&peer);
}

/* RFC 3168 6.1.6 */
static void window_probe_is_not_ecn_capable(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    peer.window = 0;
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    we_send(&peer, 100, 0);
    peer_wait_deadline(&peer);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.ecn, IP_ECN_NOT_ECT);
    peer_stop(&peer);
}

/* RFC 3168 6.1.2: a loss in a window that a mark has reduced does not reduce it again */
static void loss_beside_a_mark_reduces_once(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    fill_window(&peer);
    peer_say(&peer, TCP_ACK | TCP_ECE, 1, 1449, NULL);
    uint32_t ssthresh = our_info(&peer).ssthresh_bytes;
    for (uint32_t i = 3; i < 8; i++) {
        const uint32_t block[] = {2897, 1448 * i + 1};
        peer_sack(&peer, 1449, block, 1);
    }
    assert_true(our_info(&peer).in_recovery);
    assert_int_equal(our_info(&peer).ssthresh_bytes, ssthresh);
    peer_stop(&peer);
}

/* RFC 3168 6.1.2: with a window of one segment, the next goes out when the timer expires */
static void mark_at_a_window_of_one_segment_waits_for_a_timeout(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener;
    ecn_syn(&peer, DAYTONA_ECN_PASSIVE, CLASSIC, &listener);
    for (unsigned i = 0; i < 2; i++) { /* so that the window begins with one segment */
        peer_wait_deadline(&peer);
        expect_segment(&peer, TCP_SYN | TCP_ACK | TCP_ECE, 0, 1, 0);
    }
    ecn_accept(&peer, listener, 0);
    we_send(&peer, 4344, 0);
    expect_segment(&peer, TCP_ACK, 1, 1, 1448);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK | TCP_ECE, 1, 1449, NULL);
    uint32_t rto_us = our_info(&peer).rto_us;
    assert_int_equal(our_info(&peer).cwnd_bytes, 1448);
    peer_wait_us(&peer, rto_us - 1);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK | TCP_CWR, 1449, 1, 1448);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 1, 2897, NULL);
    assert_true(peer_hears(&peer));
    peer_stop(&peer);
}

/* A connection whose controller counts marks, all its quick ACKs used up; *seq is what comes next.
 */
static void start_counting(struct peer *peer, uint32_t *seq)
{
    struct daytona_socket_id listener;
    ecn_syn(peer, DAYTONA_ECN_PASSIVE, CLASSIC, &listener);
    ecn_accept(peer, listener, 0);
    assert_int_equal(daytona_stack_set_congestion(peer->stack, peer->now, peer->id, "dctcp"), 0);
    *seq = 1;
    for (unsigned i = 0; i < 16; i++, *seq += 1000) {
        say_marked(peer, 0, *seq, 1000, IP_ECN_ECT_0);
        assert_int_equal(peer_hears_all(peer), 1);
    }
}

/* RFC 8257 3.2: an ACK that says what was before, then each tells of its own bytes; CWR ends
 * nothing */
static void change_of_marks_is_told_by_the_byte(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t seq;
    start_counting(&peer, &seq);
    say_marked(&peer, 0, seq, 400, IP_ECN_ECT_0);
    expect_silence(&peer); /* the delayed ACK waits */
    say_marked(&peer, 0, seq + 400, 400, IP_ECN_CE);
    expect_segment(&peer, TCP_ACK, 1, seq + 400, 0);
    expect_segment(&peer, TCP_ACK | TCP_ECE, 1, seq + 800, 0);
    say_marked(&peer, TCP_CWR, seq + 800, 400, IP_ECN_CE);
    expect_silence(&peer);
    say_marked(&peer, 0, seq + 1200, 400, IP_ECN_ECT_0);
    expect_segment(&peer, TCP_ACK | TCP_ECE, 1, seq + 1200, 0);
    expect_segment(&peer, TCP_ACK, 1, seq + 1600, 0);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 8257 3.2: nothing waits to be acknowledged, so there is nothing to say of it */
static void change_of_marks_after_an_ack_is_one_ack(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t seq;
    start_counting(&peer, &seq);
    say_marked(&peer, 0, seq, 400, IP_ECN_CE);
    expect_segment(&peer, TCP_ACK | TCP_ECE, 1, seq + 400, 0);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 8257 3.3: the share of the window that was marked decides how much it shrinks */
static void marked_share_decides_the_reduction(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t seq;
    start_counting(&peer, &seq);
    for (unsigned round = 0; round < 60; round++) { /* no mark at all: alpha goes down */
        we_send(&peer, 14480, 0);
        peer_hears_all(&peer);
        peer_wait_us(&peer, 1000);
        peer_say(&peer, TCP_ACK, seq, peer.heard.seq + (uint32_t)peer.heard.length, NULL);
    }
    we_send(&peer, 14480, 0);
    peer_hears_all(&peer);
    uint32_t before = our_info(&peer).cwnd_bytes;
    peer_say(&peer, TCP_ACK | TCP_ECE, seq, peer.heard.seq + (uint32_t)peer.heard.length, NULL);
    assert_in_range(our_info(&peer).cwnd_bytes, before * 9 / 10, before - 1);
    peer_stop(&peer);
}

/* A controller that counts marks asks for them, unless the policy is off */
static void controller_that_counts_marks_asks_for_ecn(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        unsigned asked;
    } rows[] = {{"off", 0}, {"passive", 3}, {"accurate-in", 7}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct daytona_stack_config config = {
            .owns_every_port = true, .ecn = rows[i].policy, .congestion = "dctcp"};
        struct peer peer;
        peer_start(&peer, &config);
        peer_we_connect(&peer);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, rows[i].asked);
        peer_stop(&peer);
    }
}

/* RFC 4987 3.6: a SYN cookie's timestamp remembers the agreement; RFC 9768 5.1: of the accurate
 * kind the final ACK itself tells */
static void cookie_keeps_the_agreement(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        unsigned syn, syn_ack, ack;
        bool timestamps;
        enum daytona_ecn_mode mode;
    } rows[] = {
        {"passive", 0, 0, 0, true, DAYTONA_ECN_MODE_NONE},
        {"passive", CLASSIC, AGREED, 0, true, DAYTONA_ECN_MODE_CLASSIC},
        {"passive", CLASSIC, 0, 0, false, DAYTONA_ECN_MODE_NONE}, /* no place to remember it */
        {"accurate", 7, 2, 2, true, DAYTONA_ECN_MODE_ACCURATE},
        {"accurate", 7, 2, 2, false, DAYTONA_ECN_MODE_ACCURATE},
        {"accurate", CLASSIC, AGREED, 0, true, DAYTONA_ECN_MODE_CLASSIC},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct daytona_stack_config config = {.owns_every_port = true,
                                              .ecn = rows[i].policy,
                                              .syn_cookies = DAYTONA_SYN_COOKIES_ALWAYS};
        struct peer peer;
        peer_start(&peer, &config);
        struct daytona_socket_id listener = peer_listener(&peer, peer.our_port, 16);
        peer.ace = rows[i].syn;
        peer_syn(&peer, rows[i].timestamps ? &offer_all : &offer_plain);
        assert_true(peer_hears(&peer));
        assert_int_equal(peer.heard.ace, rows[i].syn_ack);
        ecn_accept(&peer, listener, rows[i].ack);
        assert_int_equal(our_info(&peer).ecn, rows[i].mode);
        peer_stop(&peer);
    }
}

/* An ACK that was overtaken says nothing that is new */
static void echo_on_an_old_ack_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_agreed(&peer);
    fill_window(&peer);
    peer_say(&peer, TCP_ACK, 1, 2897, NULL);
    uint32_t before = our_info(&peer).cwnd_bytes;
    peer_say(&peer, TCP_ACK | TCP_ECE, 1, 1449, NULL);
    assert_int_equal(our_info(&peer).cwnd_bytes, before);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_says_what_is_taken_from_a_syn),
        cmocka_unit_test(syn_that_arrives_marked_agrees_to_nothing),
        cmocka_unit_test(policy_says_what_a_syn_asks_for),
        cmocka_unit_test(only_ece_alone_on_a_syn_ack_agrees),
        cmocka_unit_test(syn_without_an_answer_asks_no_more),
        cmocka_unit_test(repeated_syn_that_asks_for_less_gets_less),
        cmocka_unit_test(mark_is_echoed_until_the_window_is_reduced),
        cmocka_unit_test(mark_on_a_pure_ack_is_not_echoed),
        cmocka_unit_test(mark_without_agreement_is_nothing),
        cmocka_unit_test(echo_halves_the_window_once_and_is_answered_by_cwr),
        cmocka_unit_test(window_grows_again_when_the_marked_window_is_acknowledged),
        cmocka_unit_test(retransmission_is_not_ecn_capable),
        cmocka_unit_test(window_probe_is_not_ecn_capable),
        cmocka_unit_test(loss_beside_a_mark_reduces_once),
        cmocka_unit_test(mark_at_a_window_of_one_segment_waits_for_a_timeout),
        cmocka_unit_test(change_of_marks_is_told_by_the_byte),
        cmocka_unit_test(change_of_marks_after_an_ack_is_one_ack),
        cmocka_unit_test(marked_share_decides_the_reduction),
        cmocka_unit_test(controller_that_counts_marks_asks_for_ecn),
        cmocka_unit_test(cookie_keeps_the_agreement),
        cmocka_unit_test(echo_on_an_old_ack_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
