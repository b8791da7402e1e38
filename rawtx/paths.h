/*
 * paths.h - which peers can be reached by a frame of our own making. A path is sure when three
 * agree: the kernel routes to the peer over a device, it knows the link address of the next machine
 * there, and the peer's own packets come from that device and that address. What is not sure is
 * left to the kernel, which also resolves addresses and answers for routes.
 */
#ifndef RAWTX_PATHS_H
#define RAWTX_PATHS_H

#include "rawtx/next_hop.h"
#include <daytona/types.h>

struct paths;

/** NULL: no memory, or no netlink. */
struct paths *paths_open(void);
void paths_close(struct paths *paths);

/** The netlink socket. */
int paths_descriptor(const struct paths *paths);

/** A packet from `peer` has come in over this device, from this link address (NULL: it has none).
 */
void paths_heard(struct paths *paths, uint32_t peer, int interface_index,
                 const uint8_t link_address[ETHERNET_ADDRESS_BYTES]);

/** The way from `source` to `peer`, or NULL when it is not sure. Borrowed until the next call.
 *  `ask`: it is worth some questions to the kernel. */
const struct next_hop *paths_find(struct paths *paths, struct daytona_instant now, uint32_t peer,
                                  uint32_t source, bool ask);

/** This path is in doubt until the kernel has been asked again. */
void paths_doubt(struct paths *paths, uint32_t peer);

#endif
