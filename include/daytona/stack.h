/*
 * stack.h - the TCP/IP stack as a value: packets and `now` go in, packets and a deadline
 * come out. Whoever calls these functions is the "driver": the preloaded library's engine,
 * the simulator, a fuzzer, an embedding program.
 *
 * The pump is five calls:
 *
 *     daytona_stack_init        memory + configuration -> a stack
 *     daytona_stack_input       one received IP packet
 *     daytona_stack_output      the next packet to send (also runs timers that are due)
 *     daytona_stack_deadline    when to call output again even if nothing arrives
 *     daytona_stack_take_ready  which sockets changed readiness
 *
 * The socket calls (open ... close) never block, return >= 0 or a negative errno, and may
 * make packets ready for daytona_stack_output(): call it after each of them.
 *
 * The stack does no I/O, reads no clock, starts no thread, takes no lock and keeps no global
 * variable: one stack must not be entered by two threads at once; different stacks are
 * independent.
 */
#ifndef DAYTONA_STACK_H
#define DAYTONA_STACK_H

#include <daytona/congestion.h>
#include <daytona/events.h>
#include <daytona/types.h>

struct daytona_profiler;
struct daytona_stack;

/* ------------------------------------------------------------------ configuration */

/** When the path's MTU is looked for without the help of routers (RFC 4821); Linux has it as
 *  net.ipv4.tcp_mtu_probing. */
enum daytona_mtu_probing {
    DAYTONA_MTU_PROBING_DEFAULT,    /**< as BLACK_HOLE */
    DAYTONA_MTU_PROBING_OFF,        /**< never */
    DAYTONA_MTU_PROBING_BLACK_HOLE, /**< when full segments seem to be dropped silently */
    DAYTONA_MTU_PROBING_ALWAYS,     /**< from the beginning, with small segments */
};

/** What the driver knows about the way to a peer. */
struct daytona_path {
    uint32_t mtu; /**< bytes of the largest IP packet that may leave towards the peer, >= 68 */
};

/** net.ipv4.tcp_syncookies: what a listener does whose SYN queue is full (RFC 4987). */
enum daytona_syn_cookies {
    DAYTONA_SYN_COOKIES_AUTO,   /**< answers with cookies as long as it is */
    DAYTONA_SYN_COOKIES_OFF,    /**< ignores the SYN */
    DAYTONA_SYN_COOKIES_ALWAYS, /**< keeps no queue at all */
};

struct daytona_stack_config {
    /** 128-bit secret for initial sequence numbers (RFC 6528), ports (RFC 6056) and hash
     *  tables. The driver fills it from a good random source; a simulation from its seed. */
    uint8_t secret[16];

    /** Another one for initial sequence numbers and timestamps alone, all zero: the same. Stacks
     * that have a clock and an address in common, one after the other, should have it in common
     * too: then a connection of the second does not begin before the end of one of the first. */
    uint8_t host_secret[16];

    /** Asks the driver for the path between two addresses when a connection begins. Called
     *  synchronously; must not call back into the stack. NULL: every path is 1500 bytes. */
    void (*path)(void *context, const struct daytona_address *local,
                 const struct daytona_address *remote, struct daytona_path *out);
    void *path_context;

    uint16_t port_low;  /**< first local port to choose for an unbound connect (49152 if 0) */
    uint16_t port_high; /**< last one, inclusive (65535 if 0) */

    /** true: the stack owns every port of its addresses and answers a segment for an unknown
     *  port with RST (RFC 9293 section 3.10.7.1), as a host does. false (beside a kernel): only
     *  segments for a port that one of this stack's sockets uses are answered so; others
     *  get verdict NO_SOCKET and silence. */
    bool owns_every_port;

    /** With owns_every_port off: asks the driver whether a segment to `local` that belongs to
     * nothing here is answered with RST. `opens`: it is a SYN; `used`: a socket of this stack uses
     * the port. The driver may know of others there, or that the port is this stack's to answer for
     * though nobody uses it. Called synchronously; must not call back into the stack. NULL: `used`.
     */
    bool (*answers)(void *context, const struct daytona_endpoint *local, bool opens, bool used);
    void *answers_context;

