/*
 * link_layer.h - from a captured frame to the IPv4 packet in it, for each link type that Linux
 * devices and capture files have.
 */
#ifndef CAPTURE_LINK_LAYER_H
#define CAPTURE_LINK_LAYER_H

#include <daytona/capture.h>

/**
 * Finds the IPv4 packet in `frame`, whose link type is `datalink` (a DLT_ value of
 * pcap/dlt.h) and whose length on the wire was `wire_length`. Fills the members ip,
 * wire_length, link_address and, where the link header tells it, interface_index of `*out`.
 * False when the frame is nothing for this host's IPv4: another protocol, a VLAN tag (the packet
 * shows up again on the VLAN's own device), sent by this host, meant for another host or for a
 * group, or of an unknown link type. Never reads beyond the frame.
 */
bool link_layer_find_ipv4(int datalink, struct daytona_span frame, size_t wire_length,
                          struct daytona_captured *out);

/** Whether the link type is one of those. */
bool link_layer_known(int datalink);

/** Bytes in front of the IP header as the kernel's socket filter sees a live frame; -1 for a
 *  link type that live capture does not meet. Cooked sockets show the filter no link header. */
int link_layer_filter_offset(int datalink);

#endif
