/*
 * Live capture between two network namespaces: which packets arrive, from which devices. Needs
 * root.
 */
#include "tests/unit/laboratory.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct daytona_span nothing = {NULL, 0};

/* ------------------------------------------------------------------ which packets */

static void packet_appears_as_it_was_sent(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static uint8_t payload[1000];
    memset(payload, 'x', sizeof payload);
    laboratory_capture_all(laboratory);
    struct daytona_packet_out packet =
        packet_tcp(from_there, 1, (struct daytona_span){payload, sizeof payload});
    send_packet(laboratory->there, packet);

    struct daytona_captured captured = expect_number(laboratory, 1);
    assert_int_equal(captured.ip.length, PACKET_HEADERS + sizeof payload);
    assert_int_equal(captured.wire_length, captured.ip.length);
    assert_memory_equal(captured.ip.data, packet.header, PACKET_HEADERS);
    assert_memory_equal(captured.ip.data + PACKET_HEADERS, payload, sizeof payload);
    assert_int_equal(captured.interface_index, if_nametoindex("here0"));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    assert_in_range((uint64_t)now.tv_sec - captured.stamp_ns / 1000000000u, 0, 60);
    expect_nothing_more(laboratory);
}

static void loopback_packet_appears_once(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const char *const interfaces[] = {NULL, "lo"};
    for (size_t i = 0; i < 2; i++) {
        laboratory_capture(laboratory, &interfaces[i], interfaces[i] == NULL ? 0 : 1);
        for (uint32_t number = 0; number < 10; number++)
            send_number(laboratory->here, to_self, number);
        for (uint32_t number = 0; number < 10; number++) {
            struct daytona_captured captured = expect_number(laboratory, number);
            assert_int_equal(captured.interface_index, if_nametoindex("lo"));
        }
        struct daytona_captured captured;
        assert_int_equal(daytona_capture_next(laboratory->capture, &captured), 0);
        laboratory_close_capture(laboratory);
    }
}

static void loopback_packet_of_64_kilobytes_is_whole(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static uint8_t payload[65535 - PACKET_HEADERS];
    payload[sizeof payload - 1] = 77;
    laboratory_capture_all(laboratory);
    send_packet(laboratory->here,
                packet_tcp(to_self, 1, (struct daytona_span){payload, sizeof payload}));
    struct daytona_captured captured = expect_number(laboratory, 1);
    assert_int_equal(captured.ip.length, 65535);
    assert_int_equal(captured.wire_length, 65535);
    assert_int_equal(captured.ip.data[65534], 77);
}

static void other_ports_and_protocols_do_not_appear(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const uint8_t payload[64] = {0, LABORATORY_PORT, 0, LABORATORY_PORT};
    struct daytona_span bytes = {payload, sizeof payload};
    struct packet_ends other = from_there;
    other.destination_port = LABORATORY_PORT + 1;
    other.source_port = LABORATORY_PORT;
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, other, 1);
    send_packet(laboratory->there, packet_ip(from_there, 17, 0, bytes));
    send_packet(laboratory->there, packet_ip(from_there, 17, 100, bytes)); /* a UDP fragment */
    expect_nothing_more(laboratory);
}

static void fragments_and_icmp_errors_appear(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static uint8_t payload[64], message[36];
    struct daytona_span bytes = {payload, sizeof payload};
    message[0] = 3; /* unreachable */
    message[8] = 0x45;
    message[8 + 9] = 6;
    laboratory_capture_all(laboratory);
    send_packet(laboratory->there, packet_ip(from_there, 6, 100, bytes));
    send_packet(laboratory->there,
                packet_ip(from_there, 1, 0, (struct daytona_span){message, sizeof message}));
    assert_int_equal(expect_packet(laboratory).ip.data[7], 100);
    assert_int_equal(expect_packet(laboratory).ip.data[20], 3);
    expect_nothing_more(laboratory);
}

static void own_packets_do_not_appear(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const char *const interfaces[] = {NULL, "here0"};
    for (size_t i = 0; i < 2; i++) {
        laboratory_capture(laboratory, &interfaces[i], interfaces[i] == NULL ? 0 : 1);
        struct packet_ends to_there = {NETWORK_HERE, NETWORK_THERE, 5000, LABORATORY_PORT};
        send_number(laboratory->here, to_there, 1);
        expect_nothing_more(laboratory);
        assert_int_equal(laboratory_counters(laboratory).ignored, 0); /* the kernel left them out */
        laboratory_close_capture(laboratory);
    }
}

