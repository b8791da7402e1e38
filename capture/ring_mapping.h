/*
 * ring_mapping.h - where the ring of a packet socket has been mapped. libpcap does not tell.
 */
#ifndef CAPTURE_RING_MAPPING_H
#define CAPTURE_RING_MAPPING_H

#include <daytona/types.h>

/** The mapping of the socket `descriptor` in this process, as /proc tells it. No data: it has none,
 * or there is no /proc. */
struct daytona_room ring_mapping_find(int descriptor);

#endif
