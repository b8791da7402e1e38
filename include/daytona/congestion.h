/*
 * congestion.h - what a congestion controller is: a const table of short functions over its
 * own small state. It sees what an ACK or a loss told, and sets the controls; it never sees
 * the connection. One C file an algorithm. Byte-counting throughout (RFC 3465).
 */
#ifndef DAYTONA_CONGESTION_H
#define DAYTONA_CONGESTION_H

#include <daytona/types.h>

/** Version of this interface: another one when a member comes, goes or changes its meaning. */
#define DAYTONA_CONGESTION_VERSION 1

/** The controller's private state, its words to use as it likes; zeroed before init(). */
struct daytona_congestion_state {
    uint64_t words[16];
};

/** What the controller sets. The sender clamps cwnd to at least one MSS. */
struct daytona_congestion_controls {
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;          /**< UINT32_MAX: not yet known */
    uint64_t pacing_bytes_per_second; /**< 0: no pacing; the sender does not pace yet */
};

/** What is known when an ACK arrives or a loss is noticed. */
struct daytona_congestion_sample {
    struct daytona_instant now;
    uint32_t mss;                   /**< sender's maximum segment size, bytes */
    uint32_t acked_bytes;           /**< newly acknowledged, cumulatively or by SACK */
    uint32_t in_flight_bytes;       /**< RFC 6675 "pipe" after this ACK */
    uint32_t prior_in_flight_bytes; /**< before it */
    uint32_t rtt_us;                /**< sample of this ACK, 0 none */
    uint32_t srtt_us, rtt_min_us;   /**< 0: not measured yet */
    bool cwnd_limited;              /**< the sender filled cwnd since the last ACK (RFC 7661) */
    bool in_recovery;               /**< fast recovery or loss recovery is going on */
};

struct daytona_congestion {
    uint32_t version;   /**< DAYTONA_CONGESTION_VERSION */
    const char *name;   /**< as in TCP_CONGESTION, at most 15 characters */
    const char *source; /**< the RFC or paper */
    /** A connection is established, or the controller is switched to. Controls hold the
     *  initial (or the present) window. */
    void (*init)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                 const struct daytona_congestion_sample *);
    /** An ACK that acknowledged something new, outside fast recovery; after a timeout
     *  `in_recovery` says whether its losses are still being repaired. */
    void (*acked)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                  const struct daytona_congestion_sample *);
    /** Fast recovery begins (RFC 5681 section 3.2): set ssthresh and cwnd. */
    void (*loss)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                 const struct daytona_congestion_sample *);
    /** Fast recovery has ended: set the cwnd to go on with. */
    void (*recovered)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                      const struct daytona_congestion_sample *);
    /** The retransmission timer fired (RFC 5681 section 3.1): set ssthresh and cwnd. Called
     *  for the first timeout of a loss episode only. */
    void (*timeout)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                    const struct daytona_congestion_sample *);
    /** Sending starts again after `idle_us` longer than one RTO (RFC 5681 section 4.1). */
    void (*restart)(struct daytona_congestion_state *, struct daytona_congestion_controls *,
                    const struct daytona_congestion_sample *, uint64_t idle_us);
};

#endif
