#include "tests/sim/packet.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { IP_HEADER = 20, PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6 };

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The sum of RFC 1071 over `length` bytes, added to `sum`, not yet folded. */
static uint64_t add_bytes(uint64_t sum, const uint8_t *bytes, size_t length)
{
    size_t i = 0;
    for (; i + 1 < length; i += 2)
        sum += get16(bytes + i);
    return i < length ? sum + ((uint64_t)bytes[i] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint64_t pseudo_sum(const uint8_t *ip, uint32_t transport_length)
{
    return add_bytes(0, ip + 12, 8) + ip[9] + transport_length;
}

struct sim_packet *sim_packet_new(uint32_t length)
{
    struct sim_packet *packet = malloc(sizeof *packet + length);
    assert(packet != NULL);
    *packet = (struct sim_packet){.length = length, .captured = length, .intact = true};
    return packet;
}

struct sim_packet *sim_packet_copy(const struct sim_packet *packet)
{
    struct sim_packet *copy = malloc(sizeof *copy + packet->length);
    assert(copy != NULL);
    memcpy(copy, packet, sizeof *copy + packet->length);
    return copy;
}

struct sim_packet *sim_packet_gather(const struct daytona_packet_out *out)
{
    struct sim_packet *packet = sim_packet_new(out->header_length + out->payload_length);
    memcpy(packet->bytes, out->header, out->header_length);
    uint32_t at = out->header_length;
    for (unsigned i = 0; i < out->span_count; i++) {
        assert(out->spans[i].length <= packet->length - at);
        memcpy(packet->bytes + at, out->spans[i].data, out->spans[i].length);
        at += (uint32_t)out->spans[i].length;
    }
    assert(at == packet->length);
    return packet;
}

/* NULL, or what is wrong with the IP header; its length in *header_length. */
static const char *read_ip(const uint8_t *bytes, uint32_t length, uint32_t *header_length)
{
    if (length < IP_HEADER || bytes[0] >> 4 != 4)
        return "not an IPv4 header";
    *header_length = (bytes[0] & 15u) * 4;
    if (*header_length < IP_HEADER || *header_length > length)
        return "IPv4 header length";
    if (fold(add_bytes(0, bytes, *header_length)) != 0xffff)
        return "IPv4 header checksum";
    if (get16(bytes + 2) != length)
        return "IPv4 total length";
    return NULL;
}

static const char *read_option(const uint8_t *option, uint32_t size, struct sim_segment *out)
{
    switch (option[0]) {
    case 2:
        out->mss = (uint16_t)(size == 4 ? get16(option + 2) : 0);
        return size == 4 ? NULL : "MSS option length";
    case 3:
        out->window_scale = size == 3 ? option[2] : -1;
        return size == 3 && option[2] <= 14 ? NULL : "window scale option";
    case 4:
        out->sack_permitted = true;
        return size == 2 ? NULL : "SACK permitted option length";
    case 5:
        if (size < 10 || size > 34 || (size - 2) % 8 != 0)
            return "SACK option length";
        out->sack_count = (size - 2) / 8;
        for (unsigned i = 0; i < out->sack_count; i++)
            out->sacks[i] = (struct sim_sack){get32(option + 2 + 8 * i), get32(option + 6 + 8 * i)};
        return NULL;
    case 8:
        if (size != 10)
            return "timestamps option length";
        out->has_timestamps = true;
        out->timestamp = get32(option + 2);
        out->timestamp_echo = get32(option + 6);
        return NULL;
    case 19: /* MD5 signature, RFC 2385 */
        return size == 18 ? NULL : "MD5 option length";
    case 28: /* user timeout, RFC 5482 */
        return size == 4 ? NULL : "user timeout option length";
    case 29: /* TCP-AO, RFC 5925 */
        return size >= 4 ? NULL : "TCP-AO option length";
    case 34: /* fast open cookie, RFC 7413 */
        return size == 2 || (size >= 6 && size <= 18 && size % 2 == 0) ? NULL
                                                                       : "fast open option length";
    case 172: /* AccECN counters, RFC 9768 */
    case 174:
        return (size - 2) % 3 == 0 ? NULL : "AccECN option length";
    }
    return "unknown TCP option";
}

static const char *read_options(const uint8_t *options, uint32_t length, struct sim_segment *out)
{
    for (uint32_t at = 0; at < length && options[at] != 0;) {
        if (options[at] == 1) {
            at++;
            continue;
        }
        uint32_t size = at + 1 < length ? options[at + 1] : 0;
        if (size < 2 || size > length - at)
            return "TCP option length";
        const char *wrong = read_option(options + at, size, out);
        if (wrong != NULL)
            return wrong;
        at += size;
    }
    return NULL;
}

const char *sim_packet_read(const struct sim_packet *packet, struct sim_segment *out)
{
    uint32_t ip_length;
    const uint8_t *ip = packet->bytes;
    const char *wrong = read_ip(ip, packet->length, &ip_length);
    if (wrong != NULL)
        return wrong;
    const uint8_t *tcp = ip + ip_length;
    uint32_t tcp_length = packet->length - ip_length;
    if (ip[9] != PROTOCOL_TCP || tcp_length < 20)
        return "not a TCP header";
    uint32_t header_length = (uint32_t)(tcp[12] >> 4) * 4;
    if (header_length < 20 || header_length > tcp_length)
        return "TCP data offset";
    if (fold(add_bytes(pseudo_sum(ip, tcp_length), tcp, tcp_length)) != 0xffff)
        return "TCP checksum";
    *out = (struct sim_segment){
        .source = get32(ip + 12),
        .destination = get32(ip + 16),
        .source_port = (uint16_t)get16(tcp),
        .destination_port = (uint16_t)get16(tcp + 2),
        .seq = get32(tcp + 4),
        .ack = get32(tcp + 8),
        .flags = tcp[13],
        .window = (uint16_t)get16(tcp + 14),
        .urgent_pointer = (uint16_t)get16(tcp + 18),
        .window_scale = -1,
        .payload = tcp + header_length,
        .payload_length = tcp_length - header_length,
    };
    return read_options(tcp + 20, header_length - 20, out);
}

/* The bytes after total length are link padding to a stack, so a corruption that shortens the
 * total length is judged on what remains. */
bool sim_packet_sums_hold(const struct sim_packet *packet)
{
    const uint8_t *ip = packet->bytes;
    uint32_t header_length = (ip[0] & 15u) * 4;
    uint32_t total = get16(ip + 2);
    if (ip[0] >> 4 != 4 || header_length < IP_HEADER || header_length > packet->length)
        return false;
    if (total < header_length || total > packet->length)
        return false;
    if (fold(add_bytes(0, ip, header_length)) != 0xffff)
        return false;
    uint32_t tcp_length = total - header_length;
    return fold(add_bytes(pseudo_sum(ip, tcp_length), ip + header_length, tcp_length)) == 0xffff;
}

uint16_t sim_packet_sum(const struct sim_packet *packet)
{
    return fold(add_bytes(0, packet->bytes, packet->length));
}

static void store_ip_checksum(uint8_t *ip)
{
    put16(ip + 10, 0);
    put16(ip + 10, (uint16_t)~fold(add_bytes(0, ip, (ip[0] & 15u) * 4)));
}

void sim_packet_store_sums(struct sim_packet *packet)
{
    uint8_t *ip = packet->bytes;
    uint32_t header = (ip[0] & 15u) * 4;
    uint32_t field = ip[9] == PROTOCOL_ICMP ? 2 : 16;
    if (header < IP_HEADER || header + field + 2 > packet->length)
        return;
    uint32_t length = packet->length - header;
    uint64_t sum = ip[9] == PROTOCOL_ICMP ? 0 : pseudo_sum(ip, length);
    put16(ip + header + field, 0);
    put16(ip + header + field, (uint16_t)~fold(add_bytes(sum, ip + header, length)));
    store_ip_checksum(ip);
}

void sim_packet_strip_options(struct sim_packet *packet, unsigned mask)
{
    uint8_t *tcp = packet->bytes + (packet->bytes[0] & 15u) * 4;
    if (mask == 0 || (tcp[13] & SIM_SYN) == 0)
        return;
    uint32_t end = (uint32_t)(tcp[12] >> 4) * 4;
    for (uint32_t at = 20; at < end && tcp[at] != 0;) {
        uint32_t size = tcp[at] == 1 ? 1 : tcp[at + 1];
        if (tcp[at] < 32 && (mask >> tcp[at] & 1) != 0)
            memset(tcp + at, 1, size);
        at += size;
    }
    sim_packet_store_sums(packet);
}

bool sim_packet_age(struct sim_packet *packet, uint32_t ticks)
{
    uint8_t *tcp = packet->bytes + (packet->bytes[0] & 15u) * 4;
    uint32_t end = (uint32_t)(tcp[12] >> 4) * 4, at = 20;
    while (at < end && tcp[at] != 0 && tcp[at] != 8)
        at += tcp[at] == 1 ? 1 : tcp[at + 1];
    if (at + 10 > end || tcp[at] != 8)
        return false;
    uint32_t value = get32(tcp + at + 2) - ticks;
    put16(tcp + at + 2, value >> 16);
    put16(tcp + at + 4, value);
    packet->bytes[packet->length - 1] ^= 0x55;
    sim_packet_store_sums(packet);
    return true;
}

void sim_packet_make_partial(struct sim_packet *packet)
{
    uint32_t ip_length = (packet->bytes[0] & 15u) * 4;
    put16(packet->bytes + ip_length + 16,
          fold(pseudo_sum(packet->bytes, packet->length - ip_length)));
}

void sim_packet_corrupt(struct sim_packet *packet, struct sim_random *random)
{
    for (uint64_t flips = sim_random_between(random, 1, 4); flips > 0; flips--) {
        uint64_t bit = sim_random_between(random, 0, (uint64_t)packet->length * 8 - 1);
        packet->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    packet->intact = false;
}

bool sim_packet_mark_congestion(struct sim_packet *packet)
{
    if (!packet->intact || (packet->bytes[1] & 3) == 0)
        return false;
    packet->bytes[1] |= 3;
    store_ip_checksum(packet->bytes);
    return true;
}

bool sim_packet_is_fragment(const struct sim_packet *packet)
{
    return (get16(packet->bytes + 6) & 0x3fff) != 0;
}

bool sim_packet_may_fragment(const struct sim_packet *packet)
{
    return (packet->bytes[6] & 0x40) == 0;
}

struct sim_packet *sim_packet_fragment(const struct sim_packet *packet, uint32_t mtu,
                                       uint32_t offset, uint16_t identification, uint32_t *next)
{
    uint32_t header = (packet->bytes[0] & 15u) * 4;
    uint32_t left = packet->length - header - offset;
    uint32_t piece = (mtu - header) / 8 * 8;
    bool last = left <= piece;
    if (last)
        piece = left;
    struct sim_packet *fragment = sim_packet_new(header + piece);
    fragment->mark = packet->mark;
    fragment->source = packet->source;
    fragment->destination = packet->destination;
    fragment->intact = packet->intact;
    memcpy(fragment->bytes, packet->bytes, header);
    memcpy(fragment->bytes + header, packet->bytes + header + offset, piece);
    put16(fragment->bytes + 2, header + piece);
    if (!sim_packet_may_fragment(packet))
        put16(fragment->bytes + 4, identification);
    uint32_t whole = sim_packet_is_fragment(packet) ? get16(packet->bytes + 6) : 0;
    put16(fragment->bytes + 6, (offset / 8 + whole) | (last ? 0 : 0x2000u));
    store_ip_checksum(fragment->bytes);
    *next = last ? 0 : offset + piece;
    return fragment;
}

struct sim_packet *sim_packet_unreachable(const struct sim_packet *packet, uint32_t router,
                                          uint8_t code, uint32_t mtu)
{
    uint32_t quoted = packet->length < 68 ? packet->length : 68;
    struct sim_packet *error = sim_packet_new(IP_HEADER + 8 + quoted);
    error->destination = packet->source;
    uint8_t *ip = error->bytes, *icmp = ip + IP_HEADER;
    memset(ip, 0, IP_HEADER + 8);
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = PROTOCOL_ICMP;
    put16(ip + 2, error->length);
    put16(ip + 12, router >> 16);
    put16(ip + 14, router);
    memcpy(ip + 16, packet->bytes + 12, 4);
    store_ip_checksum(ip);
    icmp[0] = SIM_ICMP_UNREACHABLE;
    icmp[1] = code;
    put16(icmp + 6, mtu);
    memcpy(icmp + 8, packet->bytes, quoted);
    put16(icmp + 2, (uint16_t)~fold(add_bytes(0, icmp, 8 + quoted)));
    return error;
}
