/*
 * orphans_test.c - the directory of ledgers: made and told of, kept while its wrapper lives,
 * removed when it is dead. What is sent for the rows in it is shown by tests/interop/killed.sh.
 */
#include "scripts/orphans.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char state_directory[64];
static struct plan plan;

static int make_state(void **state)
{
    (void)state;
    strcpy(state_directory, "/tmp/daytona-orphans-test.XXXXXX");
    plan = (struct plan){.ports = {{80, 80}}, .port_count = 1};
    plan.rules.state_directory = state_directory;
    unsetenv("DAYTONA_LEDGER");
    return mkdtemp(state_directory) == NULL ? -1 : 0;
}

/* Fails when something is left in it. */
static int remove_state(void **state)
{
    (void)state;
    char secret[sizeof state_directory + 8];
    snprintf(secret, sizeof secret, "%s/secret", state_directory);
    unlink(secret);
    return rmdir(state_directory);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void write_ledger(const struct orphans *orphans)
{
    int file = openat(orphans->lock, "1.2", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, "some bytes", 10), 10);
    close(file);
}

static void program_is_told_of_a_directory_that_is_only_ours(void **state)
{
    struct orphans orphans;
    struct stat status;
    (void)state;
    orphans_begin(&orphans, &plan);
    assert_true(orphans.lock >= 0);
    assert_string_equal(getenv("DAYTONA_LEDGER"), orphans.directory);
    assert_int_equal(stat(orphans.directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_true(fcntl(orphans.lock, F_GETFD) & FD_CLOEXEC);
    write_ledger(&orphans);
    orphans_forget(&orphans);
    assert_false(exists(orphans.directory));
    orphans_forget(&orphans); /* again is fine */
}

static void ledger_without_a_credible_row_is_removed_in_silence(void **state)
{
    struct orphans orphans;
    (void)state;
    orphans_begin(&orphans, &plan);
    write_ledger(&orphans);
    orphans_reset(&orphans, &plan);
    assert_false(exists(orphans.directory));
}

static void sweep_spares_the_living_and_removes_the_dead(void **state)
{
    struct orphans living;
    struct orphans dead;
    (void)state;
    orphans_begin(&living, &plan);
    orphans_begin(&dead, &plan);
    write_ledger(&living);
    write_ledger(&dead);
    orphans_sweep(state_directory);
    assert_true(exists(living.directory));
    assert_true(exists(dead.directory));
    close(dead.lock); /* as the kernel does */
    orphans_sweep(state_directory);
    assert_true(exists(living.directory));
    assert_false(exists(dead.directory));
    orphans_forget(&living);
}

static void next_one_sweeps_on_its_way(void **state)
{
    struct orphans dead;
    struct orphans next;
    (void)state;
    orphans_begin(&dead, &plan);
    close(dead.lock);
    orphans_begin(&next, &plan);
    assert_false(exists(dead.directory));
    orphans_forget(&next);
}

static void program_without_ports_has_no_ledger_not_even_an_outer_ones(void **state)
{
    struct orphans orphans;
    (void)state;
    setenv("DAYTONA_LEDGER", "/somewhere", 1);
    plan.port_count = 0;
    orphans_begin(&orphans, &plan);
    assert_int_equal(orphans.lock, -1);
    assert_null(getenv("DAYTONA_LEDGER"));
    orphans_reset(&orphans, &plan);
    orphans_forget(&orphans);
}

static void directory_that_cannot_be_made_is_no_error(void **state)
{
    struct orphans orphans;
    (void)state;
    plan.rules.state_directory = "/dev/null/nowhere";
    orphans_begin(&orphans, &plan);
    assert_int_equal(orphans.lock, -1);
    assert_null(getenv("DAYTONA_LEDGER"));
    orphans_sweep(plan.rules.state_directory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_state, remove_state)
    const struct CMUnitTest tests[] = {
        TEST(program_is_told_of_a_directory_that_is_only_ours),
        TEST(ledger_without_a_credible_row_is_removed_in_silence),
        TEST(sweep_spares_the_living_and_removes_the_dead),
        TEST(next_one_sweeps_on_its_way),
        TEST(program_without_ports_has_no_ledger_not_even_an_outer_ones),
        TEST(directory_that_cannot_be_made_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
