/*
 * The packet socket of the live sink: when it is used, what it sends, and what is left to the raw
 * socket. Two hosts joined by a veth pair. Needs root.
 */
#include "tests/unit/network.h"
#include "tests/unit/packets.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MSS      1460
#define SEGMENTS 40

static const struct packet_ends to_there = {NETWORK_HERE, NETWORK_THERE, 5000, 80};
static uint8_t payload[MSS * SEGMENTS];

struct laboratory {
    struct network network;
    struct daytona_rawtx *sink;   /* here */
    int receiver;                 /* there: a raw socket that gets every TCP packet */
    struct daytona_address there; /* its IP address */
    uint8_t link_address[6];      /* and that of its device */
    int device;                   /* ours */
    uint64_t now_ms;
};

static void read_link_address(const char *device, uint8_t out[6])
{
    struct ifreq request = {0};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    assert_int_equal(ioctl(descriptor, SIOCGIFHWADDR, &request), 0);
    memcpy(out, request.ifr_hwaddr.sa_data, 6);
    close(descriptor);
}

static int prepare(void **state)
{
    static struct laboratory laboratory;
    *state = NULL;
    if (!network_possible())
        return 0;
    laboratory =
        (struct laboratory){.there = daytona_address_from_ipv4(NETWORK_THERE), .now_ms = 1000};
    network_init(&laboratory.network);
    network_enter(laboratory.network.there);
    laboratory.receiver = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    assert_true(laboratory.receiver >= 0);
    read_link_address("there0", laboratory.link_address);
    network_enter(laboratory.network.here);
    laboratory.device = (int)if_nametoindex("here0");
    char message[256] = "";
    if (daytona_rawtx_open(DAYTONA_RAWTX_PACKET, &laboratory.sink, message, sizeof message) != 0)
        fail_msg("%s", message);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 + i / 251);
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

static struct laboratory *laboratory_of(void **state)
{
    if (*state == NULL)
        skip();
    return *state;
}

/* A super-segment of `segments`, or, with 0, an empty packet. */
static struct daytona_packet_out packet_of(uint32_t number, uint32_t segments)
{
    struct daytona_packet_out packet =
        packet_tcp(to_there, number, (struct daytona_span){payload, segments * MSS});
    packet.segment_bytes = segments > 1 ? MSS : 0;
    packet.checksum_partial = segments > 0;
    return packet;
}

static void send_one(struct laboratory *laboratory, struct daytona_packet_out packet)
{
    struct daytona_rawtx_refusal refusals[1];
    laboratory->now_ms += 2; /* beyond the time between two looks at the kernel's news */
    struct daytona_instant now = {laboratory->now_ms * 1000000u};
    assert_int_equal(daytona_rawtx_send(laboratory->sink, now, &packet, 1, refusals), 0);
}

static uint64_t framed(const struct laboratory *laboratory)
{
    struct daytona_rawtx_counters counters;
    daytona_rawtx_counters(laboratory->sink, &counters);
    return counters.packets_framed;
}

/* The next TCP packet that arrives there; its length. */
static size_t receive(struct laboratory *laboratory, uint8_t out[65536])
{
    struct pollfd poller = {.fd = laboratory->receiver, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 5000), 1);
    ssize_t got = recv(laboratory->receiver, out, 65536, 0);
    assert_true(got >= PACKET_HEADERS);
    return (size_t)got;
}

/* What was sent arrives, whole or in parts. */
static void expect_segments(struct laboratory *laboratory, uint32_t number, uint32_t segments)
{
    static uint8_t bytes[65536];
    size_t arrived = 0;
    do {
        size_t length = receive(laboratory, bytes);
        assert_int_equal(packet_number((struct daytona_span){bytes, length}), number + arrived);
        size_t data = length - PACKET_HEADERS;
        assert_true(arrived + data <= segments * MSS);
        assert_memory_equal(bytes + PACKET_HEADERS, payload + arrived, data);
        arrived += data;
    } while (arrived < segments * MSS);
}

static void hear(struct laboratory *laboratory, int device, const uint8_t *link_address)
{
    daytona_rawtx_heard(laboratory->sink, &laboratory->there, device, link_address);
}

