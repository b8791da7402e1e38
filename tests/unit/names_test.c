#include "tests/unit/region.h"

#include <daytona/stack.h>

static void verdicts_and_events_are_called_as_in_their_tables(void **state)
{
    (void)state;
    assert_string_equal(daytona_verdict_name(DAYTONA_VERDICT_ACCEPTED), "ACCEPTED");
    assert_string_equal(daytona_verdict_name(DAYTONA_VERDICT_BAD_CHECKSUM), "BAD_CHECKSUM");
    assert_string_equal(daytona_event_name(DAYTONA_EVENT_RTT_SAMPLE), "RTT_SAMPLE");
    for (int i = 0; i < DAYTONA_VERDICT_COUNT; i++)
        assert_string_not_equal(daytona_verdict_name((enum daytona_verdict)i), "unknown");
    for (int i = 0; i < DAYTONA_EVENT_COUNT; i++)
        assert_string_not_equal(daytona_event_name((enum daytona_event_type)i), "unknown");
}

/* RFC 9293 section 3.3.2 */
static void states_are_called_as_in_the_rfc(void **state)
{
    (void)state;
    assert_string_equal(daytona_tcp_state_name(DAYTONA_TCP_ESTABLISHED), "ESTABLISHED");
    assert_string_equal(daytona_tcp_state_name(DAYTONA_TCP_FIN_WAIT_2), "FIN-WAIT-2");
    assert_string_equal(daytona_tcp_state_name(DAYTONA_TCP_CLOSING), "CLOSING");
    for (int i = DAYTONA_TCP_ESTABLISHED; i <= DAYTONA_TCP_CLOSING; i++)
        assert_string_not_equal(daytona_tcp_state_name((enum daytona_tcp_state)i), "unknown");
}

static void what_does_not_exist_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(daytona_verdict_name(DAYTONA_VERDICT_COUNT), "unknown");
    assert_string_equal(daytona_event_name(DAYTONA_EVENT_COUNT), "unknown");
    assert_string_equal(daytona_tcp_state_name((enum daytona_tcp_state)0), "unknown");
    assert_string_equal(daytona_tcp_state_name((enum daytona_tcp_state)12), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_and_events_are_called_as_in_their_tables),
        cmocka_unit_test(states_are_called_as_in_the_rfc),
        cmocka_unit_test(what_does_not_exist_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
