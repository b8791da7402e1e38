/*
 * tcp_calls.h - what the socket calls and the pump may ask of the TCP machine.
 */
#ifndef STACK_TCP_TCP_CALLS_H
#define STACK_TCP_TCP_CALLS_H

#include "stack/tcp/tcp.h"
#include "stack/wire/icmp.h"

/* ------------------------------------------------------------------ cycles */

/** What is done now is done for this socket: tells the profiler, if there is one. */
static inline void profile_found(const struct socket *socket)
{
    if (socket->tcp->profiler != NULL)
        daytona_profiler_found(socket->tcp->profiler, socket->id, &socket->entry.local,
                               &socket->entry.remote);
}

/* ------------------------------------------------------------------ records */

/** Prepares the machine; `config` has its defaults filled in. 0, -ENOMEM. */
int tcp_init(struct tcp *tcp, struct memory *memory, const struct daytona_stack_config *config,
             const struct daytona_observer *observer);

/** A public call that is told `now` begins with tcp_enter(). One in which a record may die ends
 *  with tcp_leave(), which gives its memory back: until then every caller up the stack may still
 *  look at it. daytona_stack_output() does not, for its spans may be the dead one's. */
void tcp_enter(struct tcp *tcp, struct daytona_instant now);
void tcp_leave(struct tcp *tcp);

/** A socket in CLOSED with the default settings; NULL: sockets_max or no memory, *error says
 *  which. */
struct socket *socket_new(struct tcp *tcp, int *error);

/** The socket of an id, NULL when there is none (any more). */
struct socket *socket_find(const struct tcp *tcp, struct daytona_socket_id id);

/** The half-open connection of an id, NULL when there is none (any more). */
struct request;
const struct request *request_find(const struct tcp *tcp, struct daytona_socket_id id);
void tcp_request_info(const struct request *request, struct daytona_connection_info *out);
void tcp_request_variables(const struct request *request, struct daytona_variables *out);

/** The id of the first socket or request at or after slot `index`; false past the last. */
bool tcp_next_id(const struct tcp *tcp, uint32_t index, struct daytona_socket_id *id);

/** The first socket at or after slot `index`, NULL past the last. */
struct socket *socket_from_index(const struct tcp *tcp, uint32_t index);

/** Takes the record out of every table. When the application closed it, a last report (GONE) is
 *  queued and the record waits for it. */
void socket_finish(struct socket *socket);

/** Gives up the slot and, when the call is over, the memory. */
void socket_drop(struct socket *socket);

/** Queues a report that the DAYTONA_READY_* of `edges` became true or happened again. */
void socket_changed(struct socket *socket, unsigned edges);

/** CLOSED at once: out of the tables, timers off, buffers given back when the call is over.
 *  `error` (errno, 0 none) waits for the application. */
void connection_end(struct connection *connection, int error, const char *cause);

/** A socket whose connection has ended is as one that was never connected, but bound. */
void connection_forget(struct socket *socket);

/** What the observer sees of all sockets; of this one besides. Masks, 0 nothing. */
void tcp_observe_all(struct tcp *tcp, uint64_t mask);
void tcp_observe_socket(struct socket *socket, uint64_t mask);

/** Raises CALL or CALL_WAITS, with `a` to `d`. */
void tcp_observe_call(const struct socket *socket, enum daytona_event_type type,
                      const struct daytona_call *call, uint64_t done, int64_t result);

/** Tells the observer of a packet that no connection accepted. */
void tcp_observe_drop(struct tcp *tcp, enum daytona_verdict verdict, size_t bytes);

/* ------------------------------------------------------------------ the user calls of RFC 9293 */

/** Section 3.10.1 OPEN, active: both ends are set in socket->entry. `fast`: data will follow, and
 *  should go with the SYN. 0 the SYN waits for it, -EINPROGRESS, -EADDRINUSE, -ENOMEM. */
int tcp_open_active(struct socket *socket, bool fast);

/** Section 3.10.1 OPEN, passive. */
void tcp_open_passive(struct socket *socket, uint32_t backlog);

/** Section 3.10.2 SEND: what was written to send.pages may go out. */
void tcp_send_queued(struct connection *connection, bool more, bool urgent);

/** May the application write? A third of the buffer is free, as Linux wants it, and no more than
 *  half of TCP_NOTSENT_LOWAT waits to be sent. */
bool tcp_writable(const struct connection *connection);

/** Bytes that a write may queue now. */
size_t tcp_space(const struct connection *connection);

/** Section 3.10.3 RECEIVE: the application took `bytes`; the window may move. */
void tcp_received(struct connection *connection, uint32_t bytes);

/** Section 3.10.4 CLOSE: FIN follows the data. */
void tcp_close(struct connection *connection);

/** Section 3.10.5 ABORT: RST when the state asks for one, then CLOSED with `error`. */
void tcp_abort(struct connection *connection, int error, const char *cause);

/** A child leaves its listener's lists; allowed for any socket. */
void tcp_listen_forget(struct socket *child);

/** A listener stops: embryos vanish, connections not accepted are reset, state CLOSED. */
void tcp_listener_end(struct socket *listener);

/** The application closed a connection that goes on by itself: starts the timer of FIN-WAIT-2,
 *  shrinks a TIME-WAIT to its record. */
void tcp_orphaned(struct connection *connection);

/* ------------------------------------------------------------------ packets */

/** A TCP segment (the IP payload) from `source` to `destination`, in a packet with
 * `type_of_service` and a TTL of `hops`. */
enum daytona_verdict tcp_input(struct tcp *tcp, const struct daytona_address *source,
                               const struct daytona_address *destination, uint8_t type_of_service,
                               uint8_t hops, struct daytona_span bytes);

/** An ICMP error about a segment of ours. */
enum daytona_verdict tcp_icmp(struct tcp *tcp, const struct icmp_error *error);

/** The path to `remote` takes packets of at most `mtu` bytes. */
void tcp_path_changed(struct tcp *tcp, const struct daytona_address *remote, uint32_t mtu);

/** The next packet of any connection or reply; false when there is none. */
bool tcp_output(struct tcp *tcp, struct daytona_packet_out *out);

/** Something may be ready to go out. */
bool tcp_output_waits(const struct tcp *tcp);

/** Runs the timers that are due. */
void tcp_run_timers(struct tcp *tcp);

/* ------------------------------------------------------------------ settings that act at once */

/** Gives the socket's settings this value, in a copy of its own when it shared them. 0, -ENOMEM. */
int settings_set(struct socket *socket, enum daytona_option option, int64_t value);

/** Puts the connection's timers, window and urge to send in line with the options. */
void tcp_option_changed(struct connection *connection, enum daytona_option option);

/** Switches the congestion controller. */
void tcp_set_congestion(struct connection *connection, const struct daytona_congestion *table);

/** The connection holds a TIME-WAIT that may be taken over by a new connect (RFC 6191, one
 *  second after it began). */
bool tcp_time_wait_reusable(const struct socket *socket);

/** Fills what is known of a socket and of its connection, if it has one. */
void tcp_info(const struct socket *socket, struct daytona_connection_info *out);

/** The same in full. */
void tcp_variables(const struct socket *socket, struct daytona_variables *out);

#endif
