/* The ring of events: what is written is read, whole or not at all. */
#include "preload/ring.h"
#include "scripts/ring_reader.h"
#include "tests/unit/region.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS 64u

struct stand {
    struct ring ring;
    void *memory;
    struct ring_reader reader;
};

static bool copy_from_memory(void *context, uint64_t offset, void *to, size_t bytes)
{
    const _Atomic uint64_t *from = (void *)((uint8_t *)context + offset);
    uint64_t *words = to;
    for (size_t i = 0; i < bytes / sizeof *words; i++)
        words[i] = atomic_load_explicit(&from[i], memory_order_acquire);
    return true;
}

static void start(struct stand *stand)
{
    stand->memory = aligned_alloc(64, ring_bytes(SLOTS));
    memset(stand->memory, 0, ring_bytes(SLOTS));
    ring_init(&stand->ring, stand->memory, SLOTS);
    ring_publish(&stand->ring);
    const struct ring_source source = {copy_from_memory, stand->memory};
    assert_int_equal(ring_reader_begin(&stand->reader, &source), 0);
}

static void stop(struct stand *stand)
{
    free(stand->memory);
}

static struct daytona_event event_of(uint64_t value)
{
    return (struct daytona_event){.type = DAYTONA_EVENT_CWND,
                                  .at = {value},
                                  .una = (uint32_t)value,
                                  .cwnd_bytes = (uint32_t)value,
                                  .a = value,
                                  .b = value,
                                  .c = value,
                                  .d = value,
                                  .reason = value % 2 == 0 ? "even" : "odd"};
}

/* All of an event is of one event. */
static void check(const struct seen *seen)
{
    uint64_t value = seen->numbers[0];
    assert_int_equal(seen->event.at_ns, value);
    assert_int_equal(seen->event.una, (uint32_t)value);
    assert_int_equal(seen->event.cwnd_bytes, (uint32_t)value);
    assert_int_equal(seen->numbers[1], value);
    assert_int_equal(seen->numbers[2], value);
    assert_int_equal(seen->numbers[3], value);
    assert_string_equal(seen->reason, value % 2 == 0 ? "even" : "odd");
}

static void events_come_out_in_order(void **state)
{
    (void)state;
    struct stand stand;
    struct seen seen;
    start(&stand);
    assert_false(ring_reader_next(&stand.reader, &seen));
    for (uint64_t i = 1; i <= 3 * SLOTS; i++) {
        struct daytona_event event = event_of(i);
        ring_write(&stand.ring, &event);
        assert_true(ring_reader_next(&stand.reader, &seen));
        check(&seen);
        assert_int_equal(seen.numbers[0], i);
        assert_int_equal(seen.event.number, i);
        assert_int_equal(seen.missed, 0);
        assert_false(ring_reader_next(&stand.reader, &seen));
    }
    stop(&stand);
}

static void events_that_were_overwritten_are_counted(void **state)
{
    (void)state;
    struct stand stand;
    struct seen seen;
    start(&stand);
    struct daytona_event event = event_of(1);
    ring_write(&stand.ring, &event);
    assert_true(ring_reader_next(&stand.reader, &seen));
    for (uint64_t i = 2; i <= 1 + SLOTS + 10; i++) {
        event = event_of(i);
        ring_write(&stand.ring, &event);
    }
    assert_true(ring_reader_next(&stand.reader, &seen));
    assert_int_equal(seen.missed, 10);
    assert_int_equal(seen.numbers[0], 12);
    for (unsigned i = 1; i < SLOTS; i++) {
        assert_true(ring_reader_next(&stand.reader, &seen));
        assert_int_equal(seen.missed, 0);
    }
    assert_false(ring_reader_next(&stand.reader, &seen));
    stop(&stand);
}

/* The writer has died in between: what it had begun to write is void, the rest is there. */
static void what_was_half_written_is_not_read(void **state)
{
    (void)state;
    struct stand stand;
    struct seen seen;
    start(&stand);
    for (uint64_t i = 1; i <= SLOTS; i++) {
        struct daytona_event event = event_of(i);
        ring_write(&stand.ring, &event);
    }
    stand.ring.header->reserved += 2;
    memset((uint8_t *)stand.memory + DAYTONA_RING_SLOTS_AT, 0x55, DAYTONA_RING_SLOT_BYTES);
    for (uint64_t i = 3; i <= SLOTS; i++) {
        assert_true(ring_reader_next(&stand.reader, &seen));
        assert_int_equal(seen.numbers[0], i);
        check(&seen);
    }
    assert_false(ring_reader_next(&stand.reader, &seen));
    stop(&stand);
}

