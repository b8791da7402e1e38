/*
 * retire_test.c - who answers for a port: a stack beside others, and one whose ports have been
 * given away.
 */
#include "tests/unit/peer.h"

/* A connection on OUR_PORT, whose listener is closed. Returns the port of another connection of
 * the same peer, of which the stack knows nothing. */
static uint16_t start(struct peer *peer)
{
    struct daytona_stack_config beside_others = {.owns_every_port = false};
    peer_start(peer, &beside_others);
    peer_connects(peer, &offer_all);
    return (uint16_t)(peer->peer_port + 1);
}

/* RFC 9293 3.10.7.1 */
static void segment_for_a_port_of_ours_is_answered_with_reset(void **state)
{
    struct peer peer;
    (void)state;
    uint16_t other = start(&peer), known = peer.peer_port;
    peer.peer_port = other;
    assert_int_equal(peer_say(&peer, TCP_SYN, 0, 0, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_true(peer_hears(&peer));
    peer.peer_port = known;
    peer_stop(&peer);
}

static void retired_stack_answers_nothing_that_is_not_its_own(void **state)
{
    struct peer peer;
    (void)state;
    uint16_t other = start(&peer), known = peer.peer_port;
    daytona_stack_retire(peer.stack);
    peer.peer_port = other;
    assert_int_equal(peer_say(&peer, TCP_SYN, 0, 0, NULL), DAYTONA_VERDICT_NO_SOCKET);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "to nobody"), DAYTONA_VERDICT_NO_SOCKET);
    expect_silence(&peer);
    peer.peer_port = known;
    peer_stop(&peer);
}

static void retired_stack_goes_on_with_what_is_open(void **state)
{
    struct peer peer;
    char got[8];
    (void)state;
    start(&peer);
    daytona_stack_retire(peer.stack);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "text"), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(we_receive(&peer, got, sizeof got, 0), 4);
    peer_stop(&peer);
}

struct asked {
    bool answer;
    bool opens, used;
    uint16_t port;
};

static bool answer_as_told(void *context, const struct daytona_endpoint *local, bool opens,
                           bool used)
{
    struct asked *asked = context;
    asked->opens = opens;
    asked->used = used;
    asked->port = local->port;
    return asked->answer;
}

static struct daytona_stack_config asking(struct asked *asked)
{
    return (struct daytona_stack_config){.answers = answer_as_told, .answers_context = asked};
}

/* RFC 9293 3.10.7.1 */
static void driver_may_have_a_port_answered_that_nobody_uses(void **state)
{
    struct peer peer;
    struct asked asked = {.answer = true};
    struct daytona_stack_config config = asking(&asked);
    (void)state;
    peer_start(&peer, &config);
    assert_int_equal(peer_say(&peer, TCP_SYN, 0, 0, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_true(peer_hears(&peer));
    assert_true(asked.opens && !asked.used && asked.port == peer.our_port);
    asked.answer = false;
    assert_int_equal(peer_say(&peer, TCP_SYN, 0, 0, NULL), DAYTONA_VERDICT_NO_SOCKET);
    expect_silence(&peer);
    peer_stop(&peer);
}

static void driver_may_know_of_another_stack_on_a_port_of_ours(void **state)
{
    struct peer peer;
    struct asked asked = {.answer = false};
    struct daytona_stack_config config = asking(&asked);
    (void)state;
    peer_start(&peer, &config);
    peer_connects(&peer, &offer_all);
    uint16_t known = peer.peer_port++;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "another's"), DAYTONA_VERDICT_NO_SOCKET);
    assert_true(asked.used && !asked.opens);
    expect_silence(&peer);
    peer.peer_port = known;
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_for_a_port_of_ours_is_answered_with_reset),
        cmocka_unit_test(retired_stack_answers_nothing_that_is_not_its_own),
        cmocka_unit_test(retired_stack_goes_on_with_what_is_open),
        cmocka_unit_test(driver_may_have_a_port_answered_that_nobody_uses),
        cmocka_unit_test(driver_may_know_of_another_stack_on_a_port_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
