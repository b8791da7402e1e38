/*
 * congestion.h - what a congestion controller is: a const table of short functions over its
 * own small state. It sees what an ACK or a loss told, and sets the controls; it never sees
 * the connection. One C file an algorithm. Byte-counting throughout (RFC 3465).
 */
#ifndef DAYTONA_CONGESTION_H
#define DAYTONA_CONGESTION_H

#include <daytona/types.h>

/** Version of this interface: another one when a member comes, goes or changes its meaning. */
#define DAYTONA_CONGESTION_VERSION 3

/** The controller's private state, its words to use as it likes; zeroed before init(). */
struct daytona_congestion_state {
    uint64_t words[24];
};

/** What the controller sets. The sender clamps cwnd to at least one MSS. */
struct daytona_congestion_controls {
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes; /**< UINT32_MAX: not yet known */
    /** 0: the controller does not pace. The connection may be paced all the same, at a rate that
     *  follows from cwnd and the smoothed RTT; SO_MAX_PACING_RATE bounds either. */
    uint64_t pacing_bytes_per_second;
};

/** What is known when an ACK arrives or a loss is noticed. */
struct daytona_congestion_sample {
    struct daytona_instant now;
    uint32_t mss;                   /**< sender's maximum segment size, bytes */
    uint32_t acked_bytes;           /**< newly acknowledged, cumulatively or by SACK */
    uint32_t lost_bytes;            /**< marked lost since the last call */
    uint32_t in_flight_bytes;       /**< RFC 6675 "pipe" after this ACK */
    uint32_t prior_in_flight_bytes; /**< before it; of a loss, mark or timeout what the reduction
                                       starts from */
    uint32_t rtt_us;                /**< sample of this ACK, 0 none */
    uint32_t srtt_us, rtt_min_us;   /**< 0: not measured yet */
    uint64_t una, nxt;              /**< offsets on the stream, to tell round trips apart */

    /* Delivery rate (draft-ietf-ccwg-bbr section 4.1): of the most recently sent segment that
     * this ACK acknowledges. */
    uint64_t delivered_bytes;       /**< on this connection until now */
    uint64_t delivered_before;      /**< when that segment was sent */
    uint64_t lost_total_bytes;      /**< on this connection until now */
    uint64_t lost_before;           /**< when that segment was sent */
    uint32_t in_flight_when_sent;   /**< bytes in flight once that segment was sent */
    uint64_t rate_bytes_per_second; /**< 0: no valid sample */
    uint32_t rate_interval_us;      /**< over which it was taken */
    bool rate_app_limited;          /**< the sender had no data for a while: the path can do more */

    /* Of the most recently sent segment among lost_bytes; 0 when there is none. */
    uint32_t loss_in_flight_when_sent; /**< as in_flight_when_sent */
    uint64_t loss_lost_before;         /**< as lost_before */

    uint32_t ce_bytes;  /**< of acked_bytes, those that the receiver says were marked CE */
    bool cwnd_limited;  /**< the sender has filled cwnd within the last round trip: it may grow */
    bool in_recovery;   /**< fast recovery or loss recovery is going on */
    bool after_timeout; /**< in_recovery, and a timeout began it */
    bool without_sack;  /**< the peer does not say what arrived: a round trip shows one loss */
};

/** What a controller tells of itself, as far as Linux has words for it (TCP_CC_INFO). */
struct daytona_congestion_told {
    enum daytona_congestion_kind {
        DAYTONA_CONGESTION_TELLS_NOTHING,
        DAYTONA_CONGESTION_TELLS_DELAYS, /**< Vegas */
        DAYTONA_CONGESTION_TELLS_MARKS,  /**< DCTCP */
        DAYTONA_CONGESTION_TELLS_RATE,   /**< BBR */
    } kind;
    /* of delays */
    bool measured;         /**< delays decided this round trip */
    uint32_t round_trips;  /**< measured in it */
    uint32_t rtt_base_us;  /**< the shortest ever; also RATE's shortest of late */
    uint32_t rtt_round_us; /**< the shortest of this round trip */
    /* of marks */
    uint32_t alpha_1024;                /**< the share that is marked, in 1/1024 */
    uint32_t marked_bytes, acked_bytes; /**< since it was taken last */
    /* of the rate */
    uint64_t bytes_per_second; /**< of the bottleneck */
    uint32_t pacing_percent, cwnd_percent;
};

struct daytona_congestion {
    uint32_t version;   /**< DAYTONA_CONGESTION_VERSION */
    const char *name;   /**< as in TCP_CONGESTION, at most 15 characters */
    const char *source; /**< the RFC or paper */
    /** The controller models the path itself, as BBR does: acked() is called in fast recovery
     *  too, and the cwnd it sets is in force there, without proportional rate reduction. */
    bool models_path;
    /** Sends as ECN-capable when the peer agreed, wants every mark (RFC 8257), and the
     *  connection asks for ECN even when the setting says only to accept it. */
    bool needs_ecn;
    /** The sender keeps the window of an application that does not use it, and reduces it after a
     *  loss, by the rules of RFC 7661: restart() is not called, unless option
     *  WINDOW_VALIDATION is 0, and cwnd_limited is false as long
     *  as the window is not validated. For controllers whose window stands for what losses say. */
    bool validated_by_use;
    /** A connection is established, or the controller is switched to. Controls hold the
     *  initial (or the present) window. */
    void (*init)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                 const struct daytona_congestion_sample *);
    /** An ACK that acknowledged something new, outside fast recovery (see models_path); after a
     *  timeout `in_recovery` says whether its losses are still being repaired. While the window is
     *  reduced after a mark, too: DCTCP counts what is marked all the time. */
    void (*acked)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                  const struct daytona_congestion_sample *);
    /** Fast recovery begins (RFC 5681 section 3.2): set ssthresh and cwnd. */
    void (*loss)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                 const struct daytona_congestion_sample *);
    /** The network has marked a packet CE, at most once a window (RFC 3168 section 6.1.2): set
     *  ssthresh and cwnd. NULL: loss() is called. */
    void (*marked)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                   const struct daytona_congestion_sample *);
    /** Fast recovery, or the reduction after a mark, has ended: set the cwnd to go on with. */
    void (*recovered)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                      const struct daytona_congestion_sample *);
    /** The retransmission timer fired (RFC 5681 section 3.1): set ssthresh and cwnd. Called
     *  for the first timeout of a loss episode only. */
    void (*timeout)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                    const struct daytona_congestion_sample *);
    /** The last loss() or timeout() was a mistake: nothing had been lost (RFC 4015, RFC 5682,
     *  RFC 3708). The sender has put back the cwnd and ssthresh from before it; NULL: no more
     *  is to be done. */
    void (*undone)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                   const struct daytona_congestion_sample *);
    /** Sending starts again after `idle_us` longer than one RTO (RFC 5681 section 4.1). */
    void (*restart)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                    const struct daytona_congestion_sample *, uint64_t idle_us);
    /** Fills what it knows; the rest is zero. NULL: nothing. */
    void (*tell)(struct daytona_congestion_state *, struct daytona_congestion_told *out);
};

#endif
