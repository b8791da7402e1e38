#include "stack/base/siphash.h"
#include "tests/unit/region.h"

#define REGION ((size_t)1 << 20)

static void a_region_too_small_is_refused(void **state)
{
    (void)state;
    uint8_t *data = aligned_alloc(64, 32768);
    assert_null(memory_init((struct daytona_room){data, 32768}));
    assert_null(memory_init((struct daytona_room){data, 0}));
    free(data);
}

static void blocks_are_aligned_and_as_large_as_asked(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    for (size_t bytes = 1; bytes <= 70000; bytes += bytes < 300 ? 1 : 997) {
        uint8_t *other = memory_take(memory, bytes); /* lies at the slab's start */
        uint8_t *block = memory_take(memory, bytes);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        size_t taken = memory_block_bytes(bytes);
        assert_true(taken >= bytes);
        assert_int_equal(memory_used(memory), 2 * taken);
        size_t alignment = 64;
        while (taken % alignment != 0)
            alignment /= 2;
        assert_int_equal((uintptr_t)block % alignment, 0);
        memset(block, 0xff, bytes);
        memory_return(memory, block);
        memory_return(memory, other);
    }
    region_free(memory);
}

static void every_block_lies_within_the_region(void **state)
{
    (void)state;
    for (size_t bytes = 65536; bytes < 3 * REGION; bytes += 20416) {
        struct memory *memory = region_make(bytes);
        uint8_t *start = (uint8_t *)memory, *last = NULL;
        for (uint8_t *block; (block = memory_take(memory, 16384)) != NULL; last = block) {
            assert_true(block > start && block + 16384 <= start + bytes);
            memset(block, 0xff, 16384);
            memcpy(block, &last, sizeof last);
        }
        assert_true(memory_used(memory) + 3 * 32768 > bytes);
        while (last != NULL) {
            uint8_t *block = last;
            memcpy(&last, block, sizeof last);
            memory_return(memory, block);
        }
        region_free(memory);
    }
}

static void a_class_wastes_less_than_half(void **state)
{
    (void)state;
    for (size_t bytes = 33; bytes <= 16384; bytes++)
        assert_true(memory_block_bytes(bytes) < 2 * bytes);
    for (size_t bytes = 33; bytes <= 1536; bytes++)
        assert_true(memory_block_bytes(bytes) <= (bytes - 1) * 3 / 2 + 2);
}

static void zeroed_blocks_are_zero_also_when_used_before(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    for (size_t bytes = 32; bytes <= 65536; bytes *= 2) {
        uint8_t *block = memory_take(memory, bytes);
        memset(block, 0xff, bytes);
        memory_return(memory, block);
        block = memory_take_zeroed(memory, bytes);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(block[i], 0);
        memory_return(memory, block);
    }
    region_free(memory);
}

static void returning_nothing_is_allowed(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    memory_return(memory, NULL);
    region_free(memory);
}

static void an_exhausted_region_says_so_and_serves_again(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    for (size_t bytes = 24; bytes <= 16384; bytes = bytes * 3 / 2) {
        void **first = NULL;
        size_t count = 0;
        for (void **block; (block = memory_take(memory, bytes)) != NULL; first = block, count++)
            *block = first;
        /* Overhead: the descriptors, one alignment gap, what a slab leaves over. */
        assert_true(count * memory_block_bytes(bytes) > REGION * 3 / 4);
        while (first != NULL) {
            void **next = *first;
            memory_return(memory, first);
            first = next;
        }
        assert_int_equal(memory_used(memory), 0);
    }
    region_free(memory);
}

static void one_block_gone_back_makes_room_for_one(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    void *last = NULL, *first = memory_take(memory, 4096), *block;
    *(void **)first = NULL;
    for (last = first; (block = memory_take(memory, 4096)) != NULL; last = block)
        *(void **)block = last;
    assert_null(memory_take(memory, 32));
    void *before = *(void **)last;
    memory_return(memory, last);
    assert_null(memory_take(memory, 8192));
    last = memory_take(memory, 4096);
    assert_non_null(last);
    assert_null(memory_take(memory, 4096));
    *(void **)last = before;
    while (last != NULL) {
        before = *(void **)last;
        memory_return(memory, last);
        last = before;
    }
    region_free(memory);
}

