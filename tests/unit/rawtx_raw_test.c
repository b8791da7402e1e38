/*
 * The raw socket and the question about routes, between two network namespaces. Needs root.
 */
#include "tests/unit/network.h"
#include "tests/unit/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOWHERE ADDRESS(192, 0, 2, 1) /* no route leads there (RFC 5737) */

static const struct packet_ends to_there = {NETWORK_HERE, NETWORK_THERE, 5000, 80};
static const struct daytona_span nothing = {NULL, 0};
static uint8_t payload[65536];

struct laboratory {
    struct network network;
    struct daytona_rawtx *sink; /* here */
    int receiver;               /* there: a raw socket that gets every TCP packet */
};

static int prepare(void **state)
{
    static struct laboratory laboratory;
    *state = NULL;
    if (!network_possible())
        return 0;
    char message[256] = "";
    network_init(&laboratory.network);
    if (daytona_rawtx_open(DAYTONA_RAWTX_RAW, &laboratory.sink, message, sizeof message) != 0)
        fail_msg("%s", message);
    network_enter(laboratory.network.there);
    laboratory.receiver = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    assert_true(laboratory.receiver >= 0);
    network_enter(laboratory.network.here);
    *state = &laboratory;
    return 0;
}

static int clean_up(void **state)
{
    struct laboratory *laboratory = *state;
    if (laboratory == NULL)
        return 0;
    daytona_rawtx_close(laboratory->sink);
    close(laboratory->receiver);
    network_release(&laboratory->network);
    return 0;
}

/* Skips the test without root: network_possible() has said why. */
static struct laboratory *laboratory_of(void **state)
{
    if (*state == NULL)
        skip();
    return *state;
}

static int send_all(struct laboratory *laboratory, const struct daytona_packet_out *packets,
                    size_t count, struct daytona_rawtx_refusal *refusals)
{
    return daytona_rawtx_send(laboratory->sink, (struct daytona_instant){0}, packets, count,
                              refusals);
}

/* The next TCP packet from here that arrives there; its length. */
static size_t receive(struct laboratory *laboratory, uint8_t *out, size_t room)
{
    struct pollfd poller = {.fd = laboratory->receiver, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 5000), 1);
    ssize_t got = recv(laboratory->receiver, out, room, 0);
    assert_true(got >= PACKET_HEADERS);
    return (size_t)got;
}

static void expect_number(struct laboratory *laboratory, uint32_t number)
{
    uint8_t bytes[2048];
    size_t length = receive(laboratory, bytes, sizeof bytes);
    assert_int_equal(packet_number((struct daytona_span){bytes, length}), number);
}

static struct daytona_rawtx_counters counters_of(const struct laboratory *laboratory)
{
    struct daytona_rawtx_counters counters;
    daytona_rawtx_counters(laboratory->sink, &counters);
    return counters;
}

/* ------------------------------------------------------------------ sending */

static void packet_arrives_with_the_header_it_was_given(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    struct daytona_packet_out packet = packet_tcp(to_there, 5, (struct daytona_span){payload, 600});
    packet.span_count = 3;
    packet.payload_length = 1001;
    packet.spans[1] = (struct daytona_span){payload + 600, 1};
    packet.spans[2] = (struct daytona_span){payload + 601, 400};
    packet.header[1] = 0x12; /* type of service */
    packet.header[8] = 33;   /* time to live */

    struct daytona_rawtx_refusal refusals[1];
    assert_int_equal(send_all(laboratory, &packet, 1, refusals), 0);
    uint8_t bytes[2048];
    assert_int_equal(receive(laboratory, bytes, sizeof bytes), PACKET_HEADERS + 1001);
    assert_memory_equal(bytes + PACKET_HEADERS, payload, 1001);
    assert_memory_equal(bytes + 20, packet.header + 20, 20);
    assert_int_equal(bytes[1], 0x12);
    assert_memory_equal(bytes + 4, packet.header + 4, 2); /* identification */
    assert_memory_equal(bytes + 6, packet.header + 6, 2); /* "don't fragment" */
    assert_int_equal(bytes[8], 33);
    assert_memory_equal(bytes + 12, packet.header + 12, 8); /* addresses */
    assert_int_equal(packet_sum((struct daytona_span){bytes, 20}, 0), 0xffff);
}

