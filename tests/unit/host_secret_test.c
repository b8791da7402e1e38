/*
 * host_secret_test.c - the secret that programs of one host share: made once, and believed only
 * when nobody else can have read it.
 */
#include "preload/host_secret.h"
#include "preload/real.h"
#include "scripts/host_secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], path[96];

static int start(void **state)
{
    (void)state;
    real_resolve();
    strcpy(directory, "/tmp/host-secret-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/secret", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void secret_is_made_once_and_told(void **state)
{
    uint8_t first[HOST_SECRET_BYTES], second[HOST_SECRET_BYTES];
    static const uint8_t none[HOST_SECRET_BYTES];
    (void)state;
    host_secret_offer(directory);
    assert_string_equal(getenv("DAYTONA_HOST_SECRET"), path);
    assert_true(host_secret_read(path, first));
    assert_memory_not_equal(first, none, sizeof none);
    host_secret_offer(directory);
    assert_true(host_secret_read(path, second));
    assert_memory_equal(first, second, sizeof first);
}

static void secret_that_others_may_read_is_none(void **state)
{
    uint8_t secret[HOST_SECRET_BYTES];
    static const uint8_t none[HOST_SECRET_BYTES];
    (void)state;
    assert_false(host_secret_read("", secret));
    assert_false(host_secret_read(path, secret));
    host_secret_offer(directory);
    assert_int_equal(chmod(path, 0640), 0);
    assert_false(host_secret_read(path, secret));
    assert_memory_equal(secret, none, sizeof none);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, HOST_SECRET_BYTES - 1), 0);
    assert_false(host_secret_read(path, secret));
    assert_int_equal(truncate(path, HOST_SECRET_BYTES), 0);
    assert_true(host_secret_read(path, secret));
}

static void no_directory_means_no_secret(void **state)
{
    (void)state;
    host_secret_offer("/nowhere/at/all");
    assert_null(getenv("DAYTONA_HOST_SECRET"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(secret_is_made_once_and_told, start, end),
        cmocka_unit_test_setup_teardown(secret_that_others_may_read_is_none, start, end),
        cmocka_unit_test(no_directory_means_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
