/* Fills an event with what the connection is at, and hands it to the observer. */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"

void observe_event(struct tcp *tcp, const struct socket *socket, enum daytona_event_type type,
                   uint64_t a, uint64_t b, const char *reason)
{
    const struct daytona_observer *observer = &tcp->observer;
    if (observer->mask != 0 && (observer->mask >> type & 1) == 0)
        return;
    struct daytona_event event = {.at = tcp->now, .type = type, .a = a, .b = b, .reason = reason};
    if (socket != NULL) {
        event.socket_index = socket->id.index;
        event.socket_generation = socket->id.generation;
    }
    const struct connection *connection = socket == NULL ? NULL : socket->connection;
    if (connection != NULL) {
        event.una = offset_seq(connection->send.una).value;
        event.nxt = offset_seq(connection->send.nxt).value;
        event.cwnd_bytes = tcp_cwnd_now(connection);
        event.ssthresh_bytes = connection->controls.ssthresh_bytes;
        event.srtt_us = connection->send.srtt_us;
    }
    observer->event(observer->context, &event);
}

void observe_request(const struct request *request, enum daytona_event_type type, uint64_t a,
                     uint64_t b, const char *reason)
{
    const struct tcp *tcp = request->listener->tcp;
    const struct daytona_observer *observer = &tcp->observer;
    if (observer->event == NULL || (observer->mask != 0 && (observer->mask >> type & 1) == 0))
        return;
    struct seq iss = request->handshake.iss;
    const struct daytona_event event = {
        .at = tcp->now,
        .type = type,
        .socket_index = request->id.index,
        .socket_generation = request->id.generation,
        .una = iss.value,
        .nxt = seq_add(iss, 1).value,
        .a = a,
        .b = b,
        .reason = reason,
    };
    observer->event(observer->context, &event);
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
