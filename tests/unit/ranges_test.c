#include "stack/base/siphash.h"
#include "stack/buffer/ranges.h"
#include "tests/unit/region.h"

#include <errno.h>

#define REGION ((size_t)1 << 18)
#define MANY   1000u

/* Asserts that the list is exactly the pairs given, and that its sums agree. */
static void assert_ranges(const struct ranges *ranges, const uint64_t (*pairs)[2], size_t count)
{
    uint64_t bytes = 0;
    const struct range *range = ranges->first;
    for (size_t i = 0; i < count; i++, range = range->next) {
        assert_non_null(range);
        assert_int_equal(range->start, pairs[i][0]);
        assert_int_equal(range->end, pairs[i][1]);
        bytes += range->end - range->start;
    }
    assert_null(range);
    assert_int_equal(ranges->count, count);
    assert_int_equal(ranges->bytes, bytes);
}

#define ASSERT_RANGES(ranges, ...)                                                                 \
    assert_ranges(ranges, (const uint64_t[][2]){__VA_ARGS__},                                      \
                  COUNT_OF(((const uint64_t[][2]){__VA_ARGS__})))

static void ranges_are_kept_in_order(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    assert_int_equal(ranges_add(&ranges, memory, 50, 60, MANY), 10);
    assert_int_equal(ranges_add(&ranges, memory, 10, 20, MANY), 10);
    assert_int_equal(ranges_add(&ranges, memory, 30, 40, MANY), 10);
    ASSERT_RANGES(&ranges, {10, 20}, {30, 40}, {50, 60});
    ranges_release(&ranges, memory);
    assert_int_equal(ranges.count, 0);
    region_free(memory);
}

static void touching_and_overlapping_ranges_merge(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    ranges_add(&ranges, memory, 10, 20, MANY);
    assert_int_equal(ranges_add(&ranges, memory, 20, 25, MANY), 5);
    ASSERT_RANGES(&ranges, {10, 25});
    assert_int_equal(ranges_add(&ranges, memory, 5, 10, MANY), 5);
    ASSERT_RANGES(&ranges, {5, 25});
    assert_int_equal(ranges_add(&ranges, memory, 1, 7, MANY), 4);
    assert_int_equal(ranges_add(&ranges, memory, 24, 30, MANY), 5);
    ASSERT_RANGES(&ranges, {1, 30});
    ranges_release(&ranges, memory);
    region_free(memory);
}

static void a_range_over_others_swallows_them(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    for (uint64_t start = 10; start < 100; start += 20)
        ranges_add(&ranges, memory, start, start + 10, MANY);
    assert_int_equal(ranges_add(&ranges, memory, 35, 70, MANY), 20);
    ASSERT_RANGES(&ranges, {10, 20}, {30, 80}, {90, 100});
    assert_int_equal(ranges_add(&ranges, memory, 0, 200, MANY), 200 - 70);
    ASSERT_RANGES(&ranges, {0, 200});
    ranges_release(&ranges, memory);
    region_free(memory);
}

static void what_is_covered_or_empty_brings_nothing(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    assert_int_equal(ranges_add(&ranges, memory, 5, 5, MANY), 0);
    assert_int_equal(ranges_add(&ranges, memory, 6, 5, MANY), 0);
    assert_null(ranges.first);
    ranges_add(&ranges, memory, 10, 20, MANY);
    assert_int_equal(ranges_add(&ranges, memory, 10, 20, MANY), 0);
    assert_int_equal(ranges_add(&ranges, memory, 12, 18, MANY), 0);
    ASSERT_RANGES(&ranges, {10, 20});
    ranges_release(&ranges, memory);
    region_free(memory);
}

static void above_the_bound_only_merging_is_possible(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    ranges_add(&ranges, memory, 10, 20, 2);
    ranges_add(&ranges, memory, 30, 40, 2);
    assert_int_equal(ranges_add(&ranges, memory, 50, 60, 2), -ENOSPC);
    ASSERT_RANGES(&ranges, {10, 20}, {30, 40});
    assert_int_equal(ranges_add(&ranges, memory, 40, 60, 2), 20);
    assert_int_equal(ranges_add(&ranges, memory, 20, 30, 2), 10);
    ASSERT_RANGES(&ranges, {10, 60});
    ranges_release(&ranges, memory);
    region_free(memory);
}

static void short_memory_changes_nothing(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    uint64_t start = 0;
    while (ranges_add(&ranges, memory, start, start + 1, UINT32_MAX) > 0)
        start += 2;
    uint32_t count = ranges.count;
    assert_int_equal(ranges_add(&ranges, memory, start, start + 1, UINT32_MAX), -ENOMEM);
    assert_int_equal(ranges.count, count);
    assert_int_equal(ranges.bytes, count);
    assert_int_equal(ranges_add(&ranges, memory, 1, 2, UINT32_MAX), 1);
    assert_int_equal(ranges.count, count - 1);
    ranges_release(&ranges, memory);
    region_free(memory);
}

