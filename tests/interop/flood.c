/*
 * flood.c - a SYN flood: connection attempts from addresses that never answer.
 *
 *   flood DEVICE STATION ADDRESS PORT RATE SECONDS
 *
 * Sends RATE SYNs a second on DEVICE to the station (a MAC address), from any address of
 * 198.18.0.0/15 (RFC 2544: for tests alone) and any port, and prints how many and how long.
 */
#include "tests/interop/forged.h"

enum { BURST_NS = 1000000 };

/* As Linux sends them: MSS, SACK permitted, timestamps, window scale. */
static struct forged forge_syn(uint32_t address, uint16_t port)
{
    static const uint8_t options[20] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
                                        1, 0, 0, 0,   0, 0, 1, 3,  3, 7};
    uint32_t from = 0xc6120000u | ((uint32_t)forged_random() & 0x1ffff);
    uint16_t from_port = (uint16_t)(1024 + forged_random() % 60000);
    struct forged packet = forged_tcp(from, address, from_port, port, (uint32_t)forged_random(), 0,
                                      SYN, sizeof options, 0);
    memcpy(packet.bytes + FORGED_IP + FORGED_TCP, options, sizeof options);
    forged_sums(&packet);
    return packet;
}

int main(int count, char **words)
{
    if (count != 7) {
        fprintf(stderr, "usage: flood DEVICE STATION ADDRESS PORT RATE SECONDS\n");
        return 2;
    }
    struct forged_link link = forged_open(words[1], words[2]);
    uint32_t address = forged_address(words[3]);
    uint16_t port = (uint16_t)strtoul(words[4], NULL, 10);
    uint64_t rate = strtoull(words[5], NULL, 10), seconds = strtoull(words[6], NULL, 10);
    uint64_t start = forged_now_ns(), end = start + seconds * 1000000000u, sent = 0;
    for (uint64_t now = start; now < end; now = forged_now_ns()) {
        for (uint64_t due = (now - start) / 1000u * rate / 1000000u; sent < due; sent++) {
            struct forged packet = forge_syn(address, port);
            forged_send(&link, &packet);
        }
        forged_wait_until(now + BURST_NS);
    }
    printf("{\"sent\": %llu, \"milliseconds\": %llu}\n", (unsigned long long)sent,
           (unsigned long long)((forged_now_ns() - start) / 1000000u));
    return 0;
}
