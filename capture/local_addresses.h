/*
 * local_addresses.h - which destinations are this host's own. A router, or a host of containers,
 * is sent packets that it has to pass on; a listener on every address must not answer those.
 *
 * The kernel is asked for the route to an address when it is first met, with one netlink message
 * each way on a socket that stays open, and again when the answer is a second old.
 */
#ifndef CAPTURE_LOCAL_ADDRESSES_H
#define CAPTURE_LOCAL_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

/** Answers remembered; a power of two. */
#define LOCAL_ADDRESSES_KEPT 256

struct local_addresses {
    int descriptor; /**< the netlink socket; owned */
    uint32_t sequence;
    struct local_answer {
        uint32_t address;
        bool local;
        uint64_t asked_at_ns; /**< 0: no answer here */
    } kept[LOCAL_ADDRESSES_KEPT];
};

/** Opens the socket; `addresses` is zeroed. 0 or -errno. */
int local_addresses_init(struct local_addresses *addresses);

/** Whether IPv4 packets to `address` (host byte order) are for this host, at the time `now_ns` of
 * any one clock. True when the kernel cannot be asked. Never blocks, opens nothing. */
bool local_addresses_have(struct local_addresses *addresses, uint32_t address, uint64_t now_ns);

void local_addresses_release(struct local_addresses *addresses);

#endif
