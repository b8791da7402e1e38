/*
 * tcp_parts.h - what the files of the TCP machine need of each other, file by file.
 */
#ifndef STACK_TCP_TCP_PARTS_H
#define STACK_TCP_TCP_PARTS_H

#include "stack/tcp/tcp_calls.h"

struct request; /* tcp_request.h */

/* ------------------------------------------------------------------ tcp_state.c */

/** The only writer of socket->state: asserts that RFC 9293 figure 5 (and the timeouts and resets
 *  around it) has this edge, and tells the observer. `cause` is static. */
void tcp_state_set(struct socket *socket, enum daytona_tcp_state state, const char *cause);

/** A socket begins in SYN-RECEIVED, where its request has been: the observer knows already. */
void tcp_state_inherit(struct socket *socket);

/** States from ESTABLISHED on: RFC 9293's "synchronized", without SYN-RECEIVED. */
bool tcp_state_synchronized(enum daytona_tcp_state state);

/* ------------------------------------------------------------------ tcp_observe.c */

/** Whether the observer may want an event of this type; of which sockets is for the others to
 *  find out. */
static inline bool observe_wanted(const struct tcp *tcp, enum daytona_event_type type)
{
    return (tcp->wanted & DAYTONA_EVENT_BIT(type)) != 0;
}

/** What an event tells besides what it is. */
struct event_numbers {
    uint64_t a, b, c, d;
};

/** `socket` may be NULL. */
void observe_event(struct tcp *tcp, const struct socket *socket, enum daytona_event_type type,
                   const struct event_numbers *numbers, const char *reason);

/** Tells the observer, if it wants to know. `socket` may be NULL. */
static inline void observe(struct tcp *tcp, const struct socket *socket,
                           enum daytona_event_type type, uint64_t a, uint64_t b, const char *reason)
{
    if (observe_wanted(tcp, type))
        observe_event(tcp, socket, type, &(struct event_numbers){a, b, 0, 0}, reason);
}

/** The same with four numbers. */
static inline void observe_more(struct tcp *tcp, const struct socket *socket,
                                enum daytona_event_type type, struct event_numbers numbers,
                                const char *reason)
{
    if (observe_wanted(tcp, type))
        observe_event(tcp, socket, type, &numbers, reason);
}

/** The same about a request. */
void observe_request(const struct request *request, enum daytona_event_type type, uint64_t a,
                     uint64_t b, const char *reason);
void observe_request_more(const struct request *request, enum daytona_event_type type,
                          struct event_numbers numbers, const char *reason);

/** SEGMENT_IN, about whoever has the tuple: `owner` is NULL, a socket's entry or a request's. */
void observe_segment_in(struct tcp *tcp, const struct demux_entry *tuple,
                        const struct demux_entry *owner, const struct segment *segment);

/** SEGMENT_OUT, of a packet that is written. */
void observe_segment_out(struct tcp *tcp, const struct socket *socket,
                         const struct daytona_packet_out *out);
/** The same of one that no connection has written: looks for who has the tuple. */
void observe_bare_out(struct tcp *tcp, const struct daytona_packet_out *out);

/** Tells the observer the last that is known of a connection; it still has its socket. */
void tcp_observe_end(const struct connection *connection);

/* ------------------------------------------------------------------ tcp_limit.c */

/** There is nothing to send now: says why, if the observer wants to know and it is another reason
 *  than before. */
void tcp_limit_note(struct connection *connection);

/** May a segment that is not full be sent? RFC 9293 section 3.7.4. tcp_output.c */
bool tcp_partial_allowed(const struct connection *connection);

/* ------------------------------------------------------------------ tcp_record.c */

/** A connection record for the socket, its buffers empty, on a path of `path_mtu` bytes. NULL: no
 *  memory. */
struct connection *connection_new(struct socket *socket, uint32_t path_mtu);

/** Asks the driver for the path's MTU; what the network has said of it counts too. */
uint32_t tcp_path_mtu_ask(const struct tcp *tcp, const struct demux_entry *tuple);

/** A socket without an id, which it gets by one of the next two; NULL: no memory. */
struct socket *socket_unnamed(struct tcp *tcp);

/** Gives it an id of its own; false: no memory. */
bool socket_name(struct socket *socket);

/** Gives it the request's. */
void socket_name_after(struct socket *socket, const struct request *request);

/** Gives the request an id; false: no memory. And takes it back. */
bool request_name(struct tcp *tcp, struct request *request);
void request_unname(struct tcp *tcp, const struct request *request);

