/* What observers are told, by whom it was caused, and who gets to see it. */
#include "tests/unit/peer.h"
#include <ctype.h>
#include <errno.h>

#define MSS 1448u

static void every_event_is_described(void **state)
{
    (void)state;
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++) {
        const struct daytona_event_kind *kind = daytona_event_kind((enum daytona_event_type)type);
        assert_non_null(kind);
        assert_true(strlen(kind->description) > 5);
        assert_memory_equal(kind->source, "RFC ", 4);
        for (unsigned i = 0; i < 4; i++) {
            const char *name = kind->fields[i].name;
            assert_int_equal(name[0] == '\0', kind->fields[i].unit == DAYTONA_UNIT_NONE);
            for (; *name != '\0'; name++) /* a name of JSON */
                assert_true(islower((unsigned char)*name) || *name == '_');
        }
    }
    assert_null(daytona_event_kind(DAYTONA_EVENT_COUNT));
}

static void paces_part_the_events(void **state)
{
    (void)state;
    uint64_t rare = daytona_events_of(DAYTONA_PACE_RARE), ack = daytona_events_of(DAYTONA_PACE_ACK),
             segment = daytona_events_of(DAYTONA_PACE_SEGMENT);
    assert_int_equal(rare & ack, 0);
    assert_int_equal((rare | ack) & segment, 0);
    assert_int_equal(rare | ack | segment, DAYTONA_EVENTS_ALL >> (64 - DAYTONA_EVENT_COUNT));
    assert_true((rare & DAYTONA_EVENT_BIT(DAYTONA_EVENT_RETRANSMIT)) != 0);
    assert_int_equal(segment, DAYTONA_EVENT_BIT(DAYTONA_EVENT_SEGMENT_IN) |
                                  DAYTONA_EVENT_BIT(DAYTONA_EVENT_SEGMENT_OUT));
}

static void each_segment_is_told_with_its_numbers(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer_say_bytes(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    const struct daytona_event *in = &peer.last[DAYTONA_EVENT_SEGMENT_IN];
    assert_int_equal(in->a, peer.peer_isn + 1);
    assert_int_equal(in->b, 100);
    assert_int_equal(in->c, peer.our_isn + 1);
    assert_int_equal(in->d, TCP_ACK | TCP_PSH);
    assert_int_equal(in->socket_index, peer.id.index);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 101, 10);
    const struct daytona_event *out = &peer.last[DAYTONA_EVENT_SEGMENT_OUT];
    assert_int_equal(out->a, peer.our_isn + 1);
    assert_int_equal(out->b, 10);
    assert_int_equal(out->c, peer.peer_isn + 101);
    assert_int_equal(out->d, TCP_ACK | TCP_PSH);
    assert_int_equal(out->state, DAYTONA_TCP_ESTABLISHED);
    peer_stop(&peer);
}

/* What is nobody's has no socket, but ends. */
static void reset_for_nobody_is_told_without_a_socket(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_say(&peer, TCP_SYN, 0, 0, NULL);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_IN].socket_generation, 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.events[DAYTONA_EVENT_SEGMENT_OUT], 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_OUT].d, TCP_RST | TCP_ACK);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_OUT].socket_generation, 0);
    peer_stop(&peer);
}

static void handshake_of_a_request_is_told_with_its_socket_to_be(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    struct daytona_event syn_ack = peer.last[DAYTONA_EVENT_SEGMENT_OUT];
    assert_int_equal(syn_ack.state, DAYTONA_TCP_SYN_RECEIVED);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(syn_ack.socket_index, peer.id.index);
    assert_int_equal(syn_ack.socket_generation, peer.id.generation);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ masks */

static void nothing_is_told_that_nobody_wants(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    daytona_stack_observe(peer.stack, DAYTONA_EVENT_BIT(DAYTONA_EVENT_SEGMENT_IN));
    unsigned in = peer.events[DAYTONA_EVENT_SEGMENT_IN],
             out = peer.events[DAYTONA_EVENT_SEGMENT_OUT];
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    peer_say(&peer, TCP_ACK, 1, 11, NULL);
    assert_int_equal(peer.events[DAYTONA_EVENT_SEGMENT_IN], in + 1);
    assert_int_equal(peer.events[DAYTONA_EVENT_SEGMENT_OUT], out);
    peer_stop(&peer);
}

static void one_socket_can_be_watched_among_many(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    daytona_stack_observe(peer.stack, 0);
    struct daytona_socket_id other;
    assert_int_equal(daytona_stack_open(peer.stack, &other), 0);
    assert_int_equal(daytona_stack_observe_socket(peer.stack, other, DAYTONA_EVENTS_ALL), 0);
    unsigned before = peer.events[DAYTONA_EVENT_SEGMENT_OUT];
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.events[DAYTONA_EVENT_SEGMENT_OUT], before);
    assert_int_equal(daytona_stack_observe_socket(peer.stack, peer.id, DAYTONA_EVENTS_ALL), 0);
    we_set(&peer, DAYTONA_OPTION_NO_DELAY, 1);
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.events[DAYTONA_EVENT_SEGMENT_OUT], before + 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_OUT].socket_index, peer.id.index);
    daytona_stack_close(peer.stack, peer.now, other);
    peer_stop(&peer);
}

