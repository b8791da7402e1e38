#include "rawtx/sink.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int daytona_rawtx_descriptor(const struct daytona_rawtx *sink)
{
    return sink->descriptor;
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
    if (sink == NULL)
        return;
    close(sink->descriptor);
    free(sink);
}

void rawtx_count_sent(struct daytona_rawtx *sink, const struct daytona_packet_out *packet)
{
    sink->counters.packets++;
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