static void header_of_a_segment_comes_out_whole(void **state)
{
    (void)state;
    struct stand stand;
    struct seen seen;
    uint8_t header[60];
    const struct daytona_endpoint local = {daytona_address_from_ipv4(0x0a000001), 0x0102};
    const struct daytona_endpoint remote = {daytona_address_from_ipv4(0x0a000002), 0x0304};
    start(&stand);
    for (unsigned i = 0; i < sizeof header; i++)
        header[i] = (uint8_t)(i + 1);
    for (size_t length = 20; length <= sizeof header; length += 4) {
        struct daytona_segment_view view = {.header = {header, length},
                                            .payload_bytes = 1448,
                                            .time_to_live = 64,
                                            .type_of_service = 2};
        struct daytona_event event = {.type = DAYTONA_EVENT_SEGMENT_OUT,
                                      .local = &local,
                                      .remote = &remote,
                                      .segment = &view};
        for (unsigned times = 0; times < SLOTS; times++) { /* across the ring's end */
            ring_write(&stand.ring, &event);
            assert_true(ring_reader_next(&stand.reader, &seen));
            assert_int_equal(seen.event.header_bytes, length);
            assert_memory_equal(seen.header, header, length);
            assert_int_equal(seen.payload_bytes, 1448);
            assert_int_equal(seen.numbers[0], 0x05060708);
            assert_int_equal(seen.event.time_to_live, 64);
            assert_int_equal(seen.missed, 0);
        }
    }
    stop(&stand);
}

static void more_reasons_than_there_is_room_for_are_left_out(void **state)
{
    (void)state;
    struct stand stand;
    struct seen seen;
    static char texts[DAYTONA_RING_WORDS + 20][8];
    start(&stand);
    for (unsigned i = 0; i < DAYTONA_RING_WORDS + 20; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", i);
        struct daytona_event event = {.type = DAYTONA_EVENT_RESET, .reason = texts[i]};
        ring_write(&stand.ring, &event);
        assert_true(ring_reader_next(&stand.reader, &seen));
        if (i < DAYTONA_RING_WORDS - 1)
            assert_string_equal(seen.reason, texts[i]);
        else
            assert_null(seen.reason);
    }
    stop(&stand);
}

static void what_is_no_ring_is_refused(void **state)
{
    (void)state;
    struct stand stand;
    start(&stand);
    const struct ring_source source = stand.reader.source;
    stand.ring.header->slot_count = SLOTS + 1;
    assert_int_equal(ring_reader_begin(&stand.reader, &source), -EINVAL);
    stand.ring.header->slot_count = SLOTS;
    stand.ring.header->version++;
    assert_int_equal(ring_reader_begin(&stand.reader, &source), -EINVAL);
    stop(&stand);
}

/* ------------------------------------------------------------------ a writer in the way */

#define WRITTEN 200000u

static void *write_many(void *context)
{
    struct ring *ring = context;
    for (uint64_t i = 1; i <= WRITTEN; i++) {
        struct daytona_event event = event_of(i);
        ring_write(ring, &event);
    }
    return NULL;
}

static void writer_in_the_way_tears_nothing(void **state)
{
    (void)state;
    struct stand stand;
    struct seen seen;
    pthread_t writer;
    uint64_t read = 0, missed = 0, last = 0;
    start(&stand);
    assert_int_equal(pthread_create(&writer, NULL, write_many, &stand.ring), 0);
    while (last < WRITTEN) {
        if (!ring_reader_next(&stand.reader, &seen))
            continue;
        check(&seen);
        assert_int_equal(seen.event.number, seen.numbers[0]);
        missed += last == 0 ? seen.event.number - 1 : seen.missed;
        read++;
        last = seen.event.number;
    }
    pthread_join(writer, NULL);
    assert_int_equal(read + missed, WRITTEN);
    stop(&stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_in_order),
        cmocka_unit_test(events_that_were_overwritten_are_counted),
        cmocka_unit_test(what_was_half_written_is_not_read),
        cmocka_unit_test(header_of_a_segment_comes_out_whole),
        cmocka_unit_test(more_reasons_than_there_is_room_for_are_left_out),
        cmocka_unit_test(what_is_no_ring_is_refused),
        cmocka_unit_test(writer_in_the_way_tears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
