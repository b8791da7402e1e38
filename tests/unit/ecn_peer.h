/*
 * ecn_peer.h - openings with ECN, for the tests of both kinds.
 */
#ifndef TESTS_UNIT_ECN_PEER_H
#define TESTS_UNIT_ECN_PEER_H

#include "stack/tcp/tcp_ecn.h"
#include "tests/unit/peer.h"

/** Our end listens with this policy, the peer's SYN has `ace` for AE, CWR and ECE. Returns those of
 *  our SYN-ACK. */
static inline unsigned ecn_syn(struct peer *peer, enum daytona_ecn_policy policy, unsigned ace,
                               struct daytona_socket_id *listener)
{
    peer_start(peer, NULL);
    *listener = peer_listener(peer, peer->our_port, 16);
    assert_int_equal(
        daytona_stack_set_option(peer->stack, peer->now, *listener, DAYTONA_OPTION_ECN, policy), 0);
    peer->ace = ace;
    assert_int_equal(peer_syn(peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    assert_true(peer_hears(peer));
    assert_int_equal(peer->heard.header.flags & (TCP_SYN | TCP_ACK), TCP_SYN | TCP_ACK);
    assert_int_equal(peer->heard.ecn, IP_ECN_NOT_ECT); /* RFC 3168 6.1.1 */
    return peer->heard.ace;
}

/** ... and the final ACK comes with `ace`; accepted. */
static inline void ecn_accept(struct peer *peer, struct daytona_socket_id listener, unsigned ace)
{
    peer->ace = ace;
    assert_int_equal(peer_say(peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &peer->id), 0);
    assert_int_equal(daytona_stack_close(peer->stack, peer->now, listener), 0);
    expect_silence(peer);
}

/** Our end connects with this policy; returns AE, CWR and ECE of its SYN. */
static inline unsigned ecn_connect(struct peer *peer, enum daytona_ecn_policy policy)
{
    static const char *const names[] = {"off", "on", "passive", "accurate", "mixed", "accurate-in"};
    struct daytona_stack_config config = {.owns_every_port = true, .ecn = names[policy]};
    peer_start(peer, &config);
    peer_we_connect(peer);
    assert_true(peer_hears(peer));
    assert_int_equal(peer->heard.header.flags & (TCP_SYN | TCP_ACK), TCP_SYN);
    assert_int_equal(peer->heard.ecn, IP_ECN_NOT_ECT);
    return peer->heard.ace;
}

/** ... and the peer's SYN-ACK has `ace`; our ACK is in `heard`. */
static inline void ecn_answer(struct peer *peer, unsigned ace)
{
    peer->ace = ace;
    peer->timestamps = true;
    struct tcp_header header = {.seq = {peer->peer_isn},
                                .ack = {peer->our_isn + 1},
                                .flags = TCP_SYN | TCP_ACK,
                                .window = peer->window,
                                .mss = 1460,
                                .has_sack_permitted = true,
                                .has_window_scale = true,
                                .window_scale = 7,
                                .has_timestamps = true,
                                .timestamp_value = peer->timestamp,
                                .timestamp_echo = peer->timestamp_echo};
    tcp_accecn_ace_set(&header, ace);
    assert_int_equal(peer_say_header(peer, &header, (struct daytona_span){NULL, 0}),
                     DAYTONA_VERDICT_ACCEPTED);
    assert_true(peer_hears(peer));
    assert_int_equal(peer->heard.length, 0);
}

/** Data of ours are ECN-capable. */
static inline bool ecn_capable(struct peer *peer)
{
    we_send(peer, 100, 0);
    assert_true(peer_hears(peer));
    assert_int_equal(peer->heard.length, 100);
    return peer->heard.ecn == IP_ECN_ECT_0;
}

#endif
