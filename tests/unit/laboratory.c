#include "tests/unit/laboratory.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MARKER 0xffffffffu /* the number of the packet that ends a wait */

const struct packet_ends from_there = {NETWORK_THERE, NETWORK_HERE, 5000, LABORATORY_PORT};
const struct packet_ends to_self = {ADDRESS(127, 0, 0, 1), ADDRESS(127, 0, 0, 1), 5000,
                                    LABORATORY_PORT};
static const struct daytona_span nothing = {NULL, 0};

static struct daytona_rawtx *open_sink(void)
{
    char message[256] = "";
    struct daytona_rawtx *sink = NULL;
    if (daytona_rawtx_open(DAYTONA_RAWTX_RAW, &sink, message, sizeof message) != 0)
        fail_msg("%s", message);
    return sink;
}

void laboratory_close_capture(struct laboratory *laboratory)
{
    daytona_capture_close(laboratory->capture);
    laboratory->capture = NULL;
}

int laboratory_prepare(void **state)
{
    static struct laboratory laboratory;
    *state = NULL;
    if (!network_possible())
        return 0;
    laboratory = (struct laboratory){.capture = NULL};
    network_init(&laboratory.network);
    laboratory.here = open_sink();
    network_enter(laboratory.network.there);
    laboratory.there = open_sink();
    network_enter(laboratory.network.here);
    *state = &laboratory;
    return 0;
}

int laboratory_clean_up(void **state)
{
    struct laboratory *laboratory = *state;
    if (laboratory == NULL)
        return 0;
    laboratory_close_capture(laboratory);
    daytona_rawtx_close(laboratory->here);
    daytona_rawtx_close(laboratory->there);
    network_release(&laboratory->network);
    return 0;
}

struct laboratory *laboratory_of(void **state)
{
    if (*state == NULL)
        skip();
    return *state;
}

void laboratory_capture(struct laboratory *laboratory, const char *const *names, size_t count)
{
    static const struct daytona_port_span port = {LABORATORY_PORT, LABORATORY_PORT};
    const struct daytona_capture_config config = {.interfaces = names,
                                                  .interface_count = count,
                                                  .ports = &port,
                                                  .port_count = 1,
                                                  .ring_bytes = 8u << 20};
    char message[256] = "";
    laboratory_close_capture(laboratory);
    if (daytona_capture_open(&config, &laboratory->capture, message, sizeof message) != 0)
        fail_msg("%s", message);
}

void laboratory_capture_all(struct laboratory *laboratory)
{
    laboratory_capture(laboratory, NULL, 0);
}

void laboratory_capture_one(struct laboratory *laboratory, const char *name)
{
    laboratory_capture(laboratory, &name, 1);
}

void send_packet(struct daytona_rawtx *sink, struct daytona_packet_out packet)
{
    struct daytona_rawtx_refusal refusals[1];
    if (daytona_rawtx_send(sink, (struct daytona_instant){0}, &packet, 1, refusals) != 0)
        fail_msg("refused: %s", strerror(refusals[0].error));
}

void send_number(struct daytona_rawtx *sink, struct packet_ends ends, uint32_t number)
{
    send_packet(sink, packet_tcp(ends, number, nothing));
}

struct daytona_captured expect_packet(struct laboratory *laboratory)
{
    struct daytona_captured packet;
    int got;
    while ((got = daytona_capture_next(laboratory->capture, &packet)) == 0) {
        struct pollfd poller = {.fd = daytona_capture_descriptor(laboratory->capture),
                                .events = POLLIN};
        if (poll(&poller, 1, 5000) != 1)
            fail_msg("no packet within 5 seconds");
    }
    assert_int_equal(got, 1);
    return packet;
}

struct daytona_captured expect_number(struct laboratory *laboratory, uint32_t number)
{
    struct daytona_captured packet = expect_packet(laboratory);
    assert_int_equal(packet_number(packet.ip), number);
    return packet;
}

void expect_nothing_more(struct laboratory *laboratory)
{
    send_number(laboratory->there, from_there, MARKER);
    expect_number(laboratory, MARKER);
}

struct daytona_capture_counters laboratory_counters(struct laboratory *laboratory)
{
    struct daytona_capture_counters counters;
    daytona_capture_counters(laboratory->capture, &counters);
    return counters;
}