static void an_emptied_slab_serves_another_class(void **state)
{
    (void)state;
    /* Each class in turn takes nearly all there is; kept empty slabs must not get in its way. */
    struct memory *memory = region_make(REGION);
    void *blocks[8];
    for (int round = 0; round < 3; round++)
        for (size_t bytes = 32; bytes <= 16384; bytes *= 2) {
            for (size_t i = 0; i < COUNT_OF(blocks); i++)
                assert_non_null(blocks[i] = memory_take(memory, bytes));
            for (size_t i = 0; i < COUNT_OF(blocks); i++)
                memory_return(memory, blocks[i]);
        }
    void *large = memory_take(memory, REGION * 3 / 4);
    assert_non_null(large);
    memory_return(memory, large);
    region_free(memory);
}

static void large_blocks_are_contiguous_and_reused(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    uint8_t *a = memory_take(memory, 65535);
    uint8_t *b = memory_take(memory, 200000);
    uint8_t *c = memory_take(memory, 16385);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    memset(a, 1, 65535);
    memset(b, 2, 200000);
    memset(c, 3, 16385);
    assert_int_equal(a[65534], 1);
    assert_int_equal(b[0], 2);
    assert_int_equal(b[199999], 2);
    assert_int_equal(c[0], 3);
    memory_return(memory, b);
    assert_ptr_equal(memory_take(memory, 200000), b);
    memory_return(memory, a);
    memory_return(memory, c);
    memory_return(memory, b);
    assert_null(memory_take(memory, REGION));
    assert_null(memory_take(memory, MEMORY_BLOCK_MAX + 1));
    region_free(memory);
}

static void the_peak_is_the_most_there_ever_was(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    assert_int_equal(memory_peak(memory), 0);
    assert_int_equal(memory_region(memory), REGION);
    void *a = memory_take(memory, 64), *b = memory_take(memory, 65536);
    memory_return(memory, b);
    b = memory_take(memory, 100);
    assert_int_equal(memory_used(memory), 64 + 128);
    assert_int_equal(memory_peak(memory), 64 + 65536);
    memory_return(memory, a);
    memory_return(memory, b);
    region_free(memory);
}

static void bytes_never_needed_are_never_touched(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    void *block = memory_take(memory, 1000);
    memory_return(memory, block);
    const uint8_t *end = (const uint8_t *)memory + REGION;
    for (size_t i = 1; i <= REGION / 2; i++)
        assert_int_equal(*(end - i), 0xa5);
    region_free(memory);
}

struct held {
    uint8_t *block;
    size_t bytes;
    uint8_t mark;
};

static void check_and_return(struct memory *memory, struct held *held)
{
    for (size_t i = 0; i < held->bytes; i++)
        assert_int_equal(held->block[i], held->mark);
    memory_return(memory, held->block);
    held->block = NULL;
}

static void random_use_never_hands_out_a_byte_twice(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct random random = {42};
    struct held held[200] = {0};
    size_t expected = 0;
    for (int step = 0; step < 40000; step++) {
        struct held *h = &held[random_below(&random, COUNT_OF(held))];
        if (h->block != NULL) {
            expected -= memory_block_bytes(h->bytes);
            check_and_return(memory, h);
            continue;
        }
        uint32_t most = random_below(&random, 50) == 0 ? 150000 : 6000;
        h->bytes = 1 + random_below(&random, random_below(&random, most) + 1);
        h->mark = (uint8_t)random_next(&random);
        h->block = memory_take(memory, h->bytes);
        if (h->block == NULL)
            continue;
        expected += memory_block_bytes(h->bytes);
        memset(h->block, h->mark, h->bytes);
        assert_int_equal(memory_used(memory), expected);
    }
    for (size_t i = 0; i < COUNT_OF(held); i++)
        if (held[i].block != NULL)
            check_and_return(memory, &held[i]);
    region_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region_too_small_is_refused),
        cmocka_unit_test(blocks_are_aligned_and_as_large_as_asked),
        cmocka_unit_test(every_block_lies_within_the_region),
        cmocka_unit_test(a_class_wastes_less_than_half),
        cmocka_unit_test(zeroed_blocks_are_zero_also_when_used_before),
        cmocka_unit_test(returning_nothing_is_allowed),
        cmocka_unit_test(an_exhausted_region_says_so_and_serves_again),
        cmocka_unit_test(one_block_gone_back_makes_room_for_one),
        cmocka_unit_test(an_emptied_slab_serves_another_class),
        cmocka_unit_test(large_blocks_are_contiguous_and_reused),
        cmocka_unit_test(the_peak_is_the_most_there_ever_was),
        cmocka_unit_test(bytes_never_needed_are_never_touched),
        cmocka_unit_test(random_use_never_hands_out_a_byte_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