static void packets_of_other_hosts_do_not_appear(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_enter(laboratory->network.there);
    network_run("ip neigh add 10.7.0.3 lladdr 02:00:00:00:00:03 dev there0");
    network_enter(laboratory->network.here);
    struct packet_ends to_other_host = from_there;
    to_other_host.destination = ADDRESS(10, 7, 0, 3);
    static const char *const interfaces[] = {NULL, "here0"};
    for (size_t i = 0; i < 2; i++) {
        laboratory_capture(laboratory, &interfaces[i], interfaces[i] == NULL ? 0 : 1);
        send_number(laboratory->there, to_other_host, 1);
        expect_nothing_more(laboratory);
        laboratory_close_capture(laboratory);
    }
}

static void packets_to_pass_on_do_not_appear(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_enter(laboratory->network.there);
    network_run("ip route add 10.55.0.0/16 via 10.7.0.1");
    network_enter(laboratory->network.here);
    struct packet_ends through = from_there;
    through.destination = ADDRESS(10, 55, 0, 1);
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, through, 1);
    expect_nothing_more(laboratory);
    assert_int_equal(laboratory_counters(laboratory).ignored, 1);
}

static void every_address_of_this_host_counts(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    laboratory_capture_all(laboratory);
    network_run("ip addr add 10.7.0.77/24 dev here0"); /* after the opening */
    network_run("ip route add local 10.56.0.0/16 dev lo");
    network_enter(laboratory->network.there);
    network_run("ip route add 10.56.0.0/16 via 10.7.0.1");
    network_enter(laboratory->network.here);
    struct packet_ends to_second = from_there, to_any = from_there;
    to_second.destination = ADDRESS(10, 7, 0, 77);
    to_any.destination = ADDRESS(10, 56, 7, 8);
    send_number(laboratory->there, to_second, 1);
    expect_number(laboratory, 1);
    send_number(laboratory->there, to_any, 2);
    expect_number(laboratory, 2);
}

/* ------------------------------------------------------------------ which devices */

static void named_interface_leaves_the_others_out(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    laboratory_capture_one(laboratory, "here0");
    send_number(laboratory->here, to_self, 1);
    send_number(laboratory->there, from_there, 2);
    assert_int_equal(expect_number(laboratory, 2).interface_index, if_nametoindex("here0"));
}

static void several_interfaces_have_one_descriptor(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const char *const names[] = {"lo", "here0"};
    laboratory_capture(laboratory, names, 2);
    for (uint32_t round = 0; round < 5; round++) {
        send_number(laboratory->there, from_there, 2 * round);
        expect_number(laboratory, 2 * round);
        send_number(laboratory->here, to_self, 2 * round + 1);
        expect_number(laboratory, 2 * round + 1);
    }
    int descriptors[8];
    assert_int_equal(daytona_capture_descriptors(laboratory->capture, descriptors, 8), 4);
    const struct daytona_port_span other = {90, 90};
    assert_int_equal(daytona_capture_set_ports(laboratory->capture, &other, 1), 0);
    struct packet_ends to_other = to_self;
    to_other.destination_port = 90;
    send_number(laboratory->here, to_self, 1);
    send_number(laboratory->there, from_there, 2);
    send_number(laboratory->here, to_other, 3);
    expect_number(laboratory, 3);
}

static void interface_named_twice_shows_packets_once(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const char *const names[][3] = {{"lo", "here0", "lo"}, {"lo", "any", "here0"}};
    for (size_t i = 0; i < 2; i++) {
        laboratory_capture(laboratory, names[i], 3);
        send_number(laboratory->here, to_self, 1);
        expect_number(laboratory, 1);
        send_number(laboratory->here, to_self, 2);
        expect_number(laboratory, 2);
        expect_nothing_more(laboratory);
    }
}

/* Joins both hosts once more; in namespace `there` the other end is up, too. */
static void add_second_link(struct laboratory *laboratory)
{
    network_run("ip link add here1 type veth peer name there1 netns /proc/%d/fd/%d", (int)getpid(),
                laboratory->network.there);
    network_run("ip addr add 10.8.0.1/24 dev here1");
    network_run("ip link set here1 up");
    network_enter(laboratory->network.there);
    network_run("ip addr add 10.8.0.2/24 dev there1");
    network_run("ip link set there1 up");
    network_enter(laboratory->network.here);
}

static const struct packet_ends over_second_link = {ADDRESS(10, 8, 0, 2), ADDRESS(10, 8, 0, 1),
                                                    5000, LABORATORY_PORT};

static void interface_that_comes_later_is_seen(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    laboratory_capture_all(laboratory);
    add_second_link(laboratory);
    send_number(laboratory->there, over_second_link, 1);
    assert_int_equal(expect_number(laboratory, 1).interface_index, if_nametoindex("here1"));
}

static int tun_open(const char *name)
{
    int descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (descriptor < 0) {
        print_message("needs /dev/net/tun\n");
        skip();
    }
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, name);
    assert_int_equal(ioctl(descriptor, TUNSETIFF, &request), 0);
    network_run("ip addr add 10.9.0.1/24 dev %s", name);
    network_run("ip link set %s up", name);
    return descriptor;
}

