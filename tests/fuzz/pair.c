#include "tests/fuzz/pair.h"

#include <stdlib.h>

#define OUTPUTS_MAX 100000u /* at one instant: more is a stack that spins */
#define SETTLE_MAX  1000u   /* two stacks that answer each other's ACKs must not go on for ever */

static _Alignas(64) uint8_t regions[2][2 << 20];

void fuzz_pair_prepare(struct fuzz_pair *pair, uint32_t variant)
{
    *pair = (struct fuzz_pair){.now = {1000000000}};
    for (unsigned i = 0; i < 2; i++) {
        struct fuzz_host *host = &pair->hosts[i];
        uint32_t drawn = variant >> 8 * i;
        struct daytona_stack_config config = {
            .secret = {4, 5, (uint8_t)i},
            .owns_every_port = true,
            .congestion = daytona_stack_congestion_name(drawn % 8),
            .super_segment_bytes_max = (drawn & 8) != 0 ? 20000 : 0,
            .receive_buffer_bytes = 2048u << (drawn / 16 % 4 * 2),
            .send_buffer_bytes = 4096u << (drawn / 64 % 4 * 2),
            .reassembly_bytes_max = 65536};
        fuzz_draw_settings(drawn, &config);
        struct daytona_observer observer = {.context = &pair->now, .event = fuzz_judge_event};
        fuzz_demand(daytona_stack_init((struct daytona_room){regions[i], sizeof regions[i]},
                                       &config, &observer, &host->stack) == 0,
                    "a stack");
        host->application = (struct fuzz_application){
            .stack = host->stack, .here = 0x0a000001 + i, .there = 0x0a000002 - i};
    }
}

static void put_on_wire(struct fuzz_host *host, struct sim_packet *packet)
{
    if (host->wire_count == FUZZ_WIRE_MAX)
        free(packet);
    else
        host->wire[host->wire_count++] = packet;
}

static void drain(struct fuzz_pair *pair, struct fuzz_host *host)
{
    struct daytona_packet_out out;
    for (unsigned taken = 0; daytona_stack_output(host->stack, pair->now, &out); taken++) {
        fuzz_demand(taken < OUTPUTS_MAX, "output comes to an end at one instant");
        struct sim_packet *packet = sim_packet_gather(&out);
        struct sim_segment segment;
        const char *wrong = sim_packet_read(packet, &segment);
        fuzz_demand(wrong == NULL, wrong);
        host->packets_out++;
        put_on_wire(host, packet);
    }
    fuzz_demand(daytona_instant_before(pair->now, daytona_stack_deadline(host->stack)),
                "the deadline lies ahead when there is no output");
    fuzz_take_ready(&host->application);
}

void fuzz_pair_drain(struct fuzz_pair *pair)
{
    drain(pair, &pair->hosts[0]);
    drain(pair, &pair->hosts[1]);
}

struct sim_packet *fuzz_pair_take(struct fuzz_pair *pair, unsigned from, unsigned place)
{
    struct fuzz_host *host = &pair->hosts[from];
    struct sim_packet *packet = host->wire[place];
    host->wire_count--;
    for (unsigned i = place; i < host->wire_count; i++)
        host->wire[i] = host->wire[i + 1];
    return packet;
}

void fuzz_pair_deliver(struct fuzz_pair *pair, unsigned from, struct sim_packet *packet)
{
    struct fuzz_host *host = &pair->hosts[1 - from];
    struct daytona_packet_in in = {{packet->bytes, packet->captured}, packet->length};
    enum daytona_verdict verdict = daytona_stack_input(host->stack, pair->now, &in);
    fuzz_demand((unsigned)verdict < DAYTONA_VERDICT_COUNT, "a verdict");
    host->packets_in++;
    free(packet);
}

void fuzz_pair_settle(struct fuzz_pair *pair)
{
    fuzz_pair_drain(pair);
    for (unsigned turns = 0; turns < SETTLE_MAX; turns++) {
        unsigned from = pair->hosts[0].wire_count > 0 ? 0 : 1;
        if (pair->hosts[from].wire_count == 0)
            return;
        fuzz_pair_deliver(pair, from, fuzz_pair_take(pair, from, 0));
        fuzz_pair_drain(pair);
    }
}

bool fuzz_pair_advance(struct fuzz_pair *pair)
{
    struct daytona_instant first = daytona_stack_deadline(pair->hosts[0].stack);
    struct daytona_instant second = daytona_stack_deadline(pair->hosts[1].stack);
    struct daytona_instant next = daytona_instant_before(second, first) ? second : first;
    if (next.ns == UINT64_MAX)
        return false;
    if (daytona_instant_before(pair->now, next))
        pair->now = next;
    return true;
}

static void finish_host(struct fuzz_pair *pair, struct fuzz_host *host)
{
    struct daytona_socket_id id = {0, 0};
    while (daytona_stack_next(host->stack, &id))
        daytona_stack_abort(host->stack, pair->now, id);
    drain(pair, host);
    while (host->wire_count > 0)
        free(host->wire[--host->wire_count]);
}

void fuzz_pair_finish(struct fuzz_pair *pair)
{
    finish_host(pair, &pair->hosts[0]);
    finish_host(pair, &pair->hosts[1]);
    for (unsigned turns = 0; turns < OUTPUTS_MAX && fuzz_pair_advance(pair); turns++)
        fuzz_pair_drain(pair);
    for (unsigned i = 0; i < 2; i++) {
        struct fuzz_host *host = &pair->hosts[i];
        struct daytona_memory_use memory;
        struct daytona_socket_id id = {0, 0};
        const struct daytona_counters *counters = daytona_stack_counters(host->stack);
        fuzz_demand(counters->packets_in == host->packets_in, "every packet in is counted");
        fuzz_demand(counters->packets_out == host->packets_out, "every packet out is counted");
        fuzz_demand(!daytona_stack_next(host->stack, &id), "no socket is left at the end");
        daytona_stack_memory(host->stack, &memory);
        fuzz_demand(memory.used_bytes == 0, "no memory is in use at the end");
        while (host->wire_count > 0)
            free(host->wire[--host->wire_count]);
    }
}
