/* Fills an event with what the connection is at, and hands it to the observer. */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/wire/bytes.h"

/* Events are filled member by member: to clear a whole one first would cost as much as all else. */

/* What does not depend on whose event it is. */
static void begin(struct daytona_event *event, struct tcp *tcp, enum daytona_event_type type,
                  const struct event_numbers *numbers, const char *reason)
{
    event->number = ++tcp->event_number;
    event->at = tcp->now;
    event->type = type;
    event->a = numbers->a;
    event->b = numbers->b;
    event->c = numbers->c;
    event->d = numbers->d;
    event->reason = reason;
    event->segment = NULL;
}

static void fill_who(struct daytona_event *event, struct daytona_socket_id id, uint8_t state,
                     uint32_t call, const struct demux_entry *entry)
{
    event->socket_index = id.index;
    event->socket_generation = id.generation;
    event->state = state;
    event->singled_out = false;
    event->call = call;
    event->local = entry == NULL ? NULL : &entry->local;
    event->remote = entry == NULL ? NULL : &entry->remote;
}

static void fill_numbers(struct daytona_event *event, uint32_t una, uint32_t nxt)
{
    event->una = una;
    event->nxt = nxt;
    event->cwnd_bytes = event->ssthresh_bytes = event->srtt_us = event->in_flight_bytes = 0;
}

static void fill_connection(struct daytona_event *event, const struct connection *connection)
{
    event->una = offset_seq(connection->send.una).value;
    event->nxt = offset_seq(connection->send.nxt).value;
    event->cwnd_bytes = tcp_cwnd_now(connection);
    event->ssthresh_bytes = connection->controls.ssthresh_bytes;
    event->srtt_us = connection->send.srtt_us;
    event->in_flight_bytes = tcp_pipe(connection);
}

/* NULL: nobody's, between the ends of `tuple`, which may be NULL too. */
static void fill_socket(struct daytona_event *event, const struct socket *socket,
                        const struct demux_entry *tuple)
{
    if (socket == NULL)
        fill_who(event, (struct daytona_socket_id){0, 0}, 0, 0, tuple);
    else
        fill_who(event, socket->id, (uint8_t)socket->state, socket->call, &socket->entry);
    if (socket != NULL)
        event->singled_out = (socket->events & DAYTONA_EVENT_BIT(event->type)) != 0;
    if (socket == NULL || socket->connection == NULL)
        fill_numbers(event, 0, 0);
    else
        fill_connection(event, socket->connection);
}

static void fill_request(struct daytona_event *event, const struct request *request)
{
    struct seq iss = request->handshake.iss;
    fill_who(event, request->id, DAYTONA_TCP_SYN_RECEIVED, 0, &request->entry);
    fill_numbers(event, iss.value, seq_add(iss, 1).value);
}

/* Whether the observer wants this type of the socket (NULL: of none). */
static bool wanted_of(const struct tcp *tcp, const struct socket *socket,
                      enum daytona_event_type type)
{
    uint64_t mask = tcp->observer.mask | (socket != NULL ? socket->events : 0);
    return (mask & DAYTONA_EVENT_BIT(type)) != 0;
}

static void deliver(const struct tcp *tcp, const struct daytona_event *event)
{
    tcp->observer.event(tcp->observer.context, event);
}

void observe_event(struct tcp *tcp, const struct socket *socket, enum daytona_event_type type,
                   const struct event_numbers *numbers, const char *reason)
{
    struct daytona_event event;
    if (!wanted_of(tcp, socket, type))
        return;
    begin(&event, tcp, type, numbers, reason);
    fill_socket(&event, socket, NULL);
    deliver(tcp, &event);
}

void observe_request_more(const struct request *request, enum daytona_event_type type,
                          struct event_numbers numbers, const char *reason)
{
    struct tcp *tcp = request->listener->tcp;
    struct daytona_event event;
    if (!observe_wanted(tcp, type) || !wanted_of(tcp, request->listener, type))
        return;
    begin(&event, tcp, type, &numbers, reason);
    fill_request(&event, request);
    deliver(tcp, &event);
}

void observe_request(const struct request *request, enum daytona_event_type type, uint64_t a,
                     uint64_t b, const char *reason)
{
    observe_request_more(request, type, (struct event_numbers){a, b, 0, 0}, reason);
}

/* ------------------------------------------------------------------ segments */

/* RFC 7323 section 2.2: the window of a SYN is never scaled. */
static uint8_t scale_of(const struct connection *connection, const struct request *request,
                        enum daytona_event_type type, uint64_t flags)
{
    bool in = type == DAYTONA_EVENT_SEGMENT_IN;
    if ((flags & TCP_SYN) != 0)
        return 1;
    if (request != NULL)
        return 1 + (in ? request->handshake.peer_scale : request->handshake.scale);
    if (connection == NULL)
        return 0;
    return 1 + (in ? connection->send.window_scale : connection->receive.window_scale);
}

