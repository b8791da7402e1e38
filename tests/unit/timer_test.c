#include "stack/base/siphash.h"
#include "stack/base/timer.h"
#include "tests/unit/region.h"

static struct daytona_instant at(uint64_t ns)
{
    return (struct daytona_instant){ns};
}

static void without_timers_there_is_no_deadline(void **state)
{
    (void)state;
    struct timers timers = {0};
    assert_true(timers_next(&timers).ns == DAYTONA_NEVER.ns);
    assert_null(timers_take_due(&timers, at(UINT64_MAX)));
}

static void timers_come_out_in_the_order_of_their_instants(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer[3] = {0};
    timer_set(&timers, &timer[0], at(30));
    timer_set(&timers, &timer[1], at(10));
    timer_set(&timers, &timer[2], at(20));
    assert_int_equal(timers_next(&timers).ns, 10);
    assert_ptr_equal(timers_take_due(&timers, at(100)), &timer[1]);
    assert_ptr_equal(timers_take_due(&timers, at(100)), &timer[2]);
    assert_ptr_equal(timers_take_due(&timers, at(100)), &timer[0]);
    assert_null(timers_take_due(&timers, at(100)));
}

static void a_timer_is_due_at_its_instant_and_not_before(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer = {0};
    timer_set(&timers, &timer, at(50));
    assert_null(timers_take_due(&timers, at(49)));
    assert_true(timer.set);
    assert_ptr_equal(timers_take_due(&timers, at(50)), &timer);
    assert_false(timer.set);
}

static void timers_due_together_all_come_out(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer[5] = {0};
    for (size_t i = 0; i < COUNT_OF(timer); i++)
        timer_set(&timers, &timer[i], at(7));
    for (size_t i = 0; i < COUNT_OF(timer); i++)
        assert_non_null(timers_take_due(&timers, at(7)));
    assert_null(timers_take_due(&timers, at(7)));
}

static void a_cancelled_timer_does_not_come_out(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer[2] = {0};
    timer_cancel(&timers, &timer[0]);
    timer_set(&timers, &timer[0], at(1));
    timer_set(&timers, &timer[1], at(2));
    timer_cancel(&timers, &timer[0]);
    timer_cancel(&timers, &timer[0]);
    assert_ptr_equal(timers_take_due(&timers, at(9)), &timer[1]);
    assert_null(timers_take_due(&timers, at(9)));
}

static void a_timer_moves_both_ways(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer[2] = {0};
    timer_set(&timers, &timer[0], at(10));
    timer_set(&timers, &timer[1], at(20));
    timer_set(&timers, &timer[0], at(30));
    assert_int_equal(timers_next(&timers).ns, 20);
    timer_set(&timers, &timer[0], at(15));
    assert_int_equal(timers_next(&timers).ns, 15);
    timer_set(&timers, &timer[0], at(15));
    assert_ptr_equal(timers_take_due(&timers, at(30)), &timer[0]);
    assert_ptr_equal(timers_take_due(&timers, at(30)), &timer[1]);
}

static void a_timer_taken_can_be_set_again(void **state)
{
    (void)state;
    struct timers timers = {0};
    struct timer timer = {.kind = 3};
    for (uint64_t ns = 0; ns < 10; ns++) {
        timer_set(&timers, &timer, at(ns));
        assert_ptr_equal(timers_take_due(&timers, at(ns)), &timer);
        assert_int_equal(timer.kind, 3);
    }
}

#define MODEL_TIMERS 300

static const struct timer *model_earliest(const struct timer *timer)
{
    const struct timer *earliest = NULL;
    for (size_t i = 0; i < MODEL_TIMERS; i++)
        if (timer[i].set && (earliest == NULL || timer[i].due.ns < earliest->due.ns))
            earliest = &timer[i];
    return earliest;
}

static void random_use_agrees_with_a_search_of_all_timers(void **state)
{
    (void)state;
    struct timers timers = {0};
    static struct timer timer[MODEL_TIMERS];
    struct random random = {7};
    uint64_t now = 0;
    for (int step = 0; step < 20000; step++) {
        struct timer *t = &timer[random_below(&random, MODEL_TIMERS)];
        uint32_t what = random_below(&random, 10);
        if (what < 6) {
            timer_set(&timers, t, at(now + random_below(&random, 500)));
        } else if (what < 8) {
            timer_cancel(&timers, t);
        } else {
            now += random_below(&random, 20);
            for (struct timer *due; (due = timers_take_due(&timers, at(now))) != NULL;) {
                assert_false(due->set);
                const struct timer *earliest = model_earliest(timer);
                assert_true(earliest == NULL || earliest->due.ns >= due->due.ns);
            }
        }
        const struct timer *earliest = model_earliest(timer);
        uint64_t expected = earliest == NULL ? DAYTONA_NEVER.ns : earliest->due.ns;
        assert_true(timers_next(&timers).ns == expected);
    }
}

static void a_hundred_thousand_timers_do_not_use_up_the_stack(void **state)
{
    (void)state;
    size_t count = 100000;
    struct timer *timer = calloc(count, sizeof *timer);
    struct timers timers = {0};
    for (size_t i = 0; i < count; i++)
        timer_set(&timers, &timer[i], at(i * 7919 % count));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(timers_take_due(&timers, at(count))->due.ns, i);
    assert_null(timers.root);
    free(timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_timers_there_is_no_deadline),
        cmocka_unit_test(timers_come_out_in_the_order_of_their_instants),
        cmocka_unit_test(a_timer_is_due_at_its_instant_and_not_before),
        cmocka_unit_test(timers_due_together_all_come_out),
        cmocka_unit_test(a_cancelled_timer_does_not_come_out),
        cmocka_unit_test(a_timer_moves_both_ways),
        cmocka_unit_test(a_timer_taken_can_be_set_again),
        cmocka_unit_test(random_use_agrees_with_a_search_of_all_timers),
        cmocka_unit_test(a_hundred_thousand_timers_do_not_use_up_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
