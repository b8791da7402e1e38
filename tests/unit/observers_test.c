/* Who sees which events, behind the one observer that the stack has. */
#include "preload/observers.h"
#include "tests/unit/region.h"

#include <daytona/observe.h>
#include <errno.h>

struct seen_by {
    unsigned count;
    enum daytona_event_type last;
};

static void count(void *context, const struct daytona_event *event)
{
    struct seen_by *by = context;
    by->count++;
    by->last = event->type;
}

static void raise_event(const struct daytona_observer *all, enum daytona_event_type type,
                        bool singled_out)
{
    const struct daytona_event event = {.type = type, .singled_out = singled_out};
    all->event(all->context, &event);
}

static void program_sees_what_it_asked_for(void **state)
{
    (void)state;
    struct seen_by program = {0};
    const struct daytona_observer *all = observers_all(NULL);
    assert_int_equal(daytona_observe(count, &program, DAYTONA_EVENT_BIT(DAYTONA_EVENT_LOSS)), 0);
    raise_event(all, DAYTONA_EVENT_CWND, false);
    assert_int_equal(program.count, 0);
    raise_event(all, DAYTONA_EVENT_LOSS, false);
    assert_int_equal(program.count, 1);
    assert_int_equal(program.last, DAYTONA_EVENT_LOSS);
    assert_int_equal(daytona_observe(NULL, NULL, 0), 0);
    raise_event(all, DAYTONA_EVENT_LOSS, false);
    assert_int_equal(program.count, 1);
}

static void program_sees_all_of_a_socket_that_it_singled_out(void **state)
{
    (void)state;
    struct seen_by program = {0};
    const struct daytona_observer *all = observers_all(NULL);
    assert_int_equal(daytona_observe(count, &program, 0), 0);
    raise_event(all, DAYTONA_EVENT_LOSS, false);
    raise_event(all, DAYTONA_EVENT_CWND, true);
    assert_int_equal(program.count, 1);
    assert_int_equal(program.last, DAYTONA_EVENT_CWND);
    daytona_observe(NULL, NULL, 0);
}

static void others_see_what_they_want_and_nothing_more(void **state)
{
    (void)state;
    struct seen_by program = {0}, other = {0};
    const struct daytona_observer fixed = {
        .context = &other, .event = count, .mask = DAYTONA_EVENT_BIT(DAYTONA_EVENT_STATE)};
    const struct daytona_observer *all = observers_all(&fixed);
    daytona_observe(count, &program, DAYTONA_EVENTS_ALL);
    raise_event(all, DAYTONA_EVENT_STATE, false);
    raise_event(all, DAYTONA_EVENT_LOSS, true);
    assert_int_equal(other.count, 1);
    assert_int_equal(program.count, 2);
    daytona_observe(NULL, NULL, 0);
    observers_all(NULL);
}

static void what_is_no_socket_of_ours_cannot_be_singled_out(void **state)
{
    (void)state;
    assert_int_equal(daytona_observe_socket(0, DAYTONA_EVENTS_ALL), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_sees_what_it_asked_for),
        cmocka_unit_test(program_sees_all_of_a_socket_that_it_singled_out),
        cmocka_unit_test(others_see_what_they_want_and_nothing_more),
        cmocka_unit_test(what_is_no_socket_of_ours_cannot_be_singled_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
