#include "rawtx/sink.h"

#include <assert.h>
#include <errno.h>

size_t daytona_rawtx_descriptors(const struct daytona_rawtx *sink,
                                 int out[DAYTONA_RAWTX_DESCRIPTORS_MAX])
{
    return sink->operations->descriptors(sink, out);
}

void daytona_rawtx_heard(struct daytona_rawtx *sink, const struct daytona_address *peer,
                         int interface_index, const uint8_t *link_address)
{
    if (sink->operations->heard != NULL)
        sink->operations->heard(sink, daytona_address_to_ipv4(peer), interface_index, link_address);
}

int daytona_rawtx_send(struct daytona_rawtx *sink, struct daytona_instant now,
                       const struct daytona_packet_out *packets, size_t count,
                       struct daytona_rawtx_refusal *refusals)
{
    assert(count <= DAYTONA_RAWTX_BATCH_MAX);
    return count == 0 ? 0 : sink->operations->send(sink, now, packets, count, refusals);
}

void daytona_rawtx_counters(const struct daytona_rawtx *sink, struct daytona_rawtx_counters *out)
{
    *out = sink->counters;
}

void daytona_rawtx_close(struct daytona_rawtx *sink)
{
    if (sink != NULL)
        sink->operations->close(sink);
}

void rawtx_count_sent(struct daytona_rawtx *sink, const struct daytona_packet_out *packet)
{
    sink->counters.packets++;
    sink->counters.super_packets += daytona_packet_parts(packet) > 1;
    sink->counters.bytes += rawtx_packet_bytes(packet);
}

void rawtx_count_refused(struct daytona_rawtx *sink, int error)
{
    switch (error) {
    case EMSGSIZE:
        sink->counters.too_big++;
        return;
    case ENOBUFS:
    case EAGAIN:
    case ENOMEM:
        sink->counters.no_buffers++;
        return;
    case EPERM:
    case EACCES:
        sink->counters.forbidden++;
        return;
    }
    sink->counters.failed++;
}