/** Sets our and the peer's initial sequence number, and all that counts from them. */
void connection_set_iss(struct connection *connection, struct seq iss);
void connection_set_irs(struct connection *connection, struct seq irs);

/** Gives a dead connection's record back when the call is over. */
void connection_drop(struct connection *connection);

/* ------------------------------------------------------------------ tcp_settings.c */

/** Fills the stack's own settings with the defaults. */
void settings_init(struct tcp *tcp);

/** The socket has these from now on, together with whoever has them already. */
void settings_share(struct socket *socket, struct settings *settings);

/** The socket is about to go. */
void settings_release(struct socket *socket);

/* ------------------------------------------------------------------ tcp_isn.c */

/** RFC 6528: a clock plus a keyed hash of the four-tuple. */
struct seq tcp_isn(const struct tcp *tcp, const struct demux_entry *tuple);

/** Keyed offset of the timestamps of one four-tuple (RFC 7323 section 7.1). */
uint32_t tcp_timestamp_offset(const struct tcp *tcp, const struct demux_entry *tuple);

/** Now in timestamp ticks of 1 ms, offset applied. */
static inline uint32_t tcp_timestamp(const struct tcp *tcp, uint32_t offset)
{
    return (uint32_t)(tcp->now.ns / 1000000) + offset;
}

/* ------------------------------------------------------------------ tcp_options_negotiate.c */

#define TCP_SCALE_MAX 14u /* RFC 7323 section 2.3: a peer's larger one means this */

/** The smallest scale in which the largest window that the socket may ever offer fits. */
uint8_t tcp_scale_for(const struct socket *socket);

/** The MSS that the socket offers on a path. */
uint32_t tcp_mss_for(const struct socket *socket, uint32_t path_mtu);

/** What our SYN offers. */
void tcp_options_offer(struct connection *connection);

/** Takes what the peer's SYN or SYN-ACK says; what it does not offer is off. */
void tcp_options_agree(struct connection *connection, const struct segment *syn);

/** The text of a full segment in a packet of `mtu` bytes, as far as the peer, TCP_MAXSEG and the
 *  options allow. */
uint32_t tcp_segment_for(const struct connection *connection, uint32_t mtu);

/** Recomputes send.mss from path, peer, TCP_MAXSEG and timestamps. */
void tcp_mss_update(struct connection *connection);

/* ------------------------------------------------------------------ arrival of segments */

/** RFC 9293 section 3.10.7.2. `isn` (NULL: a keyed one) is the ISN to use, when the four-tuple was
 *  in TIME-WAIT. tcp_listen.c */
enum daytona_verdict tcp_listen_input(struct socket *listener, const struct demux_entry *tuple,
                                      const struct segment *segment, const struct seq *isn);

/** The listener for a SYN to `local` from `remote`, NULL: none. */
struct socket *tcp_listener_find(const struct tcp *tcp, const struct daytona_endpoint *local,
                                 const struct daytona_endpoint *remote);

/** A child has reached ESTABLISHED: moves it to the accept queue. */
void tcp_listen_established(struct socket *child);

/** One that Fast Open put there before is established now. */
void tcp_listen_caught_up(struct socket *child);

/** As in Linux one more than the backlog fits into the accept queue. Counted when it is full. */
bool tcp_listen_overflows(struct socket *listener);

/** A segment that may be the ACK of a cookie: the child to which it is to be given, or NULL and
 *  *verdict. */
struct connection *tcp_listen_cookie(struct socket *listener, const struct demux_entry *tuple,
                                     const struct segment *segment, enum daytona_verdict *verdict);

/** RFC 9293 section 3.10.7.3. tcp_syn_sent.c */
enum daytona_verdict tcp_syn_sent_input(struct connection *connection, struct segment *segment);

/** RFC 9293 section 3.10.7.4. tcp_input.c */
enum daytona_verdict tcp_arrival(struct connection *connection, struct segment *segment);

/** The same from the check of the URG bit on, for data on a SYN-ACK. */
enum daytona_verdict tcp_arrival_after_ack(struct connection *connection, struct segment *segment);

/** A step of the walk: true to go on, false to stop with *verdict. */
bool tcp_step_acknowledge(struct connection *connection, struct segment *segment,
                          enum daytona_verdict *verdict);
bool tcp_step_urgent(struct connection *connection, struct segment *segment,
                     enum daytona_verdict *verdict);