static void batch_takes_one_call_and_keeps_its_order(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct daytona_packet_out packets[DAYTONA_RAWTX_BATCH_MAX];
    struct daytona_rawtx_refusal refusals[DAYTONA_RAWTX_BATCH_MAX];
    for (uint32_t i = 0; i < DAYTONA_RAWTX_BATCH_MAX; i++)
        packets[i] = packet_tcp(to_there, i, nothing);
    assert_int_equal(send_all(laboratory, packets, DAYTONA_RAWTX_BATCH_MAX, refusals), 0);
    for (uint32_t i = 0; i < DAYTONA_RAWTX_BATCH_MAX; i++)
        expect_number(laboratory, i);
    assert_int_equal(counters_of(laboratory).calls, 1);
    assert_int_equal(counters_of(laboratory).packets, DAYTONA_RAWTX_BATCH_MAX);
    assert_int_equal(counters_of(laboratory).bytes, DAYTONA_RAWTX_BATCH_MAX * PACKET_HEADERS);
}

static void rest_of_a_batch_is_sent_behind_a_refusal(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct packet_ends to_nowhere = to_there;
    to_nowhere.destination = NOWHERE;
    struct daytona_packet_out packets[] = {
        packet_tcp(to_nowhere, 0, nothing), packet_tcp(to_there, 1, nothing),
        packet_tcp(to_there, 2, nothing),   packet_tcp(to_nowhere, 3, nothing),
        packet_tcp(to_nowhere, 4, nothing), packet_tcp(to_there, 5, nothing),
        packet_tcp(to_nowhere, 6, nothing),
    };
    struct daytona_rawtx_refusal refusals[7];
    assert_int_equal(send_all(laboratory, packets, 7, refusals), 4);
    static const size_t refused[] = {0, 3, 4, 6};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(refusals[i].index, refused[i]);
        assert_int_equal(refusals[i].error, ENETUNREACH);
        assert_int_equal(refusals[i].mtu, 0);
    }
    expect_number(laboratory, 1);
    expect_number(laboratory, 2);
    expect_number(laboratory, 5);
    assert_int_equal(counters_of(laboratory).packets, 3);
    assert_int_equal(counters_of(laboratory).failed, 4);
}

static void expect_too_big(struct laboratory *laboratory, size_t length, uint32_t mtu)
{
    struct daytona_packet_out packets[] = {
        packet_tcp(to_there, 1, (struct daytona_span){payload, length - PACKET_HEADERS}),
        packet_tcp(to_there, 2, nothing)};
    struct daytona_rawtx_refusal refusals[2];
    uint64_t before = counters_of(laboratory).too_big;
    assert_int_equal(send_all(laboratory, packets, 2, refusals), 1);
    assert_int_equal(refusals[0].index, 0);
    assert_int_equal(refusals[0].error, EMSGSIZE);
    assert_int_equal(refusals[0].mtu, mtu);
    assert_int_equal(counters_of(laboratory).too_big, before + 1);
    expect_number(laboratory, 2);
}

static void too_big_for_the_device_reports_its_mtu(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    expect_too_big(laboratory, 1501, 1500);
    expect_too_big(laboratory, 40000, 1500);
}

static void too_big_for_the_path_reports_its_mtu(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_run("ip route replace 10.7.0.0/24 dev here0 src 10.7.0.1 mtu 1300");
    expect_too_big(laboratory, 1400, 1300);
}

static void whole_mtu_is_used(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct daytona_packet_out packet =
        packet_tcp(to_there, 1, (struct daytona_span){payload, 1500 - PACKET_HEADERS});
    struct daytona_rawtx_refusal refusals[1];
    assert_int_equal(send_all(laboratory, &packet, 1, refusals), 0);
    expect_number(laboratory, 1);
}

static int descriptor_of(const struct laboratory *laboratory)
{
    int descriptors[DAYTONA_RAWTX_DESCRIPTORS_MAX];
    assert_true(daytona_rawtx_descriptors(laboratory->sink, descriptors) > 0);
    return descriptors[0];
}

