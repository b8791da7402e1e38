/*
 * tcp.h - the records of the TCP machine. One `struct tcp` is what all connections share; a
 * `struct socket` is the name and the settings of an end, from open to the last report; a
 * `struct connection` is the RFC's transmission control block, there from SYN to CLOSED.
 *
 * What the records cost (asserted below the structures): a socket 352 bytes, a connection 1,600
 * bytes more; an idle established connection holds no buffer page, so it costs 1,952 bytes, and
 * 128 more once it had trouble (tcp_statistics.h). A
 * connection in TIME-WAIT that the application has closed is a socket alone.
 */
#ifndef STACK_TCP_TCP_H
#define STACK_TCP_TCP_H

#include "stack/base/memory.h"
#include "stack/base/owner.h"
#include "stack/base/siphash.h"
#include "stack/base/timer.h"
#include "stack/buffer/pages.h"
#include "stack/buffer/ranges.h"
#include "stack/demux/demux.h"
#include "stack/tcp/list.h"
#include "stack/tcp/offset.h"
#include "stack/tcp/sent.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_statistics.h"
#include "stack/wire/tcp_header.h"
#include <daytona/congestion.h>
#include <daytona/profile.h>
#include <daytona/stack.h>

/** Which timer of its owner a `struct timer` is (tcp_timers.c has the table). Those before
 *  TIMER_PACING share the sender's timer: at most one of them makes sense at a time. */
enum timer_kind {
    TIMER_RETRANSMIT,  /**< RFC 6298 */
    TIMER_TAIL_PROBE,  /**< nothing has come back for two round trips, RFC 8985 section 7 */
    TIMER_REORDER,     /**< what is late is lost by then, RFC 8985 section 6.2 */
    TIMER_PERSIST,     /**< the window is closed or too small, RFC 9293 section 3.8.6.1 */
    TIMER_CORK,        /**< a partial segment has been held back long enough */
    TIMER_MARKED,      /**< RFC 3168 section 6.1.2: a mark at a window of one segment */
    TIMER_PACING,      /**< the next packet may leave */
    TIMER_DELAYED_ACK, /**< RFC 9293 section 3.8.6.3 */
    TIMER_KEEPALIVE,   /**< RFC 9293 section 3.8.4; the socket's timer, as are those below */
    TIMER_FIN_WAIT_2,  /**< nobody will read what the peer still sends */
    TIMER_TIME_WAIT,   /**< RFC 9293 section 3.10.8 */
    TIMER_SYN_ACK,     /**< a request's, RFC 6298 */
    TIMER_KIND_COUNT
};

/** Destinations behind a narrow path that are kept in mind. It is for connections that begin soon
 *  after; to one that was forgotten a router says it again, at the price of a lost packet. */
#define PATH_NEWS_MAX 16

/** Servers whose Fast Open cookies are kept. */
#define FASTOPEN_SERVERS_MAX 32

/** Values of all options, shared by the sockets that have the same ones (tcp_settings.c). */
struct settings {
    uint32_t holders; /**< sockets; and the stack, for its own */
    int64_t values[DAYTONA_OPTION_COUNT];
};

/** What all connections share. */
struct tcp {
    struct memory *memory;
    struct sent_store sent; /**< records of all connections */
    struct timers timers;
    struct demux demux;
    struct daytona_instant now;         /**< of the call in progress; never goes back */
    struct daytona_stack_config config; /**< with the defaults filled in */
    struct daytona_profiler *profiler;  /**< NULL: cycles are not counted */
    struct daytona_observer observer;   /**< its mask: what it sees of all sockets, 0 nothing */
    uint64_t wanted;                    /**< that and what it sees of single sockets */
    uint64_t event_number;              /**< of the last event raised */
    uint32_t call_number;               /**< of the application's last call */
    bool retired;                       /**< others answer for its ports */
    struct daytona_counters counters;
    struct random random;
    const struct daytona_congestion *congestion; /**< of new sockets */
    struct settings settings;                    /**< of new sockets */

    struct slots {
        struct slot **blocks; /**< SLOT_BLOCK slots each */
        uint32_t block_max, block_count;
        uint32_t first_free, used;
        uint32_t generation;
    } slots;

