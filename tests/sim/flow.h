/*
 * flow.h - every TCP connection as a witness on the wire sees it, and what the witness holds
 * against a stack: headers well formed, sums right, bytes as the application wrote them, no
 * acknowledgement of what never arrived, no data beyond the peer's window, no window taken
 * back, timestamps that only grow.
 */
#ifndef SIM_FLOW_H
#define SIM_FLOW_H

#include "tests/sim/packet.h"

struct sim_world;
struct sim_connection;

/** Half-open ranges of sequence numbers relative to the initial one, sorted and disjoint. */
struct sim_range {
    uint32_t start, end;
};

/** What one end sends. Sequence numbers are relative to `isn`. */
struct sim_direction {
    bool known; /**< its SYN was seen */
    uint32_t incarnation, isn;
    int window_scale; /**< of its SYN, -1 absent */
    bool sack_permitted;
    uint16_t mss;        /**< of its SYN */
    uint32_t sent_end;   /**< one past the highest number sent */
    uint32_t right_edge; /**< highest permission that has arrived from the peer */
    uint32_t una;        /**< highest acknowledgement that has arrived from the peer */
    struct daytona_instant stalled_since; /**< una has not moved, although something is sent */
    uint32_t small_end;                   /**< end of the last partial segment of new data */
    uint32_t send_mss;                    /**< what the stack said of itself by then */
    uint32_t acked;                       /**< highest acknowledgement that this side has sent */
    uint32_t promised;                    /**< highest right edge that this side has advertised */
    uint32_t timestamp;                   /**< last one sent */
    uint32_t timestamp_seen;              /**< highest that has arrived at the peer */
    bool timestamp_known, timestamp_seen_known;
    uint64_t payload_bytes;            /**< sent, repetitions included */
    uint64_t empties;                  /**< segments sent that say nothing but ACK */
    uint64_t heard_packets;            /**< handed to this side's stack, damaged ones too */
    struct daytona_instant begun;      /**< when its SYN was sent */
    struct daytona_instant owed_since; /**< this side owes an ACK, 0: no */
    struct sim_range *arrived;         /**< at the peer, intact */
    uint32_t arrived_count, arrived_capacity;
};

struct sim_flow {
    struct sim_flow *next;              /**< of the same bucket */
    unsigned hosts[2];                  /**< of its two ends, the lower number first */
    uint16_t ports[2];                  /**< of its two ends */
    struct sim_connection *connection;  /**< NULL when no application's */
    struct sim_direction directions[2]; /**< by sending end */
    struct daytona_instant heard[2];    /**< when end i last got something intact */
    bool reused;                        /**< a second connection of the same two ports: old
                                             packets mix, so its numbers are not judged */
};

#define SIM_FLOW_BUCKETS 1024

struct sim_flows {
    struct sim_flow *buckets[SIM_FLOW_BUCKETS];
};

/** The end of the flow that a host is. */
unsigned sim_flow_end(const struct sim_flow *flow, unsigned host);

/** NULL when the wire has seen nothing of the connection. */
const struct sim_flow *sim_flow_of(const struct sim_flows *flows,
                                   const struct sim_connection *connection);

/** Judges a packet that `host` sends and marks it with its flow. */
void sim_flow_sent(struct sim_world *world, unsigned host, struct sim_packet *packet);

/** Takes note of a packet that is handed to a stack. */
void sim_flow_arrived(struct sim_world *world, const struct sim_packet *packet);

void sim_flows_release(struct sim_flows *flows);

#endif