static void dropping_cuts_the_range_it_falls_into(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    ranges_add(&ranges, memory, 10, 20, MANY);
    ranges_add(&ranges, memory, 30, 40, MANY);
    assert_int_equal(ranges_drop_before(&ranges, memory, 10), 0);
    assert_int_equal(ranges_drop_before(&ranges, memory, 15), 5);
    ASSERT_RANGES(&ranges, {15, 20}, {30, 40});
    assert_int_equal(ranges_drop_before(&ranges, memory, 30), 5);
    ASSERT_RANGES(&ranges, {30, 40});
    assert_int_equal(ranges_drop_before(&ranges, memory, 1000), 10);
    assert_null(ranges.first);
    region_free(memory);
}

static void dropping_from_an_offset_keeps_what_is_before(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    assert_null(ranges_last(&ranges));
    for (uint64_t i = 0; i < 4; i++)
        ranges_add(&ranges, memory, 10 + 20 * i, 20 + 20 * i, MANY);
    assert_int_equal(ranges_last(&ranges)->start, 70);
    ranges_drop_from(&ranges, memory, 70);
    ASSERT_RANGES(&ranges, {10, 20}, {30, 40}, {50, 60});
    ranges_drop_from(&ranges, memory, 35);
    ASSERT_RANGES(&ranges, {10, 20}, {30, 35});
    ranges_drop_from(&ranges, memory, 20);
    ASSERT_RANGES(&ranges, {10, 20});
    ranges_drop_from(&ranges, memory, 0);
    assert_int_equal(ranges.count, 0);
    region_free(memory);
}

static void finding_and_counting_see_the_borders(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct ranges ranges = {0};
    assert_null(ranges_find(&ranges, 0));
    ranges_add(&ranges, memory, 10, 20, MANY);
    ranges_add(&ranges, memory, 30, 40, MANY);
    assert_null(ranges_find(&ranges, 9));
    assert_int_equal(ranges_find(&ranges, 10)->end, 20);
    assert_int_equal(ranges_find(&ranges, 19)->end, 20);
    assert_null(ranges_find(&ranges, 20));
    assert_int_equal(ranges_find(&ranges, 35)->start, 30);
    assert_null(ranges_find(&ranges, 40));
    assert_int_equal(ranges_covered(&ranges, 0, 100), 20);
    assert_int_equal(ranges_covered(&ranges, 15, 35), 10);
    assert_int_equal(ranges_covered(&ranges, 20, 30), 0);
    assert_int_equal(ranges_covered(&ranges, 12, 14), 2);
    assert_int_equal(ranges_covered(&ranges, 40, 10), 0);
    ranges_release(&ranges, memory);
    region_free(memory);
}

#define MODEL 400

static void assert_model(const struct ranges *ranges, const bool *covered)
{
    uint32_t count = 0, bytes = 0;
    for (uint32_t i = 0; i < MODEL; i++) {
        assert_int_equal(ranges_find(ranges, i) != NULL, covered[i]);
        bytes += covered[i];
        count += covered[i] && (i == 0 || !covered[i - 1]);
    }
    assert_int_equal(ranges->bytes, bytes);
    assert_int_equal(ranges->count, count);
}

static void random_use_agrees_with_a_table_of_bytes(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct random random = {8};
    for (int round = 0; round < 100; round++) {
        struct ranges ranges = {0};
        bool covered[MODEL] = {false};
        for (int step = 0; step < 60; step++) {
            uint32_t start = random_below(&random, MODEL);
            uint32_t end = start + random_below(&random, 15);
            end = end < MODEL ? end : MODEL;
            int64_t expected = 0;
            if (random_below(&random, 20) == 0) {
                for (uint32_t i = 0; i < start / 8; i++) {
                    expected += covered[i];
                    covered[i] = false;
                }
                assert_int_equal(ranges_drop_before(&ranges, memory, start / 8), expected);
            } else {
                for (uint32_t i = start; i < end; i++) {
                    expected += !covered[i];
                    covered[i] = true;
                }
                assert_int_equal(ranges_add(&ranges, memory, start, end, MANY), expected);
                assert_int_equal(ranges_covered(&ranges, start, end), end - start);
            }
            assert_model(&ranges, covered);
        }
        ranges_release(&ranges, memory);
    }
    region_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_kept_in_order),
        cmocka_unit_test(touching_and_overlapping_ranges_merge),
        cmocka_unit_test(a_range_over_others_swallows_them),
        cmocka_unit_test(what_is_covered_or_empty_brings_nothing),
        cmocka_unit_test(above_the_bound_only_merging_is_possible),
        cmocka_unit_test(short_memory_changes_nothing),
        cmocka_unit_test(dropping_cuts_the_range_it_falls_into),
        cmocka_unit_test(dropping_from_an_offset_keeps_what_is_before),
        cmocka_unit_test(finding_and_counting_see_the_borders),
        cmocka_unit_test(random_use_agrees_with_a_table_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
