/* Congestion window validation (RFC 7661): what becomes of a window that is not used. */
#include "tests/unit/flying.h"

#include <string.h>

#define SECOND_US UINT64_C(1000000)

/* ESTABLISHED with a window of forty segments, all acknowledged; beyond slow start, so that more
 * ACKs change little. Returns what was sent, in segments. */
static unsigned start_grown(struct peer *peer, const char *controller)
{
    start_flying(peer, &offer_all, 0);
    assert_int_equal(daytona_stack_set_congestion(peer->stack, peer->now, peer->id, controller), 0);
    unsigned sent = 0;
    for (unsigned flight = 10; flight <= 20; flight *= 2) {
        we_send(peer, flight * MSS, 0);
        sent += peer_hears_all(peer);
        peer_wait_us(peer, RTT_US);
        peer_say(peer, TCP_ACK, 1, SEGMENT(sent), NULL);
    }
    assert_int_equal(our_info(peer).cwnd_bytes, 40 * MSS);
    return sent;
}

/* RFC 7661 section 4.4 */
static void unused_window_is_kept_for_five_minutes(void **state)
{
    (void)state;
    struct peer peer;
    start_grown(&peer, "reno");
    peer_wait_us(&peer, 290 * SECOND_US);
    we_send(&peer, MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(our_info(&peer).cwnd_bytes, 40 * MSS);
    peer_stop(&peer);
}

/* RFC 7661 section 4.4.3 */
static void unused_window_is_halved_after_five_minutes(void **state)
{
    (void)state;
    struct peer peer;
    unsigned sent = start_grown(&peer, "cubic");
    peer_wait_us(&peer, 2 * SECOND_US); /* shorter idle: the phase begins with what follows */
    we_send(&peer, MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 1);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(++sent), NULL);
    peer_wait_us(&peer, 310 * SECOND_US);
    we_send(&peer, MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(our_info(&peer).cwnd_bytes, 20 * MSS);
    assert_true(our_info(&peer).ssthresh_bytes >= 30 * MSS);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(++sent), NULL);
    peer_wait_us(&peer, 3600 * SECOND_US); /* never below the initial window */
    we_send(&peer, MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(our_info(&peer).cwnd_bytes, 10 * MSS);
    peer_stop(&peer);
}

/* The option at 0 is RFC 5681 section 4.1; a controller with a measure of its own is left to it. */
static void others_restart_after_an_idle_timeout(void **state)
{
    (void)state;
    struct peer peer;
    start_grown(&peer, "reno");
    we_set(&peer, DAYTONA_OPTION_WINDOW_VALIDATION, 0);
    peer_wait_us(&peer, SECOND_US);
    we_send(&peer, MSS, 0);
    assert_int_equal(our_info(&peer).cwnd_bytes, 40 * MSS);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(our_info(&peer).cwnd_bytes, 10 * MSS);
    peer_stop(&peer);
    start_grown(&peer, "dctcp");
    peer_wait_us(&peer, SECOND_US);
    we_send(&peer, MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 1);
    assert_int_equal(our_info(&peer).cwnd_bytes, 10 * MSS);
    peer_stop(&peer);
}

/* RFC 7661 section 4.4: it does not grow before it has been shown to be right. */
static void window_grows_again_once_half_of_it_was_acknowledged(void **state)
{
    (void)state;
    struct peer peer;
    unsigned sent = start_grown(&peer, "reno");
    peer_wait_us(&peer, 10 * SECOND_US);
    we_send(&peer, 100 * MSS, 0);
    unsigned heard = 0;
    while (heard < 40) {
        heard += peer_hears_all(&peer);
        if (heard < 40)
            peer_wait_deadline(&peer);
    }
    assert_int_equal(heard, 40);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 10), NULL);
    assert_int_equal(our_info(&peer).cwnd_bytes, 40 * MSS);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 19), NULL);
    assert_int_equal(our_info(&peer).cwnd_bytes, 40 * MSS);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 29), NULL); /* of which 29 were acknowledged */
    assert_int_equal(our_info(&peer).cwnd_bytes, 50 * MSS);
    peer_stop(&peer);
}

