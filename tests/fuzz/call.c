#include "tests/fuzz/call.h"

#include "tests/sim/invariant.h"
#include "tests/sim/random.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORTS_MAX 100000u /* at one instant: more is a stack that spins */

enum { DATA_MAX = 8192 };

/* What a call is made of. */
struct call {
    struct fuzz_application *application;
    struct daytona_stack *stack;
    struct daytona_instant now;
    struct daytona_socket_id id;
    uint32_t variant;
    size_t length;
};

void fuzz_demand(bool holds, const char *promise)
{
    if (holds)
        return;
    fprintf(stderr, "broken promise: %s\n", promise);
    abort();
}

void fuzz_draw_settings(uint32_t variant, struct daytona_stack_config *config)
{
    uint64_t drawn = sim_mix(variant);
    config->ecn = daytona_stack_ecn_name(drawn % 7); /* NULL past the end: the default */
    config->mtu_probing = (enum daytona_mtu_probing)(drawn / 8 % 4);
    config->syn_cookies = (enum daytona_syn_cookies)(drawn / 32 % 3);
    config->syn_queue_max = drawn / 128 % 4 == 0 ? 2 : 0;
}

static void remember(struct fuzz_application *application, struct daytona_socket_id id)
{
    application->ids[application->count++] = id;
}

static struct daytona_endpoint drawn_end(uint32_t address, uint32_t variant)
{
    struct daytona_endpoint end = {daytona_address_from_ipv4(address),
                                   (uint16_t)(80 + variant % 3)};
    if (variant / 3 % 4 == 0)
        end.address = (struct daytona_address){{0}};
    if (variant / 12 % 8 == 0)
        end.port = (uint16_t)(variant / 96 % 2 * 50000);
    return end;
}

static void call_open(const struct call *call)
{
    struct daytona_socket_id id;
    if (call->application->count < FUZZ_SOCKETS_MAX && daytona_stack_open(call->stack, &id) == 0)
        remember(call->application, id);
}

static void call_bind(const struct call *call)
{
    struct daytona_endpoint end = drawn_end(call->application->here, call->variant);
    daytona_stack_bind(call->stack, call->id, &end);
}

static void call_listen(const struct call *call)
{
    daytona_stack_listen(call->stack, call->id, (int)(call->variant % 5));
}

static void call_accept(const struct call *call)
{
    struct daytona_socket_id id;
    if (call->application->count < FUZZ_SOCKETS_MAX &&
        daytona_stack_accept(call->stack, call->id, &id) == 0)
        remember(call->application, id);
}

/* As the engine does it: an unbound socket gets a port first. */
static void call_connect(const struct call *call)
{
    struct daytona_address here = daytona_address_from_ipv4(call->application->here);
    struct daytona_endpoint there = drawn_end(call->application->there, call->variant);
    if (call->variant / 256 % 8 != 0) {
        int port = daytona_stack_choose_port(call->stack, &here, &there);
        struct daytona_endpoint local = {here, (uint16_t)(port > 0 ? port : 1)};
        daytona_stack_bind(call->stack, call->id, &local);
    }
    daytona_stack_connect(call->stack, call->now, call->id, &here, &there);
}

static void call_connect_fast(const struct call *call)
{
    struct daytona_address here = daytona_address_from_ipv4(call->application->here);
    struct daytona_endpoint there = drawn_end(call->application->there, call->variant);
    struct daytona_endpoint local = {here, (uint16_t)(30000 + call->length)};
    daytona_stack_bind(call->stack, call->id, &local);
    daytona_stack_connect_fast(call->stack, call->now, call->id, &here, &there);
}

/* One of four keys of any length, so that both ends may well have the same. */
static void call_set_key(const struct call *call)
{
    uint8_t bytes[128], out[32];
    memset(bytes, (int)(call->variant % 4), sizeof bytes);
    struct daytona_span key = {bytes, call->length % sizeof bytes};
    struct daytona_address there = daytona_address_from_ipv4(call->application->there);
    if (call->variant / 4 % 2 == 0) {
        if (daytona_stack_set_fastopen_key(call->stack, call->id, key) == 0)
            fuzz_demand(daytona_stack_get_fastopen_key(call->stack, call->id, out) ==
                            (int)key.length,
                        "a key that was taken is there");
    } else {
        daytona_stack_set_signature_key(call->stack, call->id, &there, call->variant / 8 % 34, key);
    }
}

