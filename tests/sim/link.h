/*
 * link.h - one direction of the way between the two hosts: a queue in front of a line with a
 * rate and a delay, and a seeded fate for every packet.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "tests/sim/packet.h"
#include "tests/sim/queue.h"

/** Probabilities are parts per million and apply to each packet on its own. */
struct sim_link_config {
    uint64_t bytes_per_second; /**< 0: no limit */
    uint32_t delay_us;         /**< one way */
    uint32_t jitter_us;        /**< added to the delay, uniform */
    uint32_t queue_bytes;      /**< waiting for the line; more are dropped. 0: no limit */
    uint32_t mtu;              /**< larger packets are refused, with ICMP, or cut in fragments */
    uint32_t loss;             /**< independent losses */
    uint32_t burst_start;      /**< a burst of losses begins with this packet */
    uint32_t burst_packets;    /**< length of a burst at most */
    uint32_t reorder;          /**< held back while others pass */
    uint32_t reorder_us;       /**< for how long at most */
    uint32_t duplicate, corrupt;
    uint32_t cut;           /**< the capture delivers only a part */
    uint32_t fragment;      /**< fragmented although it fits, whatever its "don't fragment" says */
    bool jitter_reorders;   /**< false: a packet waits for the one before it */
    bool partial_checksums; /**< as between two hosts that offload checksums */
    bool refuses_at_once;   /**< the sender's own device refuses larger packets (EMSGSIZE) */
    bool outage_is_told;    /**< ICMP "host unreachable" while unplugged */
    struct daytona_instant outage_start, outage_end; /**< unplugged in between */
};

struct sim_link_counters {
    uint64_t offered;
    uint64_t lost, lost_in_outage, queue_full, too_big, undetectable;
    uint64_t duplicates, fragments; /**< packets that the link added */
    uint64_t corrupted, cut, held_back;
    uint64_t scheduled; /**< put on their way to the host */
    uint64_t errors;    /**< ICMP messages back to the sender */
};

struct sim_link {
    struct sim_link_config config;
    struct sim_link_counters counters;
    struct sim_random random;
    struct sim_queue *queue;          /**< borrowed */
    unsigned from, to;                /**< host numbers */
    struct daytona_instant line_free; /**< when the last byte accepted has left */
    struct daytona_instant last_arrival;
    uint32_t burst_left;
    uint32_t refused_mtu;    /**< set when the last packet was refused at once */
    uint16_t identification; /**< of the datagrams it has cut in fragments */
};

/** Takes ownership of `packet` and decides its fate; returns it in one word, for the log. */
const char *sim_link_carry(struct sim_link *link, struct daytona_instant now,
                           struct sim_packet *packet);

/** Nothing is ever dropped, changed, delayed out of order or doubled. */
bool sim_link_is_clean(const struct sim_link_config *config);

#endif
