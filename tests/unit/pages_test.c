#include "stack/base/siphash.h"
#include "stack/buffer/pages.h"
#include "tests/unit/region.h"

#define REGION ((size_t)4 << 20)

/* The byte that belongs at a stream offset. */
static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 ^ offset >> 9);
}

static size_t write_stream(struct pages *pages, struct memory *memory, uint64_t offset,
                           size_t length)
{
    uint8_t *bytes = malloc(length == 0 ? 1 : length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(offset + i);
    size_t written = pages_write(pages, memory, offset, (struct daytona_span){bytes, length});
    free(bytes);
    return written;
}

static void assert_stream(const struct pages *pages, uint64_t offset, size_t length)
{
    uint8_t *bytes = malloc(length == 0 ? 1 : length);
    pages_read(pages, offset, (struct daytona_room){bytes, length});
    for (size_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], byte_at(offset + i));
    free(bytes);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    for (size_t length = 1; length < 200000; length = length * 2 + 1) {
        uint64_t offset = pages.end;
        assert_int_equal(write_stream(&pages, memory, offset, length), length);
        assert_int_equal(pages.end, offset + length);
    }
    assert_stream(&pages, 0, pages.end);
    pages_release(&pages, memory);
    assert_int_equal(pages.page_count, 0);
    region_free(memory);
}

static void cutting_gives_back_the_pages_beyond(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    write_stream(&pages, memory, 0, 5000);
    write_stream(&pages, memory, 50000, 10000); /* beyond a gap */
    assert_int_equal(pages.page_count, 5);
    pages_cut(&pages, memory, 5000);
    assert_int_equal(pages.page_count, 2);
    assert_int_equal(pages.end, 5000);
    assert_stream(&pages, 0, 5000);
    write_stream(&pages, memory, 5000, 60000);
    assert_stream(&pages, 0, 65000);
    pages_cut(&pages, memory, 4096);
    assert_int_equal(pages.page_count, 1);
    pages_cut(&pages, memory, 0);
    assert_int_equal(pages.page_count, 0);
    pages_release(&pages, memory);
    region_free(memory);
}

static void an_empty_stream_holds_no_page(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    assert_int_equal(write_stream(&pages, memory, 0, 0), 0);
    assert_int_equal(memory_used(memory), 0);
    write_stream(&pages, memory, 0, 100000);
    pages_drop(&pages, memory, 100000);
    assert_int_equal(pages.page_count, 0);
    assert_true(memory_used(memory) <= 64);
    write_stream(&pages, memory, 100000, 10);
    assert_stream(&pages, 100000, 10);
    pages_drop(&pages, memory, 100010);
    assert_int_equal(pages.page_count, 0);
    pages_release(&pages, memory);
    region_free(memory);
}

static void pages_go_as_soon_as_nothing_of_them_is_kept(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    write_stream(&pages, memory, 0, 3 * PAGE_BYTES + 1);
    assert_int_equal(pages.page_count, 4);
    pages_drop(&pages, memory, PAGE_BYTES - 1);
    assert_int_equal(pages.page_count, 4);
    pages_drop(&pages, memory, PAGE_BYTES);
    assert_int_equal(pages.page_count, 3);
    pages_drop(&pages, memory, 3 * PAGE_BYTES);
    assert_int_equal(pages.page_count, 1);
    assert_stream(&pages, 3 * PAGE_BYTES, 1);
    pages_drop(&pages, memory, 5);
    assert_int_equal(pages.start, 3 * PAGE_BYTES);
    pages_release(&pages, memory);
    region_free(memory);
}

static void a_gap_holds_no_page_and_can_be_filled(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    write_stream(&pages, memory, 0, 100);
    write_stream(&pages, memory, 50000, 3000);
    assert_int_equal(pages.end, 53000);
    assert_int_equal(pages.page_count, 2);
    write_stream(&pages, memory, 100, 49900);
    assert_int_equal(pages.end, 53000);
    assert_stream(&pages, 0, 53000);
    pages_release(&pages, memory);
    region_free(memory);
}

static void dropping_beyond_the_end_skips_the_gap(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    write_stream(&pages, memory, 0, 5000);
    pages_drop(&pages, memory, (uint64_t)1 << 40);
    assert_int_equal(pages.page_count, 0);
    assert_true(pages.start == (uint64_t)1 << 40 && pages.end == (uint64_t)1 << 40);
    write_stream(&pages, memory, pages.end, 5000);
    assert_stream(&pages, pages.start, 5000);
    pages_release(&pages, memory);
    region_free(memory);
}

