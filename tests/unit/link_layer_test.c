#include "capture/link_layer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/dlt.h>

/* Link headers of an IPv4 packet to this host. */
static const uint8_t ethernet[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
static const uint8_t cooked[] = {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0};
static const uint8_t cooked_v2[] = {8, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0};
static const uint8_t loopback_big[] = {0, 0, 0, 2};
static const uint8_t loopback_little[] = {2, 0, 0, 0};

#define SPAN(array) ((struct daytona_span){array, sizeof(array)})

struct frame {
    uint8_t bytes[64];
    size_t length;
};

/* The link header followed by 24 bytes of an IP packet of the given version. */
static struct frame frame_of(struct daytona_span link_header, uint8_t version)
{
    struct frame frame = {.length = link_header.length + 24};
    if (link_header.length > 0)
        memcpy(frame.bytes, link_header.data, link_header.length);
    frame.bytes[link_header.length] = (uint8_t)(version << 4 | 5);
    return frame;
}

static bool find(int datalink, const struct frame *frame, struct daytona_captured *out)
{
    return link_layer_find_ipv4(datalink, (struct daytona_span){frame->bytes, frame->length},
                                frame->length, out);
}

static void expect_ipv4(int datalink, struct daytona_span link_header)
{
    struct frame frame = frame_of(link_header, 4);
    struct daytona_captured packet = {0};
    assert_true(find(datalink, &frame, &packet));
    assert_ptr_equal(packet.ip.data, frame.bytes + link_header.length);
    assert_int_equal(packet.ip.length, 24);
    assert_int_equal(packet.wire_length, 24);
}

static void expect_ignored(int datalink, struct daytona_span link_header, size_t changed,
                           uint8_t value)
{
    struct frame frame = frame_of(link_header, 4);
    struct daytona_captured packet = {0};
    frame.bytes[changed] = value;
    assert_false(find(datalink, &frame, &packet));
}

static void every_link_type_leads_to_its_ip_packet(void **state)
{
    (void)state;
    expect_ipv4(DLT_EN10MB, SPAN(ethernet));
    expect_ipv4(DLT_LINUX_SLL, SPAN(cooked));
    expect_ipv4(DLT_LINUX_SLL2, SPAN(cooked_v2));
    expect_ipv4(DLT_NULL, SPAN(loopback_big));
    expect_ipv4(DLT_NULL, SPAN(loopback_little));
    expect_ipv4(DLT_LOOP, SPAN(loopback_big));
    expect_ipv4(DLT_RAW, (struct daytona_span){NULL, 0});
    expect_ipv4(DLT_IPV4, (struct daytona_span){NULL, 0});
}

static void senders_link_address_is_told_where_there_is_one(void **state)
{
    (void)state;
    static const uint8_t sender[] = {2, 0, 0, 0, 0, 2};
    const struct {
        int datalink;
        struct daytona_span header;
    } with[] = {{DLT_EN10MB, SPAN(ethernet)},
                {DLT_LINUX_SLL, SPAN(cooked)},
                {DLT_LINUX_SLL2, SPAN(cooked_v2)}};
    struct daytona_captured packet = {0};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        struct frame frame = frame_of(with[i].header, 4);
        assert_true(find(with[i].datalink, &frame, &packet));
        assert_memory_equal(packet.link_address, sender, sizeof sender);
    }
    struct frame raw = frame_of((struct daytona_span){NULL, 0}, 4);
    assert_true(find(DLT_RAW, &raw, &packet));
    assert_null(packet.link_address);
    struct frame infiniband = frame_of(SPAN(cooked_v2), 4);
    infiniband.bytes[11] = 20;
    assert_true(find(DLT_LINUX_SLL2, &infiniband, &packet));
    assert_null(packet.link_address);
}

static void unknown_link_type_is_ignored(void **state)
{
    (void)state;
    struct frame frame = frame_of(SPAN(ethernet), 4);
    struct daytona_captured packet = {0};
    assert_false(link_layer_known(DLT_IEEE802_11));
    assert_false(find(DLT_IEEE802_11, &frame, &packet));
    assert_int_equal(link_layer_filter_offset(DLT_IEEE802_11), -1);
}

