/*
 * The pcap file as a sink, read back with the capture that replays files.
 */
#include "tests/unit/packets.h"
#include <daytona/capture.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_HEADER   24
#define RECORD_HEADER 16

static const struct packet_ends ends = {ADDRESS(10, 0, 0, 1), ADDRESS(10, 0, 0, 2), 5000, 80};
static const struct daytona_span nothing = {NULL, 0};

static char path[32];

static int make_path(void **state)
{
    (void)state;
    strcpy(path, "/tmp/daytona-test-XXXXXX");
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static struct daytona_rawtx *open_sink(void)
{
    char message[256] = "";
    struct daytona_rawtx *sink = NULL;
    if (daytona_rawtx_open_file(path, &sink, message, sizeof message) != 0)
        fail_msg("%s", message);
    return sink;
}

static int send_at(struct daytona_rawtx *sink, uint64_t ns,
                   const struct daytona_packet_out *packets, size_t count)
{
    struct daytona_rawtx_refusal refusals[DAYTONA_RAWTX_BATCH_MAX];
    return daytona_rawtx_send(sink, (struct daytona_instant){ns}, packets, count, refusals);
}

static struct daytona_capture *replay(void)
{
    char message[256] = "";
    struct daytona_capture *capture = NULL;
    if (daytona_capture_open_file(path, &capture, message, sizeof message) != 0)
        fail_msg("%s", message);
    return capture;
}

/* Reads everything back: the number of whole packets. */
static size_t replay_count(void)
{
    struct daytona_capture *capture = replay();
    struct daytona_captured packet;
    size_t count = 0;
    int got;
    while ((got = daytona_capture_next(capture, &packet)) == 1)
        assert_int_equal(packet_number(packet.ip), count++);
    assert_int_equal(got, -ENODATA);
    daytona_capture_close(capture);
    return count;
}

static void packets_are_read_back_as_they_were_written(void **state)
{
    (void)state;
    static uint8_t payload[3000];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    struct daytona_packet_out packet = packet_tcp(ends, 5, (struct daytona_span){payload, 1000});
    packet.span_count = 3;
    packet.payload_length = 3000;
    packet.spans[1] = (struct daytona_span){payload + 1000, 1999};
    packet.spans[2] = (struct daytona_span){payload + 2999, 1};

    struct daytona_rawtx *sink = open_sink();
    assert_int_equal(send_at(sink, 1700000000123456789u, &packet, 1), 0);
    daytona_rawtx_close(sink);

    struct daytona_capture *capture = replay();
    struct daytona_captured back;
    assert_int_equal(daytona_capture_next(capture, &back), 1);
    assert_int_equal(back.ip.length, PACKET_HEADERS + 3000);
    assert_int_equal(back.wire_length, PACKET_HEADERS + 3000);
    assert_int_equal(back.stamp_ns, 1700000000123456789u);
    assert_memory_equal(back.ip.data, packet.header, PACKET_HEADERS);
    assert_memory_equal(back.ip.data + PACKET_HEADERS, payload, 3000);
    assert_int_equal(daytona_capture_next(capture, &back), -ENODATA);
    daytona_capture_close(capture);
}

static void batches_keep_their_order(void **state)
{
    (void)state;
    struct daytona_rawtx *sink = open_sink();
    uint32_t number = 0;
    for (size_t batch = 0; batch <= DAYTONA_RAWTX_BATCH_MAX; batch += 16) {
        struct daytona_packet_out packets[DAYTONA_RAWTX_BATCH_MAX];
        for (size_t i = 0; i < batch; i++)
            packets[i] = packet_tcp(ends, number++, nothing);
        assert_int_equal(send_at(sink, number, packets, batch), 0);
    }
    struct daytona_rawtx_counters counters;
    daytona_rawtx_counters(sink, &counters);
    assert_int_equal(counters.packets, number);
    assert_int_equal(counters.bytes, number * PACKET_HEADERS);
    daytona_rawtx_close(sink);
    assert_int_equal(replay_count(), number);
}

static void largest_packet_fits(void **state)
{
    (void)state;
    static const uint8_t payload[65535 - PACKET_HEADERS] = {0};
    struct daytona_packet_out packet =
        packet_tcp(ends, 0, (struct daytona_span){payload, sizeof payload});
    struct daytona_rawtx *sink = open_sink();
    assert_int_equal(send_at(sink, 0, &packet, 1), 0);
    daytona_rawtx_close(sink);
    assert_int_equal(replay_count(), 1);
}

static void file_is_whole_between_two_calls(void **state)
{
    (void)state;
    struct daytona_rawtx *sink = open_sink();
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(replay_count(), i);
        struct daytona_packet_out packet = packet_tcp(ends, i, nothing);
        assert_int_equal(send_at(sink, 0, &packet, 1), 0);
    }
    daytona_rawtx_close(sink);
}