static void call_send(const struct call *call)
{
    static uint8_t bytes[DATA_MAX];
    struct daytona_span spans[2] = {{bytes, call->length / 3},
                                    {bytes + call->length / 3, call->length - call->length / 3}};
    ptrdiff_t sent =
        daytona_stack_send(call->stack, call->now, call->id, spans, 2, call->variant % 4);
    fuzz_demand(sent <= (ptrdiff_t)call->length, "no more is sent than was given");
}

static void call_receive(const struct call *call)
{
    /* Of exactly this size: writing beyond it is seen by AddressSanitizer. */
    uint8_t *bytes = malloc(call->length + 1);
    fuzz_demand(bytes != NULL, "memory for the fuzzer");
    struct daytona_room rooms[2] = {{bytes, call->length / 3},
                                    {bytes + call->length / 3, call->length - call->length / 3}};
    ptrdiff_t got =
        daytona_stack_receive(call->stack, call->now, call->id, rooms, 2, call->variant % 8);
    fuzz_demand(got <= (ptrdiff_t)call->length, "no more is received than there is room");
    free(bytes);
}

static void call_shutdown(const struct call *call)
{
    daytona_stack_shutdown(call->stack, call->now, call->id,
                           (enum daytona_shutdown)(call->variant % 3));
}

static void call_close(const struct call *call)
{
    daytona_stack_close(call->stack, call->now, call->id);
}

static void call_abort(const struct call *call)
{
    daytona_stack_abort(call->stack, call->now, call->id);
}

/* Small numbers, large ones, and those next to the bounds of the kind. */
static void call_set_option(const struct call *call)
{
    enum daytona_option option = (enum daytona_option)(call->variant % DAYTONA_OPTION_COUNT);
    uint32_t how = call->variant / DAYTONA_OPTION_COUNT % 4;
    int64_t value = how == 0   ? (int64_t)(call->length % 2)
                    : how == 1 ? (int64_t)call->length
                    : how == 2 ? (int64_t)call->length * 1000
                               : -(int64_t)(call->length % 3);
    int64_t after;
    if (daytona_stack_set_option(call->stack, call->now, call->id, option, value) == 0)
        fuzz_demand(daytona_stack_get_option(call->stack, call->id, option, &after) == 0,
                    "what can be set can be asked for");
}

static void call_set_congestion(const struct call *call)
{
    const char *name = daytona_stack_congestion_name(call->variant % 9);
    daytona_stack_set_congestion(call->stack, call->now, call->id, name == NULL ? "no such" : name);
    daytona_stack_get_congestion(call->stack, call->id);
}

static void call_ask(const struct call *call)
{
    struct daytona_connection_info info;
    struct daytona_endpoint local, remote;
    struct daytona_memory_use memory;
    daytona_stack_info(call->stack, call->now, call->id, &info);
    daytona_stack_endpoints(call->stack, call->id, &local, &remote);
    daytona_stack_memory(call->stack, &memory);
    fuzz_demand(memory.used_bytes <= memory.region_bytes, "memory in use is of the region");
    unsigned ready = daytona_stack_readiness(call->stack, call->id);
    int error = daytona_stack_take_error(call->stack, call->id);
    fuzz_demand((ready & DAYTONA_READY_ERROR) == 0 || error > 0, "a reported error can be taken");
    daytona_stack_take_error(call->stack, call->id); /* now, that of an ICMP error may come */
    fuzz_demand(daytona_stack_take_error(call->stack, call->id) <= 0, "an error is taken once");
}

static void call_path_changed(const struct call *call)
{
    struct daytona_address there = daytona_address_from_ipv4(call->application->there);
    daytona_stack_path_changed(call->stack, call->now, &there, (uint32_t)call->length);
}

