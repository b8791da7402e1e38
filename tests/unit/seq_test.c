#include "stack/base/seq.h"
#include "tests/unit/region.h"

static struct seq at(uint32_t value)
{
    return (struct seq){value};
}

/* RFC 9293 section 3.4 */
static void order_is_modular(void **state)
{
    (void)state;
    assert_true(seq_before(at(1), at(2)));
    assert_false(seq_before(at(2), at(1)));
    assert_false(seq_before(at(2), at(2)));
    assert_true(seq_before(at(0xfffffff0), at(5)));
    assert_false(seq_before(at(5), at(0xfffffff0)));
    assert_true(seq_before(at(0), at(0x7fffffff)));
    assert_true(seq_before_or_equal(at(7), at(7)));
    assert_true(seq_before_or_equal(at(0xffffffff), at(0)));
    assert_false(seq_before_or_equal(at(0), at(0xffffffff)));
}

static void adding_and_distance_wrap(void **state)
{
    (void)state;
    assert_int_equal(seq_add(at(0xfffffffe), 5).value, 3);
    assert_int_equal(seq_distance(at(0xfffffffe), at(3)), 5);
    assert_true(seq_equal(seq_add(at(9), 0), at(9)));
}

static void later_and_earlier_are_modular(void **state)
{
    (void)state;
    assert_int_equal(seq_later(at(0xffffffff), at(1)).value, 1);
    assert_int_equal(seq_earlier(at(0xffffffff), at(1)).value, 0xffffffff);
    assert_int_equal(seq_later(at(4), at(4)).value, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_modular),
        cmocka_unit_test(adding_and_distance_wrap),
        cmocka_unit_test(later_and_earlier_are_modular),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
