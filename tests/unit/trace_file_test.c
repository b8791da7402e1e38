/* Recorded traces: what was written is read again, also from a file that ends too early. */
#include "scripts/trace_file.h"
#include "tests/unit/region.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS 5000u

static struct trace_writer writer;
static struct trace_reader reader;
static const struct trace_about about = {
    .pid = 77, .began_ns = 5, .began_realtime_ns = 1000, .program = "curl"};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* The i-th event: of a few sockets and all types, segments with headers of all lengths. */
static struct seen event_of(uint32_t i)
{
    static const char *const reasons[] = {"acked", "loss", "timeout"};
    struct seen seen = {.event = {.number = i + 1,
                                  .at_ns = 1000u * i,
                                  .socket_index = i % 7,
                                  .socket_generation = 1,
                                  .una = i * 10,
                                  .cwnd_bytes = (uint32_t)random_number(),
                                  .type = (uint8_t)(i % DAYTONA_EVENT_COUNT),
                                  .reason = (uint8_t)(i % 4),
                                  .local_port = 80,
                                  .remote_port = 1234},
                        .missed = i % 100 == 99 ? i : 0};
    uint8_t rest[SEEN_HEADER_MAX];
    for (unsigned k = 0; k < sizeof rest; k++)
        rest[k] = (uint8_t)random_number();
    bool segment = i % DAYTONA_EVENT_COUNT == DAYTONA_EVENT_SEGMENT_IN ||
                   i % DAYTONA_EVENT_COUNT == DAYTONA_EVENT_SEGMENT_OUT;
    for (unsigned k = 0; k < 4; k++)
        seen.event.numbers[k] = random_number() >> (k * 16);
    if (segment)
        seen.event.header_bytes = (uint8_t)(20 + i / 100 % 11 * 4);
    seen.reason = seen.event.reason == 0 ? NULL : reasons[seen.event.reason - 1];
    assert_true(seen_complete(&seen, rest));
    return seen;
}

static void same(const struct seen *a, const struct seen *b)
{
    assert_memory_equal(&a->event, &b->event, sizeof a->event);
    assert_memory_equal(a->header, b->header, sizeof a->header);
    assert_memory_equal(a->numbers, b->numbers, sizeof a->numbers);
    assert_int_equal(a->missed, b->missed);
    assert_int_equal(a->reason == NULL, b->reason == NULL);
    if (a->reason != NULL)
        assert_string_equal(a->reason, b->reason);
}

static int temporary(char *path)
{
    memcpy(path, "/tmp/daytona-trace-XXXXXX", sizeof "/tmp/daytona-trace-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    return file;
}

static void write_all(int file)
{
    random_state = 88172645463325252u;
    assert_int_equal(trace_writer_begin(&writer, file, &about), 0);
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct seen seen = event_of(i);
        assert_int_equal(trace_writer_add(&writer, &seen), 0);
    }
    assert_int_equal(trace_writer_flush(&writer), 0);
}

/* Reads what there is and compares; returns how many. */
static uint32_t read_all(const char *path)
{
    struct seen seen;
    uint32_t count = 0;
    random_state = 88172645463325252u;
    assert_int_equal(trace_reader_open(&reader, path), 0);
    while (trace_reader_next(&reader, &seen)) {
        struct seen expected = event_of(count++);
        same(&seen, &expected);
    }
    trace_reader_close(&reader);
    return count;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    char path[64];
    int file = temporary(path);
    write_all(file);
    assert_int_equal(read_all(path), EVENTS);
    assert_false(reader.torn);
    assert_int_equal(reader.about.pid, 77);
    assert_int_equal(reader.about.began_realtime_ns, 1000);
    assert_string_equal(reader.about.program, "curl");
    close(file);
    unlink(path);
}

static void torn_end_costs_the_last_event_only(void **state)
{
    (void)state;
    char path[64];
    struct stat status;
    int file = temporary(path);
    write_all(file);
    assert_int_equal(fstat(file, &status), 0);
    assert_int_equal(ftruncate(file, status.st_size - 1), 0);
    assert_int_equal(read_all(path), EVENTS - 1);
    assert_true(reader.torn);
    close(file);
    unlink(path);
}

/* As a disk that is full: RLIMIT_FSIZE. */
static void full_disk_is_told_and_what_fitted_is_read(void **state)
{
    (void)state;
    char path[64];
    struct rlimit before, limit;
    int file = temporary(path), result = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){100000, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    random_state = 88172645463325252u;
    assert_int_equal(trace_writer_begin(&writer, file, &about), 0);
    for (uint32_t i = 0; i < EVENTS && result == 0; i++) {
        struct seen seen = event_of(i);
        result = trace_writer_add(&writer, &seen);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(result, -EFBIG);
    assert_true(read_all(path) > 500);
    close(file);
    unlink(path);
}

static void what_is_no_trace_is_refused(void **state)
{
    (void)state;
    char path[64];
    int file = temporary(path);
    assert_int_equal(write(file, "DAYTRACE\2\0\0\0\0\0\0\0", 16), 16);
    assert_int_equal(trace_reader_open(&reader, path), -EINVAL);
    assert_int_equal(trace_reader_open(&reader, "/nowhere/at/all"), -ENOENT);
    close(file);
    unlink(path);
}

/* Whatever bytes a file has, reading it ends. */
static void damaged_trace_does_no_harm(void **state)
{
    (void)state;
    char path[64];
    struct seen seen;
    int file = temporary(path);
    write_all(file);
    for (unsigned times = 0; times < 200; times++) {
        uint8_t byte = (uint8_t)random_number();
        assert_int_equal(pwrite(file, &byte, 1, 500 + (off_t)(random_number() % 100000)), 1);
        assert_int_equal(trace_reader_open(&reader, path), 0);
        unsigned count = 0;
        while (trace_reader_next(&reader, &seen))
            count++;
        assert_true(count <= 500000);
        trace_reader_close(&reader);
    }
    close(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(torn_end_costs_the_last_event_only),
        cmocka_unit_test(full_disk_is_told_and_what_fitted_is_read),
        cmocka_unit_test(what_is_no_trace_is_refused),
        cmocka_unit_test(damaged_trace_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