    /** Accept a TCP checksum field that holds only the folded pseudo-header sum, as packets
     *  captured from a local sender with checksum offloading do. Counted. */
    bool accept_partial_checksum;

    /** Largest TCP payload of one output packet: 0 means one MSS. Above one MSS, an output
     *  may carry several full segments (packet_out.segment_bytes is then the MSS), for a sink
     *  that splits them (GSO). */
    uint32_t super_segment_bytes_max;

    /** Leave the TCP checksum of outputs with payload to the sink (packet_out.checksum_partial). */
    bool checksum_offload;

    const char *congestion; /**< default controller's name, "cubic" if NULL */
    uint8_t loss_detection; /**< LOSS_DETECTION of new sockets (options.def), RACK if 0 */
    bool no_tail_probes;    /**< TAIL_PROBES of new sockets is 0 */
    const char *ecn;        /**< default of option ECN by name, "passive" if NULL (Linux) */

    uint32_t receive_buffer_bytes; /**< default SO_RCVBUF, 131072 if 0 (doubling as in Linux is the
                                        socket layer's business: this is payload) */
    uint32_t receive_buffer_max;   /**< 32 MB if 0 (Linux's tcp_rmem since 6.16): what it may grow
                                        to; the source of the window scale */
    uint32_t send_buffer_bytes;    /**< default SO_SNDBUF payload bytes, 1048576 if 0 */
    uint32_t send_buffer_max;      /**< 32 MB if 0: twice 100 ms of 1 Gbit/s, and some */

    /** The driver's own socket calls may block, and are made of several of the stack's: it tells of
     *  the application's accept, send and receive with daytona_stack_call_begin(). false: each call
     *  of the stack is the application's, as connect, shutdown and close always are. */
    bool calls_are_told;

    uint32_t sockets_max;   /**< 0: bounded by memory only */
    uint32_t syn_queue_max; /**< half-open connections of a listener, or its backlog if that
                                 is more: 1024 if 0 (Linux tcp_max_syn_backlog) */
    enum daytona_mtu_probing mtu_probing; /**< BLACK_HOLE if 0 */
    enum daytona_syn_cookies syn_cookies;
    uint32_t reassembly_bytes_max; /**< IPv4 fragments held, all datagrams: 262144 if 0 */
    uint32_t time_wait_us;         /**< length of TIME-WAIT: 60 s if 0 (Linux) */
    uint32_t rto_min_us;           /**< 200000 if 0 (Linux; RFC 6298 says 1 s) */
};

/** Bytes of memory below which daytona_stack_init() refuses (-ENOMEM). */
#define DAYTONA_STACK_MEMORY_MIN ((size_t)1 << 20)

/**
 * Makes a stack inside `memory`, which the caller lends for the stack's whole life, aligned
 * to 64 bytes. Everything the stack ever allocates comes from there; pages of it that were
 * never needed are never touched. `config` is copied; `observer` (may be NULL) is copied.
 * Errors: -ENOMEM region too small, -EINVAL a configuration value out of bounds (nothing
 * is written then). There is no release: drop the memory.
 */
int daytona_stack_init(struct daytona_room memory, const struct daytona_stack_config *config,
                       const struct daytona_observer *observer, struct daytona_stack **out);

/* ------------------------------------------------------------------ the pump */

/** One received IP packet, starting at its IP header. */
struct daytona_packet_in {
    struct daytona_span bytes; /**< borrowed for the call; may be a super-frame of up to 64 KB */
    size_t wire_length;        /**< length on the wire; > bytes.length when the capture cut it */
};

/** What became of a packet; one counter each (counters.def). Dropping is not an error. */
enum daytona_verdict {
#define VERDICT(name, description) DAYTONA_VERDICT_##name,
#include <daytona/verdicts.def>
#undef VERDICT
    DAYTONA_VERDICT_COUNT
};
const char *daytona_verdict_name(enum daytona_verdict verdict);

enum daytona_verdict daytona_stack_input(struct daytona_stack *stack, struct daytona_instant now,
                                         const struct daytona_packet_in *packet);

