#include "tests/fuzz/subject.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUTS_MAX 100000u /* at one instant: more is a stack that spins */

static _Alignas(64) uint8_t region[2 << 20];

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void fuzz_put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static void put_ip_header(uint8_t *ip, uint32_t length)
{
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, length);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 6;
    fuzz_put32(ip + 12, FUZZ_PEER_ADDRESS);
    fuzz_put32(ip + 16, FUZZ_STACK_ADDRESS);
}

struct sim_packet *fuzz_segment_packet(const struct fuzz_segment *segment)
{
    uint32_t header = 20 + (segment->options_length + 3) / 4 * 4;
    struct sim_packet *packet = sim_packet_new(20 + header + segment->payload_length);
    uint8_t *tcp = packet->bytes + 20;
    memset(packet->bytes, 0, packet->length);
    put_ip_header(packet->bytes, packet->length);
    put16(tcp, segment->peer->remote_port);
    put16(tcp + 2, segment->peer->local_port);
    fuzz_put32(tcp + 4, segment->seq);
    fuzz_put32(tcp + 8, segment->ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = segment->flags;
    put16(tcp + 14, segment->window);
    put16(tcp + 18, segment->urgent_pointer);
    if (segment->options_length > 0)
        memcpy(tcp + 20, segment->options, segment->options_length);
    memset(tcp + header, 'x', segment->payload_length);
    sim_packet_store_sums(packet);
    if (segment->sum == FUZZ_SUM_PARTIAL)
        sim_packet_make_partial(packet);
    if (segment->sum == FUZZ_SUM_WRONG)
        tcp[16] ^= 0x5a;
    return packet;
}

void fuzz_input(struct fuzz_subject *subject, const uint8_t *bytes, size_t length,
                size_t wire_length)
{
    /* A copy of exactly this size: reading beyond it is seen by AddressSanitizer. */
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    fuzz_demand(copy != NULL, "memory for the fuzzer");
    if (length > 0)
        memcpy(copy, bytes, length);
    struct daytona_packet_in in = {{copy, length}, wire_length};
    enum daytona_verdict verdict = daytona_stack_input(subject->stack, subject->now, &in);
    fuzz_demand((unsigned)verdict < DAYTONA_VERDICT_COUNT, "a verdict");
    subject->packets_in++;
    free(copy);
}

static void send_segment(struct fuzz_subject *subject, const struct fuzz_segment *segment)
{
    struct sim_packet *packet = fuzz_segment_packet(segment);
    fuzz_input(subject, packet->bytes, packet->length, packet->length);
    free(packet);
}

/* ---------------------------------------------------------------- what the stack sends */

static void learn(struct fuzz_subject *subject, const struct sim_segment *segment)
{
    uint32_t length = segment->payload_length + ((segment->flags & SIM_SYN) != 0) +
                      ((segment->flags & SIM_FIN) != 0);
    for (unsigned i = 0; i < FUZZ_PEERS_MAX; i++) {
        struct fuzz_peer *peer = &subject->peers[i];
        if (peer->local_port != segment->source_port ||
            peer->remote_port != segment->destination_port || (segment->flags & SIM_RST) != 0)
            continue;
        bool first = peer->ack == 0 || (segment->flags & SIM_SYN) != 0;
        if (first || (int32_t)(segment->seq + length - peer->ack) > 0)
            peer->ack = segment->seq + length;
        if ((segment->flags & SIM_ACK) != 0)
            peer->next = segment->ack;
        if (segment->has_timestamps)
            peer->timestamp = segment->timestamp;
    }
}

void fuzz_drain(struct fuzz_subject *subject)
{
    struct daytona_packet_out out;
    for (unsigned taken = 0; daytona_stack_output(subject->stack, subject->now, &out); taken++) {
        fuzz_demand(taken < OUTPUTS_MAX, "output comes to an end at one instant");
        struct sim_packet *packet = sim_packet_gather(&out);
        struct sim_segment segment;
        const char *wrong = sim_packet_read(packet, &segment);
        fuzz_demand(wrong == NULL, wrong);
        learn(subject, &segment);
        subject->packets_out++;
        free(packet);
    }
    struct daytona_instant deadline = daytona_stack_deadline(subject->stack);
    fuzz_demand(daytona_instant_before(subject->now, deadline),
                "the deadline lies ahead when there is no output");
    fuzz_take_ready(&subject->application);
}

/* ---------------------------------------------------------------- situations */

static struct daytona_socket_id *new_place(struct fuzz_subject *subject)
{
    return &subject->application.ids[subject->application.count++];
}

static void make_listener(struct fuzz_subject *subject)
{
    struct daytona_endpoint local = {daytona_address_from_ipv4(FUZZ_STACK_ADDRESS), 80};
    struct daytona_socket_id *id = new_place(subject);
    fuzz_demand(daytona_stack_open(subject->stack, id) == 0 &&
                    daytona_stack_bind(subject->stack, *id, &local) == 0 &&
                    daytona_stack_listen(subject->stack, *id, 4) == 0,
                "a listener");
}

static const uint8_t syn_options[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                      0, 1, 0, 0,   0, 0, 1, 3,  3, 7};

static void say_syn(struct fuzz_subject *subject, struct fuzz_peer *peer)
{
    struct fuzz_segment segment = {.peer = peer,
                                   .seq = 0xfffff000u, /* wraps soon */
                                   .flags = SIM_SYN,
                                   .window = 65535,
                                   .options_length = sizeof syn_options};
    memcpy(segment.options, syn_options, sizeof syn_options);
    send_segment(subject, &segment);
    fuzz_drain(subject);
}

static void say(struct fuzz_subject *subject, struct fuzz_peer *peer, uint8_t flags, uint32_t ack)
{
    uint8_t stamps[] = {1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0};
    fuzz_put32(stamps + 8, peer->timestamp);
    struct fuzz_segment segment = {.peer = peer,
                                   .seq = peer->next,
                                   .ack = ack,
                                   .flags = flags,
                                   .window = 512,
                                   .options_length = sizeof stamps};
    memcpy(segment.options, stamps, sizeof stamps);
    send_segment(subject, &segment);
    fuzz_drain(subject);
}

static void make_syn_sent(struct fuzz_subject *subject)
{
    struct daytona_address mine = daytona_address_from_ipv4(FUZZ_STACK_ADDRESS);
    struct daytona_endpoint local = {mine, 5000};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(FUZZ_PEER_ADDRESS), 9};
    subject->peers[FUZZ_SYN_SENT] = (struct fuzz_peer){.local_port = 5000, .remote_port = 9};
    struct daytona_socket_id *id = new_place(subject);
    fuzz_demand(daytona_stack_open(subject->stack, id) == 0 &&
                    daytona_stack_bind(subject->stack, *id, &local) == 0 &&
                    daytona_stack_connect(subject->stack, subject->now, *id, &mine, &remote) ==
                        -EINPROGRESS,
                "a connection attempt");
    fuzz_drain(subject);
}