static void too_big_many_times_leaves_the_socket_usable(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    for (int i = 0; i < 300; i++)
        expect_too_big(laboratory, 1501, 1500);
    struct pollfd poller = {.fd = descriptor_of(laboratory), .events = POLLOUT};
    assert_int_equal(poll(&poller, 1, 0), 1);
    assert_int_equal(poller.revents, POLLOUT); /* no POLLERR */
}

static void firewall_is_counted_as_such(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_run("iptables -A OUTPUT -p tcp --dport 80 -j DROP");
    struct packet_ends allowed = to_there;
    allowed.destination_port = 81;
    struct daytona_packet_out packets[] = {packet_tcp(to_there, 1, nothing),
                                           packet_tcp(allowed, 2, nothing)};
    struct daytona_rawtx_refusal refusals[2];
    assert_int_equal(send_all(laboratory, packets, 2, refusals), 1);
    assert_int_equal(refusals[0].error, EPERM);
    assert_int_equal(counters_of(laboratory).forbidden, 1);
    expect_number(laboratory, 2);
}

static void full_queue_of_the_link_is_counted(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    /* A link of 10 kbit/s with room for two packets. */
    network_run("tc qdisc add dev here0 root tbf rate 10kbit burst 2000 limit 3000");
    struct daytona_packet_out packets[32];
    struct daytona_rawtx_refusal refusals[32];
    for (uint32_t i = 0; i < 32; i++)
        packets[i] = packet_tcp(to_there, i, (struct daytona_span){payload, 1000});
    int refused = send_all(laboratory, packets, 32, refusals);
    assert_true(refused > 0);
    assert_int_equal(refusals[refused - 1].error, ENOBUFS);
    assert_int_equal(counters_of(laboratory).no_buffers, refused);
    assert_int_equal(counters_of(laboratory).packets, 32 - refused);
}

static void route_is_that_of_the_packets_source(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    /* What comes from 10.7.0.9 may not leave at all; the main table alone would let it. */
    network_run("ip addr add 10.7.0.9/24 dev here0");
    network_run("ip rule add from 10.7.0.9 unreachable");
    struct packet_ends other = to_there;
    other.source = ADDRESS(10, 7, 0, 9);
    struct daytona_packet_out packets[] = {packet_tcp(other, 1, nothing),
                                           packet_tcp(to_there, 2, nothing)};
    struct daytona_rawtx_refusal refusals[2];
    assert_int_equal(send_all(laboratory, packets, 2, refusals), 1);
    assert_int_equal(refusals[0].error, ENETUNREACH);
    expect_number(laboratory, 2);
}

static void loopback_takes_64_kilobytes(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct packet_ends to_self = {ADDRESS(127, 0, 0, 1), ADDRESS(127, 0, 0, 1), 5000, 80};
    struct daytona_packet_out packet =
        packet_tcp(to_self, 9, (struct daytona_span){payload, 65535 - PACKET_HEADERS});
    struct daytona_rawtx_refusal refusals[1];
    assert_int_equal(send_all(laboratory, &packet, 1, refusals), 0);
    assert_int_equal(counters_of(laboratory).packets, 1);
}