#define DAYTONA_PACKET_HEADER_MAX 120 /* IPv4 with options 60 + TCP with options 60 */
#define DAYTONA_PACKET_SPANS_MAX  17  /* 64 KB in 4 KB pages, the first and the last one cut */

/** One packet to send: `header`, then the payload spans in order. */
struct daytona_packet_out {
    /** IP and TCP header, checksums filled in, but see checksum_partial. */
    uint8_t header[DAYTONA_PACKET_HEADER_MAX];
    uint16_t header_length;
    uint16_t transport_offset; /**< where the TCP (or ICMP) header starts in `header` */
    uint16_t segment_bytes;    /**< payload bytes per segment when spans hold several; 0: one */
    uint16_t span_count;
    bool checksum_partial; /**< the TCP checksum field holds the sum of the pseudo header alone */
    bool after_timeout;    /**< the retransmission timer fired: the path may have changed */
    uint32_t payload_length;
    /** Borrowed from the stack; valid until the next call other than daytona_stack_output(). */
    struct daytona_span spans[DAYTONA_PACKET_SPANS_MAX];
    struct daytona_address source, destination;
};

/** Writes the next packet that is due into `*out` and returns true; false when there is none.
 *  Runs every timer due at `now` first. */
bool daytona_stack_output(struct daytona_stack *stack, struct daytona_instant now,
                          struct daytona_packet_out *out);

/** How many packets of the network an output stands for: 1, or more where segment_bytes says so. */
unsigned daytona_packet_parts(const struct daytona_packet_out *packet);

/** Writes the one at `index` (< parts) into `*out`, for a sink that cannot split: headers and
 *  checksums are whole, the payload is borrowed from where `packet` has it. */
void daytona_packet_part(const struct daytona_packet_out *packet, unsigned index,
                         struct daytona_packet_out *out);

/** The earliest instant at which daytona_stack_output() has something to do; an instant in
 *  the past if it has already; DAYTONA_NEVER if only input can change anything. */
struct daytona_instant daytona_stack_deadline(const struct daytona_stack *stack);

/** Names a socket. Never reused: the generation differs when an index is used again. */
struct daytona_socket_id {
    uint32_t index;
    uint32_t generation; /**< never 0 for a socket that exists */
};

/** Readiness, as poll() would report it, plus two facts of our own. */
enum daytona_ready_bit {
    DAYTONA_READY_IN = 1 << 0,     /**< receive (or accept) does not block: POLLIN */
    DAYTONA_READY_OUT = 1 << 1,    /**< send does not block: POLLOUT */
    DAYTONA_READY_RDHUP = 1 << 2,  /**< the peer has sent FIN: POLLRDHUP (IN is set too) */
    DAYTONA_READY_HUP = 1 << 3,    /**< both directions shut or connection dead: POLLHUP */
    DAYTONA_READY_ERROR = 1 << 4,  /**< an error waits for SO_ERROR: POLLERR */
    DAYTONA_READY_URGENT = 1 << 5, /**< urgent data: POLLPRI */
    DAYTONA_READY_GONE = 1 << 6,   /**< closed by the application and now finished: the id is
                                        invalid from here on; the last report for it */
};

struct daytona_ready {
    struct daytona_socket_id id;
    void *user;     /**< as set with daytona_stack_set_user() */
    unsigned now;   /**< DAYTONA_READY_* that hold */
    unsigned edges; /**< those that became true, or happened again (more data arrived, more
                         room appeared), since the last report: what EPOLLET fires on */
};

/** Takes one changed socket from the list of changes; false when the list is empty. */
bool daytona_stack_take_ready(struct daytona_stack *stack, struct daytona_ready *out);

/** A driver's news that the way to `remote` takes packets of at most `mtu` bytes (EMSGSIZE
 *  from a raw socket): connections to it lower their MSS and send what was lost again. */
void daytona_stack_path_changed(struct daytona_stack *stack, struct daytona_instant now,
                                const struct daytona_address *remote, uint32_t mtu);

/** The driver gives the stack's ports to somebody else: from now on a segment that belongs to no
 *  connection of this stack is not answered, whatever port it is for. What is open goes on. */
void daytona_stack_retire(struct daytona_stack *stack);

/* ------------------------------------------------------------------ sockets */

