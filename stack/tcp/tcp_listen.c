/*
 * LISTEN: RFC 9293 section 3.10.7.2, and the listener's queues. A SYN makes a connection in
 * SYN-RECEIVED (an embryo); its final ACK moves it to the accept queue. As in Linux the accept
 * queue takes one more than the backlog; a full one ignores SYNs and final ACKs.
 */
#include "stack/base/tuple_hash.h"
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"

#include <string.h>

/* Embryos that may wait even with a small backlog, where Linux would resort to SYN cookies: a
 * hundred clients may well begin within one round trip. */
#define EMBRYOS_MIN 128u

static bool queues_full(const struct listener *queues)
{
    uint32_t embryos_max = queues->backlog > EMBRYOS_MIN ? queues->backlog : EMBRYOS_MIN;
    return queues->queue_count > queues->backlog || queues->embryo_count > embryos_max;
}

/* Does the listener take connections to `local`? 0 no, 1 by wildcard, 2 by its own address. */
static unsigned listener_score(const struct socket *socket, const struct daytona_endpoint *local)
{
    if (socket->state != DAYTONA_TCP_LISTEN)
        return 0;
    const struct daytona_address *bound = &socket->entry.local.address;
    if (daytona_address_is_unspecified(bound))
        return 1;
    return daytona_address_equal(bound, &local->address) ? 2 : 0;
}

struct socket *tcp_listener_find(const struct tcp *tcp, const struct daytona_endpoint *local,
                                 const struct daytona_endpoint *remote)
{
    struct socket *found = NULL;
    unsigned best = 0, count = 0;
    uint64_t hash = 0;
    struct demux_entry *entry = NULL;
    while ((entry = demux_next_bound_on_port(&tcp->demux, local->port, entry)) != NULL) {
        struct socket *socket = OWNER_OF(entry, struct socket, entry);
        unsigned score = listener_score(socket, local);
        if (score == 0 || score < best)
            continue;
        if (score > best) {
            best = score;
            count = 0;
        }
        if (++count == 2)
            hash = tuple_hash(tcp->config.secret, TUPLE_FOR_LISTENER, local, remote);
        /* Among several SO_REUSEPORT listeners the same one for the same four-tuple; each of the
         * `count` equals so far is kept with the same probability. */
        if (count == 1 || (hash >> (count & 31)) % count == 0)
            found = socket;
    }
    return found;
}

/* The child's socket: the listener's settings, the segment's ends. */
static struct socket *child_new(struct socket *listener, const struct demux_entry *tuple)
{
    int error;
    struct tcp *tcp = listener->tcp;
    struct socket *child = socket_new(tcp, &error);
    if (child == NULL)
        return NULL;
    child->entry.local = tuple->local;
    child->entry.remote = tuple->remote;
    child->congestion = listener->congestion;
    child->receive_buffer_set = listener->receive_buffer_set;
    child->send_buffer_set = listener->send_buffer_set;
    settings_share(child, listener->settings);
    if (demux_insert_tuple(&tcp->demux, &child->entry) < 0 ||
        demux_insert_port(&tcp->demux, &child->entry) < 0 || connection_new(child) == NULL) {
        socket_drop(child);
        return NULL;
    }
    return child;
}

static enum daytona_verdict passive_open(struct socket *listener, const struct demux_entry *tuple,
                                         const struct segment *syn, const struct seq *isn)
{
    struct listener *queues = &listener->listener;
    struct tcp *tcp = listener->tcp;
    if (queues_full(queues)) {
        tcp->counters.listen_overflows++;
        return DAYTONA_VERDICT_BACKLOG_FULL;
    }
    struct socket *child = child_new(listener, tuple);
    if (child == NULL)
        return DAYTONA_VERDICT_NO_MEMORY;
    struct connection *connection = child->connection;
    connection->passive = true;
    connection_set_iss(connection, isn != NULL ? *isn : tcp_isn(tcp, &child->entry));
    connection_set_irs(connection, syn->header.seq);
    tcp_options_offer(connection);
    tcp_options_agree(connection, syn);
    connection->send.wnd = connection->send.wnd_max = syn->header.window;
    connection->send.syn_due = true;
    tcp_state_set(child, DAYTONA_TCP_SYN_RECEIVED, "SYN received");
    child->parent = listener;
    list_append(&queues->embryos, &child->sibling);
    queues->embryo_count++;
    tcp->counters.passive_opens++;
    tcp_output_want(connection);
    return DAYTONA_VERDICT_ACCEPTED;
}

enum daytona_verdict tcp_listen_input(struct socket *listener, const struct demux_entry *tuple,
                                      const struct segment *segment, const struct seq *isn)
{
    uint8_t flags = segment->flags;
    if ((flags & TCP_RST) != 0) /* first */
        return DAYTONA_VERDICT_UNACCEPTABLE;
    if ((flags & TCP_ACK) != 0) /* second */
        return tcp_reset_unknown(listener->tcp, tuple, &segment->header, segment_length(segment));
    if ((flags & TCP_SYN) != 0 && (flags & TCP_FIN) == 0) /* third */
        return passive_open(listener, tuple, segment, isn);
    return DAYTONA_VERDICT_UNACCEPTABLE;
}

bool tcp_listen_established(struct socket *child)
{
    struct listener *queues = &child->parent->listener;
    if (queues->queue_count > queues->backlog)
        return false;
    list_remove(&child->sibling);
    queues->embryo_count--;
    list_append(&queues->queue, &child->sibling);
    queues->queue_count++;
    child->queued = true;
    socket_changed(child->parent, DAYTONA_READY_IN);
    return true;
}

void tcp_listen_forget(struct socket *child)
{
    if (child->parent == NULL)
        return;
    struct listener *queues = &child->parent->listener;
    list_remove(&child->sibling);
    if (child->queued)
        queues->queue_count--;
    else
        queues->embryo_count--;
    child->queued = false;
    child->parent = NULL;
}

void tcp_open_passive(struct socket *socket, uint32_t backlog)
{
    if (socket->state != DAYTONA_TCP_LISTEN) {
        struct listener *queues = &socket->listener;
        *queues = (struct listener){0};
        list_init(&queues->embryos);
        list_init(&queues->queue);
        tcp_state_set(socket, DAYTONA_TCP_LISTEN, "listen");
    }
    socket->listener.backlog = backlog;
}

static void end_children(struct list *children, const char *cause)
{
    struct list_node *node;
    while ((node = list_first(children)) != NULL) {
        struct socket *child = OWNER_OF(node, struct socket, sibling);
        if (child->state == DAYTONA_TCP_SYN_RECEIVED) {
            connection_end(child->connection, 0, cause); /* an embryo is finished by that */
            continue;
        }
        if (child->state != DAYTONA_TCP_CLOSED)
            tcp_abort(child->connection, 0, cause);
        tcp_listen_forget(child);
        socket_drop(child);
    }
}

void tcp_listener_end(struct socket *listener)
{
    end_children(&listener->listener.embryos, "listener closed");
    end_children(&listener->listener.queue, "listener closed");
    tcp_state_set(listener, DAYTONA_TCP_CLOSED, "listener closed");
}