bool tcp_step_text(struct connection *connection, struct segment *segment,
                   enum daytona_verdict *verdict);
bool tcp_step_fin(struct connection *connection, struct segment *segment,
                  enum daytona_verdict *verdict);

/** The first congestion window. tcp_establish.c */
void tcp_window_open(struct connection *connection);

/** Becomes ESTABLISHED: windows, congestion control, timers, readiness. tcp_establish.c */
void tcp_establish(struct connection *connection, const struct segment *segment);

/* ------------------------------------------------------------------ tcp_time_wait.c */

/** Enters TIME-WAIT; of a socket that the application has closed only socket->time_wait stays. */
void tcp_time_wait_enter(struct connection *connection);

/** Leaves only socket->time_wait of the connection. */
void tcp_time_wait_shrink(struct connection *connection);

/** The sequence number with which its four-tuple may begin again. */
struct seq tcp_time_wait_next_isn(const struct socket *socket);

/** TIME-WAIT is over, or its four-tuple is wanted. */
void tcp_time_wait_end(struct socket *socket, const char *cause);

/** A segment for a socket in TIME-WAIT. */
enum daytona_verdict tcp_time_wait_input(struct socket *socket, const struct demux_entry *tuple,
                                         const struct segment *segment);

/* ------------------------------------------------------------------ tcp_acknowledge.c */

/** Takes SND.WND from the segment, scaled. */
void tcp_window_take(struct connection *connection, const struct segment *segment);

/** The segment acknowledges our SYN, which counts as an offset: una moves for the first time. */
void tcp_syn_acknowledged(struct connection *connection, const struct segment *segment);

/** Begins every sample for the congestion controller; rates are filled in by tcp_rate_fill(). */
struct daytona_congestion_sample tcp_congestion_sample(const struct connection *connection,
                                                       uint32_t acked_bytes, uint32_t prior_pipe,
                                                       uint32_t rtt_us);

enum congestion_call {
    CONGESTION_INIT,
    CONGESTION_ACKED,
    CONGESTION_LOSS,
    CONGESTION_MARKED,
    CONGESTION_RECOVERED,
    CONGESTION_TIMEOUT,
    CONGESTION_UNDONE,
    CONGESTION_RESTART, /**< idle since send.last_sent */
};

/** Keeps cwnd at one MSS at least, and cwnd and ssthresh within the bounds that are set. */
void tcp_congestion_bound(struct connection *connection);

/** Calls the controller, keeps its controls within their bounds, tells the observer. */
void tcp_congestion_call(struct connection *connection, enum congestion_call call,
                         const struct daytona_congestion_sample *sample);

/* ------------------------------------------------------------------ tcp_recovery.c */

/** RFC 6675 "pipe": bytes thought to be in the network. */
uint32_t tcp_pipe(const struct connection *connection);

/** FlightSize for RFC 5681 equation (4): the cwnd that a sender filled, as in Linux and RFC 9438
 *  section 4.6 (just when several ACKs have come at once, much less is in flight than cwnd
 *  carries); of one that did not fill it, what is not acknowledged. */
uint32_t tcp_flight(const struct connection *connection);

/** TIMER_TAIL_PROBE is due. tcp_tail_probe.c */
void tcp_tail_probe_fired(struct connection *connection);

/** TIMER_REORDER is due: what is late now is lost. */
void tcp_reorder_fired(struct connection *connection);

/** Recovery begins as after a timeout, without a word to congestion control: the first segment is
 *  lost, and `all` others, or those sent long enough ago. */
void tcp_recovery_begin_loss(struct connection *connection, bool all);

/** What is in flight does not fit the path any more: sends all of it again, in segments of
 *  today's size. Something is in flight. */
void tcp_recovery_resend(struct connection *connection);

/* ------------------------------------------------------------------ tcp_prr.c */

struct ack_report; /* tcp_loss.h */

/** Fast recovery begins with this ACK; NULL: by a timer. */
void tcp_prr_begin(struct connection *connection, const struct ack_report *report);

/** An ACK in fast recovery. */
void tcp_prr_delivered(struct connection *connection, const struct ack_report *report);

/** The congestion window in force: the controller's or, in fast recovery, PRR's. */
uint32_t tcp_cwnd_now(const struct connection *connection);

/* ------------------------------------------------------------------ tcp_rto.c */

/** RFC 6298 section 2. */
void tcp_rtt_sample(struct connection *connection, uint32_t rtt_us);