static void spans_cover_what_was_asked_in_order(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    write_stream(&pages, memory, 0, 70000);
    struct daytona_span spans[20];
    for (uint64_t offset = 0; offset < 9000; offset += 777) {
        /* 20 spans are enough for 64 KB, however they lie. */
        size_t count = pages_borrow(&pages, offset, 60000, spans, COUNT_OF(spans));
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < spans[i].length; j++, offset++)
                assert_int_equal(spans[i].data[j], byte_at(offset));
        offset -= 60000;
    }
    assert_int_equal(pages_borrow(&pages, 0, 0, spans, COUNT_OF(spans)), 0);
    assert_int_equal(pages_borrow(&pages, 1, 70000 - 1, spans, 3), 3);
    assert_int_equal(spans[0].length, PAGE_BYTES - 1);
    assert_int_equal(spans[2].length, PAGE_BYTES);
    pages_release(&pages, memory);
    region_free(memory);
}

static void short_memory_writes_what_fits(void **state)
{
    (void)state;
    struct memory *memory = region_make((size_t)1 << 20);
    struct pages pages = {0};
    size_t written = write_stream(&pages, memory, 10, (size_t)2 << 20);
    assert_in_range(written, (size_t)1 << 19, (size_t)1 << 20);
    assert_int_equal(pages.end, 10 + written);
    assert_stream(&pages, 10, written);
    assert_int_equal(write_stream(&pages, memory, pages.end, 1), 0);
    pages_drop(&pages, memory, 10 + written / 2);
    assert_true(write_stream(&pages, memory, pages.end, 10000) > 0);
    pages_release(&pages, memory);
    region_free(memory);
}

static void without_memory_nothing_is_written(void **state)
{
    (void)state;
    struct memory *memory = region_make((size_t)1 << 18);
    void *rest = NULL;
    for (size_t bytes = 32768; bytes >= 32; bytes /= 2)
        for (void **block; (block = memory_take(memory, bytes)) != NULL; rest = block)
            *block = rest;
    struct pages pages = {0};
    assert_int_equal(write_stream(&pages, memory, 0, 100), 0);
    assert_int_equal(pages.end, 0);
    while (rest != NULL) {
        void *next = *(void **)rest;
        memory_return(memory, rest);
        rest = next;
    }
    assert_int_equal(write_stream(&pages, memory, 0, 100), 100);
    pages_release(&pages, memory);
    region_free(memory);
}

static void a_write_too_far_for_the_table_is_refused(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct pages pages = {0};
    assert_int_equal(write_stream(&pages, memory, (uint64_t)1 << 50, 1), 0);
    assert_int_equal(pages.end, 0);
    pages_release(&pages, memory);
    region_free(memory);
}

static void random_use_agrees_with_a_flat_stream(void **state)
{
    (void)state;
    struct memory *memory = region_make(REGION);
    struct random random = {3};
    struct pages pages = {.start = 1000000007, .end = 1000000007};
    uint64_t contiguous = pages.end; /* all below has been written */
    for (int step = 0; step < 20000; step++) {
        uint32_t length = random_below(&random, 20000);
        switch (random_below(&random, 4)) {
        case 0:
            assert_int_equal(write_stream(&pages, memory, contiguous, length), length);
            contiguous += length;
            break;
        case 1: /* out of order */
            write_stream(&pages, memory, contiguous + random_below(&random, 50000), length);
            break;
        case 2:
            if (length > contiguous - pages.start)
                length = (uint32_t)(contiguous - pages.start);
            assert_stream(&pages, contiguous - length, length);
            break;
        case 3:
            pages_drop(&pages, memory,
                       pages.start +
                           random_below(&random, (uint32_t)(contiguous - pages.start) + 1));
            break;
        }
        assert_true(pages.end >= contiguous && pages.start <= contiguous);
        assert_true(pages.page_count <= (pages.end - pages.start) / PAGE_BYTES + 2);
        if (contiguous - pages.start > 400000)
            pages_drop(&pages, memory, contiguous - 1);
    }
    pages_release(&pages, memory);
    region_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(cutting_gives_back_the_pages_beyond),
        cmocka_unit_test(an_empty_stream_holds_no_page),
        cmocka_unit_test(pages_go_as_soon_as_nothing_of_them_is_kept),
        cmocka_unit_test(a_gap_holds_no_page_and_can_be_filled),
        cmocka_unit_test(dropping_beyond_the_end_skips_the_gap),
        cmocka_unit_test(spans_cover_what_was_asked_in_order),
        cmocka_unit_test(short_memory_writes_what_fits),
        cmocka_unit_test(without_memory_nothing_is_written),
        cmocka_unit_test(a_write_too_far_for_the_table_is_refused),
        cmocka_unit_test(random_use_agrees_with_a_flat_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