/** A TCP socket, in no connection yet. -ENFILE: sockets_max reached, -ENOMEM: region full. */
int daytona_stack_open(struct daytona_stack *stack, struct daytona_socket_id *out);

/** The driver's own pointer for a socket; NULL at first, also for accepted ones. */
int daytona_stack_set_user(struct daytona_stack *stack, struct daytona_socket_id id, void *user);
/** It again; NULL for an unknown id, too. */
void *daytona_stack_user(struct daytona_stack *stack, struct daytona_socket_id id);

/** Sets the local end; the address may be unspecified, the port must not be 0 (see
 *  daytona_stack_choose_port). Whether others hold the port is the driver's business, but
 *  two bound sockets of this stack conflict as in Linux: -EADDRINUSE unless both set
 *  REUSE_ADDRESS and neither listens, or both set REUSE_PORT. -EINVAL already bound or port 0. */
int daytona_stack_bind(struct daytona_stack *stack, struct daytona_socket_id id,
                       const struct daytona_endpoint *local);

/** Proposes a free local port for a connection from `local` to `remote` (RFC 6056 algorithm 3,
 *  random increments); the next call proposes another. -EADDRNOTAVAIL: none in the range. */
int daytona_stack_choose_port(struct daytona_stack *stack, const struct daytona_address *local,
                              const struct daytona_endpoint *remote);

/** Passive open. `backlog` bounds the connections waiting for accept (>= 0; as in Linux one more
 *  than backlog fits). Again on a listener: changes the backlog. -EINVAL not bound, or connected;
 *  -EADDRINUSE another listener has the port (see daytona_stack_bind). */
int daytona_stack_listen(struct daytona_stack *stack, struct daytona_socket_id id, int backlog);

/** The oldest established connection of a listener. -EAGAIN none, -EINVAL not listening. */
int daytona_stack_accept(struct daytona_stack *stack, struct daytona_socket_id listener,
                         struct daytona_socket_id *out);

/**
 * Active open from the bound local end, whose address must be specified by `local` when the
 * binding has none. Sends SYN and returns -EINPROGRESS; readiness OUT reports the outcome and
 * daytona_stack_take_error() tells it. -EISCONN, -EALREADY, -EADDRINUSE (tuple in use),
 * -EINVAL (not bound, listening), -ENETUNREACH (a group), -ECONNABORTED ... as connect(2).
 */
int daytona_stack_connect(struct daytona_stack *stack, struct daytona_instant now,
                          struct daytona_socket_id id, const struct daytona_address *local,
                          const struct daytona_endpoint *remote);

/**
 * The same for whoever has data to send at once (MSG_FASTOPEN), as if option FASTOPEN_CONNECT were
 * on. Returns 0 when the peer is known to take data with the SYN (RFC 7413): then nothing is sent
 * before daytona_stack_send(). Else -EINPROGRESS as ever, and the SYN asks for the cookie.
 */
int daytona_stack_connect_fast(struct daytona_stack *stack, struct daytona_instant now,
                               struct daytona_socket_id id, const struct daytona_address *local,
                               const struct daytona_endpoint *remote);

/** TCP_FASTOPEN_KEY of a listener (to be): 16 bytes, or 32 with the key that was used before.
 *  Without one the stack has its own. -EINVAL another length, -ENOMEM. */
int daytona_stack_set_fastopen_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                   struct daytona_span key);

/** Copies what was set and returns its length, 0 nothing. */
int daytona_stack_get_fastopen_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                   uint8_t out[32]);

#define DAYTONA_SIGNATURE_KEY_MAX 80 /* Linux TCP_MD5SIG_MAXKEYLEN */

/**
 * TCP_MD5SIG: segments to and from peers whose address begins with the `prefix_bits` (0 to 32) of
 * the IPv4 address `remote` are signed with the key (RFC 2385); others are not, and are dropped
 * when they come with a signature. A listener's connections inherit the key that fits. An empty key
 * takes the one for this prefix away. -EINVAL too long, or another kind of address; -ENOENT nothing
 * to take away; -ENOMEM.
 */
int daytona_stack_set_signature_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                    const struct daytona_address *remote, unsigned prefix_bits,
                                    struct daytona_span key);