static void opening_again_starts_afresh(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct daytona_rawtx *sink = open_sink();
        struct daytona_packet_out packet = packet_tcp(ends, 0, nothing);
        assert_int_equal(send_at(sink, 0, &packet, 1), 0);
        daytona_rawtx_close(sink);
    }
    assert_int_equal(replay_count(), 1);
}

/* Bounds what this process may write to one file, as a full disk would. */
static void set_file_bound(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_is_reported_once_and_leaves_whole_packets(void **state)
{
    (void)state;
    struct sigaction old, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, &old);
    struct daytona_packet_out packets[8];
    for (uint32_t i = 0; i < 8; i++)
        packets[i] = packet_tcp(ends, i, nothing);

    struct daytona_rawtx *sink = open_sink();
    /* Room for three packets and half of the fourth. */
    const size_t record = RECORD_HEADER + PACKET_HEADERS;
    set_file_bound(FILE_HEADER + 3 * record + record / 2);
    assert_int_equal(send_at(sink, 0, packets, 8), -ENOSPC);
    struct daytona_rawtx_refusal refusals[8];
    assert_int_equal(daytona_rawtx_send(sink, (struct daytona_instant){0}, packets, 8, refusals),
                     8);
    set_file_bound(RLIM_INFINITY);
    assert_int_equal(refusals[7].index, 7);
    assert_int_equal(refusals[7].error, ENOSPC);

    struct daytona_rawtx_counters counters;
    daytona_rawtx_counters(sink, &counters);
    assert_int_equal(counters.packets, 3);
    assert_int_equal(counters.failed, 13);
    daytona_rawtx_close(sink);
    sigaction(SIGXFSZ, &old, NULL);

    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, FILE_HEADER + 3 * record);
    assert_int_equal(replay_count(), 3);
}

static void file_that_cannot_be_written_is_refused_with_its_name(void **state)
{
    (void)state;
    char message[256] = "";
    struct daytona_rawtx *sink = NULL;
    assert_int_equal(daytona_rawtx_open_file("/proc/no/such/file", &sink, message, sizeof message),
                     -ENOENT);
    assert_non_null(strstr(message, "/proc/no/such/file"));
    assert_int_equal(daytona_rawtx_open_file("/dev/full", &sink, message, sizeof message), -ENOSPC);
    assert_non_null(strstr(message, "No space left"));
    assert_null(sink);
}

int main(void)
{
#define WITH_PATH(test) cmocka_unit_test_setup_teardown(test, make_path, remove_path)
    const struct CMUnitTest tests[] = {
        WITH_PATH(packets_are_read_back_as_they_were_written),
        WITH_PATH(batches_keep_their_order),
        WITH_PATH(largest_packet_fits),
        WITH_PATH(file_is_whole_between_two_calls),
        WITH_PATH(opening_again_starts_afresh),
        WITH_PATH(full_disk_is_reported_once_and_leaves_whole_packets),
        WITH_PATH(file_that_cannot_be_written_is_refused_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
