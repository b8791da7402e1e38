/*
 * settings_test.c - the environment variables: defaults, every form of value, and the messages.
 */
#include "preload/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <daytona/stack.h>
#include <stdio.h>
#include <string.h>

static struct settings read;
static struct settings_messages messages;

/* Reads an environment of up to three variables. */
static void read_environment(const char *first, const char *second, const char *third)
{
    char *environment[4];
    const char *given[] = {first, second, third, NULL};
    memcpy(environment, given, sizeof environment);
    settings_read(environment, &read, &messages);
}

static void read_one(const char *variable)
{
    read_environment(variable, NULL, NULL);
}

static void expect_message(size_t index, enum log_level level, const char *line)
{
    assert_true(index < messages.count);
    assert_int_equal(messages.messages[index].level, level);
    assert_string_equal(messages.messages[index].line, line);
}

static void empty_environment_leaves_defaults_and_says_nothing(void **state)
{
    (void)state;
    read_environment("PATH=/bin", "DAYTON=1", "HOME=/");
    assert_false(read.present);
    assert_false(read.fault);
    assert_int_equal(messages.count, 0);
    assert_int_equal(read.listen.count, 0);
    assert_int_equal(read.connect.count, 0);
    assert_int_equal(read.port_range.low, 61000);
    assert_int_equal(read.port_range.high, 64999);
    assert_string_equal(read.congestion, "cubic");
    assert_int_equal(read.receive_buffer_bytes, 128 << 10);
    assert_int_equal(read.send_buffer_bytes, 1 << 20);
    assert_int_equal(read.memory_bytes, 256 << 20);
    assert_int_equal(read.rules, SETTINGS_RULES_UNSAID);
    assert_int_equal(read.fallback, SETTINGS_FALLBACK_KERNEL);
    assert_string_equal(read.summary_file, "");
    assert_int_equal(read.log, LOG_LEVEL_WARNING);
}

static void every_variable_fills_its_member(void **state)
{
    (void)state;
    read_environment("DAYTONA_LISTEN=80", "DAYTONA_CONNECT=443", "DAYTONA_PORT_RANGE=50000-50999");
    assert_true(read.present);
    assert_true(ports_match_port(&read.listen, 80));
    assert_true(ports_match_port(&read.connect, 443));
    assert_int_equal(read.port_range.low, 50000);
    read_environment("DAYTONA_INTERFACE=eth0,lo", "DAYTONA_CC=reno", "DAYTONA_RULES=off");
    assert_int_equal(read.interfaces.count, 2);
    assert_string_equal(read.interfaces.names[0], "eth0");
    assert_string_equal(read.interfaces.names[1], "lo");
    assert_string_equal(read.congestion, "reno");
    assert_int_equal(read.rules, SETTINGS_RULES_OFF);
    read_one("DAYTONA_RULES=on");
    assert_int_equal(read.rules, SETTINGS_RULES_ON);
    read_environment("DAYTONA_RCVBUF=64K", "DAYTONA_SNDBUF=2M", "DAYTONA_MEMORY=1G");
    assert_int_equal(read.receive_buffer_bytes, 64 << 10);
    assert_int_equal(read.send_buffer_bytes, 2 << 20);
    assert_int_equal(read.memory_bytes, 1 << 30);
    read_environment("DAYTONA_FALLBACK=fail", "DAYTONA_SUMMARY=/tmp/x", "DAYTONA_LOG=debug");
    assert_int_equal(read.fallback, SETTINGS_FALLBACK_FAIL);
    assert_string_equal(read.summary_file, "/tmp/x");
    assert_int_equal(read.log, LOG_LEVEL_DEBUG);
    assert_false(read.fault);
    assert_int_equal(messages.count, 0);
}

static void internal_variable_is_read_but_never_shown(void **state)
{
    const struct settings_row *row;
    (void)state;
    read_one("DAYTONA_LEDGER=/run/daytona/ledger.1");
    assert_string_equal(read.ledger_directory, "/run/daytona/ledger.1");
    assert_int_equal(messages.count, 0);
    for (size_t i = 0; (row = settings_row(i)) != NULL; i++)
        assert_string_not_equal(row->name, "DAYTONA_LEDGER");
    read_one("DAYTONA_LEDGE=x");
    assert_int_equal(messages.count, 1);
    assert_null(strstr(messages.messages[0].line, "nearest name is DAYTONA_LEDGER"));
}

