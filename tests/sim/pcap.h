/*
 * pcap.h - writes the packets of a simulation to a file for wireshark: link type raw IP,
 * nanosecond stamps of virtual time. What is written is what was sent, before the link.
 */
#ifndef SIM_PCAP_H
#define SIM_PCAP_H

#include "tests/sim/packet.h"

/** A descriptor, or -errno. Written without buffering, so that a crash loses nothing. */
int sim_pcap_open(const char *path);

/** Does nothing when `descriptor` is negative. */
void sim_pcap_write(int descriptor, struct daytona_instant now, const struct sim_packet *packet);

void sim_pcap_close(int descriptor);

#endif