static void without_the_privilege_the_message_names_it(void **state)
{
    (void)laboratory_of(state);
    pid_t child = fork();
    if (child == 0) {
        char message[256] = "";
        struct daytona_rawtx *sink = NULL;
        bool right =
            setresuid(65534, 65534, 65534) == 0 &&
            daytona_rawtx_open(DAYTONA_RAWTX_RAW, &sink, message, sizeof message) == -EPERM &&
            strstr(message, "CAP_NET_RAW") != NULL;
        _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ------------------------------------------------------------------ routes */

static struct daytona_route ask(uint32_t destination, uint32_t source)
{
    struct daytona_address to = daytona_address_from_ipv4(destination);
    struct daytona_address from = daytona_address_from_ipv4(source);
    struct daytona_route route;
    assert_int_equal(daytona_route_ask(&to, source != 0 ? &from : NULL, &route), 0);
    return route;
}

static int ask_error(uint32_t destination, uint32_t source)
{
    struct daytona_address to = daytona_address_from_ipv4(destination);
    struct daytona_address from = daytona_address_from_ipv4(source);
    struct daytona_route route;
    return daytona_route_ask(&to, &from, &route);
}

static void route_to_a_neighbour_has_source_and_mtu(void **state)
{
    (void)laboratory_of(state);
    struct daytona_route route = ask(NETWORK_THERE, 0);
    assert_int_equal(daytona_address_to_ipv4(&route.source), NETWORK_HERE);
    assert_int_equal(route.mtu, 1500);
    assert_false(route.local);
}

static void own_addresses_are_local(void **state)
{
    (void)laboratory_of(state);
    network_run("ip addr add 10.7.0.9/32 dev here0");
    network_run("ip route add local 10.200.0.0/16 dev lo"); /* any address of a network */
    assert_true(ask(NETWORK_HERE, 0).local);
    assert_true(ask(ADDRESS(127, 0, 0, 1), 0).local);
    assert_true(ask(ADDRESS(127, 1, 2, 3), 0).local);
    assert_true(ask(ADDRESS(10, 7, 0, 9), 0).local);
    assert_true(ask(ADDRESS(10, 200, 3, 4), 0).local);
    assert_true(ask(NETWORK_HERE, ADDRESS(10, 7, 0, 9)).local);
    assert_int_equal(ask(ADDRESS(127, 0, 0, 1), 0).mtu, 65535);
}

static void chosen_source_is_kept(void **state)
{
    (void)laboratory_of(state);
    network_run("ip addr add 10.7.0.9/24 dev here0");
    struct daytona_route route = ask(NETWORK_THERE, ADDRESS(10, 7, 0, 9));
    assert_int_equal(daytona_address_to_ipv4(&route.source), ADDRESS(10, 7, 0, 9));
    assert_false(route.local);
}

static void learnt_path_mtu_is_told(void **state)
{
    (void)laboratory_of(state);
    network_run("ip route replace 10.7.0.0/24 dev here0 src 10.7.0.1 mtu 1300");
    assert_int_equal(ask(NETWORK_THERE, 0).mtu, 1300);
}

static void what_connect_would_say_is_said(void **state)
{
    (void)laboratory_of(state);
    network_run("ip route add prohibit 10.99.0.0/24");
    network_run("ip route add unreachable 10.98.0.0/24");
    assert_int_equal(ask_error(NOWHERE, 0), -ENETUNREACH);
    assert_int_equal(ask_error(ADDRESS(10, 99, 0, 1), 0), -EACCES);
    assert_int_equal(ask_error(ADDRESS(10, 98, 0, 1), 0), -EHOSTUNREACH);
    assert_int_equal(ask_error(NETWORK_THERE, ADDRESS(192, 0, 2, 7)), -EADDRNOTAVAIL);
    assert_int_equal(ask_error(ADDRESS(10, 7, 0, 255), 0), -EACCES);

    struct daytona_address six = {{0x20, 1, 0x0d, 0xb8}};
    struct daytona_route route;
    assert_int_equal(daytona_route_ask(&six, NULL, &route), -EAFNOSUPPORT);
}

int main(void)
{
#define IN_LABORATORY(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)
    const struct CMUnitTest tests[] = {
        IN_LABORATORY(packet_arrives_with_the_header_it_was_given),
        IN_LABORATORY(batch_takes_one_call_and_keeps_its_order),
        IN_LABORATORY(rest_of_a_batch_is_sent_behind_a_refusal),
        IN_LABORATORY(too_big_for_the_device_reports_its_mtu),
        IN_LABORATORY(too_big_for_the_path_reports_its_mtu),
        IN_LABORATORY(whole_mtu_is_used),
        IN_LABORATORY(too_big_many_times_leaves_the_socket_usable),
        IN_LABORATORY(firewall_is_counted_as_such),
        IN_LABORATORY(full_queue_of_the_link_is_counted),
        IN_LABORATORY(route_is_that_of_the_packets_source),
        IN_LABORATORY(loopback_takes_64_kilobytes),
        IN_LABORATORY(without_the_privilege_the_message_names_it),
        IN_LABORATORY(route_to_a_neighbour_has_source_and_mtu),
        IN_LABORATORY(own_addresses_are_local),
        IN_LABORATORY(chosen_source_is_kept),
        IN_LABORATORY(learnt_path_mtu_is_told),
        IN_LABORATORY(what_connect_would_say_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
