/*
 * sink.h - what the two implementations of a packet sink share: a table of operations, the
 * counters, one descriptor.
 */
#ifndef RAWTX_SINK_H
#define RAWTX_SINK_H

#include <daytona/rawtx.h>
#include <sys/uio.h>

/** See daytona_rawtx_send(). */
struct rawtx_operations {
    int (*send)(struct daytona_rawtx *sink, struct daytona_instant now,
                const struct daytona_packet_out *packets, size_t count,
                struct daytona_rawtx_refusal *refusals);
};

/** First member of either implementation's own struct; owns `descriptor`. */
struct daytona_rawtx {
    const struct rawtx_operations *operations;
    struct daytona_rawtx_counters counters;
    int descriptor;
};

/** Bytes of `packet` on the wire. */
static inline size_t rawtx_packet_bytes(const struct daytona_packet_out *packet)
{
    return (size_t)packet->header_length + packet->payload_length;
}

/** A part of a packet for writev() and sendmsg(): they only read it, but struct iovec has no
 *  const. */
static inline struct iovec rawtx_piece(const void *bytes, size_t length)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
}

/** Counts a packet that left. */
void rawtx_count_sent(struct daytona_rawtx *sink, const struct daytona_packet_out *packet);

/** Counts a packet that the kernel refused with the positive `error`. */
void rawtx_count_refused(struct daytona_rawtx *sink, int error);

#endif