enum daytona_ao_algorithm {
    DAYTONA_AO_HMAC_SHA1,    /**< HMAC-SHA-1-96 */
    DAYTONA_AO_AES_128_CMAC, /**< AES-128-CMAC-96 */
};

/** A master key tuple of TCP-AO (RFC 5925 section 3.1, RFC 5926). */
struct daytona_ao_key {
    struct daytona_address remote; /**< peers whose IPv4 address begins with its first ... */
    unsigned prefix_bits;          /**< ... so many bits, 0 to 32 */
    uint8_t send_id, receive_id;
    enum daytona_ao_algorithm algorithm;
    bool leaves_options_out; /**< the MAC does not cover other options */
    struct daytona_span key; /**< borrowed; up to DAYTONA_SIGNATURE_KEY_MAX bytes */
};

/** Adds the key, or gives the one with the same peers and ids another value: as for
 *  daytona_stack_set_signature_key(). Among several for a peer the first added is used until the
 *  peer asks for another (RNextKeyID). -EINVAL, -ENOMEM. */
int daytona_stack_add_ao_key(struct daytona_stack *stack, struct daytona_socket_id id,
                             const struct daytona_ao_key *key);
/** Takes away the key with these peers and ids. -ENOENT; -EBUSY a connection signs with it. */
int daytona_stack_remove_ao_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                const struct daytona_ao_key *key);

/** The index-th key of the socket, in the order in which they were added; `out->key` is the stack's
 *  and good until the next call. `*current`: it signs what goes to its peers now. -ENOENT past the
 *  last one. */
int daytona_stack_get_ao_key(struct daytona_stack *stack, struct daytona_socket_id id, size_t index,
                             struct daytona_ao_key *out, bool *current);

/** Signs with the key that has this send id (Current_key, RFC 5925 section 3.3), until the peer
 *  asks for another. -ENOENT. */
int daytona_stack_use_ao_key(struct daytona_stack *stack, struct daytona_socket_id id,
                             uint8_t send_id);

enum daytona_send_flag {
    DAYTONA_SEND_URGENT = 1 << 0, /**< the last byte is urgent (MSG_OOB) */
    DAYTONA_SEND_MORE = 1 << 1,   /**< more follows: hold back a partial segment (MSG_MORE) */
};

/** Copies from the spans into the send buffer and returns how many bytes fit (> 0, or 0 for an
 *  empty request). -EAGAIN buffer full or handshake not done, -EPIPE sending side shut,
 *  -ENOTCONN, -ENOBUFS no memory in the region and nothing queued whose acknowledgment would
 *  free some, or the connection's pending error (then cleared). */
ptrdiff_t daytona_stack_send(struct daytona_stack *stack, struct daytona_instant now,
                             struct daytona_socket_id id, const struct daytona_span *spans,
                             size_t count, unsigned flags);

enum daytona_receive_flag {
    DAYTONA_RECEIVE_PEEK = 1 << 0, /**< leave the data (MSG_PEEK) */
    DAYTONA_RECEIVE_URGENT =
        1 << 1, /**< the urgent byte (MSG_OOB): -EINVAL none, -EAGAIN not here yet */
    DAYTONA_RECEIVE_DISCARD = 1 << 2, /**< drop instead of copying (MSG_TRUNC) */
};

/** Copies to the rooms; returns bytes, 0 at the end of the stream, -EAGAIN nothing there yet,
 *  -ENOTCONN, or the pending error (then cleared). Stops at an urgent mark as Linux does. */
ptrdiff_t daytona_stack_receive(struct daytona_stack *stack, struct daytona_instant now,
                                struct daytona_socket_id id, const struct daytona_room *rooms,
                                size_t count, unsigned flags);

enum daytona_shutdown { DAYTONA_SHUTDOWN_READ, DAYTONA_SHUTDOWN_WRITE, DAYTONA_SHUTDOWN_BOTH };

/** As shutdown(2). On a listener, READ or BOTH stops listening. -ENOTCONN. */
int daytona_stack_shutdown(struct daytona_stack *stack, struct daytona_instant now,
                           struct daytona_socket_id id, enum daytona_shutdown how);

