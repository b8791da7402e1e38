/*
 * sink.h - what the two implementations of a packet sink share: a table of operations and the
 * counters.
 */
#ifndef RAWTX_SINK_H
#define RAWTX_SINK_H

#include <daytona/rawtx.h>
#include <sys/uio.h>

/** See rawtx.h. */
struct rawtx_operations {
    int (*send)(struct daytona_rawtx *sink, struct daytona_instant now,
                const struct daytona_packet_out *packets, size_t count,
                struct daytona_rawtx_refusal *refusals);
    void (*heard)(struct daytona_rawtx *sink, uint32_t peer, int interface_index,
                  const uint8_t *link_address); /**< may be NULL */
    size_t (*descriptors)(const struct daytona_rawtx *sink, int *out);
    void (*close)(struct daytona_rawtx *sink); /**< frees it, too */
};

/** First member of either implementation's own struct. */
struct daytona_rawtx {
    const struct rawtx_operations *operations;
    struct daytona_rawtx_counters counters;
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

/** Whether the packet has to be split or its checksum completed before a network takes it. */
static inline bool rawtx_packet_is_unfinished(const struct daytona_packet_out *packet)
{
    return packet->segment_bytes != 0 || packet->checksum_partial;
}

/** Counts a packet that left. */
void rawtx_count_sent(struct daytona_rawtx *sink, const struct daytona_packet_out *packet);

/** Counts a packet that the kernel refused with the positive `error`. */
void rawtx_count_refused(struct daytona_rawtx *sink, int error);

#endif
