#include "scripts/pcapng.h"

#include "scripts/seen_print.h"
#include "stack/wire/bytes.h"
#include "stack/wire/checksum.h"

#include <inttypes.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    LINK_RAW = 101,
    OPTION_COMMENT = 1,
    OPTION_FLAGS = 2,      /* of a packet: 1 in, 2 out */
    OPTION_USERAPPL = 4,   /* of a section */
    OPTION_NAME = 2,       /* of an interface */
    OPTION_RESOLUTION = 9, /* of its times */
    IP_BYTES = 20,
    BLOCK_MAX = 1024,
    FIN_AND_PSH = 0x09,
};

/* A block as it comes together; numbers are in the host's order, as its magic says. */
struct block {
    size_t length;
    uint8_t bytes[BLOCK_MAX];
};

static void put(struct block *block, const void *bytes, size_t length)
{
    memcpy(block->bytes + block->length, bytes, length);
    block->length += length;
}

static void put_32(struct block *block, uint32_t value)
{
    put(block, &value, sizeof value);
}

static void put_16(struct block *block, uint16_t value)
{
    put(block, &value, sizeof value);
}

static void pad(struct block *block)
{
    static const uint8_t zeros[4];
    put(block, zeros, (4 - block->length % 4) % 4);
}

static void put_option(struct block *block, uint16_t code, const void *bytes, size_t length)
{
    put_16(block, code);
    put_16(block, (uint16_t)length);
    put(block, bytes, length);
    pad(block);
}

static void begin(struct block *block, uint32_t type)
{
    block->length = 0;
    put_32(block, type);
    put_32(block, 0); /* its length, at the end */
}

static void end(struct block *block, FILE *out)
{
    put_32(block, 0); /* no more options */
    uint32_t total = (uint32_t)block->length + 4;
    put_32(block, total);
    memcpy(block->bytes + 4, &total, sizeof total);
    fwrite(block->bytes, block->length, 1, out);
}

void pcapng_begin(FILE *out, const struct trace_about *about)
{
    struct block block;
    const uint8_t nanoseconds = 9;
    char name[32];
    begin(&block, BLOCK_SECTION);
    put_32(&block, BYTE_ORDER_MAGIC);
    put_16(&block, 1);
    put_16(&block, 0);
    put_32(&block, UINT32_MAX); /* the section's length is not known */
    put_32(&block, UINT32_MAX);
    put_option(&block, OPTION_USERAPPL, "Daytona", strlen("Daytona"));
    end(&block, out);
    begin(&block, BLOCK_INTERFACE);
    put_16(&block, LINK_RAW);
    put_16(&block, 0);
    put_32(&block, 0);
    snprintf(name, sizeof name, "%s[%u]", about->program, about->pid);
    put_option(&block, OPTION_NAME, name, strlen(name));
    put_option(&block, OPTION_RESOLUTION, &nanoseconds, 1);
    end(&block, out);
}

/* ------------------------------------------------------------------ packets */

/* RFC 791; addresses are IPv4's. */
static void put_ip(uint8_t *ip, const struct seen *seen, uint32_t payload)
{
    const struct daytona_ring_event *event = &seen->event;
    bool in = seen->type == DAYTONA_EVENT_SEGMENT_IN;
    uint32_t total = IP_BYTES + event->header_bytes + payload;
    struct checksum sum = {0};
    memset(ip, 0, IP_BYTES);
    ip[0] = 0x45;
    ip[1] = event->type_of_service;
    store_16(ip + 2, total > UINT16_MAX ? 0 : (uint16_t)total);
    store_16(ip + 6, 0x4000); /* do not fragment */
    ip[8] = event->time_to_live;
    ip[9] = 6;
    memcpy(ip + 12, (in ? event->remote : event->local) + 12, 4);
    memcpy(ip + 16, (in ? event->local : event->remote) + 12, 4);
    checksum_add(&sum, (struct daytona_span){ip, IP_BYTES});
    store_16(ip + 10, (uint16_t)~checksum_fold(&sum));
}

static size_t comment_of(const struct seen *seen, char *room, size_t size)
{
    const struct daytona_ring_event *event = &seen->event;
    char threshold[24] = "none";
    if (event->ssthresh_bytes != UINT32_MAX)
        snprintf(threshold, sizeof threshold, "%u", event->ssthresh_bytes);
    int length = snprintf(
        room, size, "state %s, cwnd %u, ssthresh %s, srtt %.3f ms, in flight %u, call %u",
        event->state == 0 ? "none" : daytona_tcp_state_name((enum daytona_tcp_state)event->state),
        event->cwnd_bytes, threshold, event->srtt_us / 1e3, event->in_flight_bytes, event->call);
    return (size_t)length;
}

static void add_one(FILE *out, const struct trace_about *about, const struct seen *seen,
                    uint32_t offset, uint32_t payload, bool last)
{
    struct block block;
    char comment[256];
    uint8_t packet[IP_BYTES + SEEN_HEADER_MAX];
    uint64_t at = seen_realtime_ns(about, seen->event.at_ns);
    uint32_t length = IP_BYTES + seen->event.header_bytes;
    uint32_t direction = seen->type == DAYTONA_EVENT_SEGMENT_IN ? 1 : 2;
    put_ip(packet, seen, payload);
    memcpy(packet + IP_BYTES, seen->header, seen->event.header_bytes);
    store_32(packet + IP_BYTES + 4, (uint32_t)seen->numbers[0] + offset);
    if (!last)
        packet[IP_BYTES + 13] &= (uint8_t)~FIN_AND_PSH;
    begin(&block, BLOCK_PACKET);
    put_32(&block, 0);
    put_32(&block, (uint32_t)(at >> 32));
    put_32(&block, (uint32_t)at);
    put_32(&block, length);
    put_32(&block, length + payload);
    put(&block, packet, length);
    pad(&block);
    put_option(&block, OPTION_COMMENT, comment, comment_of(seen, comment, sizeof comment));
    put_option(&block, OPTION_FLAGS, &direction, sizeof direction);
    end(&block, out);
}

void pcapng_add(FILE *out, const struct trace_about *about, const struct seen *seen)
{
    uint32_t each = seen->event.segment_bytes, total = seen->payload_bytes, offset = 0;
    if (seen->event.header_bytes == 0)
        return;
    do {
        uint32_t left = total - offset, payload = each != 0 && left > each ? each : left;
        add_one(out, about, seen, offset, payload, payload == left);
        offset += payload;
    } while (offset < total);
}