/* RFC 7661 section 4.4.2 */
static void burst_into_an_unused_window_is_paced(void **state)
{
    (void)state;
    struct peer peer;
    start_grown(&peer, "reno");
    we_send(&peer, 10 * MSS, 0); /* an initial window leaves at once */
    assert_int_equal(peer_hears_all(&peer), 10);
    peer_stop(&peer);
    start_grown(&peer, "reno");
    peer_wait_us(&peer, 10 * SECOND_US);
    we_send(&peer, 40 * MSS, 0);
    unsigned at_once = peer_hears_all(&peer);
    assert_in_range(at_once, 2, 12);
    uint64_t began = peer.now.ns;
    for (unsigned heard = at_once; heard < 40; heard += peer_hears_all(&peer))
        peer_wait_deadline(&peer);
    uint64_t took_us = (peer.now.ns - began) / 1000;
    assert_in_range(took_us, RTT_US / 4, RTT_US);
    peer_stop(&peer);
}

/* RFC 7661 section 4.4.1: (max (pipeACK, LossFlightSize) - R) / 2 */
static void loss_in_an_unused_window_leaves_half_of_what_was_used(void **state)
{
    (void)state;
    static const char *const controllers[] = {"reno", "cubic"};
    for (unsigned i = 0; i < 2; i++) {
        struct peer peer;
        unsigned sent = start_grown(&peer, controllers[i]);
        peer_wait_us(&peer, 10 * SECOND_US);
        we_send(&peer, 10 * MSS, 0);
        assert_int_equal(peer_hears_all(&peer), 10);
        peer_wait_us(&peer, RTT_US);
        peer_sacks(&peer, sent, sent + 2, sent + 10);
        peer_wait_us(&peer, RTT_US);
        assert_true(our_info(&peer).in_recovery);
        assert_int_equal(our_info(&peer).cwnd_bytes, 5 * MSS);
        assert_int_equal(peer_hears_all(&peer), 2);
        peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 10), NULL);
        assert_false(our_info(&peer).in_recovery);
        assert_int_equal(our_info(&peer).cwnd_bytes, 4 * MSS);
        assert_int_equal(our_info(&peer).ssthresh_bytes, 4 * MSS);
        peer_stop(&peer);
    }
}

/* The same for a lost tail that a probe has repaired (RFC 8985 section 7.4.2). */
static void lost_tail_in_an_unused_window_leaves_half_of_what_was_used(void **state)
{
    (void)state;
    struct peer peer;
    unsigned sent = start_grown(&peer, "reno");
    peer_wait_us(&peer, 10 * SECOND_US);
    we_send(&peer, 10 * MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 10);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 8), NULL);
    peer_wait_us(&peer, 2 * RTT_US + 2000);
    assert_int_equal(peer_hears_all(&peer), 1); /* the probe */
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 10), NULL);
    we_send(&peer, MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 1);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 11), NULL);
    assert_int_equal(our_info(&peer).timeouts, 0);
    assert_int_equal(our_info(&peer).tail_probes, 1);
    assert_int_equal(our_info(&peer).cwnd_bytes, 4 * MSS); /* eight were acknowledged in a round */
    peer_stop(&peer);
}

/* The same loss in a window that is used leaves half of the window. */
static void loss_in_a_used_window_reduces_from_the_window(void **state)
{
    (void)state;
    struct peer peer;
    unsigned sent = start_grown(&peer, "reno");
    we_send(&peer, 40 * MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 40);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, sent, sent + 2, sent + 40);
    peer_wait_us(&peer, RTT_US);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(sent + 40), NULL);
    assert_int_equal(our_info(&peer).cwnd_bytes, 20 * MSS);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_window_is_kept_for_five_minutes),
        cmocka_unit_test(unused_window_is_halved_after_five_minutes),
        cmocka_unit_test(others_restart_after_an_idle_timeout),
        cmocka_unit_test(window_grows_again_once_half_of_it_was_acknowledged),
        cmocka_unit_test(burst_into_an_unused_window_is_paced),
        cmocka_unit_test(loss_in_an_unused_window_leaves_half_of_what_was_used),
        cmocka_unit_test(lost_tail_in_an_unused_window_leaves_half_of_what_was_used),
        cmocka_unit_test(loss_in_a_used_window_reduces_from_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