/** Starts or restarts the retransmission timer; stops it when nothing is in flight. */
void tcp_rto_restart(struct connection *connection);

/** New data are on their way: the timer runs, or the tail loss probe waits for them, too. */
void tcp_rto_new_data(struct connection *connection);

/** Sets the retransmission timer to what is left of its time: another one has stood in for it. */
void tcp_rto_resume(struct connection *connection);

/** A recovery is over; if a timeout began it, that is counted. */
void tcp_rto_recovered(struct connection *connection);

/** The peer seems to have thrown away what it SACKed: the retransmission timer is to fire after
 * half a round trip, unless an ACK comes until then that knows better. */
void tcp_rto_hasten(struct connection *connection);

/** Sets the sender's timer to TIMER_REORDER, due at `at`, when `waits`; else, if it was that, to
 *  what it stood in for. */
void tcp_reorder_timer(struct connection *connection, bool waits, struct daytona_instant at);

/** Stops the sender's timers. */
void tcp_sender_timers_cancel(struct connection *connection);

void tcp_retransmit_fired(struct connection *connection);
void tcp_persist_fired(struct connection *connection);

/** Starts the persist timer (a closed or too small window). */
void tcp_persist_start(struct connection *connection);

/** What `tries` retransmissions with doublings from `base_us` on take, as Linux reckons. */
uint64_t tcp_backoff_span_us(uint32_t base_us, uint32_t tries);

#define REORDERING_INITIAL 3u         /* Linux net.ipv4.tcp_reordering */
#define RTO_INITIAL_US     1000000u   /* RFC 6298 section 2.1 */
#define RTO_MAX_US         120000000u /* Linux TCP_RTO_MAX; RFC 6298 section 2.5: >= 60 s */

/* ------------------------------------------------------------------ tcp_pacing.c */

/** Bytes a second that the connection may send, 0: as fast as it can. */
uint64_t tcp_pacing_rate(const struct connection *connection);

/** Whether a data segment may leave now; if not, TIMER_PACING says when. */
bool tcp_pacing_allows(struct connection *connection);

/** Bytes that may leave at once. */
uint32_t tcp_pacing_quantum(const struct connection *connection);

/** So many bytes have left. */
void tcp_pacing_sent(struct connection *connection, uint32_t bytes);

/* ------------------------------------------------------------------ tcp_acks.c */

/** In-order data came: acknowledge now or later. `filled`: it closed a gap. */
void tcp_ack_schedule(struct connection *connection, uint32_t bytes, bool filled);

/** An ACK goes out as soon as possible. */
void tcp_ack_now(struct connection *connection);

/** An ACK goes out in `us` at the latest. */
void tcp_ack_later(struct connection *connection, uint32_t us);

/** An out-of-order segment came: RFC 5681 section 4.2. */
void tcp_ack_duplicate(struct connection *connection);

/** An ACK of what arrived before the segment in hand goes out of its own. */
void tcp_ack_before(struct connection *connection);

/** Packets that a received segment stands for: a captured super-frame is several. */
uint32_t tcp_segments_in(const struct connection *connection, const struct segment *segment);

/** Packets of ours that `bytes` of payload take. */
uint32_t tcp_segments_of(const struct connection *connection, uint32_t bytes);

/** The ACK of a bare segment that is not acceptable; at most two a second. */
void tcp_ack_unacceptable(struct connection *connection);

/** A challenge ACK (RFC 5961), if one may go out. */
void tcp_ack_challenge(struct connection *connection);

/** Whether an answer that a peer could ask for at any rate may go out, when the last one went out
 *  at `answered` (RFC 5961 section 7). */
bool tcp_answer_due(const struct tcp *tcp, struct daytona_instant answered);

/** Whether a challenge ACK may go out now for a connection or request whose last rate-limited
 *  answer was at *answered, which then becomes now; counted, and told of `socket` (may be NULL).
 *  tcp_challenge.c */
bool tcp_challenge_allowed(struct tcp *tcp, const struct socket *socket,
                           struct daytona_instant *answered);

/** An ACK has left in some segment. */
void tcp_ack_sent(struct connection *connection, bool with_data);

void tcp_delayed_ack_fired(struct connection *connection);

/** The longest that an ACK waits. */
static inline uint32_t tcp_delayed_ack_us(const struct connection *connection)
{
    return (uint32_t)connection->socket->options[DAYTONA_OPTION_DELAYED_ACK_US];
}

