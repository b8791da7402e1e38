/*
 * next_hop.h - where the kernel would send a packet: the device, and the link-layer header that
 * the frame needs there. Asked through netlink, which also tells when an answer may have changed.
 */
#ifndef RAWTX_NEXT_HOP_H
#define RAWTX_NEXT_HOP_H

#include <stdbool.h>
#include <stdint.h>

#define ETHERNET_HEADER_BYTES  14
#define ETHERNET_ADDRESS_BYTES 6

struct next_hop {
    int interface_index;
    uint32_t mtu;                          /**< of the device, in bytes */
    uint8_t header[ETHERNET_HEADER_BYTES]; /**< ready to send */
};

/** A netlink socket that also hears of changed addresses, routes, rules, neighbours and links;
 * -errno.
 */
int next_hop_open(void);

/** The next hop towards `destination` from `source` (IPv4, host order). False when the kernel does
 *  not know it by now, or when there is more to it than an Ethernet header on a plain device: a
 *  tunnel, a VLAN, a bridge or bond, a tun device, an encapsulating route. Does not wait. */
bool next_hop_ask(int netlink, uint32_t destination, uint32_t source, struct next_hop *out);

/** Whether anything has changed since it was asked last. */
bool next_hop_changed(int netlink);

#endif