/* The kernel has resolved the peer's address, and the peer has been heard. */
static void make_sure(struct laboratory *laboratory)
{
    send_one(laboratory, packet_of(1, 0));
    expect_segments(laboratory, 1, 0);
    laboratory->now_ms += 2;
    send_one(laboratory, packet_of(2, 0)); /* looks at the news of the resolution */
    expect_segments(laboratory, 2, 0);
    hear(laboratory, laboratory->device, laboratory->link_address);
}

static void expect_raw(struct laboratory *laboratory)
{
    uint64_t before = framed(laboratory);
    send_one(laboratory, packet_of(1000, SEGMENTS));
    expect_segments(laboratory, 1000, SEGMENTS);
    assert_int_equal(framed(laboratory), before);
}

static void expect_framed(struct laboratory *laboratory)
{
    uint64_t before = framed(laboratory);
    send_one(laboratory, packet_of(1000, SEGMENTS));
    expect_segments(laboratory, 1000, SEGMENTS);
    assert_int_equal(framed(laboratory), before + 1);
}

/* ------------------------------------------------------------------ when */

static void super_segment_to_a_peer_that_was_heard_leaves_in_one_frame(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
}

static void small_packets_follow_where_a_super_segment_has_gone(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
    send_one(laboratory, packet_of(5, 0));
    send_one(laboratory, packet_of(6, 1));
    expect_segments(laboratory, 5, 0);
    expect_segments(laboratory, 6, 1);
    assert_int_equal(framed(laboratory), 3);
}

static void peer_that_was_not_heard_is_left_to_the_kernel(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    expect_raw(laboratory);
}

static void peer_behind_another_link_address_is_left_to_the_kernel(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const uint8_t other[6] = {2, 0, 0, 0, 0, 9};
    make_sure(laboratory);
    hear(laboratory, laboratory->device, other);
    expect_raw(laboratory);
}

static void peer_heard_on_another_device_is_left_to_the_kernel(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    hear(laboratory, laboratory->device + 1, laboratory->link_address);
    expect_raw(laboratory);
}

static void device_without_link_addresses_is_left_to_the_kernel(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    send_one(laboratory, packet_of(1, 0));
    expect_segments(laboratory, 1, 0);
    hear(laboratory, laboratory->device, NULL);
    expect_raw(laboratory);
}

static void after_a_timeout_the_kernel_finds_the_way(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
    struct daytona_packet_out again = packet_of(7, 1);
    again.after_timeout = true;
    send_one(laboratory, again);
    expect_segments(laboratory, 7, 1);
    assert_int_equal(framed(laboratory), 1);
    expect_raw(laboratory); /* until the peer is heard again */
    hear(laboratory, laboratory->device, laboratory->link_address);
    expect_framed(laboratory);
}

static void changed_neighbour_puts_its_path_in_doubt(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
    network_run("ip neigh replace 10.7.0.2 lladdr 02:00:00:00:00:09 dev here0 nud permanent");
    send_one(laboratory, packet_of(8, SEGMENTS));
    assert_int_equal(framed(laboratory), 1);
    hear(laboratory, laboratory->device, laboratory->link_address);
    send_one(laboratory, packet_of(8, SEGMENTS));
    assert_int_equal(framed(laboratory), 1); /* the peer says one address, the kernel another */
}

static void route_that_is_gone_is_noticed(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
    network_run("ip route add unreachable 10.7.0.2/32");
    struct daytona_packet_out packet = packet_of(9, SEGMENTS);
    struct daytona_rawtx_refusal refusals[1];
    struct daytona_instant later = {(laboratory->now_ms + 5) * 1000000u};
    assert_int_equal(daytona_rawtx_send(laboratory->sink, later, &packet, 1, refusals), 1);
    assert_int_equal(framed(laboratory), 1);
}

