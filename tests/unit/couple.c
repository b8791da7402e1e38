#include "tests/unit/couple.h"

#include "stack/wire/bytes.h"
#include "stack/wire/checksum.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS        4096u
#define REGION_BYTES ((size_t)16 << 20)
#define STEP_US      1000u
#define PATIENCE_US  100000000u

static struct daytona_endpoint endpoint(enum couple_side side)
{
    return (struct daytona_endpoint){daytona_address_from_ipv4(0x0a000001u + side),
                                     side == CLIENT ? 5000 : 80};
}

/* ------------------------------------------------------------------ watching */

static bool copy_from_memory(void *context, uint64_t offset, void *to, size_t bytes)
{
    memcpy(to, (uint8_t *)context + offset, bytes);
    return true;
}

static void watch(void *context, const struct daytona_event *event)
{
    struct end *end = context;
    struct seen seen;
    end->told[event->type]++;
    ring_write(&end->ring, event);
    while (ring_reader_next(&end->reader, &seen))
        blame_event(end->blame, &seen);
}

static void start_end(struct end *end, uint32_t window)
{
    const struct daytona_observer observer = {.context = end, .event = watch};
    const struct daytona_stack_config config = {.secret = {7},
                                                .owns_every_port = true,
                                                .receive_buffer_bytes = window,
                                                .receive_buffer_max = window};
    end->ring_memory = aligned_alloc(64, ring_bytes(SLOTS));
    memset(end->ring_memory, 0, ring_bytes(SLOTS));
    ring_init(&end->ring, end->ring_memory, SLOTS);
    ring_publish(&end->ring);
    const struct ring_source source = {copy_from_memory, end->ring_memory};
    assert(ring_reader_begin(&end->reader, &source) == 0);
    end->blame = blame_begin();
    end->region = aligned_alloc(64, REGION_BYTES);
    assert(daytona_stack_init((struct daytona_room){end->region, REGION_BYTES}, &config, &observer,
                              &end->stack) == 0);
}

/* ------------------------------------------------------------------ the path */

static void carry(struct couple *couple, enum couple_side to, uint64_t delay_us,
                  const uint8_t *bytes, size_t length)
{
    struct couple_packet *packet = &couple->packets[couple->packet_count++];
    assert(couple->packet_count < COUPLE_PACKETS_MAX && length <= sizeof packet->bytes);
    packet->at_ns = couple->now.ns + delay_us * 1000;
    packet->to = to;
    packet->length = length;
    memcpy(packet->bytes, bytes, length);
}

static uint16_t sum_of(const uint8_t *bytes, size_t length)
{
    struct checksum sum = {0};
    checksum_add(&sum, (struct daytona_span){bytes, length});
    return (uint16_t)~checksum_fold(&sum);
}

/* RFC 1191 section 4: the router in the middle tells the sender. */
static void refuse(struct couple *couple, enum couple_side from, const uint8_t *packet)
{
    uint8_t bytes[56] = {0x45};
    store_16(bytes + 2, sizeof bytes);
    bytes[8] = 64;
    bytes[9] = 1;
    store_32(bytes + 12, 0x0a0000fe);
    memcpy(bytes + 16, packet + 12, 4);
    store_16(bytes + 10, sum_of(bytes, 20));
    bytes[20] = 3;
    bytes[21] = 4;
    store_16(bytes + 26, couple->mtu[from]);
    memcpy(bytes + 28, packet, 28);
    store_16(bytes + 22, sum_of(bytes + 20, 36));
    carry(couple, from, couple->delay_us, bytes, sizeof bytes);
}

static void send_out(struct couple *couple, enum couple_side from)
{
    struct daytona_packet_out out;
    while (daytona_stack_output(couple->ends[from].stack, couple->now, &out)) {
        uint8_t bytes[2048];
        size_t length = out.header_length;
        memcpy(bytes, out.header, length);
        for (unsigned i = 0; i < out.span_count; i++) {
            memcpy(bytes + length, out.spans[i].data, out.spans[i].length);
            length += out.spans[i].length;
        }
        if (couple->mtu[from] != 0 && length > couple->mtu[from])
            refuse(couple, from, bytes);
        else if (couple->loses == NULL || !couple->loses(couple, from, out.payload_length))
            carry(couple, 1 - from, couple->delay_us, bytes, length);
    }
}

