#include "tests/bench/pair.h"

#include "tests/bench/profile.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define REGION_BYTES ((size_t)64 << 20)

void bench_demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench: failed: %s\n", what);
    exit(1);
}

static struct daytona_endpoint endpoint(unsigned host, uint16_t port)
{
    return (struct daytona_endpoint){daytona_address_from_ipv4(0x0a000001 + host), port};
}

void bench_pair_prepare(struct bench_pair *pair, const struct bench_way *way)
{
    *pair = (struct bench_pair){.now = {1000000000}, .way = *way};
    pair->batch = malloc(BENCH_BATCH_MAX * sizeof *pair->batch);
    bench_demand(pair->batch != NULL, "memory");
    for (unsigned i = 0; i < 2; i++) {
        struct daytona_stack_config config = {.secret = {1, 2, 3, (uint8_t)i},
                                              .super_segment_bytes_max = way->super ? 65000 : 0,
                                              .receive_buffer_bytes = 1 << 20,
                                              .time_wait_us = 1};
        pair->regions[i] =
            mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_demand(pair->regions[i] != MAP_FAILED, "memory");
        bench_demand(daytona_stack_init((struct daytona_room){pair->regions[i], REGION_BYTES},
                                        &config, way->observer, &pair->stacks[i]) == 0,
                     "a stack");
    }
}

void bench_pair_release(struct bench_pair *pair)
{
    munmap(pair->regions[0], REGION_BYTES);
    munmap(pair->regions[1], REGION_BYTES);
    free(pair->batch);
}

/* What a network card would do: the packet in one piece, or nothing when it gets lost. */
static bool gather(struct bench_pair *pair, const struct daytona_packet_out *out,
                   struct bench_packet *packet)
{
    pair->packets++;
    if (out->payload_length > 0) {
        pair->segments += out->segment_bytes == 0
                              ? 1
                              : (out->payload_length + out->segment_bytes - 1) / out->segment_bytes;
        if (pair->way.lose_every != 0 && pair->segments % pair->way.lose_every == 0)
            return false;
    }
    memcpy(packet->bytes, out->header, out->header_length);
    packet->length = out->header_length;
    for (unsigned i = 0; i < out->span_count; i++) {
        memcpy(packet->bytes + packet->length, out->spans[i].data, out->spans[i].length);
        packet->length += out->spans[i].length;
    }
    return true;
}

unsigned bench_pair_carry(struct bench_pair *pair, unsigned from)
{
    struct daytona_packet_out out;
    unsigned taken = 0, kept = 0;
    bench_party = BENCH_STACK;
    while (taken < pair->way.batch && daytona_stack_output(pair->stacks[from], pair->now, &out)) {
        bench_party = BENCH_DRIVER;
        kept += gather(pair, &out, &pair->batch[kept]);
        taken++;
        bench_party = BENCH_STACK;
    }
    for (unsigned i = 0; i < kept; i++) {
        struct daytona_packet_in in = {{pair->batch[i].bytes, pair->batch[i].length},
                                       pair->batch[i].length};
        daytona_stack_input(pair->stacks[1 - from], pair->now, &in);
    }
    bench_party = BENCH_DRIVER;
    return taken;
}

void bench_pair_settle(struct bench_pair *pair)
{
    while (bench_pair_carry(pair, 0) + bench_pair_carry(pair, 1) > 0)
        ;
}

struct daytona_socket_id bench_pair_listen(struct bench_pair *pair)
{
    struct daytona_endpoint local = endpoint(1, 80);
    struct daytona_socket_id id;
    bench_demand(daytona_stack_open(pair->stacks[1], &id) == 0 &&
                     daytona_stack_bind(pair->stacks[1], id, &local) == 0 &&
                     daytona_stack_listen(pair->stacks[1], id, 16) == 0,
                 "a listener");
    return id;
}

void bench_pair_connect(struct bench_pair *pair, struct daytona_socket_id listener, uint16_t port,
                        struct daytona_socket_id ends[2])
{
    struct daytona_endpoint local = endpoint(0, port), remote = endpoint(1, 80);
    struct daytona_stack *client = pair->stacks[0];
    bench_party = BENCH_STACK;
    bench_demand(daytona_stack_open(client, &ends[0]) == 0 &&
                     daytona_stack_bind(client, ends[0], &local) == 0 &&
                     daytona_stack_connect(client, pair->now, ends[0], &local.address, &remote) ==
                         -EINPROGRESS,
                 "connect");
    bench_pair_settle(pair);
    bench_party = BENCH_STACK;
    bench_demand(daytona_stack_accept(pair->stacks[1], listener, &ends[1]) == 0, "accept");
    bench_party = BENCH_DRIVER;
}
