/*
 * The pump: configuration, one packet in, one packet out, the next deadline. Packets are taken
 * apart down to the transport here and handed to TCP.
 */
#include <daytona/stack.h>

#include "stack/congestion/controllers.h"
#include "stack/ip/ipv4_input.h"
#include "stack/socket/socket.h"

#include <errno.h>
#include <string.h>

/* What lies at the start of the region, behind the memory's own bookkeeping. */
struct pump {
    struct daytona_stack stack; /* first: the public handle is a pointer to it */
    struct ipv4_input ip;
    size_t own_bytes; /* of the region, taken by the stack itself */
};

static struct pump *pump_of(struct daytona_stack *stack)
{
    return OWNER_OF(stack, struct pump, stack);
}

static const struct pump *pump_of_const(const struct daytona_stack *stack)
{
    return (const struct pump *)(const void *)((const uint8_t *)stack -
                                               offsetof(struct pump, stack));
}

/* ------------------------------------------------------------------ configuration */

static void fill_defaults(struct daytona_stack_config *config)
{
    static const struct daytona_stack_config defaults = {
        .port_low = 49152,
        .port_high = 65535,
        .congestion = "cubic",
        .ecn = "passive",
        .mtu_probing = DAYTONA_MTU_PROBING_BLACK_HOLE,
        .receive_buffer_bytes = 131072,
        .receive_buffer_max = 33554432,
        .send_buffer_bytes = 1048576,
        .send_buffer_max = 33554432,
        .syn_queue_max = 1024,
        .reassembly_bytes_max = 262144,
        .time_wait_us = 60000000,
        .rto_min_us = 200000,
    };
#define FILL(member) config->member = config->member ? config->member : defaults.member
    FILL(port_low);
    FILL(port_high);
    FILL(congestion);
    FILL(ecn);
    FILL(mtu_probing);
    FILL(receive_buffer_max);
    FILL(send_buffer_max);
    FILL(syn_queue_max);
    FILL(reassembly_bytes_max);
    FILL(time_wait_us);
    FILL(rto_min_us);
    FILL(receive_buffer_bytes);
    FILL(send_buffer_bytes);
#undef FILL
    static const uint8_t none[sizeof config->host_secret];
    if (memcmp(config->host_secret, none, sizeof none) == 0)
        memcpy(config->host_secret, config->secret, sizeof config->host_secret);
}

#define BUFFER_MAX       (UINT32_C(1) << 30) /* RFC 7323 section 2.3: no window is larger */
#define RECEIVE_MIN      1152u
#define SEND_MIN         2304u
#define SUPER_MAX        65535u
#define RTO_MIN_LIMIT_US 120000000u

static bool config_valid(const struct daytona_stack_config *config)
{
    return config->port_low <= config->port_high && config->receive_buffer_max <= BUFFER_MAX &&
           config->send_buffer_max <= BUFFER_MAX && config->receive_buffer_bytes >= RECEIVE_MIN &&
           config->receive_buffer_bytes <= config->receive_buffer_max &&
           config->send_buffer_bytes >= SEND_MIN &&
           config->send_buffer_bytes <= config->send_buffer_max &&
           config->super_segment_bytes_max <= SUPER_MAX && config->rto_min_us <= RTO_MIN_LIMIT_US &&
           congestion_find(config->congestion) != NULL && tcp_ecn_policy(config->ecn) >= 0;
}

int daytona_stack_init(struct daytona_room memory, const struct daytona_stack_config *config,
                       const struct daytona_observer *observer, struct daytona_stack **out)
{
    struct daytona_stack_config filled = *config;
    fill_defaults(&filled);
    if (!config_valid(&filled) || (uintptr_t)memory.data % 64 != 0)
        return -EINVAL;
    if (memory.length < DAYTONA_STACK_MEMORY_MIN)
        return -ENOMEM;
    struct memory *region = memory_init(memory);
    struct pump *pump = region == NULL ? NULL : memory_take_zeroed(region, sizeof *pump);
    if (pump == NULL)
        return -ENOMEM;
    int error = tcp_init(&pump->stack.tcp, region, &filled, observer);
    if (error < 0)
        return error;
    pump->stack.tcp.congestion = congestion_find(filled.congestion);
    ipv4_input_init(&pump->ip, region, filled.reassembly_bytes_max);
    pump->own_bytes = memory_used(region);
    *out = &pump->stack;
    return 0;
}

/* ------------------------------------------------------------------ the pump */

/* A packet has come to its end, whosever it was. */
static void profile_done(const struct tcp *tcp)
{
    daytona_profile_leave(tcp->profiler);
    if (tcp->profiler != NULL)
        daytona_profiler_nobody(tcp->profiler);
}