/** The application is done with the socket: sends what is buffered and FIN, or RST when unread
 *  data is left (RFC 2525 section 2.17) or LINGER is 0. The stack finishes the connection by itself
 * and reports DAYTONA_READY_GONE. User calls on the id fail with -EBADF from now on. */
int daytona_stack_close(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id);

/** Ends the connection with RST at once (RFC 9293 section 3.10.5) and frees the socket. No report
 *  follows: what `user` points to is the driver's again. */
int daytona_stack_abort(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id);

/** A socket whose connection has ended becomes as one that was never connected, but bound; what was
 * not read is gone. -EISCONN when there is none that has ended. */
int daytona_stack_forget(struct daytona_stack *stack, struct daytona_instant now,
                         struct daytona_socket_id id);

/** The readiness that holds now (without consuming a report); 0 for an unknown id. */
unsigned daytona_stack_readiness(struct daytona_stack *stack, struct daytona_socket_id id);

/** SO_ERROR: the pending error as a positive errno, cleared; if there is none, that of the last
 * ICMP error that did not end the connection; 0 none; -EBADF. */
int daytona_stack_take_error(struct daytona_stack *stack, struct daytona_socket_id id);

/** -ENOTCONN when there is no remote end. Either pointer may be NULL. */
int daytona_stack_endpoints(struct daytona_stack *stack, struct daytona_socket_id id,
                            struct daytona_endpoint *local, struct daytona_endpoint *remote);

/** Per-socket settings; an int64 each. Set before listen they pass to accepted sockets. */
enum daytona_option {
#define OPTION(name, minimum, maximum, description) DAYTONA_OPTION_##name,
#include <daytona/options.def>
#undef OPTION
    DAYTONA_OPTION_COUNT
};

/** -EINVAL out of bounds, -EBADF, -ENOPROTOOPT read-only. */
int daytona_stack_set_option(struct daytona_stack *stack, struct daytona_instant now,
                             struct daytona_socket_id id, enum daytona_option option,
                             int64_t value);
int daytona_stack_get_option(struct daytona_stack *stack, struct daytona_socket_id id,
                             enum daytona_option option, int64_t *value);

/** The controller of a connection or of those to come. -ENOENT no such name. */
int daytona_stack_set_congestion(struct daytona_stack *stack, struct daytona_instant now,
                                 struct daytona_socket_id id, const char *name);
/** Borrowed, static; NULL for an unknown id. */
const char *daytona_stack_get_congestion(struct daytona_stack *stack, struct daytona_socket_id id);
/** The index-th controller's name, NULL past the end. */
const char *daytona_stack_congestion_name(size_t index);

/** Explicit congestion notification, classic (RFC 3168) or accurate (RFC 9768): what is taken when
 * a peer asks for it, and what is asked for. A controller that needs_ecn asks for all that is
 *  taken. The values of option ECN, and Linux's of net.ipv4.tcp_ecn. */
enum daytona_ecn_policy {
    DAYTONA_ECN_OFF,
    DAYTONA_ECN_ON,               /**< takes and asks for the classic kind */
    DAYTONA_ECN_PASSIVE,          /**< takes the classic kind, asks for none */
    DAYTONA_ECN_ACCURATE,         /**< takes and asks for both kinds */
    DAYTONA_ECN_MIXED,            /**< takes both kinds, asks for the classic one */
    DAYTONA_ECN_ACCURATE_PASSIVE, /**< takes both kinds, asks for none */
};
/** The index-th policy's name ("off", "on", "passive", ...), NULL past the end. */
const char *daytona_stack_ecn_name(size_t index);

/** What a connection has agreed on. */
enum daytona_ecn_mode {
    DAYTONA_ECN_MODE_NONE,
    DAYTONA_ECN_MODE_CLASSIC,
    DAYTONA_ECN_MODE_ACCURATE
};

/* ------------------------------------------------------------------ events */

/** The events that the stack's observer sees from now on, of all sockets and of none: a mask of
 *  DAYTONA_EVENT_BIT()s, 0: none. */
void daytona_stack_observe(struct daytona_stack *stack, uint64_t mask);

