/*
 * live.h - a live capture, between its opening (capture_live_open.c) and its running
 * (capture_live.c).
 *
 * All interfaces: one handle on libpcap's device "any", which also sees devices that come up
 * later and tells the interface of each packet. Named interfaces: one handle each, behind one
 * epoll descriptor when there are several.
 *
 * The packet sockets are bound to the protocol IPv4 rather than to all protocols. The kernel
 * then gives them what it gives its own IPv4 and nothing else: no packet that this host sends,
 * no second copy from a port of a bridge or a member of a bond, VLANs only on their own device.
 */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include "capture/filter.h"
#include "capture/local_addresses.h"
#include "capture/pcap_library.h"
#include "capture/source.h"

struct live_handle {
    pcap_t *pcap;
    int descriptor;
    int datalink;
    int interface_index;      /* 0: the link header tells it */
    struct daytona_room ring; /* where libpcap has mapped it; no data: unknown */
    bool down;                /* has been reported as down, and no packet since */
    bool gone;                /* has been reported as gone; never comes back */
};

struct live_capture {
    struct daytona_capture base;
    const struct pcap_library *library;
    uint32_t snapshot_bytes;
    bool lock_filter;
    struct filter_ports ports;
    struct local_addresses local_addresses;
    uint8_t *kept; /* snapshot_bytes of the packet that next() has returned */
    int news;      /* -errno that the next call without packets returns; 0: none */
    size_t turn;   /* the handle to begin with, so that none is starved */
    size_t handle_count;
    struct live_handle handles[];
};

extern const struct capture_operations live_operations;

/** Makes the ports in `capture->ports` the ones that `handle` captures, in one step. 0 or -errno.
 */
int live_attach_filter(const struct live_capture *capture, const struct live_handle *handle);

#endif