    struct list output;  /**< connections that may have something to send, round robin */
    struct list replies; /**< segments that belong to no connection */
    uint32_t reply_count;
    struct list requests; /**< half-open connections whose SYN-ACK is to be sent */
    uint32_t request_count;
    uint32_t request_mtu; /**< what the driver said last of a path to a client; 0 nothing yet */
    struct list changed;  /**< sockets whose readiness is to be reported */
    struct list dead;     /**< sockets whose memory is given back when the call is over */
    struct list ended;    /**< connections whose buffers are given back then */
    struct path_news {
        struct daytona_address remote;
        uint32_t mtu;
        struct daytona_instant since;
    } path_news[PATH_NEWS_MAX]; /**< path MTUs learnt from the network, a ring */
    uint32_t path_news_next;
    struct fastopen_server {
        struct daytona_address local, remote;
        struct fastopen_cookie cookie; /**< of length 0: none yet */
        uint16_t mss;                  /**< that the server told with it; 0: not said */
        uint8_t losses;                /**< SYNs with the option that were not answered, in a row */
        bool known;
        struct daytona_instant lost_at;       /**< the last of them */
    } fastopen_servers[FASTOPEN_SERVERS_MAX]; /**< RFC 7413 section 4.1.3, a ring */
    uint32_t fastopen_server_next;
    uint32_t signature_key_count; /**< of all sockets */
    struct challenges {
        uint32_t left;                /**< that may go out in this second */
        struct daytona_instant since; /**< its beginning */
    } challenges;                     /**< RFC 5961 section 7 */
    uint32_t port_offset;             /**< of the next port to propose, RFC 6056 section 3.3.3 */
};

/** A listener's children that nobody has accepted yet. */
struct listener {
    struct list requests; /**< half open (tcp_request.h) */
    struct list embryos;  /**< SYN-RECEIVED with a connection, on the way to ESTABLISHED */
    struct list queue;    /**< established, oldest first */
    uint32_t request_count, queue_count, backlog;
    uint32_t early_count; /**< in the queue by Fast Open, not yet established */
    uint32_t syns, kept;  /**< SYNs that came, those of which something was kept */
    uint32_t established, accepted, overflows;
    struct daytona_instant cookie_at; /**< when the last cookie was sent */
};

/** What TIME-WAIT needs to know; all that is left of a connection that nobody reads from. */
struct time_wait {
    uint64_t send_nxt, receive_nxt, iss, irs;
    uint16_t window; /**< as on the wire */
    uint32_t timestamp_offset, timestamp_recent;
    struct daytona_instant since, answered;
    bool timestamps;
};

struct socket {
    struct tcp *tcp;
    struct demux_entry entry; /**< both ends */
    struct daytona_socket_id id;
    void *user;
    enum daytona_tcp_state state; /**< written by tcp_state.c alone */
    uint16_t error;               /**< errno that waits for SO_ERROR */
    bool closed;                  /**< the application is done with it */
    bool owned;                   /**< the application knows it: opened or accepted, not closed */
    bool gone;                    /**< finished, the last report waits in `changed` */
    bool queued;                  /**< in the accept queue of `parent`; else among its embryos */
    bool shut_read, shut_write;
    bool receive_buffer_set, send_buffer_set; /**< SO_RCVBUF, SO_SNDBUF: no growing */
    bool wants_space;                         /**< a send left it not writable */
    bool quiet;               /**< nothing has happened since daytona_stack_take_stirred() */
    uint8_t edges, reported;  /**< DAYTONA_READY_* */
    struct list_node changed; /**< in tcp.changed or tcp.dead */
    struct list_node sibling; /**< in the listener's embryos or queue */
    struct socket *parent;    /**< listener whose queues hold this one */
    struct timer life;        /**< keepalive, FIN-WAIT-2, TIME-WAIT */
    const struct daytona_congestion *congestion;
    struct connection *connection; /**< NULL: none yet, a listener, or TIME-WAIT alone */
    union {
        struct listener listener;   /**< in LISTEN */
        struct time_wait time_wait; /**< in TIME-WAIT */
    };
    struct settings *settings; /**< never NULL, shared */
    const int64_t *options;    /**< its values, by enum daytona_option */
    struct extras *extras;     /**< NULL for nearly all (tcp_extras.h) */
    uint64_t events;           /**< a mask: what the observer sees of this one besides */
    uint32_t call;             /**< number of the application's call that began last */
};