#define DELAYED_ACK_US 40000u /* Linux TCP_DELACK_MIN; RFC 9293 section 3.8.6.3: below 500 ms */

/* ------------------------------------------------------------------ tcp_sack.c */

/** The block of `receive->ranges` with this offset has changed: it is SACKed first (RFC 2018
 * section 4). */
void tcp_sack_remember(struct receiver *receive, uint64_t offset);

/** [start, end) came again: the next ACK says so (RFC 2883). Nothing when it is empty. */
void tcp_sack_duplicate(struct connection *connection, uint64_t start, uint64_t end);

/** Reports what of [start, end) is beyond a gap already. */
void tcp_sack_overlap(struct connection *connection, uint64_t start, uint64_t end);

/** Is there anything to say? */
bool tcp_sack_pending(const struct connection *connection);

/** Writes the blocks that have room beside `length` bytes of data. */
void tcp_sack_fill(struct connection *connection, uint32_t length, struct tcp_header *header);

/* ------------------------------------------------------------------ tcp_window.c */

/** Moves receive.edge if it should, and returns the window field for a segment sent now. */
uint16_t tcp_window_field(struct connection *connection, bool syn);

#define TRICKLE_SEGMENTS 4u /* window when memory is short: Linux __tcp_select_window */

/** Would a window update tell the peer enough to send one? */
bool tcp_window_update_due(const struct connection *connection);

/* ------------------------------------------------------------------ tcp_autotune.c */

/** Text has arrived in order: measures the round trip as the receiver sees it. */
void tcp_autotune_arrival(struct connection *connection, const struct segment *segment);

/** Sets the receive buffer's limit from SO_RCVBUF. */
void tcp_autotune_limit(struct connection *connection);

/** SO_RCVLOWAT has changed: the buffer has room for twice that (Linux tcp_set_rcvlowat). */
void tcp_autotune_low_water(struct connection *connection);

/** The application has read: lets the receive buffer grow with what it reads in a round trip. */
void tcp_autotune_reader(struct connection *connection);

/** The congestion window may have grown: the send buffer holds two of them. */
void tcp_autotune_sender(struct connection *connection);

/** The region is so full that peers are told to send no more than a trickle. */
bool tcp_memory_short(const struct tcp *tcp);

/* ---------------------------------------------------- tcp_output.c, tcp_transmit.c */

/** Queues the connection for tcp_output(). */
void tcp_output_want(struct connection *connection);

/** The connection's next packet; false when it has nothing to send now. */
bool tcp_output_next(struct connection *connection, struct daytona_packet_out *out);

/** What is to be sent: offsets and flags; the rest of the header follows from the state. */
struct outgoing {
    uint64_t seq;
    uint32_t length; /**< payload bytes */
    uint8_t flags;   /**< TCP_SYN, TCP_FIN, TCP_PSH; ACK, URG and options are added */
    bool probe;      /**< one segment, however long it is */
};

/** Writes the packet; accounts for the ACK it carries. */
void tcp_transmit(struct connection *connection, const struct outgoing *what,
                  struct daytona_packet_out *out);

/* ------------------------------------------------------------------ tcp_reset.c */

/** A segment that belongs to no connection, queued in tcp.replies. */
struct reply {
    struct list_node node;
    struct daytona_endpoint local, remote;
    struct tcp_header header;              /**< ports and signature are filled in by tcp_reply() */
    uint8_t type_of_service, time_to_live; /**< time_to_live 0: the usual one */
};

/** Writes a segment without payload for the socket `owner`, whose settings it bears. */
void tcp_bare_output(const struct socket *owner, const struct demux_entry *tuple,
                     struct tcp_header *header, struct daytona_packet_out *out);

/** Queues a copy; false (and nothing happens) above the bound or without memory. */
bool tcp_reply(struct tcp *tcp, const struct reply *reply);

/** Writes the oldest reply; false when there is none. */
bool tcp_reply_output(struct tcp *tcp, struct daytona_packet_out *out);

/** RFC 9293 section 3.10.7.1: answers a segment that has no connection. */
enum daytona_verdict tcp_reset_unknown(struct tcp *tcp, const struct demux_entry *tuple,
                                       const struct tcp_header *header, uint32_t length);

/** RST for a connection that is to end now. */
void tcp_reset_send(struct connection *connection, const char *cause);

