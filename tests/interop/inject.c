/*
 * inject.c - an attacker who knows a connection's ends and looks at its numbers, and puts segments
 * into it that somebody who guesses well might (RFC 5961): in the window, not where they would be
 * right.
 *
 *   inject DEVICE STATION VICTIM PORT COUNT [exact]
 *
 * DEVICE leads to the victim, whose station is a MAC address; PORT is either end's. Whenever the
 * connection has been silent for some milliseconds, one segment of each kind is sent to the
 * victim, until COUNT of each were; prints that, and what the victim answered. With "exact"
 * a single reset is sent, at the very number that the victim waits for.
 */
#include "tests/interop/forged.h"

enum { QUIET_MS = 5, WAIT_MS = 20000, TIMESTAMPS = 12 };

/* What the victim's last segment said. */
struct connection {
    bool known;
    uint32_t victim, peer;
    uint16_t victim_port, peer_port;
    uint32_t seq, ack;          /* what it will send next, what it waits for */
    uint8_t stamps[TIMESTAMPS]; /* its timestamps, turned about; none when the first byte is 0 */
};

static unsigned answers;

static void watch(struct connection *connection, const struct forged *packet, uint32_t victim,
                  uint16_t port)
{
    const uint8_t *ip = packet->bytes, *tcp = ip + (ip[0] & 15) * 4;
    uint16_t from = (uint16_t)forged_read_16(tcp), to = (uint16_t)forged_read_16(tcp + 2);
    if (ip[9] != IPPROTO_TCP || packet->length < FORGED_IP + FORGED_TCP ||
        (from != port && to != port) || forged_read_32(ip + 12) != victim || (tcp[13] & RST) != 0)
        return;
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
    uint32_t text = forged_read_16(ip + 2) - FORGED_IP - header;
    uint32_t space = text + ((tcp[13] & SYN) != 0) + ((tcp[13] & FIN) != 0);
    *connection = (struct connection){.known = true,
                                      .victim = victim,
                                      .peer = forged_read_32(ip + 16),
                                      .victim_port = from,
                                      .peer_port = to,
                                      .seq = forged_read_32(tcp + 4) + space,
                                      .ack = forged_read_32(tcp + 8)};
    if (header >= FORGED_TCP + TIMESTAMPS && memcmp(tcp + 20, (uint8_t[]){1, 1, 8, 10}, 4) == 0) {
        memcpy(connection->stamps, tcp + 20, 4);
        memcpy(connection->stamps + 4, tcp + 28, 4);
        memcpy(connection->stamps + 8, tcp + 24, 4);
    }
}

static void inject(const struct forged_link *link, const struct connection *connection,
                   uint8_t flags, uint32_t seq, uint32_t ack, size_t text)
{
    size_t options = connection->stamps[0] != 0 ? TIMESTAMPS : 0;
    struct forged packet = forged_tcp(connection->peer, connection->victim, connection->peer_port,
                                      connection->victim_port, seq, ack, flags, options, text);
    if (options > 0)
        memcpy(packet.bytes + FORGED_IP + FORGED_TCP, connection->stamps, TIMESTAMPS);
    forged_sums(&packet);
    forged_send(link, &packet);
}

/* Each kind once. Distances are beyond what the ends say at a time, and within a small window. */
static unsigned inject_all(const struct forged_link *link, const struct connection *at)
{
    uint32_t ahead = 3000 + (uint32_t)(forged_random() % 20000);
    uint32_t never = at->seq + 100000 + (uint32_t)(forged_random() % 1000000); /* not sent yet */
    uint32_t old = at->seq - 0x20000000;
    const struct {
        uint8_t flags;
        uint32_t seq, ack;
        size_t text;
    } kinds[] = {
        {RST, at->ack + ahead, 0, 0},
        {RST | ACK, at->ack + ahead, at->seq, 0},
        {RST, at->ack - 1, 0, 0},
        {SYN, at->ack + ahead, 0, 0},
        {SYN, at->ack, 0, 0},
        {SYN | ACK, at->ack, at->seq, 0},
        {ACK | PSH, at->ack, never, 100},
        {ACK | PSH, at->ack, old, 100},
        {PSH, at->ack, 0, 100},
        {FIN, at->ack, 0, 0},
        {FIN | ACK, at->ack, never, 0},
        {FIN | ACK, at->ack, old, 0},
        {FIN | ACK, at->ack + ahead, at->seq, 0},
        {ACK | PSH, at->ack + ahead, never, 100},
        {ACK, at->ack, never, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        inject(link, at, kinds[i].flags, kinds[i].seq, kinds[i].ack, kinds[i].text);
    return sizeof kinds / sizeof kinds[0];
}

/* What comes back to the injected segments, until silence again: empty ones, for what the
 * application says meanwhile is no answer to us. */
static void count_answers(const struct forged_link *link, struct connection *connection,
                          uint32_t victim, uint16_t port)
{
    struct forged packet;
    while (forged_receive(link, &packet, QUIET_MS)) {
        uint32_t header = FORGED_IP + (uint32_t)(packet.bytes[FORGED_IP + 12] >> 4) * 4;
        answers += forged_read_32(packet.bytes + 12) == victim &&
                   forged_read_16(packet.bytes + 2) == header;
        watch(connection, &packet, victim, port);
    }
}

int main(int count, char **words)
{
    if (count != 6 && count != 7) {
        fprintf(stderr, "usage: inject DEVICE STATION VICTIM PORT COUNT [exact]\n");
        return 2;
    }
    struct forged_link link = forged_open(words[1], words[2]);
    uint32_t victim = forged_address(words[3]);
    uint16_t port = (uint16_t)strtoul(words[4], NULL, 10);
    unsigned rounds = (unsigned)strtoul(words[5], NULL, 10), done = 0, kinds = 0;
    struct connection connection = {0};
    struct forged packet;
    uint64_t until = forged_now_ns() + WAIT_MS * UINT64_C(1000000);
    while (done < rounds && forged_now_ns() < until) {
        if (forged_receive(&link, &packet, QUIET_MS)) {
            watch(&connection, &packet, victim, port);
        } else if (connection.known && count == 7) {
            inject(&link, &connection, RST, connection.ack, 0, 0);
            done = rounds;
        } else if (connection.known) {
            kinds = inject_all(&link, &connection);
            count_answers(&link, &connection, victim, port);
            done++;
        }
    }
    printf("{\"rounds\": %u, \"kinds\": %u, \"answers\": %u}\n", done, kinds, answers);
    return done == rounds ? 0 : 1;
}