/* The way from ESTABLISHED into a later state: who sends FIN, and what the peer acknowledges. */
static void close_until(struct fuzz_subject *subject, struct fuzz_peer *peer,
                        struct daytona_socket_id id, enum daytona_tcp_state state)
{
    bool peer_first = state == DAYTONA_TCP_CLOSE_WAIT || state == DAYTONA_TCP_LAST_ACK;
    bool peer_too = state == DAYTONA_TCP_CLOSING || state == DAYTONA_TCP_TIME_WAIT;
    uint32_t before_fin = peer->ack;
    if (peer_first)
        say(subject, peer, SIM_FIN | SIM_ACK, peer->ack);
    if (state != DAYTONA_TCP_CLOSE_WAIT) {
        daytona_stack_shutdown(subject->stack, subject->now, id, DAYTONA_SHUTDOWN_WRITE);
        fuzz_drain(subject);
    }
    if (state == DAYTONA_TCP_FIN_WAIT_2)
        say(subject, peer, SIM_ACK, peer->ack);
    if (peer_too)
        say(subject, peer, SIM_FIN | SIM_ACK,
            state == DAYTONA_TCP_CLOSING ? before_fin : peer->ack);
}

static void make_connected(struct fuzz_subject *subject, enum daytona_tcp_state state)
{
    struct fuzz_peer *peer = &subject->peers[FUZZ_CONNECTED];
    *peer = (struct fuzz_peer){.local_port = 80, .remote_port = 1000};
    say_syn(subject, peer);
    if (state == DAYTONA_TCP_SYN_RECEIVED)
        return;
    say(subject, peer, SIM_ACK, peer->ack);
    struct daytona_socket_id *id = new_place(subject);
    fuzz_demand(daytona_stack_accept(subject->stack, subject->application.ids[0], id) == 0,
                "the handshake gives a connection to accept");
    if (state != DAYTONA_TCP_ESTABLISHED)
        close_until(subject, peer, *id, state);
    struct daytona_connection_info info;
    fuzz_demand(daytona_stack_info(subject->stack, subject->now, *id, &info) == 0 &&
                    info.state == state,
                "the prepared connection is in its state");
}

