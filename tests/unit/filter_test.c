/*
 * The filter in both of its forms. The program runs in the kernel without any privilege: it is
 * attached to one end of a pair of datagram sockets, which sees a packet that is written to the
 * other end as if it had no link header.
 */
#include "capture/filter.h"
#include "tests/unit/packets.h"

#include <errno.h>
#include <linux/filter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct packet_ends to_port_80 = {ADDRESS(10, 0, 0, 1), ADDRESS(10, 0, 0, 2), 5000, 80};

static struct filter_ports ports_of(const struct daytona_port_span *spans, size_t count)
{
    struct filter_ports ports = {.count = 0};
    assert_int_equal(filter_ports_set(&ports, spans, count), 0);
    return ports;
}

/* ------------------------------------------------------------------ the program in the kernel */

struct kernel_filter {
    int in, out;
};

static struct kernel_filter kernel_filter_open(const struct filter_ports *ports, uint32_t ip_offset,
                                               uint32_t snapshot_bytes)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
    struct sock_filter instructions[FILTER_PROGRAM_MAX];
    size_t length = filter_program(ports, ip_offset, snapshot_bytes, instructions);
    assert_true(length <= FILTER_PROGRAM_MAX);
    struct sock_fprog program = {.len = (unsigned short)length, .filter = instructions};
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program),
                     0);
    return (struct kernel_filter){pair[0], pair[1]};
}

static void kernel_filter_close(struct kernel_filter filter)
{
    close(filter.in);
    close(filter.out);
}

/* Bytes of the packet that pass: 0 when it is refused. */
static size_t kernel_filter_pass(struct kernel_filter filter, struct daytona_span packet)
{
    uint8_t room[70000];
    ssize_t sent = send(filter.in, packet.data, packet.length, 0);
    if (sent < 0) {
        assert_int_equal(errno, EPERM); /* how a pair of UNIX sockets reports a refusal */
        return 0;
    }
    ssize_t got = recv(filter.out, room, sizeof room, 0);
    return got < 0 ? 0 : (size_t)got;
}

static bool both_want(const struct filter_ports *ports, const struct daytona_packet_out *packet)
{
    uint8_t bytes[2048];
    struct daytona_span ip = {bytes, packet_gather(packet, bytes, sizeof bytes)};
    struct kernel_filter filter = kernel_filter_open(ports, 0, 65568);
    bool passes = kernel_filter_pass(filter, ip) > 0;
    kernel_filter_close(filter);
    assert_int_equal(passes, filter_wants(ports, ip));
    return passes;
}

static bool both_want_port(const struct filter_ports *ports, uint16_t port)
{
    struct packet_ends ends = to_port_80;
    ends.destination_port = port;
    struct daytona_packet_out packet = packet_tcp(ends, 1, (struct daytona_span){NULL, 0});
    return both_want(ports, &packet);
}

/* ------------------------------------------------------------------ claims */

static void ports_are_sorted_and_joined(void **state)
{
    (void)state;
    const struct daytona_port_span spans[] = {{443, 443}, {80, 90}, {85, 100}, {101, 110}, {1, 1}};
    struct filter_ports ports = ports_of(spans, 5);
    assert_int_equal(ports.count, 3);
    assert_int_equal(ports.spans[0].low, 1);
    assert_int_equal(ports.spans[1].low, 80);
    assert_int_equal(ports.spans[1].high, 110);
    assert_int_equal(ports.spans[2].low, 443);
}

static void one_span_can_swallow_all_others(void **state)
{
    (void)state;
    const struct daytona_port_span spans[] = {{5, 6}, {80, 80}, {65535, 65535}, {0, 65535}, {7, 9}};
    struct filter_ports ports = ports_of(spans, 5);
    assert_int_equal(ports.count, 1);
    assert_int_equal(ports.spans[0].low, 0);
    assert_int_equal(ports.spans[0].high, 65535);
    assert_true(both_want_port(&ports, 0));
    assert_true(both_want_port(&ports, 65535));
}

static void span_that_ends_before_it_begins_is_refused(void **state)
{
    (void)state;
    const struct daytona_port_span good = {80, 80}, bad[] = {{1, 2}, {9, 8}};
    struct filter_ports ports = ports_of(&good, 1);
    assert_int_equal(filter_ports_set(&ports, bad, 2), -EINVAL);
    assert_int_equal(ports.count, 1);
    assert_int_equal(ports.spans[0].low, 80);
}

static void more_spans_than_fit_only_widen_the_filter(void **state)
{
    (void)state;
    struct daytona_port_span spans[3 * FILTER_SPANS_MAX];
    for (size_t i = 0; i < 3 * FILTER_SPANS_MAX; i++) {
        uint16_t port = (uint16_t)(60000 - i * 100);
        spans[i] = (struct daytona_port_span){port, port};
    }
    struct filter_ports ports = ports_of(spans, 3 * FILTER_SPANS_MAX);
    assert_int_equal(ports.count, FILTER_SPANS_MAX);
    for (size_t i = 0; i + 1 < ports.count; i++)
        assert_true(ports.spans[i].high + 1 < ports.spans[i + 1].low);
    for (size_t i = 0; i < 3 * FILTER_SPANS_MAX; i += 7)
        assert_true(both_want_port(&ports, spans[i].low));
    assert_false(both_want_port(&ports, 60001));
}