static void examples_and_defaults_of_the_table_can_be_read(void **state)
{
    const struct settings_row *row;
    (void)state;
    for (size_t i = 0; (row = settings_row(i)) != NULL; i++) {
        char variable[128];
        strcat(strcat(strcpy(variable, row->name), "="), row->example);
        read_one(variable);
        assert_true(read.present);
        assert_false(read.fault);
        strcat(strcat(strcpy(variable, row->name), "="), row->standard);
        read_one(variable);
        assert_false(read.fault);
    }
}

static void typo_in_a_value_names_variable_place_and_remedy(void **state)
{
    (void)state;
    read_one("DAYTONA_LISTEN=8O80");
    assert_true(read.fault);
    assert_int_equal(messages.count, 1);
    expect_message(
        0, LOG_LEVEL_ERROR,
        "DAYTONA_LISTEN=8O80: character 2, 'O': expected a digit, as in 80 or 8000-8099");
}

static void value_that_ends_too_early_says_so(void **state)
{
    (void)state;
    read_one("DAYTONA_LISTEN=80,");
    expect_message(0, LOG_LEVEL_ERROR,
                   "DAYTONA_LISTEN=80,: at the end: expected a digit, as in 80 or 8000-8099");
}

static void several_faults_are_all_named(void **state)
{
    (void)state;
    read_environment("DAYTONA_LISTEN=x", "DAYTONA_LOG=loud", "DAYTONA_RULES=maybe");
    assert_int_equal(messages.count, 3);
    expect_message(
        1, LOG_LEVEL_ERROR,
        "DAYTONA_LOG=loud: character 1, 'l': expected off, error, warning, info or debug");
    assert_int_equal(read.log, LOG_LEVEL_WARNING);
}

static void unknown_name_is_a_warning_with_the_nearest(void **state)
{
    (void)state;
    read_one("DAYTONA_LISTN=80");
    assert_false(read.fault);
    expect_message(0, LOG_LEVEL_WARNING,
                   "DAYTONA_LISTN is not a setting; the nearest name is DAYTONA_LISTEN");
    read_one("DAYTONA_PORTS_RANGE=1-2");
    expect_message(0, LOG_LEVEL_WARNING,
                   "DAYTONA_PORTS_RANGE is not a setting; the nearest name is DAYTONA_PORT_RANGE");
    read_one("DAYTONA_CON=80");
    assert_non_null(strstr(messages.messages[0].line, "DAYTONA_C"));
}

static void first_of_two_equal_names_counts(void **state)
{
    (void)state;
    read_environment("DAYTONA_LISTEN=80", "DAYTONA_LISTEN=nonsense", NULL);
    assert_false(read.fault);
    assert_true(ports_match_port(&read.listen, 80));
}

static void empty_value_is_as_good_as_none(void **state)
{
    (void)state;
    read_environment("DAYTONA_LISTEN=", "DAYTONA_LOG=", NULL);
    assert_false(read.fault);
    assert_int_equal(read.listen.count, 0);
    assert_int_equal(read.log, LOG_LEVEL_WARNING);
}

static void unreadable_fallback_counts_as_fail(void **state)
{
    (void)state;
    read_one("DAYTONA_FALLBACK=fial");
    assert_true(read.fault);
    assert_int_equal(read.fallback, SETTINGS_FALLBACK_FAIL);
}

static void every_controller_is_accepted_and_told_of(void **state)
{
    (void)state;
    const char *name, *text = NULL;
    for (size_t i = 0; settings_row(i) != NULL; i++)
        if (strcmp(settings_row(i)->name, "DAYTONA_CC") == 0)
            text = settings_row(i)->text;
    assert_non_null(text);
    for (size_t i = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++) {
        char variable[64];
        snprintf(variable, sizeof variable, "DAYTONA_CC=%s", name);
        read_one(variable);
        assert_false(read.fault);
        assert_string_equal(read.congestion, name);
        assert_non_null(strstr(text, name));
    }
}

static void unknown_controller_is_refused_with_a_list_of_those_there_are(void **state)
{
    (void)state;
    read_one("DAYTONA_CC=westwood");
    assert_true(read.fault);
    const char *name;
    for (size_t i = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++)
        assert_non_null(strstr(messages.messages[0].line, name));
}

static void tuning_names_options_that_programs_cannot_set(void **state)
{
    static const char *const bad[] = {"DAYTONA_TUNE=collapse", "DAYTONA_TUNE=collapse=2",
                                      "DAYTONA_TUNE=collapse=0,", "DAYTONA_TUNE=no_delay=1",
                                      "DAYTONA_TUNE=collapse=0 "};
    (void)state;
    read_one("DAYTONA_TUNE=window_validation=0,user_timeout_tell=1");
    assert_false(read.fault);
    assert_int_equal(read.tune.count, 2);
    assert_int_equal(read.tune.entries[0].option, DAYTONA_OPTION_WINDOW_VALIDATION);
    assert_int_equal(read.tune.entries[0].value, 0);
    assert_int_equal(read.tune.entries[1].option, DAYTONA_OPTION_USER_TIMEOUT_TELL);
    assert_int_equal(read.tune.entries[1].value, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        read_one(bad[i]);
        assert_true(read.fault);
    }
}