static void other_protocols_are_ignored(void **state)
{
    (void)state;
    expect_ignored(DLT_EN10MB, SPAN(ethernet), 13, 6); /* ARP */
    expect_ignored(DLT_LINUX_SLL, SPAN(cooked), 15, 6);
    expect_ignored(DLT_LINUX_SLL2, SPAN(cooked_v2), 1, 6);
    expect_ignored(DLT_LOOP, SPAN(loopback_big), 3, 24); /* a BSD's AF_INET6 */
}

static void vlan_tagged_frames_are_ignored(void **state)
{
    (void)state;
    expect_ignored(DLT_EN10MB, SPAN(ethernet), 12, 0x81);
    expect_ignored(DLT_LINUX_SLL, SPAN(cooked), 14, 0x81);
    expect_ignored(DLT_LINUX_SLL2, SPAN(cooked_v2), 0, 0x81);
}

static void packets_of_other_hosts_and_our_own_are_ignored(void **state)
{
    (void)state;
    for (uint8_t type = 1; type <= 7; type++) { /* broadcast, multicast, other host, outgoing ... */
        expect_ignored(DLT_LINUX_SLL, SPAN(cooked), 1, type);
        expect_ignored(DLT_LINUX_SLL2, SPAN(cooked_v2), 10, type);
    }
    expect_ignored(DLT_EN10MB, SPAN(ethernet), 0, 0xff); /* to a group */
}

static void ip_version_6_is_ignored_on_every_link(void **state)
{
    (void)state;
    struct frame frame = frame_of(SPAN(ethernet), 6);
    struct daytona_captured packet = {0};
    assert_false(find(DLT_EN10MB, &frame, &packet));
    frame = frame_of((struct daytona_span){NULL, 0}, 6);
    assert_false(find(DLT_RAW, &frame, &packet));
}

static void cooked_version_2_tells_the_interface(void **state)
{
    (void)state;
    struct frame frame = frame_of(SPAN(cooked_v2), 4);
    struct daytona_captured packet = {.interface_index = 0};
    assert_true(find(DLT_LINUX_SLL2, &frame, &packet));
    assert_int_equal(packet.interface_index, 7);

    frame = frame_of(SPAN(cooked), 4);
    packet.interface_index = 3;
    assert_true(find(DLT_LINUX_SLL, &frame, &packet));
    assert_int_equal(packet.interface_index, 3);
}

static void cut_frames_keep_their_length_on_the_wire(void **state)
{
    (void)state;
    struct frame frame = frame_of(SPAN(ethernet), 4);
    struct daytona_captured packet = {0};
    assert_true(link_layer_find_ipv4(DLT_EN10MB, (struct daytona_span){frame.bytes, frame.length},
                                     1514, &packet));
    assert_int_equal(packet.ip.length, 24);
    assert_int_equal(packet.wire_length, 1500);
}

static void frames_without_an_ip_packet_are_ignored_at_every_length(void **state)
{
    (void)state;
    static const int datalinks[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL,
                                    DLT_LOOP,   DLT_RAW,       DLT_IPV4};
    static const size_t headers[] = {14, 16, 20, 4, 4, 0, 0};
    for (size_t i = 0; i < sizeof datalinks / sizeof datalinks[0]; i++)
        for (size_t length = 0; length <= headers[i]; length++) {
            struct daytona_captured packet = {0};
            uint8_t bytes[32] = {0};
            assert_false(link_layer_find_ipv4(datalinks[i], (struct daytona_span){bytes, length},
                                              length, &packet));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_link_type_leads_to_its_ip_packet),
        cmocka_unit_test(senders_link_address_is_told_where_there_is_one),
        cmocka_unit_test(unknown_link_type_is_ignored),
        cmocka_unit_test(other_protocols_are_ignored),
        cmocka_unit_test(vlan_tagged_frames_are_ignored),
        cmocka_unit_test(packets_of_other_hosts_and_our_own_are_ignored),
        cmocka_unit_test(ip_version_6_is_ignored_on_every_link),
        cmocka_unit_test(cooked_version_2_tells_the_interface),
        cmocka_unit_test(cut_frames_keep_their_length_on_the_wire),
        cmocka_unit_test(frames_without_an_ip_packet_are_ignored_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
