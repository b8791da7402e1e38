/*
 * malformed.c - packets that are wrong, each in a way of its own.
 *
 *   malformed DEVICE STATION ADDRESS PORT COUNT RATE [KIND]
 *
 * Sends COUNT of each kind (or of one) on DEVICE to the station (a MAC address), RATE a second, and
 * prints a line for each: its name, how many were sent, and how many answers went back to the
 * addresses that they pretend to be from.
 */
#include "tests/interop/forged.h"

/* The victim. */
static uint32_t address;
static uint16_t port;

#define STRANGERS 0xc6130000u /* 198.19.0.0/16, RFC 2544 */

static uint32_t stranger(void)
{
    return STRANGERS | ((uint32_t)forged_random() & 0xffff);
}

static struct forged segment(uint8_t flags, size_t options, size_t text)
{
    return forged_tcp(stranger(), address, (uint16_t)(1024 + forged_random() % 60000), port,
                      (uint32_t)forged_random(), (flags & ACK) != 0 ? (uint32_t)forged_random() : 0,
                      flags, options, text);
}

static uint8_t *tcp_of(struct forged *packet)
{
    return packet->bytes + FORGED_IP;
}

/* After a change of the IP header: its sum alone. */
static void sum_ip(struct forged *packet)
{
    forged_16(packet->bytes + 10, 0);
    forged_16(packet->bytes + 10, forged_sum(0, packet->bytes, FORGED_IP));
}

/* ---------------------------------------------------------------- TCP */

static struct forged bad_checksum(void)
{
    struct forged packet = segment(SYN, 0, 0);
    tcp_of(&packet)[16] ^= 0x55;
    return packet;
}

static struct forged bad_data_offset(void)
{
    struct forged packet = segment(SYN, 0, 8);
    tcp_of(&packet)[12] = forged_random() % 2 == 0 ? 0x40 : 0xf0; /* too few words, too many */
    forged_sums(&packet);
    return packet;
}

/* Options whose lengths lead nowhere, on a segment that opens nothing. */
static struct forged bad_options(void)
{
    struct forged packet = segment(0, 40, 0);
    for (int i = 0; i < 40; i++)
        tcp_of(&packet)[FORGED_TCP + i] = (uint8_t)forged_random();
    tcp_of(&packet)[FORGED_TCP] = (uint8_t)(2 + forged_random() % 250);
    tcp_of(&packet)[FORGED_TCP + 1] = (uint8_t)(forged_random() % 2 == 0 ? 0 : 200);
    forged_sums(&packet);
    return packet;
}

static struct forged short_tcp(void)
{
    struct forged packet = segment(SYN, 0, 0);
    packet.length = FORGED_IP + 1 + forged_random() % (FORGED_TCP - 1);
    forged_16(packet.bytes + 2, (uint32_t)packet.length);
    sum_ip(&packet);
    return packet;
}

static struct forged null_flags(void)
{
    return segment(0, 0, 20);
}

static struct forged xmas(void)
{
    return segment(FIN | PSH | URG, 0, 20);
}

static struct forged syn_fin(void)
{
    return segment(SYN | FIN, 0, 0);
}

static struct forged syn_rst(void)
{
    return segment(SYN | RST, 0, 0);
}

static struct forged stray_reset(void)
{
    return segment(RST, 0, 0);
}

static struct forged land(void)
{
    return forged_tcp(address, address, port, port, (uint32_t)forged_random(), 0, SYN, 0, 0);
}

static struct forged port_zero(void)
{
    struct forged packet = segment(SYN, 0, 0);
    forged_16(tcp_of(&packet), 0);
    forged_sums(&packet);
    return packet;
}

/* ---------------------------------------------------------------- IP */

static struct forged from(uint32_t source)
{
    struct forged packet = segment(SYN, 0, 0);
    forged_32(packet.bytes + 12, source);
    forged_sums(&packet);
    return packet;
}

static struct forged from_nowhere(void)
{
    static const uint32_t sources[] = {0, 0xffffffff, 0x7f000001, 0xe0000001, 0xf0000001};
    return from(sources[forged_random() % 5]);
}

static struct forged to_many(void)
{
    struct forged packet = segment(SYN, 0, 0);
    forged_32(packet.bytes + 16, forged_random() % 2 == 0 ? 0xe0000001 : 0xffffffff);
    forged_sums(&packet);
    return packet;
}

static struct forged bad_ip_version(void)
{
    struct forged packet = segment(SYN, 0, 0);
    packet.bytes[0] = (uint8_t)((forged_random() % 2 == 0 ? 6 : 0) << 4 | 5);
    sum_ip(&packet);
    return packet;
}

static struct forged bad_ip_header_length(void)
{
    struct forged packet = segment(SYN, 0, 0);
    packet.bytes[0] = (uint8_t)(0x40 | (forged_random() % 2 == 0 ? 4 : 15));
    sum_ip(&packet);
    return packet;
}

static struct forged bad_ip_checksum(void)
{
    struct forged packet = segment(SYN, 0, 0);
    packet.bytes[10] ^= 0x55;
    return packet;
}

static struct forged cut(void)
{
    struct forged packet = segment(SYN, 0, 100);
    packet.length -= 1 + forged_random() % 110;
    return packet;
}

static struct forged small_total_length(void)
{
    struct forged packet = segment(SYN, 0, 0);
    forged_16(packet.bytes + 2, (uint32_t)(forged_random() % 20));
    sum_ip(&packet);
    return packet;
}

/* ---------------------------------------------------------------- fragments */

