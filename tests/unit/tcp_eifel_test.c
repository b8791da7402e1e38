/* Retransmissions that were not needed, told by timestamps (RFC 3522). */
#include "tests/unit/peer.h"

#define MSS 1448u /* 1460 less the timestamps */

static uint32_t at(unsigned segment)
{
    return 1 + segment * MSS;
}

/* Ten segments are out. Returns the timestamp they bear. */
static uint32_t start_sent(struct peer *peer)
{
    peer_start(peer, NULL);
    peer_connects(peer, &offer_all);
    we_send(peer, 10 * MSS, 0);
    peer_hears_all(peer);
    return peer->timestamp_echo;
}

/* RFC 3522 section 3.2 step 5 */
static void an_echo_from_before_the_retransmission_takes_the_reduction_back(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t original = start_sent(&peer);
    uint32_t cwnd = our_info(&peer).cwnd_bytes;
    peer_wait_us(&peer, 20000);
    peer_sack(&peer, 1, (uint32_t[]){at(1), at(5)}, 1);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    uint32_t repeated = peer.timestamp_echo;
    assert_true(our_info(&peer).in_recovery);
    peer_wait_us(&peer, 5000);
    peer.timestamp_echo = original; /* the original was late, not lost */
    peer_say(&peer, TCP_ACK, 1, at(5), NULL);
    assert_int_equal(peer.events[DAYTONA_EVENT_UNDO], 1);
    assert_false(our_info(&peer).in_recovery);
    assert_true(our_info(&peer).cwnd_bytes >= cwnd);
    assert_int_not_equal(original, repeated);
    peer_stop(&peer);
}

/* What was sent again in one recovery may arrive in the next. Its echo is older than the next
 * one's retransmissions, and says nothing about them. */
static void the_retransmission_of_the_last_recovery_takes_nothing_back(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer);
    we_send(&peer, 20 * MSS, 0);
    peer_wait_us(&peer, 20000);
    peer_sack(&peer, 1, (uint32_t[]){at(1), at(10)}, 1); /* the first segment is lost */
    peer_hears_all(&peer);
    uint32_t point = at(10);
    assert_true(our_info(&peer).in_recovery);
    peer_wait_us(&peer, 20000); /* and the eleventh, which was sent in recovery */
    peer_sack(&peer, 1, (uint32_t[]){at(11), at(14), at(1), at(10)}, 2);
    unsigned repeats = peer.events[DAYTONA_EVENT_RETRANSMIT];
    peer_hears_all(&peer);
    assert_true(peer.events[DAYTONA_EVENT_RETRANSMIT] > repeats);
    uint32_t repeated = peer.timestamp_echo;
    peer_wait_us(&peer, 20000); /* the first is repaired; another one is lost */
    peer_sack(&peer, point, (uint32_t[]){at(15), at(16), at(11), at(14)}, 2);
    peer_hears_all(&peer);
    assert_int_equal(peer.events[DAYTONA_EVENT_RECOVERY_ENTER], 2);
    assert_int_not_equal(peer.timestamp_echo, repeated);
    peer_wait_us(&peer, 20000);
    peer.timestamp_echo = repeated;
    peer_sack(&peer, at(14), (uint32_t[]){at(15), at(16)}, 1);
    assert_int_equal(peer.events[DAYTONA_EVENT_UNDO], 0);
    assert_true(our_info(&peer).in_recovery);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_from_before_the_retransmission_takes_the_reduction_back),
        cmocka_unit_test(the_retransmission_of_the_last_recovery_takes_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