/** Values of DAYTONA_OPTION_LOSS_DETECTION. */
enum detection {
    DETECTION_RACK,
    DETECTION_SACK,
    DETECTION_NEWRENO, /**< SACK is not even offered; too late for that, it is DETECTION_SACK */
};

/** RFC 6675 and RFC 6582: what the sender is recovering from. */
enum recovery {
    RECOVERY_NONE,
    RECOVERY_FAST, /**< fast retransmit: losses seen by duplicate ACKs or SACK */
    RECOVERY_LOSS, /**< the retransmission timer fired */
};

/** What was learnt of the path from what it delivered (draft-ietf-ccwg-bbr section 4.1). */
struct rate {
    uint64_t delivered;                   /**< data bytes until now */
    uint64_t lost;                        /**< bytes marked lost until now */
    uint64_t lost_told;                   /**< of them, those the controller knows of */
    uint64_t app_limited_to;              /**< samples are, until `delivered` is beyond; 0: no */
    struct daytona_instant delivered_at;  /**< when `delivered` grew last */
    struct daytona_instant first_sent_at; /**< when the newest delivered segment was sent */
    uint64_t loss_lost_before; /**< of the segment marked last: losses are found in the order of
                                  sending */
    uint32_t loss_in_flight;
    bool app_limited;          /**< the last valid sample was */
    uint64_t bytes_per_second; /**< it; 0: none yet */
};

/** RACK's view (RFC 8985 section 5.2): names as there. */
struct rack {
    struct daytona_instant xmit_at; /**< when the newest segment that has arrived was sent */
    uint64_t end;                   /**< its end */
    uint64_t fack;                  /**< one past the highest byte that has arrived */
    uint32_t rtt_us;                /**< round trip of the last segment that has arrived */
    uint64_t dsack_round;           /**< DSACKs count once until una is there; 0: none seen */
    uint16_t reordering;            /**< segments that one came late by at most (tcpi_reordering) */
    uint8_t reo_wnd_mult;           /**< quarters of a round trip to wait for late ones */
    uint8_t reo_wnd_persist;        /**< recoveries until reo_wnd_mult falls back to 1 */
    bool reordering_seen;
};

/** The search for the path's MTU (tcp_plpmtud.c). Bytes of IP packets. */
struct prober {
    uint64_t start;               /**< of the probe in flight */
    uint32_t bytes;               /**< of its text; 0: there is none */
    uint16_t mtu;                 /**< of its packet */
    uint16_t low;                 /**< passes; 0: not searching */
    uint16_t high;                /**< one less than what did not pass; UINT16_MAX: nothing known */
    struct daytona_instant since; /**< of the last news */
};

#define VALIDATION_QUARTERS 4u

/** How much of the window has been used (RFC 7661; tcp_validate.c). Bytes. */
struct validation {
    uint32_t most[VALIDATION_QUARTERS]; /**< pipeACK samples: the largest of each quarter of a
                                             sampling period, the present one first */
    struct daytona_instant quarter;     /**< when the present one began */
    struct daytona_instant samples;     /**< what was sent before gives none */
    struct daytona_instant since;       /**< non-validated phase; 0: validated */
    uint32_t used;     /**< max (pipeACK, LossFlightSize) of the recovery under way, 0 none */
    uint32_t repeated; /**< R: sent again in it, once each */
    bool known;        /**< pipeACK is not "undefined" */
};

/** How to take back a reduction of the window. */
struct undo {
    bool possible;
    uint32_t cwnd_bytes, ssthresh_bytes;    /**< from before it */
    uint32_t repeated_bytes;                /**< sent again, and not told of as duplicates */
    uint64_t from;                          /**< una when it was made */
    struct daytona_instant first_repeat_at; /**< 0: nothing was sent again yet */
};

