/*
 * A connection over a link that an input mangles: each packet is delivered, lost, doubled,
 * overtaken, marked, cut, or arrives with one bit flipped, which a checksum must find (RFC 1071
 * finds every single one). What is read is what was written, in order; once the link is good again
 * all of it arrives and both ends come to their end (RFC 9293 section 3.8.1), or say why not.
 */
#include "tests/fuzz/pair.h"
#include "tests/fuzz/reader.h"
#include "tests/sim/stream.h"
#include <errno.h>
#include <stdlib.h>

enum { STEPS_MAX = 400, CHUNK_MAX = 8192, TURNS_MAX = 20000 };

/* One end: what its application has written, read and been told. */
struct end {
    struct daytona_socket_id id;
    bool open, shut, ended, failed;
    uint64_t written, read;
};

struct trial {
    struct fuzz_pair pair;
    struct end ends[2];
};

static struct daytona_stack *stack_of(struct trial *trial, unsigned side)
{
    return trial->pair.hosts[side].stack;
}

static void note_error(struct end *end, ptrdiff_t result)
{
    fuzz_demand(result != -EBADF && result != -EINVAL, "an open socket takes data calls");
    if (result < 0 && result != -EAGAIN && result != -ENOBUFS)
        end->failed = true;
}

static void write_some(struct trial *trial, unsigned side, size_t length)
{
    static uint8_t bytes[CHUNK_MAX];
    struct end *end = &trial->ends[side];
    if (!end->open || end->shut || end->failed)
        return;
    sim_stream_fill(side, end->written, bytes, length);
    ptrdiff_t sent = daytona_stack_send(stack_of(trial, side), trial->pair.now, end->id,
                                        &(struct daytona_span){bytes, length}, 1, 0);
    if (sent > 0)
        end->written += (uint64_t)sent;
    note_error(end, sent);
}

static void read_some(struct trial *trial, unsigned side, size_t length)
{
    static uint8_t bytes[CHUNK_MAX];
    struct end *end = &trial->ends[side];
    if (!end->open || end->ended || end->failed || length == 0)
        return;
    ptrdiff_t got = daytona_stack_receive(stack_of(trial, side), trial->pair.now, end->id,
                                          &(struct daytona_room){bytes, length}, 1, 0);
    if (got > 0) {
        fuzz_demand(sim_stream_match(1 - side, end->read, bytes, (size_t)got) == (size_t)got,
                    "what is read was written there");
        end->read += (uint64_t)got;
        fuzz_demand(end->read <= trial->ends[1 - side].written, "nothing is read before written");
    }
    if (got == 0) {
        end->ended = true;
        fuzz_demand(trial->ends[1 - side].shut && end->read == trial->ends[1 - side].written,
                    "the stream ends where its writer ended it");
    }
    note_error(end, got);
}

/* A handshake that is shut down is over, in Linux too; here it shall go on. */
static bool is_connected(struct trial *trial, unsigned side)
{
    struct daytona_connection_info info;
    return daytona_stack_info(stack_of(trial, side), trial->pair.now, trial->ends[side].id,
                              &info) == 0 &&
           (info.state == DAYTONA_TCP_ESTABLISHED || info.state == DAYTONA_TCP_CLOSE_WAIT);
}

static void shut(struct trial *trial, unsigned side)
{
    struct end *end = &trial->ends[side];
    if (!end->open || end->shut || end->failed || !is_connected(trial, side))
        return;
    fuzz_demand(daytona_stack_shutdown(stack_of(trial, side), trial->pair.now, end->id,
                                       DAYTONA_SHUTDOWN_WRITE) == 0,
                "a connection can be shut");
    end->shut = true;
}

static void try_accept(struct trial *trial)
{
    struct fuzz_application *application = &trial->pair.hosts[1].application;
    if (!trial->ends[1].open &&
        daytona_stack_accept(application->stack, application->ids[0], &trial->ends[1].id) == 0)
        trial->ends[1].open = true;
}

