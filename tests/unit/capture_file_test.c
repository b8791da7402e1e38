#include "tests/unit/packets.h"
#include <daytona/capture.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_COOKED = 113, LINK_WIRELESS = 105 };
#define MICROSECONDS 0xa1b2c3d4u
#define NANOSECONDS  0xa1b23c4du

static const struct packet_ends to_port_80 = {ADDRESS(10, 0, 0, 1), ADDRESS(10, 0, 0, 2), 5000, 80};

/* ------------------------------------------------------------------ files to replay */

struct file {
    char path[32];
    FILE *stream;
};

static struct file file_begin(void)
{
    struct file file = {.path = "/tmp/daytona-test-XXXXXX"};
    int descriptor = mkstemp(file.path);
    assert_true(descriptor >= 0);
    file.stream = fdopen(descriptor, "wb");
    assert_non_null(file.stream);
    return file;
}

static void put_words(FILE *stream, const uint32_t *words, size_t count)
{
    assert_int_equal(fwrite(words, sizeof words[0], count, stream), count);
}

static struct file pcap_begin(uint32_t magic, uint32_t link_type)
{
    struct file file = file_begin();
    const uint32_t header[] = {magic, 2 | 4u << 16, 0, 0, 65535, link_type};
    put_words(file.stream, header, 6);
    return file;
}

static void pcap_put(struct file *file, uint32_t seconds, uint32_t fraction,
                     struct daytona_span link_header, const struct daytona_packet_out *packet)
{
    uint8_t bytes[2048];
    uint32_t length = (uint32_t)packet_gather(packet, bytes, sizeof bytes);
    uint32_t total = length + (uint32_t)link_header.length;
    const uint32_t record[] = {seconds, fraction, total, total};
    put_words(file->stream, record, 4);
    if (link_header.length > 0)
        fwrite(link_header.data, 1, link_header.length, file->stream);
    fwrite(bytes, 1, length, file->stream);
}

/* One packet in the newer format: a section, an interface with raw IP, an enhanced packet. */
static struct file pcapng_of(const struct daytona_packet_out *packet, uint32_t microseconds)
{
    struct file file = file_begin();
    uint8_t bytes[2048];
    uint32_t length = (uint32_t)packet_gather(packet, bytes, sizeof bytes);
    assert_int_equal(length % 4, 0);
    const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28};
    const uint32_t interface[] = {1, 20, LINK_RAW, 65535, 20};
    const uint32_t before[] = {6, 32 + length, 0, 0, microseconds, length, length};
    put_words(file.stream, section, 7);
    put_words(file.stream, interface, 5);
    put_words(file.stream, before, 7);
    fwrite(bytes, 1, length, file.stream);
    put_words(file.stream, &before[1], 1);
    return file;
}

static struct daytona_capture *replay(struct file *file)
{
    char message[256] = "";
    struct daytona_capture *capture = NULL;
    fclose(file->stream);
    if (daytona_capture_open_file(file->path, &capture, message, sizeof message) != 0)
        fail_msg("%s", message);
    assert_int_equal(unlink(file->path), 0);
    return capture;
}

static const struct daytona_span nothing = {NULL, 0};

static struct daytona_packet_out segment(uint32_t number)
{
    return packet_tcp(to_port_80, number, nothing);
}

static void expect_number(struct daytona_capture *capture, uint32_t number)
{
    struct daytona_captured packet;
    assert_int_equal(daytona_capture_next(capture, &packet), 1);
    assert_int_equal(packet_number(packet.ip), number);
}

static void expect_end(struct daytona_capture *capture)
{
    struct daytona_captured packet;
    assert_int_equal(daytona_capture_next(capture, &packet), -ENODATA);
    assert_int_equal(daytona_capture_next(capture, &packet), -ENODATA);
}

/* ------------------------------------------------------------------ claims */

static void packets_come_in_order_and_then_the_end(void **state)
{
    (void)state;
    struct file file = pcap_begin(NANOSECONDS, LINK_RAW);
    for (uint32_t i = 0; i < 5; i++) {
        struct daytona_packet_out packet = segment(i);
        pcap_put(&file, i, 0, nothing, &packet);
    }
    struct daytona_capture *capture = replay(&file);
    for (uint32_t i = 0; i < 5; i++)
        expect_number(capture, i);
    expect_end(capture);

    struct daytona_capture_counters counters;
    daytona_capture_counters(capture, &counters);
    assert_int_equal(counters.packets, 5);
    assert_int_equal(counters.bytes, 5 * PACKET_HEADERS);
    daytona_capture_close(capture);
}