/** F-RTO (RFC 5682 section 3.1): which ACK after a timeout is awaited. */
enum frto {
    FRTO_OFF,
    FRTO_FIRST_ACK,
    FRTO_SECOND_ACK, /**< new data go meanwhile, and nothing is sent again */
};

/** A SACK block as it was reported. */
struct sack_block {
    uint64_t start, end;
};

#define SACK_BLOCKS_KNOWN 3u /* as many as a segment with timestamps can bring */

/*
 * The sending side. Offsets on the stream:
 *
 *      una                              nxt             pages.end
 *   ----|--------------------------------|-----------------|--->
 *  acked| records of `sent`: in flight,  | not sent yet    |
 *       | lost or SACKed                 |                 |
 *
 * SYN and FIN take one offset each; FIN's is pages.end.
 */
struct sender {
    uint64_t una, nxt;               /**< RFC 9293 section 3.3.1 */
    uint64_t up;                     /**< one past the urgent byte; <= una when there is none */
    uint64_t wl1, wl2;               /**< segment that set wnd: its seq (receive space) and ack */
    uint64_t iss;                    /**< offset of the SYN */
    uint32_t wnd, wnd_max;           /**< bytes; and the largest ever offered */
    uint32_t mss;                    /**< payload of a full segment, options already subtracted */
    uint32_t peer_mss;               /**< from the peer's SYN */
    uint32_t path_mtu;               /**< bytes */
    uint32_t buffer_bytes;           /**< bound of what may be queued */
    uint8_t window_scale;            /**< of the windows we receive */
    uint8_t duplicate_acks;          /**< RFC 5681 section 2, in a row */
    uint8_t backoff;                 /**< doublings of the RTO now in force */
    uint8_t tries;                   /**< retransmissions of una in a row */
    uint8_t probes;                  /**< window or keepalive probes without an answer */
    uint8_t recovery;                /**< enum recovery */
    uint8_t syn_tries;               /**< retransmissions of the SYN */
    bool fin;                        /**< FIN is queued behind the data */
    bool syn_due;                    /**< SYN is to be sent (again) */
    bool retransmit_due;             /**< the first lost segment goes out, whatever cwnd says */
    bool probe_due;                  /**< a window or keepalive probe is to be sent */
    bool push_due;                   /**< a window too small for sender SWS avoidance is used now */
    bool cork_over;                  /**< the corked partial segment has waited long enough */
    bool more;                       /**< the last write said that more follows */
    bool rescued;                    /**< RFC 6675 rule 4 was used in this recovery */
    bool timing;                     /**< the SYN is being timed */
    bool tail_probe_due;             /**< a tail loss probe goes out, whatever cwnd says */
    bool probe_again;                /**< the probe at probe_end was a retransmission */
    uint8_t frto;                    /**< enum frto */
    bool timeout_told;               /**< the user timeout, by the option of RFC 5482 */
    uint32_t adopted_timeout_s;      /**< user timeout that the peer has told, 0 none */
    uint64_t recovery_point;         /**< RFC 6675: recovery ends when una reaches it */
    uint64_t limited_to;             /**< nxt when cwnd was last filled */
    uint64_t lost_to;                /**< RFC 6675: IsLost() was asked of all before it */
    uint32_t inflation;              /**< RFC 6582: cwnd's inflation, for peers without SACK */
    uint32_t prr_delivered, prr_out; /**< RFC 6937: bytes since recovery began */
    uint32_t prr_flight, prr_cwnd;   /**< RFC 6937: RecoverFS; and the window in recovery */
    uint32_t flight_max;             /**< the most there ever was between una and nxt */
    uint64_t small_end;              /**< end of the last partial segment sent (Minshall) */
    uint64_t pushed;                 /**< end of the last write */
    struct daytona_instant timed_at; /**< when it was sent */
    struct daytona_instant path_lowered_at; /**< path_mtu, by the network's word; 0: not */
    struct daytona_instant timeout_from;    /**< the retransmission timer counts from then */
    struct daytona_instant last_sent;       /**< data */
    struct daytona_instant stalled_since;   /**< first unanswered retransmission or probe */
    uint32_t srtt_us, rttvar_us, rtt_min_us, rto_us; /**< RFC 6298 */
    struct daytona_instant release_at;               /**< paced: the next packet leaves then */
    struct pages pages;
    struct sent_queue sent;
    struct sack_block sacks[SACK_BLOCKS_KNOWN]; /**< last reported */
    struct rate rate;
    struct rack rack;
    struct prober prober;
    struct undo undo;
    struct validation validation;
    uint64_t probe_end;  /**< RFC 8985 TLP.end_seq; 0: no tail loss probe is out */
    struct timer timer;  /**< any of the kinds before TIMER_PACING */
    struct timer pacing; /**< TIMER_PACING */
};