/** Besides them, those of one socket; what a listener accepts inherits its mask. -EBADF. */
int daytona_stack_observe_socket(struct daytona_stack *stack, struct daytona_socket_id id,
                                 uint64_t mask);

enum daytona_call_kind {
    DAYTONA_CALL_CONNECT,
    DAYTONA_CALL_ACCEPT,
    DAYTONA_CALL_SEND,
    DAYTONA_CALL_RECEIVE,
    DAYTONA_CALL_SHUTDOWN,
    DAYTONA_CALL_CLOSE,
};
/** "connect", static. */
const char *daytona_call_name(enum daytona_call_kind kind);

/** A call of the application from its beginning to its end: the caller keeps it, the three
 *  functions below read and write it. Events that happen on the socket from its beginning on, until
 *  another one begins, bear its number. */
struct daytona_call {
    uint32_t number; /**< counts the calls of this stack, from 1; 0: it is not counted */
    enum daytona_call_kind kind;
    struct daytona_socket_id id;
    struct daytona_instant began;
    uint64_t asked;    /**< bytes it would move, 0 when it moves none */
    uint32_t sequence; /**< sequence number of the first of them */
};

/** A call begins. Nothing happens when there is no such socket, or nobody observes anything; of an
 *  ACCEPT, `id` is the accepted one. */
void daytona_stack_call_begin(struct daytona_stack *stack, struct daytona_instant now,
                              struct daytona_socket_id id, enum daytona_call_kind kind,
                              uint64_t asked, struct daytona_call *call);
/** It has moved `done` bytes and waits: event CALL_WAITS. */
void daytona_stack_call_waits(struct daytona_stack *stack, struct daytona_instant now,
                              const struct daytona_call *call, uint64_t done);
/** It is over with `result`, bytes or 0 or -errno: event CALL. */
void daytona_stack_call_end(struct daytona_stack *stack, struct daytona_instant now,
                            const struct daytona_call *call, int64_t result);

/* ------------------------------------------------------------------ cycles */

/** Cycles are charged to activities from now on (profile.h); NULL: no more. The profiler is
 * borrowed for as long; who calls the stack has begun and ends it, and may have activities of its
 * own. Not while a call of the stack is in progress. */
void daytona_stack_profile(struct daytona_stack *stack, struct daytona_profiler *profiler);

/* ------------------------------------------------------------------ looking in */

/** RFC 9293 section 3.3.2; the values are those of Linux's tcpi_state. */
enum daytona_tcp_state {
    DAYTONA_TCP_ESTABLISHED = 1,
    DAYTONA_TCP_SYN_SENT,
    DAYTONA_TCP_SYN_RECEIVED,
    DAYTONA_TCP_FIN_WAIT_1,
    DAYTONA_TCP_FIN_WAIT_2,
    DAYTONA_TCP_TIME_WAIT,
    DAYTONA_TCP_CLOSED,
    DAYTONA_TCP_CLOSE_WAIT,
    DAYTONA_TCP_LAST_ACK,
    DAYTONA_TCP_LISTEN,
    DAYTONA_TCP_CLOSING,
};
const char *daytona_tcp_state_name(enum daytona_tcp_state state);