static void sizes_have_units_and_bounds(void **state)
{
    static const char *const bad[] = {"DAYTONA_MEMORY=1T",    "DAYTONA_MEMORY=K",
                                      "DAYTONA_MEMORY=3M",    "DAYTONA_MEMORY=4MB",
                                      "DAYTONA_MEMORY=1025G", "DAYTONA_MEMORY=99999999999999999999",
                                      "DAYTONA_RCVBUF=1",     "DAYTONA_SNDBUF=-1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        read_one(bad[i]);
        assert_true(read.fault);
    }
    read_one("DAYTONA_MEMORY=4194304");
    assert_false(read.fault);
    assert_int_equal(read.memory_bytes, 4194304);
}

static void long_value_is_shown_around_its_fault(void **state)
{
    char variable[800] = "DAYTONA_LISTEN=";
    (void)state;
    for (int i = 0; i < 50; i++)
        strcat(variable, "8000,");
    strcat(variable, "?");
    for (int i = 0; i < 50; i++)
        strcat(variable, ",8000");
    read_one(variable);
    assert_true(strlen(messages.messages[0].line) < 200);
    assert_non_null(strstr(messages.messages[0].line, "DAYTONA_LISTEN=...8000,8000,"));
    assert_non_null(strstr(messages.messages[0].line, "character 251, '?'"));
}

static void ipv6_rule_is_read_and_warned_of(void **state)
{
    (void)state;
    read_one("DAYTONA_CONNECT=443,[2001:db8::/32]:80");
    assert_false(read.fault);
    expect_message(0, LOG_LEVEL_WARNING,
                   "DAYTONA_CONNECT: item 2 is an IPv6 network, and IPv6 stays on the kernel");
}

static void more_messages_than_fit_do_no_harm(void **state)
{
    char nonsense[] = "DAYTONA_NONSENSE=1";
    char *environment[21];
    (void)state;
    for (size_t i = 0; i < 20; i++)
        environment[i] = nonsense;
    environment[20] = NULL;
    settings_read(environment, &read, &messages);
    assert_int_equal(messages.count, SETTINGS_MESSAGES_MAX);
}

static void hash_differs_with_the_messages_and_is_read_back(void **state)
{
    (void)state;
    read_one("DAYTONA_LISTN=1");
    uint64_t hash = settings_messages_hash(&messages);
    read_environment("DAYTONA_LISTN=2", "DAYTONA_SAID=12ab", NULL);
    assert_int_equal(settings_messages_hash(&messages), hash); /* which do not tell the value */
    assert_int_equal(read.said, 0x12ab);
    read_one("DAYTONA_CONECT=1");
    assert_int_not_equal(settings_messages_hash(&messages), hash);
    read_one("DAYTONA_SAID=none of ours");
    assert_int_equal(messages.count, 0);
    assert_false(read.fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_environment_leaves_defaults_and_says_nothing),
        cmocka_unit_test(every_variable_fills_its_member),
        cmocka_unit_test(internal_variable_is_read_but_never_shown),
        cmocka_unit_test(examples_and_defaults_of_the_table_can_be_read),
        cmocka_unit_test(typo_in_a_value_names_variable_place_and_remedy),
        cmocka_unit_test(value_that_ends_too_early_says_so),
        cmocka_unit_test(several_faults_are_all_named),
        cmocka_unit_test(unknown_name_is_a_warning_with_the_nearest),
        cmocka_unit_test(first_of_two_equal_names_counts),
        cmocka_unit_test(empty_value_is_as_good_as_none),
        cmocka_unit_test(unreadable_fallback_counts_as_fail),
        cmocka_unit_test(every_controller_is_accepted_and_told_of),
        cmocka_unit_test(unknown_controller_is_refused_with_a_list_of_those_there_are),
        cmocka_unit_test(tuning_names_options_that_programs_cannot_set),
        cmocka_unit_test(sizes_have_units_and_bounds),
        cmocka_unit_test(long_value_is_shown_around_its_fault),
        cmocka_unit_test(ipv6_rule_is_read_and_warned_of),
        cmocka_unit_test(more_messages_than_fit_do_no_harm),
        cmocka_unit_test(hash_differs_with_the_messages_and_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
