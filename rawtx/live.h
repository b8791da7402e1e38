/*
 * live.h - the live sink and its two ways. Packets are added to a way's batch and leave when the
 * batch is flushed: when it is full, before a packet goes the other way, and at the end. So they
 * leave in order, with few system calls.
 */
#ifndef RAWTX_LIVE_H
#define RAWTX_LIVE_H

#include "rawtx/next_hop.h"
#include "rawtx/sink.h"

#define LIVE_BATCH_MAX 64

/** Where refusals of one daytona_rawtx_send() are gathered: one for a packet at most. */
struct refusals {
    struct daytona_rawtx *sink;
    struct daytona_rawtx_refusal *list;
    int count;
};

/** Counts and gathers it. */
void refusals_add(struct refusals *refusals, struct daytona_rawtx_refusal refusal);

struct raw_way;

/** 0 or -errno. */
int raw_way_open(struct raw_way **out);
void raw_way_close(struct raw_way *way);
int raw_way_descriptor(const struct raw_way *way);

/** Adds `packet`, the one at `index` of those to be sent; it stays borrowed until the flush. */
void raw_way_add(struct raw_way *way, const struct daytona_packet_out *packet, size_t index,
                 struct refusals *refusals);
void raw_way_flush(struct raw_way *way, struct refusals *refusals);

struct packet_way;

/** 0 or -errno. */
int packet_way_open(struct packet_way **out);
void packet_way_close(struct packet_way *way);
int packet_way_descriptor(const struct packet_way *way);

/** Whether a frame to `hop` can hold it. */
bool packet_way_takes(const struct packet_way *way, const struct next_hop *hop,
                      const struct daytona_packet_out *packet);
void packet_way_add(struct packet_way *way, const struct daytona_packet_out *packet, size_t index,
                    const struct next_hop *hop);

/** Called with each packet that the device does not take as it is: the raw way may. */
typedef void packet_way_instead(void *context, const struct daytona_packet_out *packet,
                                size_t index);
void packet_way_flush(struct packet_way *way, struct refusals *refusals,
                      packet_way_instead *instead, void *context);

#endif
