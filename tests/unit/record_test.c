/* Records (daytona/record.h): that a reader never sees half of a change, that a record outlives its
 * writer, and that one that lies does no harm. */
#include "scripts/records.h"

#include "preload/guarded.h"
#include "preload/record_sweep.h"
#include "tests/unit/region.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 40, ROWS_AT = 4096 };

struct fixture {
    char directory[64];
    char path[128];
    int file;
    struct daytona_record_header *header;
    struct daytona_record_row *rows;
};

static struct fixture *make_record(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    size_t bytes = ROWS_AT + ROWS * sizeof(struct daytona_record_row);
    strcpy(f->directory, "/tmp/daytona-record-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/daytona.77.0123456789abcdef", f->directory);
    f->file = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(f->file >= 0);
    assert_int_equal(ftruncate(f->file, (off_t)bytes), 0);
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->file, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    f->header = (struct daytona_record_header *)(void *)memory;
    f->rows = (struct daytona_record_row *)(void *)(memory + ROWS_AT);
    *f->header = (struct daytona_record_header){
        .magic = DAYTONA_RECORD_MAGIC,
        .version = DAYTONA_RECORD_VERSION,
        .rows_at = ROWS_AT,
        .row_bytes = sizeof(struct daytona_record_row),
        .variable_count = DAYTONA_VARIABLE_COUNT,
        .counter_count = sizeof(struct daytona_counters) / sizeof(uint64_t),
        .pid = 77,
        .program = "fixture",
        .row_end = ROWS,
    };
    return f;
}

static void end_record(struct fixture *f)
{
    munmap(f->header, ROWS_AT + ROWS * sizeof(struct daytona_record_row));
    close(f->file);
    unlink(f->path);
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
}

static void lock_record(const struct fixture *f)
{
    struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    assert_int_equal(fcntl(f->file, F_OFD_SETLK, &first), 0);
}

/* A row all of whose words say the same. */
static void write_row(struct fixture *f, uint32_t index, uint64_t number)
{
    struct daytona_record_row row;
    uint64_t words[sizeof row / sizeof(uint64_t)] = {0};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = number << 32 | (uint32_t)number;
    memcpy(&row, words, sizeof row);
    guarded_write(&f->rows[index].sequence, &f->rows[index].pid, &row.pid,
                  sizeof row - offsetof(struct daytona_record_row, pid));
}

/* ------------------------------------------------------------------ reading while it is written */

struct writer {
    struct fixture *f;
    atomic_bool stop;
};

static void *write_on(void *context)
{
    struct writer *writer = context;
    for (uint64_t number = 1; !atomic_load(&writer->stop); number++)
        write_row(writer->f, (uint32_t)(number % ROWS), number % 1000000 + 1);
    return NULL;
}

struct readings {
    unsigned count, torn;
    uint64_t distinct, last;
};

static void look_at_words(void *context, const struct daytona_record_row *row)
{
    struct readings *readings = context;
    const uint64_t *words = (const uint64_t *)(const void *)&row->state.variables;
    readings->count++;
    for (size_t i = 1; i < DAYTONA_VARIABLE_COUNT; i++)
        if (words[i] != words[0]) {
            readings->torn++;
            return;
        }
    readings->torn += row->pid != (uint32_t)words[0];
    readings->distinct += words[0] != readings->last;
    readings->last = words[0];
}