static void tunnels_and_the_like_are_left_to_the_kernel(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct ifreq request = {.ifr_name = "plain0", .ifr_flags = IFF_TAP | IFF_NO_PI};
    int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0)
        skip();
    network_run("ip addr add 10.8.0.1/24 dev plain0");
    network_run("ip link set plain0 up");
    network_run("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:09 dev plain0 nud permanent");
    static const uint8_t link_address[6] = {2, 0, 0, 0, 0, 9};
    struct daytona_address peer = daytona_address_from_ipv4(ADDRESS(10, 8, 0, 2));
    struct packet_ends ends = {ADDRESS(10, 8, 0, 1), ADDRESS(10, 8, 0, 2), 5000, 80};
    struct daytona_packet_out packet = packet_tcp(ends, 1, (struct daytona_span){payload, 2 * MSS});
    packet.segment_bytes = MSS;
    packet.checksum_partial = true;
    /* A new device is good for news for a second, in which no path at all is sure. */
    for (int i = 0; i < 15; i++) {
        struct daytona_rawtx_refusal refusals[1];
        usleep(100000);
        send_one(laboratory, packet_of(1, 0)); /* takes the news */
        daytona_rawtx_heard(laboratory->sink, &peer, (int)if_nametoindex("plain0"), link_address);
        struct daytona_instant now = {laboratory->now_ms * 1000000u};
        daytona_rawtx_send(laboratory->sink, now, &packet, 1, refusals);
        assert_int_equal(framed(laboratory), 0);
    }
    close(tap);
}

/* ------------------------------------------------------------------ what */

static void segments_too_big_for_the_device_are_refused_with_its_mtu(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
    struct daytona_packet_out packet =
        packet_tcp(to_there, 1, (struct daytona_span){payload, 4 * 1461});
    packet.segment_bytes = 1461;
    struct daytona_rawtx_refusal refusals[1];
    struct daytona_instant now = {laboratory->now_ms * 1000000u};
    assert_int_equal(daytona_rawtx_send(laboratory->sink, now, &packet, 1, refusals), 1);
    assert_int_equal(refusals[0].mtu, 1500);
}

static void device_without_offloads_gets_packets_that_fit(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static uint8_t bytes[65536];
    network_run("ethtool -K here0 tso off gso off tx off");
    make_sure(laboratory);
    send_one(laboratory, packet_of(1000, 3));
    assert_int_equal(framed(laboratory), 1);
    for (uint32_t i = 0; i < 3; i++) {
        size_t length = receive(laboratory, bytes);
        assert_int_equal(length, PACKET_HEADERS + MSS);
        assert_memory_equal(bytes + PACKET_HEADERS, payload + i * MSS, MSS);
    }
}

static void order_is_kept_between_the_two_ways(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    expect_framed(laboratory);
    struct daytona_packet_out packets[] = {packet_of(1, 0), packet_of(2, 0), packet_of(3, 0),
                                           packet_of(4, 0)};
    packets[2].after_timeout = true; /* by the raw socket, and so is the one behind it */
    struct daytona_rawtx_refusal refusals[4];
    struct daytona_instant now = {laboratory->now_ms * 1000000u};
    assert_int_equal(daytona_rawtx_send(laboratory->sink, now, packets, 4, refusals), 0);
    assert_int_equal(framed(laboratory), 3);
    for (uint32_t i = 1; i <= 4; i++)
        expect_segments(laboratory, i, 0);
}

static void small_packet_is_not_overtaken_by_the_first_super_segment(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    make_sure(laboratory);
    struct daytona_packet_out packets[] = {packet_of(1, 0), packet_of(2, SEGMENTS)};
    struct daytona_rawtx_refusal refusals[2];
    struct daytona_instant now = {laboratory->now_ms * 1000000u};
    assert_int_equal(daytona_rawtx_send(laboratory->sink, now, packets, 2, refusals), 0);
    assert_int_equal(framed(laboratory), 1);
    expect_segments(laboratory, 1, 0);
    expect_segments(laboratory, 2, SEGMENTS);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(super_segment_to_a_peer_that_was_heard_leaves_in_one_frame),
        TEST(small_packets_follow_where_a_super_segment_has_gone),
        TEST(peer_that_was_not_heard_is_left_to_the_kernel),
        TEST(peer_behind_another_link_address_is_left_to_the_kernel),
        TEST(peer_heard_on_another_device_is_left_to_the_kernel),
        TEST(device_without_link_addresses_is_left_to_the_kernel),
        TEST(after_a_timeout_the_kernel_finds_the_way),
        TEST(changed_neighbour_puts_its_path_in_doubt),
        TEST(route_that_is_gone_is_noticed),
        TEST(tunnels_and_the_like_are_left_to_the_kernel),
        TEST(segments_too_big_for_the_device_are_refused_with_its_mtu),
        TEST(device_without_offloads_gets_packets_that_fit),
        TEST(order_is_kept_between_the_two_ways),
        TEST(small_packet_is_not_overtaken_by_the_first_super_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
