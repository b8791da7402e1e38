/*
 * log_test.c - messages: what they look like, where they do not go, and that they leave no trace in
 * the program.
 */
#include "preload/log.h"
#include "preload/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int saved_error, reader, writer;

/* Standard error becomes a pipe. */
static int start(void **state)
{
    int ends[2];
    (void)state;
    if (pipe2(ends, O_NONBLOCK) != 0)
        return -1;
    saved_error = dup(STDERR_FILENO);
    reader = ends[0];
    writer = ends[1];
    return dup2(writer, STDERR_FILENO) < 0;
}

static int end(void **state)
{
    (void)state;
    dup2(saved_error, STDERR_FILENO);
    close(saved_error);
    close(reader);
    close(writer);
    return 0;
}

static void expect_said(const char *expected)
{
    char said[4096] = "", whole[4096];
    if (*expected == '\0')
        whole[0] = '\0';
    else
        snprintf(whole, sizeof whole, "daytona[%d]: %s\n", (int)getpid(), expected);
    ssize_t length = read(reader, said, sizeof said - 1);
    assert_true(length >= 0 || errno == EAGAIN);
    assert_string_equal(said, whole);
}

static void numbers_and_words_are_written_as_by_printf(void **state)
{
    char ours[200], theirs[200];
    struct text text = text_begin(ours, sizeof ours);
    (void)state;
#define BOTH(...)                                                                                  \
    text_add_format(&text, __VA_ARGS__);                                                           \
    snprintf(theirs, sizeof theirs, __VA_ARGS__)
    BOTH("%d %d %u %x|%ld %lu %zu %zd|%s%c%%", INT_MIN, 7, UINT_MAX, 0xbeefu, LONG_MIN, ULONG_MAX,
         SIZE_MAX, (ssize_t)-1, "word", '!');
    assert_string_equal(ours, theirs);
    text = text_begin(ours, sizeof ours);
    BOTH("%" PRIu64 " %" PRId64 " %llu", UINT64_MAX, INT64_MIN, ULLONG_MAX);
    assert_string_equal(ours, theirs);
}

static void text_is_cut_and_terminated(void **state)
{
    char data[8] = "1234567";
    struct text text = text_begin(data, 5);
    (void)state;
    text_add(&text, "abcdefgh");
    assert_string_equal(data, "abcd");
    text_add_number(&text, 5, 10);
    assert_string_equal(data, "abcd");
    assert_int_equal(data[5], '6');
}

static void line_has_prefix_and_newline(void **state)
{
    (void)state;
    log_start(LOG_LEVEL_WARNING);
    log_line(LOG_LEVEL_WARNING, "port %u of %s", 80u, "this host");
    expect_said("port 80 of this host");
}

static void level_above_the_chosen_is_not_said(void **state)
{
    (void)state;
    log_start(LOG_LEVEL_ERROR);
    log_line(LOG_LEVEL_WARNING, "quiet");
    expect_said("");
    log_line(LOG_LEVEL_ERROR, "loud");
    expect_said("loud");
    log_start(LOG_LEVEL_OFF);
    log_line(LOG_LEVEL_ERROR, "never");
    expect_said("");
}

static void once_is_once_for_each_place(void **state)
{
    (void)state;
    log_start(LOG_LEVEL_DEBUG);
    for (int i = 0; i < 3; i++)
        log_once(LOG_LEVEL_INFO, "round %d", i);
    expect_said("round 0");
}

static void nothing_is_written_to_what_took_the_place_of_standard_error(void **state)
{
    int other[2];
    char byte;
    (void)state;
    log_start(LOG_LEVEL_WARNING);
    assert_int_equal(pipe2(other, O_NONBLOCK), 0);
    dup2(other[1], STDERR_FILENO);
    log_line(LOG_LEVEL_ERROR, "not into the program's file");
    assert_int_equal(read(other[0], &byte, 1), -1);
    dup2(writer, STDERR_FILENO);
    close(other[0]);
    close(other[1]);
}

static void closed_reader_raises_no_signal_and_errno_is_kept(void **state)
{
    sigset_t pending;
    (void)state;
    log_start(LOG_LEVEL_WARNING);
    close(reader);
    reader = dup(STDIN_FILENO);
    errno = EXDEV;
    log_line(LOG_LEVEL_ERROR, "to nobody"); /* SIGPIPE would end the test */
    assert_int_equal(errno, EXDEV);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
}

static void long_line_is_cut_at_its_end(void **state)
{
    char word[3000], said[4096];
    (void)state;
    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    log_start(LOG_LEVEL_WARNING);
    log_line(LOG_LEVEL_ERROR, "%s", word);
    ssize_t length = read(reader, said, sizeof said);
    assert_in_range(length, 500, 1024);
    assert_int_equal(said[length - 1], '\n');
    assert_int_equal(said[length - 2], 'x');
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_words_are_written_as_by_printf),
        cmocka_unit_test(text_is_cut_and_terminated),
        CLAIM(line_has_prefix_and_newline),
        CLAIM(level_above_the_chosen_is_not_said),
        CLAIM(once_is_once_for_each_place),
        CLAIM(nothing_is_written_to_what_took_the_place_of_standard_error),
        CLAIM(closed_reader_raises_no_signal_and_errno_is_kept),
        CLAIM(long_line_is_cut_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