static void no_ports_want_nothing(void **state)
{
    (void)state;
    struct filter_ports ports = {.count = 0};
    assert_false(both_want_port(&ports, 80));
}

static void only_tcp_to_the_ports_is_wanted(void **state)
{
    (void)state;
    const struct daytona_port_span spans[] = {{80, 80}, {1000, 2000}};
    struct filter_ports ports = ports_of(spans, 2);
    assert_true(both_want_port(&ports, 80));
    assert_true(both_want_port(&ports, 1000));
    assert_true(both_want_port(&ports, 1500));
    assert_true(both_want_port(&ports, 2000));
    assert_false(both_want_port(&ports, 79));
    assert_false(both_want_port(&ports, 81));
    assert_false(both_want_port(&ports, 999));
    assert_false(both_want_port(&ports, 2001));

    static const uint8_t payload[16] = {0, 80, 0, 80};
    struct daytona_packet_out udp =
        packet_ip(to_port_80, 17, 0, (struct daytona_span){payload, 16});
    assert_false(both_want(&ports, &udp));
}

static void ip_options_do_not_hide_the_port(void **state)
{
    (void)state;
    const struct daytona_port_span span = {80, 80};
    struct filter_ports ports = ports_of(&span, 1);
    /* 8 bytes of options in front of a TCP header that starts the payload. */
    static const uint8_t payload[] = {1, 1, 1, 1, 1, 1, 1, 0, 0x13, 0x88, 0, 80, 0, 0, 0, 1};
    struct daytona_packet_out packet =
        packet_ip(to_port_80, 6, 0, (struct daytona_span){payload, sizeof payload});
    packet.header[0] = 0x47;
    assert_true(both_want(&ports, &packet));
}

static bool both_want_flags(const struct filter_ports *ports, uint16_t port, uint8_t flags)
{
    struct packet_ends ends = to_port_80;
    ends.destination_port = port;
    struct daytona_packet_out packet = packet_tcp(ends, 1, (struct daytona_span){NULL, 0});
    packet.header[20 + 13] = flags;
    return both_want(ports, &packet);
}

static void only_requests_for_a_connection_are_wanted_of_openings(void **state)
{
    enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, ECE = 64, CWR = 128 };
    (void)state;
    const struct daytona_port_span span = {80, 80}, openings[] = {{443, 443}, {7000, 7099}};
    struct filter_ports ports = ports_of(&span, 1), alone = {.count = 0};
    assert_int_equal(filter_ports_set_openings(&ports, openings, 2), 0);
    assert_int_equal(filter_ports_set_openings(&alone, openings, 2), 0);
    assert_true(both_want_flags(&ports, 80, ACK));
    assert_true(both_want_flags(&ports, 7050, SYN));
    assert_true(both_want_flags(&ports, 443, SYN | ECE | CWR));
    assert_true(both_want_flags(&alone, 443, SYN));
    assert_false(both_want_flags(&ports, 443, SYN | ACK));
    assert_false(both_want_flags(&ports, 443, ACK));
    assert_false(both_want_flags(&ports, 443, FIN | ACK));
    assert_false(both_want_flags(&ports, 443, SYN | RST));
    assert_false(both_want_flags(&ports, 444, SYN));
    assert_false(both_want_flags(&alone, 80, ACK));
}

static void openings_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const struct daytona_port_span bad = {9, 8};
    struct daytona_port_span many[FILTER_OPENINGS_MAX + 1] = {{1, 1}};
    struct filter_ports ports = {.count = 0};
    assert_int_equal(filter_ports_set_openings(&ports, &bad, 1), -EINVAL);
    assert_int_equal(filter_ports_set_openings(&ports, many, FILTER_OPENINGS_MAX + 1), -E2BIG);
    assert_int_equal(ports.opening_count, 0);
}

static void later_fragments_of_tcp_are_wanted(void **state)
{
    (void)state;
    const struct daytona_port_span span = {80, 80};
    struct filter_ports ports = ports_of(&span, 1);
    static const uint8_t payload[64] = {0};
    struct daytona_span bytes = {payload, sizeof payload};
    struct daytona_packet_out later = packet_ip(to_port_80, 6, 185, bytes);
    struct daytona_packet_out udp = packet_ip(to_port_80, 17, 185, bytes);
    struct daytona_packet_out first = packet_ip(to_port_80, 6, 0x2000, bytes); /* to port 0 */
    assert_true(both_want(&ports, &later));
    assert_false(both_want(&ports, &udp));
    assert_false(both_want(&ports, &first));
}

