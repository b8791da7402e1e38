/*
 * address_space_test.c - what an engine takes where RLIMIT_AS bounds its program.
 */
#include "preload/address_space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEGABYTE ((size_t)1 << 20)

static size_t mapped_bytes(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What a process gets that may map `more` bytes beside what it has, of a gigabyte: in megabytes. */
static size_t share_of(size_t more)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        rlim_t bound = mapped_bytes() + more;
        setrlimit(RLIMIT_AS, &(struct rlimit){bound, bound});
        _exit((int)(address_space_share(1024 * MEGABYTE) / MEGABYTE));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (size_t)WEXITSTATUS(status);
}

static void without_a_bound_all_is_taken(void **state)
{
    (void)state;
    assert_int_equal(address_space_share(1024 * MEGABYTE), 1024 * MEGABYTE);
    struct daytona_room room = address_space_take(16 * MEGABYTE);
    assert_non_null(room.data);
    assert_int_equal(room.length, 16 * MEGABYTE);
    assert_int_equal(room.data[0] + room.data[room.length - 1], 0);
    munmap(room.data, room.length);
}

static void with_a_bound_the_program_keeps_the_most(void **state)
{
    (void)state;
    assert_in_range(share_of(200 * MEGABYTE), 48, 50);
    assert_in_range(share_of(64 * MEGABYTE), 14, 16);
}

static void what_is_least_is_tried_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(share_of(MEGABYTE), 4);
}

static void less_than_its_share_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(address_space_share(MEGABYTE), MEGABYTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_bound_all_is_taken),
        cmocka_unit_test(with_a_bound_the_program_keeps_the_most),
        cmocka_unit_test(what_is_least_is_tried_in_any_case),
        cmocka_unit_test(less_than_its_share_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
