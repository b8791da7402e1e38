/*
 * ports_test.c - DAYTONA_LISTEN and DAYTONA_CONNECT: what the lists mean, and what is said of a
 * list that cannot be read.
 */
#include "preload/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static struct port_rules rules;
static struct value_fault fault;

static struct daytona_endpoint ipv4(uint32_t address, uint16_t port)
{
    return (struct daytona_endpoint){daytona_address_from_ipv4(address), port};
}

static bool connects(uint32_t address, uint16_t port)
{
    struct daytona_endpoint endpoint = ipv4(address, port);
    return ports_match(&rules, &endpoint);
}

static void list_of_ports_and_ranges_names_exactly_those(void **state)
{
    (void)state;
    assert_int_equal(ports_read_listen("80,443,8000-8099", &rules, &fault), 0);
    assert_int_equal(rules.count, 3);
    assert_true(ports_match_port(&rules, 80));
    assert_true(ports_match_port(&rules, 443));
    assert_true(ports_match_port(&rules, 8000));
    assert_true(ports_match_port(&rules, 8099));
    assert_false(ports_match_port(&rules, 79));
    assert_false(ports_match_port(&rules, 81));
    assert_false(ports_match_port(&rules, 7999));
    assert_false(ports_match_port(&rules, 8100));
}

static void all_is_every_port(void **state)
{
    (void)state;
    assert_int_equal(ports_read_listen("all", &rules, &fault), 0);
    assert_true(ports_match_port(&rules, 1));
    assert_true(ports_match_port(&rules, 65535));
    assert_int_equal(ports_read_connect("10.0.0.0/8:all", &rules, &fault), 0);
    assert_true(connects(0x0a010203, 1));
    assert_false(connects(0x0b010203, 1));
}

static void no_rule_matches_nothing(void **state)
{
    (void)state;
    rules.count = 0;
    assert_false(ports_match_port(&rules, 80));
    assert_false(connects(0x7f000001, 80));
}

static void connection_rule_with_network_matches_its_hosts_only(void **state)
{
    (void)state;
    assert_int_equal(ports_read_connect("443,10.0.0.0/8:6379,192.0.2.7:80-90", &rules, &fault), 0);
    assert_true(connects(0x08080808, 443));
    assert_true(connects(0x0affffff, 6379));
    assert_false(connects(0x0b000000, 6379));
    assert_false(connects(0x08080808, 6379));
    assert_true(connects(0xc0000207, 85));
    assert_false(connects(0xc0000208, 85));
    assert_false(connects(0xc0000207, 91));
}

static void prefix_that_ends_inside_a_byte_is_compared_bit_by_bit(void **state)
{
    (void)state;
    assert_int_equal(ports_read_connect("172.16.0.0/12:22", &rules, &fault), 0);
    assert_true(connects(0xac100001, 22));
    assert_true(connects(0xac1fffff, 22));
    assert_false(connects(0xac200000, 22));
    assert_false(connects(0xac0fffff, 22));
    assert_int_equal(ports_read_connect("0.0.0.0/0:22", &rules, &fault), 0);
    assert_true(connects(0xac200000, 22));
}

static void ipv6_network_matches_ipv6_hosts_only(void **state)
{
    struct daytona_endpoint inside = {{{0x20, 0x01, 0x0d, 0xb8, 9}}, 80};
    struct daytona_endpoint outside = {{{0x20, 0x01, 0x0d, 0xb9, 9}}, 80};
    (void)state;
    assert_int_equal(ports_read_connect("[2001:db8::/32]:80", &rules, &fault), 0);
    assert_true(ports_match(&rules, &inside));
    assert_false(ports_match(&rules, &outside));
    assert_false(connects(0x20010db8, 80));
}

static void listen_rule_takes_no_network(void **state)
{
    (void)state;
    assert_int_equal(ports_read_listen("10.0.0.0/8:80", &rules, &fault), -EINVAL);
    assert_int_equal(fault.at, 2);
}

/* A value that cannot be read, the index where it goes wrong, and a word of what is expected. */
static const struct {
    const char *value;
    size_t at;
    const char *word;
} faulty[] = {
    {"8O80", 1, "digit"},
    {"", 0, "digit"},
    {"80,", 3, "digit"},
    {",80", 0, "digit"},
    {"80 ,443", 2, "digit"},
    {"0", 0, "from 1 to 65535"},
    {"65536", 0, "from 1 to 65535"},
    {"80,99999999999999999999", 3, "from 1 to 65535"},
    {"8099-8000", 5, "not below the first"},
    {"80-", 3, "digit"},
    {"-80", 0, "digit"},
    {"allx", 3, "digit"},
    {"http", 0, "digit"},
    {"10.0.0:80", 6, "'.'"},
    {"10.0.0.256:80", 7, "0 to 255"},
    {"10.0.0.0/33:80", 9, "prefix"},
    {"10.0.0.0/8", 10, "':'"},
    {"10.0.0.0:", 9, "digit"},
    {"[2001:db8::/129]:80", 12, "prefix"},
    {"[2001:zz::]:80", 1, "IPv6"},
    {"[::1:80", 7, "']'"},
    {"[::1]80", 5, "':'"},
};

static void fault_names_the_place_and_what_is_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        memset(&fault, 0, sizeof fault);
        if (ports_read_connect(faulty[i].value, &rules, &fault) != -EINVAL ||
            fault.at != faulty[i].at || strstr(fault.expected, faulty[i].word) == NULL)
            fail_msg("'%s': at %zu, expected %s", faulty[i].value, fault.at,
                     fault.expected != NULL ? fault.expected : "nothing: it was read");
    }
}

static void more_rules_than_there_is_room_for_are_refused(void **state)
{
    char value[3 * PORT_RULES_MAX + 3];
    (void)state;
    for (size_t i = 0; i < PORT_RULES_MAX; i++)
        memcpy(value + 3 * i, "80,", 3);
    memcpy(value + 3 * PORT_RULES_MAX, "80", 3);
    assert_int_equal(ports_read_listen(value, &rules, &fault), -EINVAL);
    assert_int_equal(fault.at, 3 * PORT_RULES_MAX);
    value[3 * PORT_RULES_MAX - 1] = '\0';
    assert_int_equal(ports_read_listen(value, &rules, &fault), 0);
    assert_int_equal(rules.count, PORT_RULES_MAX);
}

static void span_is_one_port_or_two(void **state)
{
    struct daytona_port_span span;
    (void)state;
    assert_int_equal(ports_read_span("61000-64999", &span, &fault), 0);
    assert_int_equal(span.low, 61000);
    assert_int_equal(span.high, 64999);
    assert_int_equal(ports_read_span("9", &span, &fault), 0);
    assert_int_equal(span.high, 9);
    assert_int_equal(ports_read_span("9,10", &span, &fault), -EINVAL);
    assert_int_equal(ports_read_span("all", &span, &fault), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_of_ports_and_ranges_names_exactly_those),
        cmocka_unit_test(all_is_every_port),
        cmocka_unit_test(no_rule_matches_nothing),
        cmocka_unit_test(connection_rule_with_network_matches_its_hosts_only),
        cmocka_unit_test(prefix_that_ends_inside_a_byte_is_compared_bit_by_bit),
        cmocka_unit_test(ipv6_network_matches_ipv6_hosts_only),
        cmocka_unit_test(listen_rule_takes_no_network),
        cmocka_unit_test(fault_names_the_place_and_what_is_right),
        cmocka_unit_test(more_rules_than_there_is_room_for_are_refused),
        cmocka_unit_test(span_is_one_port_or_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
