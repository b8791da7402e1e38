/*
 * flying.h - an established connection with full segments in flight, for the tests of loss
 * recovery. The round trip is 20 ms.
 */
#ifndef TESTS_UNIT_FLYING_H
#define TESTS_UNIT_FLYING_H

#include "tests/unit/peer.h"

#define MSS        1448u
#define RTT_US     20000u
#define SEGMENT(n) (1 + (uint32_t)(n)*MSS) /* the relative number at which the n-th begins */

/** ESTABLISHED, `segments` sent and, as many as the window takes, heard. */
static inline void start_flying(struct peer *peer, const struct offer *offer, unsigned segments)
{
    peer_start(peer, NULL);
    struct daytona_socket_id listener = peer_listener(peer, OUR_PORT, 5);
    peer_syn(peer, offer);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_wait_us(peer, RTT_US);
    peer_say(peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &peer->id), 0);
    we_send(peer, segments * our_info(peer).send_mss, 0);
    assert_int_equal(peer_hears_all(peer), segments < 10 ? segments : 10);
}

/** An ACK up to segment `ack` that SACKs the segments [from, to). */
static inline void peer_sacks(struct peer *peer, unsigned ack, unsigned from, unsigned to)
{
    const uint32_t block[] = {SEGMENT(from), SEGMENT(to)};
    peer_sack(peer, SEGMENT(ack), block, 1);
}

#endif
