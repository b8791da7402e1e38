#include "capture/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <string.h>

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6 };

/* RFC 792; source quench too, which RFC 6633 has the stack ignore, so that it can be counted. */
static const uint8_t icmp_error_types[] = {3, 4, 11, 12};
#define ICMP_ERROR_TYPES ((uint8_t)sizeof icmp_error_types)

#define FRAGMENT_OFFSET_MASK 0x1fffu

/* RFC 9293 section 3.1: ACK, RST and SYN; a request for a connection has the last one alone. */
#define FLAGS_MASK    0x16u
#define FLAGS_OPENING 0x02u

/* Offsets into the IPv4 header, and behind its end. */
#define IP_FRAGMENT         6
#define IP_PROTOCOL         9
#define TCP_DESTINATION     2
#define TCP_FLAGS           13
#define ICMP_TYPE           0
#define ICMP_QUOTE          8
#define ICMP_QUOTE_PROTOCOL (ICMP_QUOTE + IP_PROTOCOL)

/* ------------------------------------------------------------------ ports */

/* Makes room for one more span by joining the two neighbours with the fewest ports between. */
static void filter_ports_join_nearest(struct filter_ports *ports)
{
    size_t nearest = 0;
    int least = 65536;
    for (size_t i = 0; i + 1 < ports->count; i++) {
        int gap = ports->spans[i + 1].low - ports->spans[i].high;
        if (gap < least) {
            least = gap;
            nearest = i;
        }
    }
    ports->spans[nearest].high = ports->spans[nearest + 1].high;
    ports->count--;
    memmove(&ports->spans[nearest + 1], &ports->spans[nearest + 2],
            (ports->count - nearest - 1) * sizeof ports->spans[0]);
}

/* Puts one span in its place; those that overlap or touch it become part of it. */
static void filter_ports_insert(struct filter_ports *ports, struct daytona_port_span span)
{
    size_t first = 0;
    while (first < ports->count && ports->spans[first].high + 1 < span.low)
        first++;
    size_t behind = first;
    for (; behind < ports->count && ports->spans[behind].low <= span.high + 1; behind++) {
        if (ports->spans[behind].low < span.low)
            span.low = ports->spans[behind].low;
        if (ports->spans[behind].high > span.high)
            span.high = ports->spans[behind].high;
    }
    memmove(&ports->spans[first + 1], &ports->spans[behind],
            (ports->count - behind) * sizeof ports->spans[0]);
    ports->spans[first] = span;
    ports->count = ports->count - (behind - first) + 1;
    if (ports->count > FILTER_SPANS_MAX)
        filter_ports_join_nearest(ports);
}

int filter_ports_set(struct filter_ports *ports, const struct daytona_port_span *spans,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (spans[i].low > spans[i].high)
            return -EINVAL;
    ports->count = 0;
    for (size_t i = 0; i < count; i++)
        filter_ports_insert(ports, spans[i]);
    return 0;
}

int filter_ports_set_openings(struct filter_ports *ports, const struct daytona_port_span *spans,
                              size_t count)
{
    if (count > FILTER_OPENINGS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < count; i++)
        if (spans[i].low > spans[i].high)
            return -EINVAL;
    for (size_t i = 0; i < count; i++)
        ports->openings[i] = spans[i];
    ports->opening_count = count;
    return 0;
}

/* ------------------------------------------------------------------ the kernel's form */

struct program {
    struct sock_filter *out;
    size_t length;
};

static void emit(struct program *program, uint16_t code, uint32_t value)
{
    program->out[program->length++] = (struct sock_filter)BPF_STMT(code, value);
}

/* Compares the accumulator: the counts say how many instructions to skip. */
static void emit_jump(struct program *program, uint16_t comparison, uint32_t value,
                      uint8_t skip_if_true, uint8_t skip_if_false)
{
    program->out[program->length++] = (struct sock_filter)BPF_JUMP(
        (uint16_t)(BPF_JMP | comparison | BPF_K), value, skip_if_true, skip_if_false);
}

static void emit_return(struct program *program, uint32_t bytes)
{
    emit(program, BPF_RET | BPF_K, bytes);
}