/* Takes out the packet that arrives first, if that is at `end` or before. */
static bool arrive(struct couple *couple, uint64_t end_ns)
{
    size_t first = 0;
    for (size_t i = 1; i < couple->packet_count; i++)
        if (couple->packets[i].at_ns < couple->packets[first].at_ns)
            first = i;
    if (couple->packet_count == 0 || couple->packets[first].at_ns > end_ns)
        return false;
    struct couple_packet packet = couple->packets[first];
    couple->packet_count--; /* those behind it keep their order */
    memmove(&couple->packets[first], &couple->packets[first + 1],
            (couple->packet_count - first) * sizeof packet);
    const struct daytona_packet_in in = {{packet.bytes, packet.length}, packet.length};
    couple->now.ns = packet.at_ns > couple->now.ns ? packet.at_ns : couple->now.ns;
    daytona_stack_input(couple->ends[packet.to].stack, couple->now, &in);
    return true;
}

/* ------------------------------------------------------------------ time */

static uint64_t earliest_deadline(const struct couple *couple)
{
    struct daytona_instant a = daytona_stack_deadline(couple->ends[CLIENT].stack);
    struct daytona_instant b = daytona_stack_deadline(couple->ends[SERVER].stack);
    return daytona_instant_before(a, b) ? a.ns : b.ns;
}

void couple_run_us(struct couple *couple, uint64_t us)
{
    uint64_t end = couple->now.ns + us * 1000;
    for (;;) {
        send_out(couple, CLIENT);
        send_out(couple, SERVER);
        uint64_t deadline = earliest_deadline(couple);
        if (arrive(couple, deadline < end ? deadline : end))
            continue;
        if (deadline > end)
            break;
        couple->now.ns = deadline > couple->now.ns ? deadline : couple->now.ns;
    }
    couple->now.ns = end;
}

/* ------------------------------------------------------------------ applications */

void couple_start(struct couple *couple, uint32_t window)
{
    struct daytona_socket_id listener;
    struct daytona_endpoint local = endpoint(CLIENT), remote = endpoint(SERVER);
    *couple = (struct couple){.now = {1000000000}, .delay_us = 10000};
    couple->packets = calloc(COUPLE_PACKETS_MAX, sizeof *couple->packets);
    start_end(&couple->ends[CLIENT], window);
    start_end(&couple->ends[SERVER], 0);
    struct daytona_stack *client = couple->ends[CLIENT].stack, *server = couple->ends[SERVER].stack;
    assert(daytona_stack_open(server, &listener) == 0 &&
           daytona_stack_bind(server, listener, &remote) == 0 &&
           daytona_stack_listen(server, listener, 4) == 0);
    assert(daytona_stack_open(client, &couple->ends[CLIENT].id) == 0 &&
           daytona_stack_bind(client, couple->ends[CLIENT].id, &local) == 0 &&
           daytona_stack_connect(client, couple->now, couple->ends[CLIENT].id, &local.address,
                                 &remote) == -EINPROGRESS);
    couple_run_us(couple, 2 * couple->delay_us + couple->delay_us);
    assert(daytona_stack_accept(server, listener, &couple->ends[SERVER].id) == 0);
}

void couple_stop(struct couple *couple)
{
    for (unsigned i = 0; i < 2; i++) {
        blame_end(couple->ends[i].blame);
        free(couple->ends[i].ring_memory);
        free(couple->ends[i].region);
    }
    free(couple->packets);
}

static uint32_t try_to_write(struct couple *couple, enum couple_side side, uint32_t bytes)
{
    static const uint8_t data[65536];
    const struct daytona_span span = {data, bytes < sizeof data ? bytes : sizeof data};
    ptrdiff_t sent = daytona_stack_send(couple->ends[side].stack, couple->now,
                                        couple->ends[side].id, &span, 1, 0);
    assert(sent >= 0 || sent == -EAGAIN);
    return sent < 0 ? 0 : (uint32_t)sent;
}

void couple_write(struct couple *couple, enum couple_side side, uint32_t bytes)
{
    uint32_t done = try_to_write(couple, side, bytes);
    assert(done == bytes);
    send_out(couple, side);
}

uint32_t couple_read(struct couple *couple, enum couple_side side)
{
    static uint8_t data[65536];
    const struct daytona_room room = {data, sizeof data};
    uint32_t total = 0;
    ptrdiff_t got;
    while ((got = daytona_stack_receive(couple->ends[side].stack, couple->now,
                                        couple->ends[side].id, &room, 1, 0)) > 0)
        total += (uint32_t)got;
    return total;
}

void couple_carry(struct couple *couple, enum couple_side from, uint32_t bytes)
{
    uint32_t written = 0, read = 0;
    for (uint64_t us = 0; read < bytes; us += STEP_US) {
        assert(us < PATIENCE_US);
        if (written < bytes)
            written += try_to_write(couple, from, bytes - written);
        couple_run_us(couple, STEP_US);
        read += couple_read(couple, 1 - from);
    }
}

void couple_ask(struct couple *couple)
{
    couple_carry(couple, CLIENT, 100);
}