static enum daytona_verdict transport_input(struct tcp *tcp, const struct ipv4_header *header,
                                            struct daytona_span payload)
{
    if (header->protocol == IP_PROTOCOL_TCP)
        return tcp_input(tcp, &header->source, &header->destination, header->type_of_service,
                         header->time_to_live, payload);
    struct icmp_error error;
    int result = icmp_parse(payload, &error);
    error.router = header->source;
    if (result == 0)
        return tcp_icmp(tcp, &error);
    return result == -ENOMSG ? DAYTONA_VERDICT_ICMP_IGNORED : DAYTONA_VERDICT_BAD_CHECKSUM;
}

static enum daytona_verdict packet_input(struct daytona_stack *stack,
                                         const struct daytona_packet_in *packet)
{
    struct tcp *tcp = &stack->tcp;
    struct ipv4_header header;
    struct daytona_span payload;
    enum daytona_verdict verdict =
        ipv4_input(&pump_of(stack)->ip, &tcp->counters, tcp->now, packet, &header, &payload);
    if (verdict == DAYTONA_VERDICT_ACCEPTED)
        verdict = transport_input(tcp, &header, payload);
    ipv4_input_done(&pump_of(stack)->ip);
    tcp->counters.packets_in++;
    tcp->counters.bytes_in += packet->wire_length;
    tcp->counters.verdicts[verdict]++;
    if (verdict != DAYTONA_VERDICT_ACCEPTED && tcp->observer.event != NULL)
        tcp_observe_drop(tcp, verdict, packet->wire_length);
    tcp_leave(tcp);
    return verdict;
}

enum daytona_verdict daytona_stack_input(struct daytona_stack *stack, struct daytona_instant now,
                                         const struct daytona_packet_in *packet)
{
    struct tcp *tcp = &stack->tcp;
    tcp_enter(tcp, now);
    daytona_profile_enter(tcp->profiler, DAYTONA_ACTIVITY_demux);
    enum daytona_verdict verdict = packet_input(stack, packet);
    profile_done(tcp);
    return verdict;
}

static bool packet_output(struct daytona_stack *stack, struct daytona_packet_out *out)
{
    struct tcp *tcp = &stack->tcp;
    tcp->counters.reassembly_timeouts += ipv4_input_expire(&pump_of(stack)->ip, tcp->now);
    tcp_run_timers(tcp);
    if (!tcp_output(tcp, out))
        return false;
    tcp->counters.packets_out++;
    tcp->counters.bytes_out += out->header_length + out->payload_length;
    return true;
}

bool daytona_stack_output(struct daytona_stack *stack, struct daytona_instant now,
                          struct daytona_packet_out *out)
{
    struct tcp *tcp = &stack->tcp;
    tcp_enter(tcp, now);
    daytona_profile_enter(tcp->profiler, DAYTONA_ACTIVITY_transmit);
    bool any = packet_output(stack, out);
    profile_done(tcp);
    return any;
}

struct daytona_instant daytona_stack_deadline(const struct daytona_stack *stack)
{
    if (tcp_output_waits(&stack->tcp))
        return (struct daytona_instant){0};
    struct daytona_instant timers = timers_next(&stack->tcp.timers);
    struct daytona_instant fragments = ipv4_input_deadline(&pump_of_const(stack)->ip);
    return daytona_instant_before(fragments, timers) ? fragments : timers;
}

void daytona_stack_path_changed(struct daytona_stack *stack, struct daytona_instant now,
                                const struct daytona_address *remote, uint32_t mtu)
{
    tcp_enter(&stack->tcp, now);
    tcp_path_changed(&stack->tcp, remote, mtu);
    tcp_leave(&stack->tcp);
}

void daytona_stack_profile(struct daytona_stack *stack, struct daytona_profiler *profiler)
{
    stack->tcp.profiler = profiler;
}

void daytona_stack_retire(struct daytona_stack *stack)
{
    stack->tcp.retired = true;
}

/* ------------------------------------------------------------------ looking in */

const struct daytona_counters *daytona_stack_counters(const struct daytona_stack *stack)
{
    return &stack->tcp.counters;
}

void daytona_stack_memory(struct daytona_stack *stack, struct daytona_memory_use *out)
{
    tcp_leave(&stack->tcp); /* what died during daytona_stack_output() is not in use any more */
    const struct memory *memory = stack->tcp.memory;
    size_t own = pump_of(stack)->own_bytes;
    *out = (struct daytona_memory_use){
        .used_bytes = memory_used(memory) - own,
        .peak_bytes = memory_peak(memory) - own,
        .region_bytes = memory_region(memory),
    };
}