static void emit_only_to_this_host(struct program *program)
{
    emit(program, BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
    emit_jump(program, BPF_JEQ, PACKET_HOST, 1, 0);
    emit_return(program, 0);
}

/* With the protocol in the accumulator and the IP header's length in X; leaves the protocol in
 * the accumulator when it is not ICMP. */
static void emit_icmp(struct program *program, uint32_t ip_offset, uint32_t accepted_bytes)
{
    emit_jump(program, BPF_JEQ, PROTOCOL_ICMP, 0, (uint8_t)(ICMP_ERROR_TYPES + 6));
    emit(program, BPF_LD | BPF_B | BPF_IND, ip_offset + ICMP_TYPE);
    for (uint8_t i = 0; i < ICMP_ERROR_TYPES; i++)
        emit_jump(program, BPF_JEQ, icmp_error_types[i], (uint8_t)(ICMP_ERROR_TYPES - i), 0);
    emit_return(program, 0);
    emit(program, BPF_LD | BPF_B | BPF_IND, ip_offset + ICMP_QUOTE_PROTOCOL);
    emit_jump(program, BPF_JEQ, PROTOCOL_TCP, 0, 1);
    emit_return(program, accepted_bytes);
    emit_return(program, 0);
}

static void emit_tcp(struct program *program, uint32_t ip_offset, uint32_t accepted_bytes)
{
    emit_jump(program, BPF_JEQ, PROTOCOL_TCP, 1, 0);
    emit_return(program, 0);
    emit(program, BPF_LD | BPF_H | BPF_ABS, ip_offset + IP_FRAGMENT);
    emit_jump(program, BPF_JSET, FRAGMENT_OFFSET_MASK, 0, 1);
    emit_return(program, accepted_bytes); /* no port in it: it may belong to a wanted one */
    emit(program, BPF_LD | BPF_H | BPF_IND, ip_offset + TCP_DESTINATION);
}

static void emit_span(struct program *program, struct daytona_port_span span,
                      uint32_t accepted_bytes)
{
    emit_jump(program, BPF_JGE, span.low, 0, 2);
    emit_jump(program, BPF_JGT, span.high, 1, 0);
    emit_return(program, accepted_bytes);
}

/* With the port in the accumulator. */
static void emit_openings(struct program *program, const struct filter_ports *ports,
                          uint32_t ip_offset, uint32_t accepted_bytes)
{
    if (ports->opening_count == 0)
        return;
    emit(program, BPF_LD | BPF_B | BPF_IND, ip_offset + TCP_FLAGS);
    emit(program, BPF_ALU | BPF_AND | BPF_K, FLAGS_MASK);
    emit_jump(program, BPF_JEQ, FLAGS_OPENING, 1, 0);
    emit_return(program, 0);
    emit(program, BPF_LD | BPF_H | BPF_IND, ip_offset + TCP_DESTINATION);
    for (size_t i = 0; i < ports->opening_count; i++)
        emit_span(program, ports->openings[i], accepted_bytes);
}

size_t filter_program(const struct filter_ports *ports, uint32_t ip_offset, uint32_t snapshot_bytes,
                      struct sock_filter *out)
{
    struct program program = {.out = out};
    if (ports->count > 0 || ports->opening_count > 0) {
        emit_only_to_this_host(&program);
        emit(&program, BPF_LDX | BPF_B | BPF_MSH, ip_offset);
        emit(&program, BPF_LD | BPF_B | BPF_ABS, ip_offset + IP_PROTOCOL);
        emit_icmp(&program, ip_offset, snapshot_bytes);
        emit_tcp(&program, ip_offset, snapshot_bytes);
        for (size_t i = 0; i < ports->count; i++)
            emit_span(&program, ports->spans[i], snapshot_bytes);
        emit_openings(&program, ports, ip_offset, snapshot_bytes);
    }
    emit_return(&program, 0);
    return program.length;
}

/* ------------------------------------------------------------------ our own form */

static bool has_port(const struct daytona_port_span *spans, size_t count, uint32_t port)
{
    for (size_t i = 0; i < count; i++)
        if (port >= spans[i].low && port <= spans[i].high)
            return true;
    return false;
}

static bool wants_segment(const struct filter_ports *ports, struct daytona_span segment)
{
    if (segment.length < TCP_DESTINATION + 2)
        return false;
    uint32_t port =
        (uint32_t)segment.data[TCP_DESTINATION] << 8 | segment.data[TCP_DESTINATION + 1];
    return has_port(ports->spans, ports->count, port) ||
           (segment.length > TCP_FLAGS && (segment.data[TCP_FLAGS] & FLAGS_MASK) == FLAGS_OPENING &&
            has_port(ports->openings, ports->opening_count, port));
}

static bool wants_icmp(struct daytona_span message)
{
    if (message.length <= ICMP_QUOTE_PROTOCOL || message.data[ICMP_QUOTE_PROTOCOL] != PROTOCOL_TCP)
        return false;
    return memchr(icmp_error_types, message.data[ICMP_TYPE], ICMP_ERROR_TYPES) != NULL;
}

bool filter_wants(const struct filter_ports *ports, struct daytona_span ip)
{
    if ((ports->count == 0 && ports->opening_count == 0) || ip.length <= IP_PROTOCOL)
        return false;
    size_t header_length = (size_t)(ip.data[0] & 0xf) * 4;
    if (header_length > ip.length)
        header_length = ip.length; /* then nothing is behind it */
    struct daytona_span behind = {ip.data + header_length, ip.length - header_length};

    if (ip.data[IP_PROTOCOL] == PROTOCOL_ICMP)
        return wants_icmp(behind);
    if (ip.data[IP_PROTOCOL] != PROTOCOL_TCP)
        return false;
    uint32_t fragment = (uint32_t)ip.data[IP_FRAGMENT] << 8 | ip.data[IP_FRAGMENT + 1];
    if ((fragment & FRAGMENT_OFFSET_MASK) != 0)
        return true;
    return wants_segment(ports, behind);
}