/* About whoever has the tuple; without one there are still the ends. */
static void deliver_segment(struct tcp *tcp, enum daytona_event_type type,
                            const struct demux_entry *tuple, const struct demux_entry *owner,
                            const struct event_numbers *numbers, struct daytona_segment_view *view)
{
    const struct request *request = owner != NULL && owner->owner == DEMUX_REQUEST
                                        ? OWNER_OF(owner, struct request, entry)
                                        : NULL;
    const struct socket *socket = request != NULL ? request->listener
                                  : owner != NULL ? OWNER_OF(owner, struct socket, entry)
                                                  : NULL;
    struct daytona_event event;
    if (!wanted_of(tcp, socket, type))
        return;
    begin(&event, tcp, type, numbers, NULL);
    view->window_scale =
        scale_of(socket == NULL ? NULL : socket->connection, request, type, numbers->d);
    event.segment = view;
    if (request != NULL)
        fill_request(&event, request);
    else
        fill_socket(&event, socket, tuple);
    deliver(tcp, &event);
}

void observe_segment_in(struct tcp *tcp, const struct demux_entry *tuple,
                        const struct demux_entry *owner, const struct segment *segment)
{
    const struct tcp_header *header = &segment->header;
    struct daytona_segment_view view = {
        .header = {segment->bytes.data, segment->bytes.length - segment->payload.length},
        .payload_bytes = (uint32_t)segment->payload.length,
        .time_to_live = segment->hops,
        .type_of_service = (uint8_t)segment->ecn,
    };
    const struct event_numbers numbers = {header->seq.value, segment->payload.length,
                                          header->ack.value, header->flags};
    deliver_segment(tcp, DAYTONA_EVENT_SEGMENT_IN, tuple, owner, &numbers, &view);
}

static struct daytona_segment_view view_of(const struct daytona_packet_out *out)
{
    return (struct daytona_segment_view){
        .header = {out->header + out->transport_offset,
                   (size_t)(out->header_length - out->transport_offset)},
        .payload_bytes = out->payload_length,
        .segment_bytes = out->segment_bytes,
        .type_of_service = out->header[1],
        .time_to_live = out->header[8],
    };
}

/* The fields of a header that was written, RFC 9293 section 3.1. */
static struct event_numbers numbers_of(const struct daytona_segment_view *view)
{
    const uint8_t *header = view->header.data;
    return (struct event_numbers){load_32(header + 4), view->payload_bytes, load_32(header + 8),
                                  header[13]};
}

void observe_segment_out(struct tcp *tcp, const struct socket *socket,
                         const struct daytona_packet_out *out)
{
    struct daytona_segment_view view = view_of(out);
    const struct event_numbers numbers = numbers_of(&view);
    deliver_segment(tcp, DAYTONA_EVENT_SEGMENT_OUT, &socket->entry, &socket->entry, &numbers,
                    &view);
}

void observe_bare_out(struct tcp *tcp, const struct daytona_packet_out *out)
{
    struct daytona_segment_view view = view_of(out);
    const struct event_numbers numbers = numbers_of(&view);
    const struct demux_entry tuple = {
        .local = {out->source, load_16(view.header.data)},
        .remote = {out->destination, load_16(view.header.data + 2)},
    };
    const struct demux_entry *owner = demux_find_tuple(&tcp->demux, &tuple.local, &tuple.remote);
    deliver_segment(tcp, DAYTONA_EVENT_SEGMENT_OUT, &tuple, owner, &numbers, &view);
}

/* ------------------------------------------------------------------ the rest */

void tcp_observe_all(struct tcp *tcp, uint64_t mask)
{
    uint64_t wanted = tcp->observer.mask = tcp->observer.event == NULL ? 0 : mask;
    for (struct socket *socket = socket_from_index(tcp, 0); socket != NULL;
         socket = socket_from_index(tcp, socket->id.index + 1))
        wanted |= socket->events;
    tcp->wanted = tcp->observer.event == NULL ? 0 : wanted;
}

void tcp_observe_socket(struct socket *socket, uint64_t mask)
{
    socket->events = mask;
    tcp_observe_all(socket->tcp, socket->tcp->observer.mask);
}

void tcp_observe_call(const struct socket *socket, enum daytona_event_type type,
                      const struct daytona_call *call, uint64_t done, int64_t result)
{
    struct tcp *tcp = socket->tcp;
    if (!observe_wanted(tcp, type) || !wanted_of(tcp, socket, type))
        return;
    bool over = type == DAYTONA_EVENT_CALL;
    const struct event_numbers numbers = {call->asked, over ? (uint64_t)result : done,
                                          call->sequence, over ? tcp->now.ns - call->began.ns : 0};
    struct daytona_event event;
    begin(&event, tcp, type, &numbers, daytona_call_name(call->kind));
    fill_socket(&event, socket, NULL);
    event.call = call->number;
    deliver(tcp, &event);
}

void tcp_observe_end(const struct connection *connection)
{
    const struct daytona_observer *observer = &connection->tcp->observer;
    struct daytona_connection_info last;
    if (observer->ended == NULL)
        return;
    tcp_info(connection->socket, &last);
    observer->ended(observer->context, &last);
}

void tcp_observe_drop(struct tcp *tcp, enum daytona_verdict verdict, size_t bytes)
{
    observe(tcp, NULL, DAYTONA_EVENT_DROP, verdict, bytes, daytona_verdict_name(verdict));
}