/*
 * The receiving side. Offsets on the stream:
 *
 *     read            nxt                     edge
 *   ---|---------------|------[ranges]---------|--->
 *      | to be read    | holes and arrivals    |
 */
struct receiver {
    uint64_t nxt;              /**< RFC 9293 section 3.3.1 */
    uint64_t read;             /**< next byte the application gets */
    uint64_t edge;             /**< right edge of the window advertised; never moves back */
    uint64_t irs;              /**< offset of the peer's SYN */
    uint64_t fin_at;           /**< offset of the peer's FIN, valid with fin_seen */
    uint64_t acked;            /**< nxt in the last ACK sent (RFC 7323 Last.ACK.sent) */
    uint64_t urgent_at;        /**< offset of the urgent byte, valid with urgent */
    uint64_t measured_from;    /**< `read` when the current measurement of the reader began */
    uint64_t round_ends;       /**< without timestamps: nxt there, and a round trip is over */
    uint64_t duplicate_start;  /**< came again and is to be reported (RFC 2883) ... */
    uint64_t duplicate_end;    /**< ... up to here; the same: nothing is */
    uint64_t recent[4];        /**< an offset in each block that changed last, newest first */
    uint32_t limit;            /**< bytes the window may be */
    uint32_t measured_bytes;   /**< the most that was read in one measurement */
    uint32_t round_trip_us;    /**< as seen by this side's ACKs and their answers, 0 unknown */
    uint32_t echo_seen;        /**< the timestamp that measured it last */
    uint32_t mss;              /**< estimate of what the peer sends */
    uint32_t advertised_mss;   /**< in our SYN */
    uint32_t timestamp_recent; /**< RFC 7323 TS.Recent */
    uint32_t queued_max;       /**< the most that ever waited to be read */
    uint8_t window_scale;      /**< of the windows we send */
    uint8_t quick;             /**< ACKs still to be sent at once */
    uint8_t acks_owed;         /**< pure ACKs to be sent now */
    uint8_t urgent;            /**< enum urgent */
    bool fin_seen;
    bool interactive;   /**< answers follow requests: ACKs wait for them (Linux "pingpong") */
    bool pushed;        /**< PSH came since the last ACK */
    bool window_closed; /**< a zero window was advertised (for the event) */
    struct daytona_instant timestamp_at; /**< when TS.Recent was set */
    struct daytona_instant last_data;    /**< when data arrived */
    struct daytona_instant last_segment; /**< when anything acceptable arrived */
    struct daytona_instant answered;     /**< last rate-limited ACK, RFC 5961 section 7 */
    struct daytona_instant measured_at, round_began;
    struct pages pages;
    struct ranges ranges; /**< arrived beyond nxt */
    struct timer timer;   /**< TIMER_DELAYED_ACK */
};

enum urgent {
    URGENT_NONE,
    URGENT_EXPECTED, /**< announced, the byte may or may not be here */
    URGENT_TAKEN,    /**< read with DAYTONA_RECEIVE_URGENT, the mark still stands */
};

/** Where a connection that uses TCP Fast Open stands (RFC 7413). */
enum fastopen {
    FASTOPEN_NONE,
    FASTOPEN_DEFERRED, /**< SYN-SENT, but the SYN waits for data to go with it */
    FASTOPEN_ASKING,   /**< SYN-SENT: the SYN has the option */
    FASTOPEN_EARLY,    /**< SYN-RECEIVED: data flows already */
};