static void tun_packets_appear(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const char *const interfaces[] = {NULL, "tun7"};
    const struct packet_ends ends = {ADDRESS(10, 9, 0, 2), ADDRESS(10, 9, 0, 1), 5000,
                                     LABORATORY_PORT};
    int tun = tun_open("tun7");
    for (size_t i = 0; i < 2; i++) {
        laboratory_capture(laboratory, &interfaces[i], interfaces[i] == NULL ? 0 : 1);
        uint8_t bytes[64];
        struct daytona_packet_out packet = packet_tcp(ends, 1, nothing);
        ssize_t length = (ssize_t)packet_gather(&packet, bytes, sizeof bytes);
        assert_int_equal(write(tun, bytes, (size_t)length), length);
        struct daytona_captured captured = expect_number(laboratory, 1);
        assert_int_equal(captured.ip.length, length);
        assert_int_equal(captured.interface_index, if_nametoindex("tun7"));
        laboratory_close_capture(laboratory);
    }
    close(tun);
}

static void bridged_packet_appears_once(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_run("ip addr flush dev here0");
    network_run("ip link add bridge0 type bridge");
    network_run("ip link set here0 master bridge0");
    network_run("ip addr add 10.7.0.1/24 dev bridge0");
    network_run("ip link set bridge0 up");
    laboratory_capture_all(laboratory);
    for (uint32_t number = 0; number < 10; number++) {
        send_number(laboratory->there, from_there, number);
        struct daytona_captured captured = expect_number(laboratory, number);
        assert_int_equal(captured.interface_index, if_nametoindex("bridge0"));
    }
    expect_nothing_more(laboratory);
}

static void packet_appears_once_when_its_device_joins_a_bridge(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, from_there, 1);
    expect_number(laboratory, 1);
    network_run("ip link add bridge0 type bridge");
    network_run("ip link set bridge0 up");
    network_run("ip addr flush dev here0");
    network_run("ip addr add 10.7.0.1/24 dev bridge0");
    network_run("ip link set here0 master bridge0");
    send_number(laboratory->there, from_there, 2);
    expect_number(laboratory, 2);
    expect_nothing_more(laboratory);
}

static void vlan_packet_appears_once(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_run_or_skip("ip link add link here0 name vlan5 type vlan id 5");
    network_run("ip addr add 10.8.0.1/24 dev vlan5");
    network_run("ip link set vlan5 up");
    network_enter(laboratory->network.there);
    network_run("ip link add link there0 name vlan5 type vlan id 5");
    network_run("ip addr add 10.8.0.2/24 dev vlan5");
    network_run("ip link set vlan5 up");
    network_enter(laboratory->network.here);
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, over_second_link, 1);
    assert_int_equal(expect_number(laboratory, 1).interface_index, if_nametoindex("vlan5"));
    expect_nothing_more(laboratory);
}

static void bonded_packet_appears_once(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    add_second_link(laboratory);
    network_run("ip addr flush dev here1");
    network_run("ip link set here1 down");
    network_run_or_skip("ip link add team0 type bond mode active-backup");
    network_run("ip link set here1 master team0");
    network_run("ip addr add 10.8.0.1/24 dev team0");
    network_run("ip link set team0 up");
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, over_second_link, 1);
    assert_int_equal(expect_number(laboratory, 1).interface_index, if_nametoindex("team0"));
    expect_nothing_more(laboratory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LABORATORY(packet_appears_as_it_was_sent),
        IN_LABORATORY(loopback_packet_appears_once),
        IN_LABORATORY(loopback_packet_of_64_kilobytes_is_whole),
        IN_LABORATORY(other_ports_and_protocols_do_not_appear),
        IN_LABORATORY(fragments_and_icmp_errors_appear),
        IN_LABORATORY(own_packets_do_not_appear),
        IN_LABORATORY(packets_of_other_hosts_do_not_appear),
        IN_LABORATORY(packets_to_pass_on_do_not_appear),
        IN_LABORATORY(every_address_of_this_host_counts),
        IN_LABORATORY(named_interface_leaves_the_others_out),
        IN_LABORATORY(several_interfaces_have_one_descriptor),
        IN_LABORATORY(interface_named_twice_shows_packets_once),
        IN_LABORATORY(interface_that_comes_later_is_seen),
        IN_LABORATORY(tun_packets_appear),
        IN_LABORATORY(bridged_packet_appears_once),
        IN_LABORATORY(packet_appears_once_when_its_device_joins_a_bridge),
        IN_LABORATORY(vlan_packet_appears_once),
        IN_LABORATORY(bonded_packet_appears_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