static void call_stranger(const struct call *call)
{
    struct daytona_socket_id id = {call->variant % 64, (uint32_t)call->length};
    daytona_stack_set_user(call->stack, id, NULL);
    daytona_stack_readiness(call->stack, id);
}

static struct call draw(struct fuzz_reader *reader, struct fuzz_application *application,
                        struct daytona_instant now)
{
    struct call call = {application, application->stack, now, {0, 0}, 0, 0};
    uint32_t which = fuzz_take(reader, 1);
    if (application->count > 0)
        call.id = application->ids[which % application->count];
    call.variant = fuzz_take(reader, 2);
    call.length = fuzz_take(reader, 2) % (DATA_MAX + 1);
    return call;
}

void fuzz_step_call(struct fuzz_reader *reader, struct fuzz_application *application,
                    struct daytona_instant now)
{
    static void (*const calls[])(const struct call *) = {
        call_open,  call_bind,         call_listen,     call_accept,       call_connect,
        call_send,  call_send,         call_receive,    call_receive,      call_shutdown,
        call_close, call_abort,        call_set_option, call_set_option,   call_set_congestion,
        call_ask,   call_path_changed, call_stranger,   call_connect_fast, call_set_key};
    uint32_t which = fuzz_take(reader, 1) % (sizeof calls / sizeof calls[0]);
    struct call call = draw(reader, application, now);
    calls[which](&call);
}

void fuzz_step_data(struct fuzz_reader *reader, struct fuzz_application *application,
                    struct daytona_instant now)
{
    static void (*const calls[])(const struct call *) = {call_send,    call_send,     call_receive,
                                                         call_receive, call_shutdown, call_close,
                                                         call_accept,  call_ask};
    uint32_t which = fuzz_take(reader, 1) % (sizeof calls / sizeof calls[0]);
    struct call call = draw(reader, application, now);
    calls[which](&call);
}

static void forget(struct fuzz_application *application, struct daytona_socket_id id)
{
    for (unsigned i = 0; i < application->count; i++)
        if (application->ids[i].index == id.index &&
            application->ids[i].generation == id.generation)
            application->ids[i] = application->ids[--application->count];
}

void fuzz_take_ready(struct fuzz_application *application)
{
    struct daytona_ready ready;
    for (unsigned taken = 0; daytona_stack_take_ready(application->stack, &ready); taken++) {
        fuzz_demand(taken < REPORTS_MAX, "reports come to an end at one instant");
        if ((ready.edges & DAYTONA_READY_GONE) != 0)
            forget(application, ready.id);
    }
}

void fuzz_judge_sockets(struct daytona_stack *stack, struct daytona_instant now)
{
    struct daytona_socket_id id = {0, 0};
    struct daytona_connection_info info;
    while (daytona_stack_next(stack, &id)) {
        fuzz_demand(daytona_stack_info(stack, now, id, &info) == 0, "every socket can be asked");
        if (info.state != DAYTONA_TCP_ESTABLISHED && info.state != DAYTONA_TCP_CLOSE_WAIT)
            continue;
        fuzz_demand(info.send_mss > 0 && info.send_mss <= info.path_mtu,
                    "a segment is no larger than the path takes");
        fuzz_demand(info.cwnd_bytes >= info.send_mss, "one segment may always be in flight");
        fuzz_demand(info.bytes_acked <= info.bytes_sent, "only what was sent is acknowledged");
        fuzz_demand(info.not_sent <= info.send_queued, "what is not sent is queued");
        fuzz_demand(info.sacked_bytes <= info.send_queued, "what is sacked is queued");
    }
}

void fuzz_judge_event(void *clock, const struct daytona_event *event)
{
    const struct daytona_instant *now = clock;
    fuzz_demand(event->at.ns <= now->ns, "no event lies in the future");
    if (event->type == DAYTONA_EVENT_STATE)
        fuzz_demand(sim_state_edge_is_legal((enum daytona_tcp_state)event->a,
                                            (enum daytona_tcp_state)event->b),
                    "states change along the edges of RFC 9293 figure 5");
}