static void accepted_socket_inherits_its_listeners_mask(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    daytona_stack_observe(peer.stack, 0);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    daytona_stack_observe_socket(peer.stack, listener,
                                 DAYTONA_EVENT_BIT(DAYTONA_EVENT_SEGMENT_OUT));
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    assert_int_equal(peer.events[DAYTONA_EVENT_SEGMENT_OUT], 2);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_OUT].b, 10);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ calls */

static void call_is_told_with_its_bytes(void **state)
{
    (void)state;
    struct peer peer;
    uint8_t buffer[100];
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_send(&peer, 10, 0);
    const struct daytona_event *call = &peer.last[DAYTONA_EVENT_CALL];
    uint32_t number = call->call;
    assert_string_equal(call->reason, "send");
    assert_int_equal(call->a, 10);
    assert_int_equal(call->b, 10);
    assert_int_equal(call->c, peer.our_isn + 1);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 30);
    assert_int_equal(we_receive(&peer, buffer, 100, 0), 30);
    assert_string_equal(call->reason, "receive");
    assert_int_equal(call->a, 100);
    assert_int_equal(call->b, 30);
    assert_int_equal(call->c, peer.peer_isn + 1);
    assert_int_equal(call->call, number + 1);
    assert_int_equal(we_receive(&peer, buffer, 100, 0), -EAGAIN);
    assert_int_equal((int64_t)call->b, -EAGAIN);
    peer_stop(&peer);
}

static void events_bear_the_number_of_the_call_they_follow_from(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_send(&peer, 10, 0);
    uint32_t number = peer.last[DAYTONA_EVENT_CALL].call;
    assert_true(number > 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_OUT].call, number);
    peer_wait_us(&peer, 1000000);
    assert_true(peer_hears(&peer));
    assert_int_equal(
        peer.last[DAYTONA_EVENT_TAIL_PROBE].call + peer.last[DAYTONA_EVENT_TIMEOUT].call, number);
    assert_int_equal(peer.last[DAYTONA_EVENT_RETRANSMIT].call, number);
    peer_stop(&peer);
}

static void call_that_the_driver_tells_of_is_one(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_stack_config config = {.owns_every_port = true, .calls_are_told = true};
    struct daytona_call call;
    uint8_t buffer[10];
    peer_start(&peer, &config);
    peer_connects(&peer, &offer_all);
    unsigned before = peer.events[DAYTONA_EVENT_CALL];
    daytona_stack_call_begin(peer.stack, peer.now, peer.id, DAYTONA_CALL_RECEIVE, 10, &call);
    assert_int_equal(we_receive(&peer, buffer, 10, 0), -EAGAIN);
    daytona_stack_call_waits(peer.stack, peer.now, &call, 0);
    assert_int_equal(peer.last[DAYTONA_EVENT_CALL_WAITS].call, call.number);
    peer_wait_us(&peer, 3000);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 10);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_IN].call, call.number);
    assert_int_equal(we_receive(&peer, buffer, 10, 0), 10);
    daytona_stack_call_end(peer.stack, peer.now, &call, 10);
    assert_int_equal(peer.events[DAYTONA_EVENT_CALL], before + 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_CALL].d, 3000000);
    peer_stop(&peer);
}