static struct forged fragment(uint32_t offset, bool more, size_t payload)
{
    struct forged packet = forged_ip(stranger(), address, IPPROTO_TCP, payload);
    forged_16(packet.bytes + 4, (uint32_t)(forged_random() % 4));
    forged_32(packet.bytes + 12, STRANGERS | (uint32_t)(forged_random() % 4));
    forged_16(packet.bytes + 6, (more ? 0x2000 : 0) | offset / 8);
    forged_16(packet.bytes + 2, (uint32_t)packet.length);
    sum_ip(&packet);
    return packet;
}

static struct forged overlapping_fragments(void)
{
    return fragment((uint32_t)(forged_random() % 8 * 8), forged_random() % 2 == 0,
                    8 * (1 + forged_random() % 8));
}

static struct forged fragments_beyond_the_end(void)
{
    return fragment(65528 - (uint32_t)(forged_random() % 4 * 8), forged_random() % 2 == 0, 200);
}

static struct forged fragments_never_complete(void)
{
    struct forged packet = fragment(8 * (1 + (uint32_t)(forged_random() % 100)), true, 800);
    forged_16(packet.bytes + 4, (uint32_t)forged_random());
    forged_32(packet.bytes + 12, stranger());
    sum_ip(&packet);
    return packet;
}

/* ---------------------------------------------------------------- ICMP */

static struct forged icmp(uint8_t type, uint8_t code, uint32_t rest, size_t quoted)
{
    struct forged packet = forged_ip(stranger(), address, IPPROTO_ICMP, 8 + quoted);
    uint8_t *message = packet.bytes + FORGED_IP;
    message[0] = type;
    message[1] = code;
    forged_32(message + 4, rest);
    for (size_t i = 0; i < quoted; i++)
        message[8 + i] = (uint8_t)forged_random();
    if (quoted >= 28) { /* from the victim's port, to a connection that there is not */
        message[8] = 0x45;
        forged_16(message + 10, 1500);
        forged_16(message + 14, 0x4000);
        message[17] = IPPROTO_TCP;
        forged_32(message + 20, address);
        forged_16(message + 28, port);
    }
    forged_sums(&packet);
    return packet;
}

static struct forged icmp_garbage(void)
{
    static const uint8_t types[] = {3, 4, 5, 11, 12}; /* errors; a kernel answers no error */
    return icmp(types[forged_random() % 5], (uint8_t)forged_random(), (uint32_t)forged_random(),
                forged_random() % 60);
}

static struct forged icmp_too_big(void)
{
    return icmp(3, 4, (uint32_t)(forged_random() % 600), 28);
}

static struct forged icmp_bad_checksum(void)
{
    struct forged packet = icmp(3, 1, 0, 28);
    packet.bytes[FORGED_IP + 2] ^= 0x55;
    return packet;
}

/* ---------------------------------------------------------------- noise */

static struct forged noise(void)
{
    struct forged packet = {.length = 1 + forged_random() % 200};
    for (size_t i = 0; i < packet.length; i++)
        packet.bytes[i] = (uint8_t)forged_random();
    return packet;
}

#define KIND(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct kind {
    const char *name;
    struct forged (*forge)(void);
} kinds[] = {
    KIND(bad_checksum),
    KIND(bad_data_offset),
    KIND(bad_options),
    KIND(short_tcp),
    KIND(null_flags),
    KIND(xmas),
    KIND(syn_fin),
    KIND(syn_rst),
    KIND(stray_reset),
    KIND(land),
    KIND(port_zero),
    KIND(from_nowhere),
    KIND(to_many),
    KIND(bad_ip_version),
    KIND(bad_ip_header_length),
    KIND(bad_ip_checksum),
    KIND(cut),
    KIND(small_total_length),
    KIND(overlapping_fragments),
    KIND(fragments_beyond_the_end),
    KIND(fragments_never_complete),
    KIND(icmp_garbage),
    KIND(icmp_too_big),
    KIND(icmp_bad_checksum),
    KIND(noise),
};

/* Packets of the victim's to whom the forged ones are said to be from. */
static unsigned count_answers(const struct forged_link *link, int timeout_ms)
{
    struct forged packet;
    unsigned answers = 0;
    while (forged_receive(link, &packet, timeout_ms)) {
        uint32_t source = forged_read_32(packet.bytes + 12), to = forged_read_32(packet.bytes + 16);
        if (source == address && (to >> 16 == STRANGERS >> 16 || to == address || to == 0 ||
                                  to >= 0xe0000000 || to >> 24 == 0x7f))
            answers++;
    }
    return answers;
}

static void send_kind(const struct forged_link *link, const struct kind *kind, unsigned count,
                      unsigned rate)
{
    uint64_t start = forged_now_ns();
    unsigned answers = 0;
    for (unsigned i = 0; i < count; i++) {
        struct forged packet = kind->forge();
        forged_send(link, &packet);
        if (i % 16 == 15) {
            answers += count_answers(link, 0);
            forged_wait_until(start + (uint64_t)i * 1000000000u / rate);
        }
    }
    answers += count_answers(link, 100);
    printf("%s %u %u\n", kind->name, count, answers);
    fflush(stdout);
}

int main(int count, char **words)
{
    if (count != 7 && count != 8) {
        fprintf(stderr, "usage: malformed DEVICE STATION ADDRESS PORT COUNT RATE [KIND]\n");
        return 2;
    }
    struct forged_link link = forged_open(words[1], words[2]);
    address = forged_address(words[3]);
    port = (uint16_t)strtoul(words[4], NULL, 10);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (count == 7 || strcmp(words[7], kinds[i].name) == 0)
            send_kind(&link, &kinds[i], (unsigned)strtoul(words[5], NULL, 10),
                      (unsigned)strtoul(words[6], NULL, 10));
    return 0;
}