/** RST for a segment that ends its connection. It bears the number that the segment acknowledges,
 *  the only one that its sender is sure to believe (RFC 5961 section 3.2); of a signed connection
 *  that of what will have arrived, as no second one will be believed. */
void tcp_reset_answer(struct connection *connection, const struct segment *segment,
                      const char *cause);

/* ------------------------------------------------------------------ tcp_timers.c */

/** (Re)starts keepalive when the option is on and the state has a peer; else stops it. */
void tcp_keepalive_restart(struct connection *connection);

/* ------------------------------------------------------------------ tcp_user_timeout.c */

/** TCP_USER_TIMEOUT, or what the peer has told by RFC 5482; 0: none. */
uint64_t tcp_user_timeout_us(const struct connection *connection);

/** Whether data or probes have been unanswered for that long. */
bool tcp_user_timeout_over(const struct connection *connection);

/** A timeout of `us`, cut so that it does not fire after that (Linux
 *  tcp_clamp_rto_to_user_timeout). */
uint32_t tcp_user_timeout_clamp(const struct connection *connection, uint32_t us);

/** Adds the option of RFC 5482 to the header of a segment with `length` bytes of text, if it is due
 *  and has room. */
void tcp_user_timeout_tell(struct connection *connection, uint32_t length,
                           struct tcp_header *header);

/** Takes the option from an acceptable segment (RFC 5482 section 3.1). */
void tcp_user_timeout_take(struct connection *connection, const struct tcp_header *header);

/* ------------------------------------------------------------------ tcp_space.c */

/** Room may have appeared: reports OUT to who waits for it. */
void tcp_space_report(struct connection *connection);

/* ------------------------------------------------------------------ tcp_icmp.c */

/** Takes a smaller path MTU; sends again what no longer fits. */
void tcp_path_mtu_take(struct connection *connection, uint32_t mtu);

/** Path MTU to `remote` as learnt from the network, 0 nothing known. */
uint32_t tcp_path_mtu_known(const struct tcp *tcp, const struct daytona_address *remote);

/* ------------------------------------------------------------------ tcp_plpmtud.c */

/** The size of the packets to be sent: the path's MTU, or what the search has found so far. */
uint32_t tcp_plpmtud_mtu(struct connection *connection);

/** Whether new data wait for a probe: *length bytes of them are to be sent in one segment now, or
 *  none until the congestion window has opened (0). */
bool tcp_plpmtud_due(struct connection *connection, uint32_t *length);

/** The probe is being sent. */
void tcp_plpmtud_sent(struct connection *connection, uint64_t start, uint32_t length);

/** una has moved: a probe may have arrived. */
void tcp_plpmtud_acknowledged(struct connection *connection);

/** Something is marked lost: true when that is the probe and nothing else, so that it was too
 *  large and nobody else need know (RFC 4821 section 7.5). */
bool tcp_plpmtud_explains_loss(struct connection *connection);

/** The retransmission timer has fired, send.tries times in a row: a black hole? */
void tcp_plpmtud_timed_out(struct connection *connection);

/* ------------------------------------------------------------------ tcp_path.c */

/** Values of DAYTONA_OPTION_PATH_DISCOVERY: IP_PMTUDISC_* of Linux. */
enum path_discovery {
    PATH_DISCOVERY_DONT,      /**< routers may cut our packets */
    PATH_DISCOVERY_WANT,      /**< RFC 1191 */
    PATH_DISCOVERY_DO,        /**< and never without "don't fragment" */
    PATH_DISCOVERY_PROBE,     /**< "don't fragment", whatever routers say of the path */
    PATH_DISCOVERY_INTERFACE, /**< routers may cut; what they say is not heard */
    PATH_DISCOVERY_OMIT,      /**< for TCP the same */
};

/** Whether packets leave with "don't fragment". */
bool tcp_path_dont_fragment(const struct connection *connection);

/** Whether "fragmentation needed" is believed. */
bool tcp_path_heeds_routers(const struct connection *connection);

/** Forgets a path MTU that was lowered PATH_MTU_AGE_US ago. */
void tcp_path_refresh(struct connection *connection);

#define PATH_MTU_AGE_US   UINT64_C(600000000) /* RFC 1191 section 6.3: ten minutes */
#define PATH_MTU_MIN      68u                 /* RFC 791 section 3.2: every link takes that */
#define PATH_MTU_UNBROKEN 552u /* Linux ip_rt_min_pmtu: below it routers may fragment for us */

#endif