/** A connection's state at one instant. Bytes, microseconds, segments. */
struct daytona_connection_info {
    struct daytona_socket_id id;
    struct daytona_endpoint local, remote;
    enum daytona_tcp_state state;
    const char *congestion; /**< borrowed, static */
    struct daytona_congestion_told controller;
    bool in_recovery; /**< fast recovery */
    bool in_loss;     /**< after a retransmission timeout */
    bool timestamps_on, sack_on, window_scaling_on;
    enum daytona_ecn_mode ecn;
    bool ecn_seen; /**< data that could be marked, or were, have come */
    uint8_t send_window_scale, receive_window_scale;
    uint8_t backoff;          /**< RTO doublings */
    uint8_t retransmit_tries; /**< consecutive, of the first unacknowledged segment */
    uint8_t probes;           /**< unanswered zero-window or keepalive probes */
    uint32_t rto_us, delayed_ack_us, srtt_us, rttvar_us, rtt_min_us;
    uint32_t receive_round_trip_us; /**< as the receiving side sees it; 0 unknown */
    uint32_t receive_space;         /**< bytes: the most the application read in one of them */
    uint32_t receive_buffer;        /**< bytes that the window may be now */
    uint32_t send_mss, receive_mss, advertised_mss, path_mtu;
    uint32_t cwnd_bytes, ssthresh_bytes; /**< ssthresh UINT32_MAX: infinite */
    uint32_t in_flight_bytes, sacked_bytes, lost_bytes, retransmitted_out_bytes;
    uint32_t send_window, receive_window;           /**< bytes, unscaled */
    uint32_t send_queued, not_sent, receive_queued; /**< bytes */
    uint32_t receive_readable; /**< of receive_queued, those before an urgent mark (SIOCINQ) */
    uint32_t accept_queued, backlog_max; /**< listener only */
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retransmitted;
    uint32_t segments_out, segments_in, data_segments_out, data_segments_in;
    uint32_t segments_retransmitted, timeouts, fast_retransmits, duplicate_acks_in;
    uint32_t tail_probes;     /**< RFC 8985 section 7 */
    uint32_t undos;           /**< reductions of the window taken back as mistakes */
    uint32_t dsacks_in;       /**< duplicates that the peer told of (RFC 2883) */
    uint32_t reorderings;     /**< ACKs that told of segments that came late */
    uint32_t reordering;      /**< by how many segments at most; 3 until it is known */
    uint32_t reorder_wait_us; /**< what a late segment is given, RFC 8985's reordering window */
    uint64_t delivered_bytes, lost_total_bytes; /**< lost: marked so, some perhaps by mistake */
    uint64_t delivery_rate;                     /**< bytes a second, last valid sample; 0 none */
    bool delivery_rate_app_limited; /**< taken while the sender had too little to send */
    uint64_t pacing_rate;           /**< bytes a second; 0: not paced */
    uint64_t pacing_rate_max;       /**< SO_MAX_PACING_RATE; 0: no bound */
    uint32_t timeout_recoveries;    /**< repairs that a timeout began, and that are over */
    uint64_t timeout_us;            /**< that they took together */
    uint64_t busy_us;               /**< while something was not acknowledged */
    uint64_t peer_limited_us;       /**< while the peer's window let nothing more go */
    uint32_t out_of_order_in, checksum_errors;
    uint32_t ce_received;  /**< segments that came marked CE */
    uint32_t delivered_ce; /**< of ours, those that the peer said had come marked */
    uint32_t ece_received; /**< ACKs that said so */
    /** Accurate ECN: payload bytes that came with ECT(0), with CE and with ECT(1); ours as the peer
     *  counts them, and the peer's. */
    uint32_t delivered_ecn_bytes[3], received_ecn_bytes[3];
    bool syn_data_acked; /**< data went with the SYN and was taken (RFC 7413) */
    uint64_t last_data_sent_us, last_data_received_us; /**< ago */
    uint64_t last_ack_received_us; /**< ago; any acceptable segment, as each bears an ACK */
    uint64_t age_us;               /**< since the connection record was made */
    uint32_t timestamp;            /**< RFC 7323 TSval of a segment sent now */
};

int daytona_stack_info(struct daytona_stack *stack, struct daytona_instant now,
                       struct daytona_socket_id id, struct daytona_connection_info *out);

/** Walks all sockets, including those that finish without an application: start with
 *  {0, 0}; false after the last. */
bool daytona_stack_next(struct daytona_stack *stack, struct daytona_socket_id *id);

/** Counters of the whole stack; names and meanings in counters.def. */
struct daytona_counters {
#define COUNTER(name, description) uint64_t name;
#include <daytona/counters.def>
#undef COUNTER
    uint64_t verdicts[DAYTONA_VERDICT_COUNT];
};
const struct daytona_counters *daytona_stack_counters(const struct daytona_stack *stack);

/** Memory of the region: bytes in use by sockets, buffers and fragments now (0 when all are
 *  gone), and the most there ever was. Asking ends the spans of the last packet taken. */
struct daytona_memory_use {
    size_t used_bytes, peak_bytes, region_bytes;
};
void daytona_stack_memory(struct daytona_stack *stack, struct daytona_memory_use *out);

#endif