static void close_is_a_call_and_the_fin_its_doing(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    assert_int_equal(daytona_stack_close(peer.stack, peer.now, peer.id), 0);
    assert_string_equal(peer.last[DAYTONA_EVENT_CALL].reason, "close");
    assert_int_equal(peer.last[DAYTONA_EVENT_STATE].call, peer.last[DAYTONA_EVENT_CALL].call);
    expect_segment(&peer, TCP_FIN | TCP_ACK, 1, 1, 0);
    assert_int_equal(peer.last[DAYTONA_EVENT_SEGMENT_OUT].call, peer.last[DAYTONA_EVENT_CALL].call);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ limits */

static enum daytona_limit limit_of(const struct peer *peer)
{
    return (enum daytona_limit)peer->last[DAYTONA_EVENT_LIMITED].b;
}

static void what_limits_the_sender_is_told_when_it_changes(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer.window = 100; /* of 128 bytes each */
    peer_connects(&peer, &offer_all);
    we_send(&peer, 10, 0);
    peer_hears_all(&peer);
    assert_int_equal(limit_of(&peer), DAYTONA_LIMITED_BY_APPLICATION);
    we_send(&peer, 10, 0);
    peer_hears_all(&peer);
    assert_int_equal(limit_of(&peer), DAYTONA_LIMITED_BY_NAGLE);
    we_send(&peer, 20 * MSS, 0);
    peer_hears_all(&peer);
    assert_int_equal(limit_of(&peer), DAYTONA_LIMITED_BY_PEER);
    peer_wait_us(&peer, 5000);
    peer.window = 65535;
    uint32_t sent = peer.last[DAYTONA_EVENT_LIMITED].nxt - peer.our_isn;
    peer_say(&peer, TCP_ACK, 1, 11, NULL);
    peer_hears_all(&peer);
    assert_int_equal(limit_of(&peer), DAYTONA_LIMITED_BY_CONGESTION);
    assert_int_equal(peer.last[DAYTONA_EVENT_LIMITED].a, DAYTONA_LIMITED_BY_PEER);
    assert_int_equal(peer.last[DAYTONA_EVENT_LIMITED].c, 5000);
    assert_true(sent > 11);
    peer_stop(&peer);
}

static void corked_data_are_limited_by_the_cork(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_send(&peer, 10, DAYTONA_SEND_MORE);
    expect_silence(&peer);
    assert_int_equal(limit_of(&peer), DAYTONA_LIMITED_BY_CORK);
    assert_int_equal(peer.last[DAYTONA_EVENT_LIMITED].d, 10);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ the rest */

static void losses_side_by_side_are_one_burst(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_send(&peer, 10 * MSS, 0);
    assert_int_equal(peer_hears_all(&peer), 10);
    peer_wait_us(&peer, 20000);
    const uint32_t block[] = {1 + 3 * MSS, 1 + 10 * MSS};
    peer_sack(&peer, 1, block, 1);
    peer_wait_us(&peer, 20000);
    peer_hears_all(&peer);
    assert_int_equal(peer.events[DAYTONA_EVENT_LOSS], 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_LOSS].a, peer.our_isn + 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_LOSS].b, 3 * MSS);
    assert_int_equal(peer.last[DAYTONA_EVENT_LOSS].c, 3);
    assert_string_equal(peer.last[DAYTONA_EVENT_LOSS].reason, "burst");
    assert_true(peer.events[DAYTONA_EVENT_SSTHRESH] > 0);
    peer_stop(&peer);
}

static void text_beyond_a_gap_is_told(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer_say_bytes(&peer, TCP_ACK, 101, 1, 50);
    assert_int_equal(peer.events[DAYTONA_EVENT_OUT_OF_ORDER], 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_OUT_OF_ORDER].a, peer.peer_isn + 101);
    assert_int_equal(peer.last[DAYTONA_EVENT_OUT_OF_ORDER].b, 50);
    assert_int_equal(peer.last[DAYTONA_EVENT_OUT_OF_ORDER].c, peer.peer_isn + 1);
    peer_stop(&peer);
}

/* RFC 1191 section 3 */
static void icmp_error_is_told_with_its_sender(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_send(&peer, MSS, 0);
    peer_hears_all(&peer);
    peer_icmp(&peer, 3, 4, 1200, 1);
    const struct daytona_event *icmp = &peer.last[DAYTONA_EVENT_ICMP];
    assert_int_equal(icmp->a, 3 << 8 | 4);
    assert_int_equal(icmp->b, 1200);
    assert_int_equal(icmp->c, peer.our_isn + 1);
    assert_true(icmp->d != 0);
    assert_int_equal(peer.last[DAYTONA_EVENT_MSS].b, 1200 - 52);
    peer_stop(&peer);
}

static void numbers_have_no_gaps(void **state)
{
    (void)state;
    struct peer peer;
    unsigned seen = 0;
    uint64_t last = 0;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++) {
        seen += peer.events[type];
        last = peer.last[type].number > last ? peer.last[type].number : last;
    }
    assert_true(seen > 5);
    assert_int_equal(last, seen);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_is_described),
        cmocka_unit_test(paces_part_the_events),
        cmocka_unit_test(each_segment_is_told_with_its_numbers),
        cmocka_unit_test(reset_for_nobody_is_told_without_a_socket),
        cmocka_unit_test(handshake_of_a_request_is_told_with_its_socket_to_be),
        cmocka_unit_test(nothing_is_told_that_nobody_wants),
        cmocka_unit_test(one_socket_can_be_watched_among_many),
        cmocka_unit_test(accepted_socket_inherits_its_listeners_mask),
        cmocka_unit_test(call_is_told_with_its_bytes),
        cmocka_unit_test(events_bear_the_number_of_the_call_they_follow_from),
        cmocka_unit_test(call_that_the_driver_tells_of_is_one),
        cmocka_unit_test(close_is_a_call_and_the_fin_its_doing),
        cmocka_unit_test(what_limits_the_sender_is_told_when_it_changes),
        cmocka_unit_test(corked_data_are_limited_by_the_cork),
        cmocka_unit_test(losses_side_by_side_are_one_burst),
        cmocka_unit_test(text_beyond_a_gap_is_told),
        cmocka_unit_test(icmp_error_is_told_with_its_sender),
        cmocka_unit_test(numbers_have_no_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