static void no_reading_is_torn_while_the_writer_writes(void **state)
{
    (void)state;
    struct fixture *f = make_record();
    struct writer writer = {.f = f};
    struct record record;
    struct readings readings = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    assert_int_equal(record_open(&record, f->path), 0);
    while (readings.count < 20000 || readings.distinct < 1000) /* it has changed meanwhile */
        assert_true(record_rows(&record, look_at_words, &readings) >= 0);
    atomic_store(&writer.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(readings.torn, 0);
    record_close(&record);
    end_record(f);
}

static void count_row(void *context, const struct daytona_record_row *row)
{
    (void)row;
    ++*(unsigned *)context;
}

static void row_whose_writer_died_at_it_is_left_out(void **state)
{
    (void)state;
    struct fixture *f = make_record();
    struct record record;
    unsigned count = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        write_row(f, i, i + 1);
    f->rows[3].sequence++;
    assert_int_equal(record_open(&record, f->path), 0);
    assert_int_equal(record_rows(&record, count_row, &count), ROWS - 1);
    assert_int_equal(count, ROWS - 1);
    record_close(&record);
    end_record(f);
}

static void record_without_a_lock_is_that_of_a_dead_process(void **state)
{
    (void)state;
    struct fixture *f = make_record();
    struct record record;
    assert_int_equal(record_open(&record, f->path), 0);
    assert_false(record.alive);
    assert_string_equal(record.header.program, "fixture");
    record_close(&record);
    lock_record(f);
    assert_int_equal(record_open(&record, f->path), 0);
    assert_true(record.alive);
    assert_int_equal(record_refresh(&record, 10), -ENOENT); /* nobody listens beside it */
    record_close(&record);
    end_record(f);
}

/* ------------------------------------------------------------------ other versions, and lies */

struct seen {
    unsigned count;
    uint64_t first, last;
};

static void see_ends(void *context, const struct daytona_record_row *row)
{
    struct seen *seen = context;
    seen->count++;
    seen->first = daytona_variable(&row->state.variables, 0);
    seen->last = daytona_variable(&row->state.variables, DAYTONA_VARIABLE_COUNT - 1);
}

static void variables_that_an_older_writer_lacks_are_not_known(void **state)
{
    (void)state;
    struct fixture *f = make_record();
    struct record record;
    struct seen seen = {0};
    write_row(f, 0, 5);
    f->header->variable_count = DAYTONA_VARIABLE_COUNT - 1;
    assert_int_equal(record_open(&record, f->path), 0);
    assert_int_equal(record_rows(&record, see_ends, &seen), 1);
    assert_int_equal(seen.first, UINT64_C(5) << 32 | 5);
    assert_int_equal(seen.last, DAYTONA_VARIABLE_NONE);
    record_close(&record);
    end_record(f);
}

static void record_that_lies_is_refused_or_read_as_far_as_it_goes(void **state)
{
    (void)state;
    struct fixture *f = make_record();
    struct record record;
    unsigned count = 0;
    const struct daytona_record_header good = *f->header;
    f->header->row_bytes = 8;
    assert_int_equal(record_open(&record, f->path), -EINVAL);
    *f->header = good;
    f->header->variable_count = UINT32_MAX;
    assert_int_equal(record_open(&record, f->path), -EINVAL);
    *f->header = good;
    f->header->version++;
    assert_int_equal(record_open(&record, f->path), -EINVAL);
    *f->header = good;
    f->header->row_end = UINT32_MAX; /* beyond its end */
    memset(f->header->program, 'x', sizeof f->header->program);
    assert_int_equal(record_open(&record, f->path), 0);
    assert_true(record_rows(&record, count_row, &count) >= 0);
    assert_int_equal(strlen(record.header.program), sizeof record.header.program - 1);
    record_close(&record);
    char link[160];
    snprintf(link, sizeof link, "%s/link", f->directory);
    assert_int_equal(symlink(f->path, link), 0);
    assert_int_equal(record_open(&record, link), -ELOOP);
    unlink(link);
    end_record(f);
}

/* ------------------------------------------------------------------ what dead processes leave */

static void make_dead(const struct fixture *f, unsigned number, long seconds_ago)
{
    char path[160];
    struct timespec times[2];
    snprintf(path, sizeof path, "%s/daytona.%u.0", f->directory, number);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds_ago;
    times[1] = times[0];
    assert_int_equal(ftruncate(file, number == 98 ? 0 : 8), 0); /* one has ended in order */
    assert_int_equal(futimens(file, times), 0);
    close(file);
}

static bool is_there(const struct fixture *f, unsigned number)
{
    char path[160];
    snprintf(path, sizeof path, "%s/daytona.%u.0", f->directory, number);
    return access(path, F_OK) == 0;
}

static void records_of_the_dead_do_not_pile_up(void **state)
{
    (void)state;
    struct fixture *f = make_record();
    lock_record(f);
    for (unsigned i = 0; i < 40; i++)
        make_dead(f, 100 + i, 1000 - 10 * (long)i);
    make_dead(f, 99, 3 * 86400);
    make_dead(f, 98, 0);
    record_sweep(f->directory);
    unsigned left = 0;
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(is_there(f, 100 + i), i >= 24); /* the newest 16 */
        left += is_there(f, 100 + i);
    }
    assert_int_equal(left, 16);
    assert_false(is_there(f, 99));
    assert_false(is_there(f, 98));
    assert_int_equal(access(f->path, F_OK), 0); /* alive, whatever its age */
    for (unsigned i = 24; i < 40; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/daytona.%u.0", f->directory, 100 + i);
        unlink(path);
    }
    end_record(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reading_is_torn_while_the_writer_writes),
        cmocka_unit_test(row_whose_writer_died_at_it_is_left_out),
        cmocka_unit_test(record_without_a_lock_is_that_of_a_dead_process),
        cmocka_unit_test(variables_that_an_older_writer_lacks_are_not_known),
        cmocka_unit_test(record_that_lies_is_refused_or_read_as_far_as_it_goes),
        cmocka_unit_test(records_of_the_dead_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