void fuzz_subject_prepare(struct fuzz_subject *subject, unsigned variant,
                          enum daytona_tcp_state state)
{
    *subject = (struct fuzz_subject){.now = {1000000000}};
    struct daytona_stack_config config = {
        .secret = {1, 2, 3},
        .owns_every_port = (variant & FUZZ_OWNS_EVERY_PORT) != 0,
        .accept_partial_checksum = (variant & FUZZ_PARTIAL_CHECKSUMS) != 0,
        .congestion = daytona_stack_congestion_name(variant / FUZZ_CONTROLLERS),
        .super_segment_bytes_max = (variant & FUZZ_SUPER_SEGMENTS) != 0 ? 20000 : 0,
        .receive_buffer_bytes = 65536,
        .send_buffer_bytes = 65536,
        .reassembly_bytes_max = 65536};
    fuzz_draw_settings(variant, &config);
    struct daytona_observer observer = {.context = &subject->now, .event = fuzz_judge_event};
    int result = daytona_stack_init((struct daytona_room){region, sizeof region}, &config,
                                    &observer, &subject->stack);
    fuzz_demand(result == 0, "a stack");
    subject->application = (struct fuzz_application){
        .stack = subject->stack, .here = FUZZ_STACK_ADDRESS, .there = FUZZ_PEER_ADDRESS};
    make_listener(subject);
    make_connected(subject, state);
    make_syn_sent(subject);
    for (unsigned i = FUZZ_FIRST_NEW; i < FUZZ_PEERS_MAX; i++)
        subject->peers[i] = (struct fuzz_peer){.local_port = i == FUZZ_PEERS_MAX - 1 ? 81 : 80,
                                               .remote_port = (uint16_t)(2000 + i)};
}

/* ---------------------------------------------------------------- the end */

static void let_time_pass(struct fuzz_subject *subject)
{
    for (unsigned turns = 0; turns < 10000; turns++) {
        fuzz_drain(subject);
        struct daytona_instant deadline = daytona_stack_deadline(subject->stack);
        if (deadline.ns == UINT64_MAX)
            return;
        subject->now = deadline;
    }
    fuzz_demand(false, "the stack comes to rest after everything was aborted");
}

void fuzz_subject_finish(struct fuzz_subject *subject)
{
    struct daytona_socket_id id = {0, 0};
    while (daytona_stack_next(subject->stack, &id))
        daytona_stack_abort(subject->stack, subject->now, id);
    let_time_pass(subject);
    const struct daytona_counters *counters = daytona_stack_counters(subject->stack);
    uint64_t judged = 0;
    for (unsigned i = 0; i < DAYTONA_VERDICT_COUNT; i++)
        judged += counters->verdicts[i];
    fuzz_demand(judged == subject->packets_in, "one verdict for each packet");
    fuzz_demand(counters->packets_in == subject->packets_in, "every packet in is counted");
    fuzz_demand(counters->packets_out == subject->packets_out, "every packet out is counted");
    struct daytona_memory_use memory;
    daytona_stack_memory(subject->stack, &memory);
    id = (struct daytona_socket_id){0, 0};
    fuzz_demand(!daytona_stack_next(subject->stack, &id), "no socket is left at the end");
    fuzz_demand(memory.used_bytes == 0, "no memory is in use at the end");
}
