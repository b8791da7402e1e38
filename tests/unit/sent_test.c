/* The retransmission queue. */
#include "stack/tcp/sent.h"
#include "tests/unit/region.h"

#define REGION_BYTES ((size_t)1 << 20)

struct bench {
    void *region;
    struct sent_store store;
    struct sent_queue queue;
};

static void bench_start(struct bench *bench, unsigned records)
{
    *bench = (struct bench){.region = aligned_alloc(64, REGION_BYTES)};
    assert_non_null(bench->region);
    bench->store.memory = memory_init((struct daytona_room){bench->region, REGION_BYTES});
    assert_non_null(bench->store.memory);
    sent_init(&bench->queue);
    for (unsigned i = 0; i < records; i++)
        assert_non_null(sent_append(&bench->queue, &bench->store, 1000 + 100 * i, 100));
}

static void bench_stop(struct bench *bench)
{
    sent_release(&bench->queue, &bench->store);
    assert_int_equal(memory_used(bench->store.memory), 0);
    assert_false(bench->store.spare_taken);
    free(bench->region);
}

/* Every change that there is, thousands of times, with a generator of its own. */
static void sums_and_lists_agree_whatever_happens(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench, 50);
    uint64_t end = 6000;
    uint32_t dice = 12345, steps;
    for (unsigned i = 0; i < 20000; i++) {
        dice = dice * 1664525 + 1013904223;
        steps = 1000;
        const struct sent *first = sent_first(&bench.queue);
        uint64_t at = first == NULL ? end : first->start + (dice >> 8) % (end - first->start);
        struct sent *record = sent_find(&bench.queue, at, &steps);
        switch (dice >> 28) {
        case 0:
        case 1:
        case 2:
            sent_append(&bench.queue, &bench.store, end, 100);
            end += 100;
            break;
        case 3:
        case 4:
            if (record != NULL && record->fate != SENT_SACKED)
                sent_mark_sacked(&bench.queue, record);
            break;
        case 5:
        case 6:
            if (record != NULL && record->fate == SENT_IN_FLIGHT)
                sent_mark_lost(&bench.queue, record);
            break;
        case 7:
        case 8:
            if (sent_first_lost(&bench.queue) != NULL)
                sent_mark_again(&bench.queue, sent_first_lost(&bench.queue));
            break;
        case 9:
            if (record != NULL && record->fate == SENT_LOST)
                sent_unmark_lost(&bench.queue, record);
            break;
        case 10:
            if (record != NULL && record->length > 1)
                sent_split(&bench.queue, &bench.store, record, 1 + dice % (record->length - 1));
            break;
        case 11:
            if (record != NULL && record->length > 1)
                sent_trim(&bench.queue, sent_first(&bench.queue), 1);
            break;
        case 12:
            if (record != NULL && record->fate == SENT_SACKED)
                sent_unmark_sacked(&bench.queue, record);
            break;
        default:
            if (sent_first(&bench.queue) != NULL)
                sent_drop(&bench.queue, &bench.store, sent_first(&bench.queue));
            break;
        }
        assert_true(sent_is_sound(&bench.queue));
        if (sent_first(&bench.queue) != NULL && sent_first(&bench.queue)->length == 1)
            sent_drop(&bench.queue, &bench.store, sent_first(&bench.queue));
    }
    bench_stop(&bench);
}

static void offsets_are_found_from_either_end_and_in_between(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench, 40);
    for (uint64_t offset = 1000; offset < 5000; offset += 37) {
        uint32_t steps = 100;
        const struct sent *record = sent_find(&bench.queue, (offset * 7919) % 4000 + 1000, &steps);
        assert_non_null(record);
        assert_in_range((offset * 7919) % 4000 + 1000, record->start, sent_end(record) - 1);
    }
    uint32_t steps = 100;
    assert_null(sent_find(&bench.queue, 5000, &steps));
    bench_stop(&bench);
}

static void search_ends_when_its_steps_are_used_up(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench, 40);
    uint32_t steps = 3;
    assert_null(sent_find(&bench.queue, 3000, &steps));
    assert_int_equal(steps, 0);
    bench_stop(&bench);
}

/* One sender at a time goes on when there is no memory */
static void spare_record_is_lent_to_who_has_none(void **state)
{
    (void)state;
    struct bench bench;
    bench_start(&bench, 0);
    struct sent_queue other = {.found = NULL};
    sent_init(&other);
    void *taken[REGION_BYTES / 96];
    size_t count = 0;
    while ((taken[count] = memory_take(bench.store.memory, 96)) != NULL)
        count++;
    assert_non_null(sent_append(&bench.queue, &bench.store, 1000, 100));
    assert_null(sent_append(&bench.queue, &bench.store, 1100, 100));
    assert_false(sent_split(&bench.queue, &bench.store, sent_first(&bench.queue), 50));
    assert_null(sent_append(&other, &bench.store, 1000, 100));
    sent_drop(&bench.queue, &bench.store, sent_first(&bench.queue));
    assert_non_null(sent_append(&other, &bench.store, 1000, 100));
    sent_release(&other, &bench.store);
    while (count > 0)
        memory_return(bench.store.memory, taken[--count]);
    bench_stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_lists_agree_whatever_happens),
        cmocka_unit_test(offsets_are_found_from_either_end_and_in_between),
        cmocka_unit_test(search_ends_when_its_steps_are_used_up),
        cmocka_unit_test(spare_record_is_lent_to_who_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
