/*
 * half_open_test.c - which rows of a ledger are acted upon, and the segment that follows from one.
 */
#include "scripts/half_open.h"

#include "stack/wire/ipv4.h"
#include "stack/wire/tcp_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LOCAL  0x0a4d0102u /* 10.77.1.2 */
#define REMOTE 0xc0000201u /* 192.0.2.1 */

static const struct plan plan = {.ports = {{80, 80}, {61000, 64999}}, .port_count = 2};

static bool planned(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
    const struct ledger_connection connection = {local, remote, local_port, remote_port, 1};
    return half_open_is_planned(&connection, &plan);
}

static void row_is_read_as_it_was_written(void **state)
{
    (void)state;
    const struct ledger_connection written = {LOCAL, REMOTE, 61000, 443, 0xfedcba98u};
    struct ledger_connection read = ledger_row_decode(ledger_row_encode(&written));
    assert_int_equal(read.local, written.local);
    assert_int_equal(read.remote, written.remote);
    assert_int_equal(read.local_port, written.local_port);
    assert_int_equal(read.remote_port, written.remote_port);
    assert_int_equal(read.una, written.una);
}

static void only_ports_of_the_plan_are_acted_upon(void **state)
{
    struct plan every = plan;
    const struct ledger_connection elsewhere = {LOCAL, REMOTE, 22, 5000, 1};
    (void)state;
    assert_true(planned(LOCAL, 80, REMOTE, 5000));
    assert_true(planned(LOCAL, 61000, REMOTE, 443));
    assert_true(planned(LOCAL, 64999, REMOTE, 443));
    assert_false(planned(LOCAL, 60999, REMOTE, 443));
    assert_false(planned(LOCAL, 65000, REMOTE, 443));
    assert_false(half_open_is_planned(&elsewhere, &plan));
    every.every_port = true;
    assert_true(half_open_is_planned(&elsewhere, &every));
}

static void ports_and_addresses_no_connection_has_are_not_acted_upon(void **state)
{
    (void)state;
    assert_false(planned(LOCAL, 0, REMOTE, 443));
    assert_false(planned(LOCAL, 80, REMOTE, 0));
    assert_false(planned(0, 80, REMOTE, 443));
    assert_false(planned(LOCAL, 80, 0, 443));
    assert_false(planned(LOCAL, 80, 0xe0000001u, 443));
    assert_false(planned(LOCAL, 80, UINT32_MAX, 443));
    assert_false(planned(0xe0000001u, 80, REMOTE, 443));
}

static void only_addresses_of_this_host_are_here(void **state)
{
    struct ledger_connection connection = {.local = 0x7f000001u};
    (void)state;
    assert_true(half_open_is_here(&connection));
    connection.local = REMOTE;
    assert_false(half_open_is_here(&connection));
    connection.local = UINT32_MAX;
    assert_false(half_open_is_here(&connection));
}

static struct tcp_header compose(const struct ledger_connection *connection,
                                 struct daytona_packet_out *out, struct ipv4_header *ip)
{
    struct tcp_header header;
    struct daytona_span segment;
    struct daytona_span payload;
    half_open_compose(connection, out);
    const struct daytona_span packet = {out->header, out->header_length};
    assert_int_equal(ipv4_parse(packet, packet.length, ip, &segment), 0);
    assert_int_equal(tcp_checksum_judge(&ip->source, &ip->destination, segment),
                     TCP_CHECKSUM_COMPLETE);
    assert_int_equal(tcp_header_parse(segment, &header, &payload), 0);
    assert_int_equal(payload.length, 0);
    return header;
}

/* What no peer can accept, any peer answers. */
static void segment_is_a_bare_ack_before_all_that_was_sent(void **state)
{
    const struct ledger_connection connection = {LOCAL, REMOTE, 80, 5000, 1};
    struct daytona_packet_out out;
    struct ipv4_header ip;
    (void)state;
    struct tcp_header header = compose(&connection, &out, &ip);
    assert_int_equal(daytona_address_to_ipv4(&ip.source), LOCAL);
    assert_int_equal(daytona_address_to_ipv4(&ip.destination), REMOTE);
    assert_true(daytona_address_equal(&out.destination, &ip.destination));
    assert_int_equal(ip.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(header.source_port, 80);
    assert_int_equal(header.destination_port, 5000);
    assert_int_equal(header.flags, TCP_ACK);
    assert_int_equal(header.seq.value, UINT32_MAX);
    assert_int_equal(header.header_length, TCP_HEADER_MIN);
    assert_int_equal(out.span_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_is_read_as_it_was_written),
        cmocka_unit_test(only_ports_of_the_plan_are_acted_upon),
        cmocka_unit_test(ports_and_addresses_no_connection_has_are_not_acted_upon),
        cmocka_unit_test(only_addresses_of_this_host_are_here),
        cmocka_unit_test(segment_is_a_bare_ack_before_all_that_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