/** Per-connection counts, as in daytona_connection_info. */
struct tally {
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retransmitted;
    uint32_t segments_out, segments_in, data_segments_out, data_segments_in;
    uint32_t segments_retransmitted, timeouts, fast_retransmits, duplicate_acks_in;
    uint32_t out_of_order_in, checksum_errors;
    uint32_t tail_probes, dsacks_in, undos, reorderings;
    uint32_t timeout_recoveries;
    uint64_t timeout_us;                  /**< in them */
    struct daytona_instant timeout_began; /**< 0: none is going on */
    uint64_t busy_us; /**< while something was not acknowledged, until busy_since */
    struct daytona_instant busy_since; /**< 0: nothing is */
};

struct connection {
    struct tcp *tcp;
    struct socket *socket;
    struct list_node output; /**< in tcp.output, later in tcp.ended */
    struct sender send;
    struct receiver receive;
    struct ecn ecn;
    struct daytona_congestion_controls controls;
    struct daytona_congestion_state congestion;
    struct tally tally;
    struct statistics statistics;
    struct daytona_instant since;
    struct daytona_instant limit_since;
    uint32_t timestamp_offset;
    uint16_t identification;               /**< of the next IP packet */
    uint16_t soft_error;                   /**< errno of the last ICMP error that did not end it */
    uint16_t syn_data;                     /**< bytes sent with our SYN, until it is answered */
    bool syn_data_acked;                   /**< Fast Open worked */
    uint8_t signature;                     /**< bytes of options that signatures take, 0 none */
    uint8_t fastopen;                      /**< enum fastopen */
    uint8_t limit;                         /**< enum daytona_limit, as the observer knows it */
    bool passive;                          /**< made by a listener */
    bool timestamps, sack, window_scaling; /**< offered, then agreed */
    bool ended; /**< CLOSED, what was received may be read; or TIME-WAIT goes on without it */
};

_Static_assert(sizeof(struct socket) <= 352, "a socket is one block of 352 bytes");
_Static_assert(sizeof(struct connection) <= 1600, "a connection is one block of 1,600 bytes");

/** Something happens to a socket that shows in its state (daytona_stack_take_stirred()). What time
 *  alone changes does not count. */
static inline void socket_stir(struct socket *socket)
{
    socket->quiet = false;
}

/** A received segment, its numbers unwrapped next to the connection's own. */
struct segment {
    struct tcp_header header;
    struct daytona_span payload;
    struct daytona_span bytes; /**< all of it, as it came */
    uint64_t seq, ack;
    uint32_t window; /**< scaled */
    uint8_t flags;   /**< TCP_SYN ...; steps clear what they have dealt with */
    enum ip_ecn ecn; /**< of the packet that it came in */
    uint8_t hops;    /**< the packet's TTL */
    bool repeated;   /**< its text is here already; only its header counts */
    uint8_t type_of_service;
};

/** Offsets that the segment covers: payload and, one each, SYN and FIN. */
static inline uint32_t segment_length(const struct segment *segment)
{
    return (uint32_t)segment->payload.length + ((segment->flags & TCP_SYN) != 0) +
           ((segment->flags & TCP_FIN) != 0);
}

/** The handshake is not so far that data may flow. */
static inline bool connection_opening(const struct socket *socket)
{
    uint8_t fastopen = socket->connection->fastopen;
    return (socket->state == DAYTONA_TCP_SYN_SENT && fastopen != FASTOPEN_DEFERRED) ||
           (socket->state == DAYTONA_TCP_SYN_RECEIVED && fastopen != FASTOPEN_EARLY);
}

static inline bool option_on(const struct socket *socket, enum daytona_option option)
{
    return socket->options[option] != 0;
}

/** All of the stream has arrived, and the peer's FIN. */
static inline bool receive_at_fin(const struct receiver *receive)
{
    return receive->fin_seen && receive->nxt > receive->fin_at;
}

/** Bytes received in order and not read yet. */
static inline uint32_t receive_queued(const struct receiver *receive)
{
    return offset_span(receive->read, receive->nxt - receive_at_fin(receive));
}

/** Bytes written and not acknowledged yet. */
static inline uint32_t send_queued(const struct sender *send)
{
    return offset_span(send->pages.start, send->pages.end);
}

#endif
