/* The live sink: which way each packet goes. */
#include "rawtx/live.h"
#include "rawtx/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DAYTONA_RAWTX_BATCH_MAX <= LIVE_BATCH_MAX, "all packets of a call fit in a batch");

struct live_sink {
    struct daytona_rawtx base;
    struct raw_way *raw;
    struct packet_way *packet; /* NULL: the raw way alone, and no paths */
    struct paths *paths;
};

void refusals_add(struct refusals *refusals, struct daytona_rawtx_refusal refusal)
{
    rawtx_count_refused(refusals->sink, refusal.error);
    if (refusals->count > 0 && refusals->list[refusals->count - 1].index == refusal.index)
        return; /* another part of it */
    refusals->list[refusals->count++] = refusal;
}

/* The hop to which the packet goes in a frame of our making; NULL: the kernel shall see to it. A
 * small packet is not worth asking, and one sent after a timeout may have been on a path that is
 * none any more. */
static const struct next_hop *hop_for(struct live_sink *sink, struct daytona_instant now,
                                      const struct daytona_packet_out *packet)
{
    if (sink->packet == NULL)
        return NULL;
    uint32_t peer = daytona_address_to_ipv4(&packet->destination);
    if (packet->after_timeout) {
        paths_doubt(sink->paths, peer);
        return NULL;
    }
    const struct next_hop *hop =
        paths_find(sink->paths, now, peer, daytona_address_to_ipv4(&packet->source),
                   packet->segment_bytes != 0);
    return hop != NULL && packet_way_takes(sink->packet, hop, packet) ? hop : NULL;
}

struct instead {
    struct live_sink *sink;
    struct refusals *refusals;
};

static void send_raw_instead(void *context, const struct daytona_packet_out *packet, size_t index)
{
    struct instead *instead = context;
    paths_doubt(instead->sink->paths, daytona_address_to_ipv4(&packet->destination));
    raw_way_add(instead->sink->raw, packet, index, instead->refusals);
}

static void flush_packet_way(struct live_sink *sink, struct refusals *refusals)
{
    struct instead instead = {sink, refusals};
    if (sink->packet != NULL)
        packet_way_flush(sink->packet, refusals, send_raw_instead, &instead);
}

static int live_send(struct daytona_rawtx *base, struct daytona_instant now,
                     const struct daytona_packet_out *packets, size_t count,
                     struct daytona_rawtx_refusal *list)
{
    struct live_sink *sink = (struct live_sink *)base;
    struct refusals refusals = {.sink = base, .list = list};
    for (size_t i = 0; i < count; i++) {
        const struct next_hop *hop = hop_for(sink, now, &packets[i]);
        if (hop != NULL) {
            raw_way_flush(sink->raw, &refusals);
            packet_way_add(sink->packet, &packets[i], i, hop);
        } else {
            flush_packet_way(sink, &refusals);
            raw_way_add(sink->raw, &packets[i], i, &refusals);
        }
    }
    flush_packet_way(sink, &refusals);
    raw_way_flush(sink->raw, &refusals);
    return refusals.count;
}

static void live_heard(struct daytona_rawtx *base, uint32_t peer, int interface_index,
                       const uint8_t *link_address)
{
    struct live_sink *sink = (struct live_sink *)base;
    if (sink->paths != NULL)
        paths_heard(sink->paths, peer, interface_index, link_address);
}

static size_t live_descriptors(const struct daytona_rawtx *base, int *out)
{
    const struct live_sink *sink = (const struct live_sink *)base;
    out[0] = raw_way_descriptor(sink->raw);
    if (sink->packet == NULL)
        return 1;
    out[1] = packet_way_descriptor(sink->packet);
    out[2] = paths_descriptor(sink->paths);
    return 3;
}

static void live_close(struct daytona_rawtx *base)
{
    struct live_sink *sink = (struct live_sink *)base;
    raw_way_close(sink->raw);
    if (sink->packet != NULL)
        packet_way_close(sink->packet);
    paths_close(sink->paths);
    free(sink);
}

static const struct rawtx_operations live_operations = {
    .send = live_send,
    .heard = live_heard,
    .descriptors = live_descriptors,
    .close = live_close,
};

static int refuse_open(int error, char *message, size_t message_size)
{
    if (error == EPERM || error == EACCES)
        snprintf(message, message_size,
                 "sending packets needs the privilege CAP_NET_RAW: run as root, or give it with "
                 "setcap cap_net_raw,cap_net_admin+ep");
    else
        snprintf(message, message_size, "cannot open a raw IP socket: %s", strerror(error));
    return -error;
}

/* Without netlink or the packet socket there is the raw way still. */
static void open_packet_way(struct live_sink *sink)
{
    sink->paths = paths_open();
    if (sink->paths != NULL && packet_way_open(&sink->packet) != 0) {
        paths_close(sink->paths);
        sink->paths = NULL;
    }
}

int daytona_rawtx_open(enum daytona_rawtx_ways ways, struct daytona_rawtx **out, char *message,
                       size_t message_size)
{
    struct live_sink *sink = calloc(1, sizeof *sink);
    int error = sink == NULL ? -ENOMEM : raw_way_open(&sink->raw);
    if (error != 0) {
        free(sink);
        return refuse_open(-error, message, message_size);
    }
    if (ways == DAYTONA_RAWTX_PACKET)
        open_packet_way(sink);
    sink->base.operations = &live_operations;
    *out = &sink->base;
    return 0;
}