static void stamps_are_nanoseconds_whatever_the_file_has(void **state)
{
    (void)state;
    struct daytona_packet_out packet = segment(1);
    struct daytona_captured captured;

    struct file fine = pcap_begin(NANOSECONDS, LINK_RAW);
    pcap_put(&fine, 1700000000, 123456789, nothing, &packet);
    struct daytona_capture *capture = replay(&fine);
    assert_int_equal(daytona_capture_next(capture, &captured), 1);
    assert_int_equal(captured.stamp_ns, 1700000000123456789u);
    daytona_capture_close(capture);

    struct file coarse = pcap_begin(MICROSECONDS, LINK_RAW);
    pcap_put(&coarse, 1700000000, 123456, nothing, &packet);
    capture = replay(&coarse);
    assert_int_equal(daytona_capture_next(capture, &captured), 1);
    assert_int_equal(captured.stamp_ns, 1700000000123456000u);
    daytona_capture_close(capture);
}

static void pcapng_is_replayed_too(void **state)
{
    (void)state;
    struct daytona_packet_out packet = segment(77);
    struct file file = pcapng_of(&packet, 5);
    struct daytona_capture *capture = replay(&file);
    struct daytona_captured captured;
    assert_int_equal(daytona_capture_next(capture, &captured), 1);
    assert_int_equal(packet_number(captured.ip), 77);
    assert_int_equal(captured.stamp_ns, 5000);
    expect_end(capture);
    daytona_capture_close(capture);
}

static void link_headers_are_taken_off(void **state)
{
    (void)state;
    static const uint8_t ethernet[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
    static const uint8_t arp[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6};
    static const uint8_t tagged[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5, 8, 0};
    struct daytona_packet_out one = segment(1), two = segment(2);
    struct file file = pcap_begin(NANOSECONDS, LINK_ETHERNET);
    pcap_put(&file, 0, 0, (struct daytona_span){arp, sizeof arp}, &one);
    pcap_put(&file, 0, 0, (struct daytona_span){tagged, sizeof tagged}, &one);
    pcap_put(&file, 0, 0, (struct daytona_span){ethernet, sizeof ethernet}, &two);
    struct daytona_capture *capture = replay(&file);
    expect_number(capture, 2);
    expect_end(capture);

    struct daytona_capture_counters counters;
    daytona_capture_counters(capture, &counters);
    assert_int_equal(counters.ignored, 2);
    daytona_capture_close(capture);
}

static void outgoing_packets_of_a_cooked_capture_are_ignored(void **state)
{
    (void)state;
    static const uint8_t to_us[] = {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0};
    static const uint8_t outgoing[] = {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0};
    struct daytona_packet_out one = segment(1), two = segment(2);
    struct file file = pcap_begin(NANOSECONDS, LINK_COOKED);
    pcap_put(&file, 0, 0, (struct daytona_span){outgoing, sizeof outgoing}, &one);
    pcap_put(&file, 0, 0, (struct daytona_span){to_us, sizeof to_us}, &two);
    struct daytona_capture *capture = replay(&file);
    expect_number(capture, 2);
    expect_end(capture);
    daytona_capture_close(capture);
}

static void ports_narrow_a_replay(void **state)
{
    (void)state;
    struct packet_ends elsewhere = to_port_80;
    elsewhere.destination_port = 81;
    struct file file = pcap_begin(NANOSECONDS, LINK_RAW);
    for (uint32_t i = 0; i < 4; i++) {
        struct daytona_packet_out wanted = segment(i), other = packet_tcp(elsewhere, 9, nothing);
        pcap_put(&file, 0, 0, nothing, &other);
        pcap_put(&file, 0, 0, nothing, &wanted);
    }
    struct daytona_capture *capture = replay(&file);
    expect_number(capture, 9);
    const struct daytona_port_span port = {80, 80}, wrong = {5, 4};
    assert_int_equal(daytona_capture_set_ports(capture, &port, 1), 0);
    assert_int_equal(daytona_capture_set_ports(capture, &wrong, 1), -EINVAL);
    for (uint32_t i = 0; i < 4; i++)
        expect_number(capture, i);
    expect_end(capture);
    daytona_capture_close(capture);
}

struct drained {
    uint32_t numbers[8];
    size_t count;
};

static void note_number(void *context, const struct daytona_captured *packet)
{
    struct drained *drained = context;
    drained->numbers[drained->count++] = packet_number(packet->ip);
}

static void drain_hands_over_at_most_what_is_asked(void **state)
{
    (void)state;
    struct file file = pcap_begin(NANOSECONDS, LINK_RAW);
    for (uint32_t i = 0; i < 5; i++) {
        struct daytona_packet_out packet = segment(i);
        pcap_put(&file, 0, 0, nothing, &packet);
    }
    struct daytona_capture *capture = replay(&file);
    struct drained drained = {.count = 0};
    assert_int_equal(daytona_capture_drain(capture, 3, note_number, &drained), 3);
    assert_int_equal(daytona_capture_drain(capture, 3, note_number, &drained), 2);
    assert_int_equal(daytona_capture_drain(capture, 3, note_number, &drained), -ENODATA);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(drained.numbers[i], i);
    daytona_capture_close(capture);
}

static void descriptor_of_a_replay_can_be_polled(void **state)
{
    (void)state;
    struct file file = pcap_begin(NANOSECONDS, LINK_RAW);
    struct daytona_capture *capture = replay(&file);
    int descriptors[4] = {-1};
    struct pollfd poller = {.fd = daytona_capture_descriptor(capture), .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 0), 1);
    assert_int_equal(daytona_capture_descriptors(capture, descriptors, 4), 1);
    assert_int_equal(descriptors[0], poller.fd);
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, poller.fd, &event), 0);
    assert_int_equal(epoll_wait(set, &event, 1, 0), 1);
    close(set);
    daytona_capture_close(capture);
}

