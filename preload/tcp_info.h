/*
 * tcp_info.h - the bytes of TCP_INFO, laid out as Linux's struct tcp_info, and of TCP_CC_INFO, as
 * its union tcp_cc_info.
 */
#ifndef DAYTONA_PRELOAD_TCP_INFO_H
#define DAYTONA_PRELOAD_TCP_INFO_H

#include <daytona/stack.h>

/** Bytes of the largest layout known here. */
#define TCP_INFO_BYTES_MAX 320

/** Writes the layout into `out` (TCP_INFO_BYTES_MAX bytes) and returns its length. What the
 *  stack does not measure is what Linux tells before it has measured it. */
size_t tcp_info_write(const struct daytona_connection_info *info, uint8_t *out);

/** Bytes of the largest of those. */
#define TCP_CONTROLLER_BYTES_MAX 20

/** Writes into `out` (TCP_CONTROLLER_BYTES_MAX bytes) what the congestion controller tells; returns
 *  its length, 0 when that is nothing. */
size_t tcp_controller_write(const struct daytona_connection_info *info, uint8_t *out);

#endif
