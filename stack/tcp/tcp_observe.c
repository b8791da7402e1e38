/* Fills an event with what the connection is at, and hands it to the observer. */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/wire/bytes.h"

static void deliver(struct tcp *tcp, struct daytona_event *event)
{
    event->number = ++tcp->event_number;
    event->at = tcp->now;
    tcp->observer.event(tcp->observer.context, event);
}

static void fill_ends(struct daytona_event *event, const struct demux_entry *entry)
{
    event->local = &entry->local;
    event->remote = &entry->remote;
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

static void fill_socket(struct daytona_event *event, const struct socket *socket)
{
    event->socket_index = socket->id.index;
    event->socket_generation = socket->id.generation;
    event->state = (uint8_t)socket->state;
    event->call = socket->call;
    fill_ends(event, &socket->entry);
    if (socket->connection != NULL)
        fill_connection(event, socket->connection);
}

static void fill_request(struct daytona_event *event, const struct request *request)
{
    struct seq iss = request->handshake.iss;
    event->socket_index = request->id.index;
    event->socket_generation = request->id.generation;
    event->state = DAYTONA_TCP_SYN_RECEIVED;
    event->una = iss.value;
    event->nxt = seq_add(iss, 1).value;
    fill_ends(event, &request->entry);
}

/* Whether the observer wants this type of the socket (NULL: of none). */
static bool wanted_of(const struct tcp *tcp, const struct socket *socket,
                      enum daytona_event_type type)
{
    uint64_t mask = tcp->observer.mask | (socket != NULL ? socket->events : 0);
    return (mask & DAYTONA_EVENT_BIT(type)) != 0;
}

void observe_event(struct tcp *tcp, const struct socket *socket, enum daytona_event_type type,
                   const struct event_numbers *numbers, const char *reason)
{
    if (!wanted_of(tcp, socket, type))
        return;
    struct daytona_event event = {.type = type,
                                  .a = numbers->a,
                                  .b = numbers->b,
                                  .c = numbers->c,
                                  .d = numbers->d,
                                  .reason = reason};
    if (socket != NULL)
        fill_socket(&event, socket);
    deliver(tcp, &event);
}

void observe_request_more(const struct request *request, enum daytona_event_type type,
                          struct event_numbers numbers, const char *reason)
{
    struct tcp *tcp = request->listener->tcp;
    if (!observe_wanted(tcp, type) || !wanted_of(tcp, request->listener, type))
        return;
    struct daytona_event event = {.type = type,
                                  .a = numbers.a,
                                  .b = numbers.b,
                                  .c = numbers.c,
                                  .d = numbers.d,
                                  .reason = reason};
    fill_request(&event, request);
    deliver(tcp, &event);
}

void observe_request(const struct request *request, enum daytona_event_type type, uint64_t a,
                     uint64_t b, const char *reason)
{
    observe_request_more(request, type, (struct event_numbers){a, b, 0, 0}, reason);
}

/* ------------------------------------------------------------------ segments */

/* About whoever has the tuple; without one there are still the ends. */
static void deliver_segment(struct tcp *tcp, const struct demux_entry *tuple,
                            const struct demux_entry *owner, struct daytona_event *event)
{
    const struct request *request = owner != NULL && owner->owner == DEMUX_REQUEST
                                        ? OWNER_OF(owner, struct request, entry)
                                        : NULL;
    const struct socket *socket = request != NULL ? request->listener
                                  : owner != NULL ? OWNER_OF(owner, struct socket, entry)
                                                  : NULL;
    if (!wanted_of(tcp, socket, event->type))
        return;
    if (request != NULL)
        fill_request(event, request);
    else if (socket != NULL)
        fill_socket(event, socket);
    else
        fill_ends(event, tuple);
    deliver(tcp, event);
}

void observe_segment_in(struct tcp *tcp, const struct demux_entry *tuple,
                        const struct demux_entry *owner, const struct segment *segment)
{
    const struct daytona_segment_view view = {
        .header = {segment->bytes.data, segment->bytes.length - segment->payload.length},
        .payload_bytes = (uint32_t)segment->payload.length,
        .time_to_live = segment->hops,
        .type_of_service = (uint8_t)segment->ecn,
    };
    struct daytona_event event = {
        .type = DAYTONA_EVENT_SEGMENT_IN,
        .a = segment->header.seq.value,
        .b = segment->payload.length,
        .c = segment->header.ack.value,
        .d = segment->header.flags,
        .segment = &view,
    };
    deliver_segment(tcp, tuple, owner, &event);
}

/* The fields of the header that was written, RFC 9293 section 3.1. */
static struct daytona_event segment_out_event(const struct daytona_packet_out *out,
                                              struct daytona_segment_view *view)
{
    const uint8_t *tcp_bytes = out->header + out->transport_offset;
    *view = (struct daytona_segment_view){
        .header = {tcp_bytes, (size_t)(out->header_length - out->transport_offset)},
        .payload_bytes = out->payload_length,
        .segment_bytes = out->segment_bytes,
        .type_of_service = out->header[1],
        .time_to_live = out->header[8],
    };
    return (struct daytona_event){
        .type = DAYTONA_EVENT_SEGMENT_OUT,
        .a = load_32(tcp_bytes + 4),
        .b = out->payload_length,
        .c = load_32(tcp_bytes + 8),
        .d = tcp_bytes[13],
        .segment = view,
    };
}

void observe_segment_out(struct tcp *tcp, const struct socket *socket,
                         const struct daytona_packet_out *out)
{
    if (!wanted_of(tcp, socket, DAYTONA_EVENT_SEGMENT_OUT))
        return;
    struct daytona_segment_view view;
    struct daytona_event event = segment_out_event(out, &view);
    fill_socket(&event, socket);
    deliver(tcp, &event);
}

void observe_bare_out(struct tcp *tcp, const struct daytona_packet_out *out)
{
    struct daytona_segment_view view;
    struct daytona_event event = segment_out_event(out, &view);
    const struct demux_entry tuple = {
        .local = {out->source, load_16(view.header.data)},
        .remote = {out->destination, load_16(view.header.data + 2)},
    };
    const struct demux_entry *owner = demux_find_tuple(&tcp->demux, &tuple.local, &tuple.remote);
    deliver_segment(tcp, &tuple, owner, &event);
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
    struct daytona_event event = {
        .type = type,
        .a = call->asked,
        .b = over ? (uint64_t)result : done,
        .c = call->sequence,
        .d = over ? tcp->now.ns - call->began.ns : 0,
        .reason = daytona_call_name(call->kind),
    };
    fill_socket(&event, socket);
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