static void icmp_errors_that_quote_tcp_are_wanted(void **state)
{
    (void)state;
    const struct daytona_port_span span = {80, 80};
    struct filter_ports ports = ports_of(&span, 1);
    uint8_t message[36] = {0};
    for (unsigned type = 0; type < 256; type++) {
        bool error = type == 3 || type == 4 || type == 11 || type == 12;
        message[0] = (uint8_t)type;
        message[8] = 0x45;
        message[8 + 9] = 6;
        struct daytona_span bytes = {message, sizeof message};
        struct daytona_packet_out about_tcp = packet_ip(to_port_80, 1, 0, bytes);
        assert_int_equal(both_want(&ports, &about_tcp), error);
        message[8 + 9] = 17;
        struct daytona_packet_out about_udp = packet_ip(to_port_80, 1, 0, bytes);
        assert_false(both_want(&ports, &about_udp));
    }
}

static void packets_cut_before_the_port_are_not_wanted(void **state)
{
    (void)state;
    const struct daytona_port_span span = {80, 80};
    struct filter_ports ports = ports_of(&span, 1);
    struct daytona_packet_out packet = packet_tcp(to_port_80, 1, (struct daytona_span){NULL, 0});
    uint8_t bytes[64];
    packet_gather(&packet, bytes, sizeof bytes);
    struct kernel_filter filter = kernel_filter_open(&ports, 0, 65568);
    for (size_t length = 1; length <= PACKET_HEADERS; length++) {
        /* On the heap, in its own size: reading beyond the end is seen by the sanitizer. */
        uint8_t *cut = malloc(length);
        memcpy(cut, bytes, length);
        struct daytona_span ip = {cut, length};
        assert_int_equal(filter_wants(&ports, ip), length >= 24);
        assert_int_equal(kernel_filter_pass(filter, ip) > 0, length >= 24);
        free(cut);
    }
    kernel_filter_close(filter);
}

/* A number of which little is random: mostly what the filter looks at. */
static uint8_t drawn(unsigned *seed)
{
    static const uint8_t telling[] = {0, 1, 3, 4, 6, 11, 12, 17, 0x45, 0x46, 0x4f, 80};
    *seed = *seed * 1103515245u + 12345u;
    unsigned value = *seed >> 16;
    return value % 3 == 0 ? (uint8_t)(value >> 4) : telling[value / 3 % sizeof telling];
}

static void both_forms_agree_on_any_bytes(void **state)
{
    (void)state;
    const struct daytona_port_span spans[] = {{80, 80}, {0x4500, 0x46ff}};
    const struct daytona_port_span opening = {0, 0x7fff};
    struct filter_ports ports = ports_of(spans, 2);
    assert_int_equal(filter_ports_set_openings(&ports, &opening, 1), 0);
    struct kernel_filter filter = kernel_filter_open(&ports, 0, 65568);
    unsigned seed = 1, wanted = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[48];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = drawn(&seed);
        bytes[0] = (uint8_t)(0x40 | bytes[0] % 16);
        bytes[9] = bytes[9] % 3 == 0 ? 1 : 6;
        struct daytona_span ip = {bytes, 1 + drawn(&seed) % sizeof bytes};
        bool passes = kernel_filter_pass(filter, ip) > 0;
        if (passes != filter_wants(&ports, ip))
            fail_msg("round %d: the kernel says %d", round, passes);
        wanted += passes;
    }
    kernel_filter_close(filter);
    assert_in_range(wanted, 1000, 19000); /* both answers were tried */
}

static void link_header_is_skipped_and_snapshot_kept(void **state)
{
    (void)state;
    const struct daytona_port_span span = {80, 80};
    struct filter_ports ports = ports_of(&span, 1);
    static const uint8_t payload[1000] = {0};
    struct daytona_packet_out packet =
        packet_tcp(to_port_80, 1, (struct daytona_span){payload, sizeof payload});
    uint8_t bytes[14 + 1040] = {0};
    size_t length = 14 + packet_gather(&packet, bytes + 14, sizeof bytes - 14);
    struct kernel_filter filter = kernel_filter_open(&ports, 14, 100);
    assert_int_equal(kernel_filter_pass(filter, (struct daytona_span){bytes, length}), 100);
    kernel_filter_close(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_sorted_and_joined),
        cmocka_unit_test(one_span_can_swallow_all_others),
        cmocka_unit_test(span_that_ends_before_it_begins_is_refused),
        cmocka_unit_test(more_spans_than_fit_only_widen_the_filter),
        cmocka_unit_test(no_ports_want_nothing),
        cmocka_unit_test(only_tcp_to_the_ports_is_wanted),
        cmocka_unit_test(only_requests_for_a_connection_are_wanted_of_openings),
        cmocka_unit_test(openings_that_do_not_fit_are_refused),
        cmocka_unit_test(ip_options_do_not_hide_the_port),
        cmocka_unit_test(later_fragments_of_tcp_are_wanted),
        cmocka_unit_test(icmp_errors_that_quote_tcp_are_wanted),
        cmocka_unit_test(packets_cut_before_the_port_are_not_wanted),
        cmocka_unit_test(both_forms_agree_on_any_bytes),
        cmocka_unit_test(link_header_is_skipped_and_snapshot_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