static void expect_refused(const char *path, int error, const char *words)
{
    char message[256] = "";
    struct daytona_capture *capture = NULL;
    assert_int_equal(daytona_capture_open_file(path, &capture, message, sizeof message), error);
    assert_null(capture);
    assert_non_null(strstr(message, path));
    if (strstr(message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message, words);
}

static void bad_files_are_refused_with_one_message(void **state)
{
    (void)state;
    expect_refused("/tmp/daytona-test-no-such-file", -ENOENT, "No such file");

    struct file text = file_begin();
    fputs("this is a text of more than twenty-four bytes\n", text.stream);
    fclose(text.stream);
    expect_refused(text.path, -EBADMSG, "unknown file format");
    unlink(text.path);

    struct file empty = file_begin();
    fclose(empty.stream);
    expect_refused(empty.path, -EBADMSG, "truncated");
    unlink(empty.path);

    struct file wireless = pcap_begin(NANOSECONDS, LINK_WIRELESS);
    fclose(wireless.stream);
    expect_refused(wireless.path, -EOPNOTSUPP, "link type");
    unlink(wireless.path);
}

static void file_that_ends_within_a_packet_says_so(void **state)
{
    (void)state;
    struct file file = pcap_begin(NANOSECONDS, LINK_RAW);
    struct daytona_packet_out packet = segment(1);
    pcap_put(&file, 0, 0, nothing, &packet);
    pcap_put(&file, 0, 0, nothing, &packet);
    fflush(file.stream);
    assert_int_equal(ftruncate(fileno(file.stream), 24 + 2 * (16 + PACKET_HEADERS) - 10), 0);
    struct daytona_capture *capture = replay(&file);
    expect_number(capture, 1);
    struct daytona_captured captured;
    assert_int_equal(daytona_capture_next(capture, &captured), -EBADMSG);
    daytona_capture_close(capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_in_order_and_then_the_end),
        cmocka_unit_test(stamps_are_nanoseconds_whatever_the_file_has),
        cmocka_unit_test(pcapng_is_replayed_too),
        cmocka_unit_test(link_headers_are_taken_off),
        cmocka_unit_test(outgoing_packets_of_a_cooked_capture_are_ignored),
        cmocka_unit_test(ports_narrow_a_replay),
        cmocka_unit_test(drain_hands_over_at_most_what_is_asked),
        cmocka_unit_test(descriptor_of_a_replay_can_be_polled),
        cmocka_unit_test(bad_files_are_refused_with_one_message),
        cmocka_unit_test(file_that_ends_within_a_packet_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