static void open_ends(struct trial *trial)
{
    struct fuzz_application *server = &trial->pair.hosts[1].application;
    struct daytona_address here = daytona_address_from_ipv4(0x0a000001);
    struct daytona_endpoint local = {here, 4000};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(0x0a000002), 80};
    struct end *client = &trial->ends[0];
    struct daytona_stack *stack = stack_of(trial, 0);
    server->count = 1;
    fuzz_demand(daytona_stack_open(server->stack, &server->ids[0]) == 0 &&
                    daytona_stack_bind(server->stack, server->ids[0], &remote) == 0 &&
                    daytona_stack_listen(server->stack, server->ids[0], 1) == 0,
                "a listener");
    fuzz_demand(daytona_stack_open(stack, &client->id) == 0 &&
                    daytona_stack_bind(stack, client->id, &local) == 0 &&
                    daytona_stack_connect(stack, trial->pair.now, client->id, &here, &remote) ==
                        -EINPROGRESS,
                "a connection attempt");
    client->open = true;
}

/* What the link does to one packet of its choice. */
static void carry(struct fuzz_reader *reader, struct trial *trial)
{
    uint32_t how = fuzz_take(reader, 1);
    unsigned from = how & 1;
    struct fuzz_host *host = &trial->pair.hosts[from];
    if (host->wire_count == 0)
        return;
    uint32_t fate = how / 2 % 16;
    unsigned place = fate >= 12 ? fuzz_take(reader, 1) % host->wire_count : 0; /* overtakes */
    struct sim_packet *packet = fuzz_pair_take(&trial->pair, from, place);
    if (fate == 0) {
        free(packet);
        return;
    }
    if (fate == 1)
        fuzz_pair_deliver(&trial->pair, from, sim_packet_copy(packet));
    if (fate == 2) {
        uint32_t bit = fuzz_take(reader, 2) % (packet->length * 8);
        packet->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    if (fate == 4 && (packet->bytes[1] & 3) != 0) { /* RFC 3168 section 5: congestion on the way */
        packet->bytes[1] |= 3;
        sim_packet_store_sums(packet);
    }
    if (fate == 3)
        packet->captured = fuzz_take(reader, 2) % packet->length;
    fuzz_pair_deliver(&trial->pair, from, packet);
}

static void step(struct fuzz_reader *reader, struct trial *trial)
{
    uint32_t what = fuzz_take(reader, 1);
    unsigned side = what / 16 % 2;
    switch (what % 16) {
    case 0:
        fuzz_pair_advance(&trial->pair);
        break;
    case 1:
        trial->pair.now =
            daytona_instant_after_us(trial->pair.now, 1ull << fuzz_take(reader, 1) % 20);
        break;
    case 2:
    case 3:
        write_some(trial, side, fuzz_take(reader, 2) % CHUNK_MAX);
        break;
    case 4:
    case 5:
        read_some(trial, side, fuzz_take(reader, 2) % CHUNK_MAX);
        break;
    case 6:
        if (what >= 192)
            shut(trial, side);
        break;
    default:
        carry(reader, trial);
        break;
    }
    try_accept(trial);
    fuzz_pair_drain(&trial->pair);
}

static bool over(const struct end *end)
{
    return end->failed || (end->shut && end->ended);
}

/* The link is good from now on; both ends write no more and read what comes. */
static void end_well(struct trial *trial)
{
    struct end *ends = trial->ends;
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        fuzz_pair_settle(&trial->pair);
        try_accept(trial);
        for (unsigned side = 0; side < 2; side++) {
            read_some(trial, side, CHUNK_MAX);
            shut(trial, side);
        }
        if ((over(&ends[0]) && over(&ends[1])) || (ends[0].failed && !ends[1].open))
            break;
        fuzz_pair_settle(&trial->pair);
        fuzz_pair_advance(&trial->pair);
    }
    if (ends[0].failed || ends[1].failed)
        return;
    fuzz_demand(over(&ends[0]) && over(&ends[1]), "both ends come to their end");
    fuzz_demand(ends[0].read == ends[1].written && ends[1].read == ends[0].written,
                "all that was written is read");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trial trial;
    struct fuzz_reader reader = {data, size};
    trial = (struct trial){0};
    fuzz_pair_prepare(&trial.pair, fuzz_take(&reader, 2));
    open_ends(&trial);
    fuzz_pair_drain(&trial.pair);
    for (unsigned steps = 0; reader.left > 0 && steps < STEPS_MAX; steps++)
        step(&reader, &trial);
    end_well(&trial);
    fuzz_pair_finish(&trial.pair);
    return 0;
}
