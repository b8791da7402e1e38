/*
 * link.h - one direction of the way between two nodes: a queue in front of a line with a rate
 * and a delay, and a seeded fate for every packet.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "tests/sim/codel.h"
#include "tests/sim/packet.h"
#include "tests/sim/queue.h"
#include "tests/sim/samples.h"

/** Probabilities are parts per million and apply to each packet on its own. */
struct sim_link_config {
    uint64_t bytes_per_second; /**< 0: no limit */
    uint64_t delay_us;         /**< one way */
    uint64_t jitter_us;        /**< added to the delay, uniform */
    uint64_t queue_bytes;      /**< waiting for the line; more are dropped. 0: no limit */
    uint64_t queue_packets;    /**< the same in packets */
    uint64_t mark_bytes;       /**< a longer queue is a mark for those who join it, as switches for
                                    DCTCP do it (RFC 8257 section 3.1). 0: never */
    uint64_t codel_target_us;  /**< 0: the queue drops its tail only. Else CoDel, RFC 8289 */
    uint64_t codel_interval_us;
    uint64_t mtu;         /**< larger packets are refused, with ICMP, or cut in fragments */
    uint64_t loss;        /**< independent losses; of a burst model, those in the good state */
    uint64_t burst_enter; /**< Gilbert-Elliott: into the bad state, before each packet */
    uint64_t burst_leave; /**< back to the good state */
    uint64_t burst_loss;  /**< losses in the bad state */
    uint64_t reorder;     /**< held back while others pass */
    uint64_t reorder_us;  /**< for how long at most */
    uint64_t duplicate, corrupt;
    uint64_t cut;           /**< the capture delivers only a part */
    uint64_t fragment;      /**< fragmented although it fits, whatever its "don't fragment" says */
    bool codel_marks;       /**< CoDel marks ECN-capable packets where it would drop */
    bool jitter_reorders;   /**< false: a packet waits for the one before it */
    bool partial_checksums; /**< as between two hosts that offload checksums */
    bool refuses_at_once;   /**< the sender's own device refuses larger packets (EMSGSIZE) */
    bool refuses_silently;  /**< a black hole: no ICMP about larger packets (RFC 2923) */
    bool outage_is_told;    /**< ICMP "host unreachable" while unplugged */
    bool down;              /**< unplugged: what should leave is lost */
    bool held;              /**< the line rests: what should leave waits */
};

struct sim_link_counters {
    uint64_t offered, offered_bytes;
    uint64_t lost, lost_in_outage, queue_full, codel_dropped, too_big, undetectable;
    uint64_t marked;                /**< told of congestion (ECN) */
    uint64_t duplicates, fragments; /**< packets that the link added */
    uint64_t corrupted, cut, held_back;
    uint64_t scheduled; /**< put on their way to the node */
    uint64_t errors;    /**< ICMP messages back to the sender */
};

struct sim_link {
    struct sim_link_config config;
    struct sim_link_counters counters;
    struct sim_random random;
    struct sim_queue *events;         /**< borrowed */
    unsigned from, to;                /**< node numbers */
    struct daytona_instant line_free; /**< when the last byte of the packet before has left */
    struct daytona_instant last_arrival;
    struct sim_packet *first, *last; /**< owned: wait for the line */
    uint64_t waiting_bytes, waiting_packets;
    bool awaits_line; /**< a LINE event is under way */
    bool bad;         /**< Gilbert-Elliott's state */
    struct sim_codel codel;
    struct sim_samples *sojourn;  /**< microseconds in the queue by packet; NULL: not wanted */
    uint64_t refused_mtu;         /**< set when the last packet was refused at once */
    struct sim_packet *complaint; /**< ICMP about the last packet, for whoever called; else NULL */
    uint16_t identification;      /**< of the datagrams it has cut in fragments */
};

/** Takes ownership of `packet`: it joins the queue or goes its way at once. Its fate in one word,
 *  for the log. */
const char *sim_link_carry(struct sim_link *link, struct daytona_instant now,
                           struct sim_packet *packet);

/** SIM_EVENT_LINE: the line takes the next of the queue, if there is one. */
void sim_link_go_on(struct sim_link *link, struct daytona_instant now);

/** The configuration becomes another one in the middle of the run. */
void sim_link_change(struct sim_link *link, struct daytona_instant now,
                     const struct sim_link_config *config);

/** Frees what waits in the queue. */
void sim_link_release(struct sim_link *link);

/** Nothing is ever dropped, changed, delayed out of order or doubled. */
bool sim_link_is_clean(const struct sim_link_config *config);

#endif
