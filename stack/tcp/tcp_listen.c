/*
 * LISTEN: RFC 9293 section 3.10.7.2, and the listener's queues. A SYN makes a request
 * (tcp_request.c) or, when there are too many, is answered with a cookie (tcp_cookie.c); the final
 * ACK makes a connection of either and moves it to the accept queue. As in Linux that takes one
 * more than the backlog; a full one ignores SYNs and final ACKs.
 */
#include "stack/base/tuple_hash.h"
#include "stack/tcp/tcp_fastopen.h"

bool tcp_listen_overflows(struct socket *listener)
{
    struct tcp *tcp = listener->tcp;
    const struct listener *queues = &listener->listener;
    if (queues->queue_count <= queues->backlog)
        return false;
    tcp->counters.listen_overflows++;
    listener->listener.overflows++;
    observe(tcp, listener, DAYTONA_EVENT_LISTEN_OVERFLOW, 2, queues->queue_count, "accept queue");
    return true;
}

static bool requests_full(const struct socket *listener)
{
    uint32_t least = listener->tcp->config.syn_queue_max;
    uint32_t backlog = listener->listener.backlog;
    return listener->listener.request_count >= (backlog > least ? backlog : least);
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

/* A cookie for want of room; or nothing, when the configuration has none. */
static enum daytona_verdict answer_with_cookie(struct socket *listener,
                                               const struct demux_entry *tuple,
                                               struct handshake *handshake)
{
    struct tcp *tcp = listener->tcp;
    if (tcp->config.syn_cookies != DAYTONA_SYN_COOKIES_OFF)
        return tcp_cookie_send(listener, tuple, handshake);
    tcp->counters.listen_overflows++;
    listener->listener.overflows++;
    observe(tcp, listener, DAYTONA_EVENT_LISTEN_OVERFLOW, 1, listener->listener.request_count,
            "SYN queue");
    return DAYTONA_VERDICT_BACKLOG_FULL;
}

/* The path is asked for only when a request is kept: the sender of a flood names a new one with
 * each SYN, and to ask costs more than all the rest. */
static uint16_t path_mtu_for(struct tcp *tcp, const struct demux_entry *tuple, bool ask)
{
    if (ask || tcp->request_mtu == 0)
        tcp->request_mtu = tcp_path_mtu_ask(tcp, tuple);
    return (uint16_t)tcp->request_mtu;
}

static enum daytona_verdict passive_open(struct socket *listener, const struct demux_entry *tuple,
                                         const struct segment *syn, const struct seq *isn)
{
    struct tcp *tcp = listener->tcp;
    socket_stir(listener);
    listener->listener.syns++;
    if (tcp_listen_overflows(listener))
        return DAYTONA_VERDICT_BACKLOG_FULL;
    /* One whose four-tuple was in TIME-WAIT has an ISN that no cookie could have. */
    bool cookie = isn == NULL && (tcp->config.syn_cookies == DAYTONA_SYN_COOKIES_ALWAYS ||
                                  requests_full(listener));
    struct handshake handshake;
    handshake_agree(&handshake, listener, tuple, syn, isn, path_mtu_for(tcp, tuple, !cookie));
    if (cookie)
        return answer_with_cookie(listener, tuple, &handshake);
    enum fastopen_answer fastopen = tcp_fastopen_judge(listener, tuple, syn);
    if (fastopen == FASTOPEN_BELIEVED)
        return tcp_fastopen_accept(listener, tuple, syn, &handshake);
    handshake.gives_cookie = fastopen == FASTOPEN_GIVEN;
    if (request_new(listener, tuple, &handshake) == 0)
        return DAYTONA_VERDICT_ACCEPTED;
    return tcp->config.syn_cookies == DAYTONA_SYN_COOKIES_OFF
               ? DAYTONA_VERDICT_NO_MEMORY
               : tcp_cookie_send(listener, tuple, &handshake);
}

struct connection *tcp_listen_cookie(struct socket *listener, const struct demux_entry *tuple,
                                     const struct segment *segment, enum daytona_verdict *verdict)
{
    struct handshake handshake;
    if (!tcp_cookie_read(listener, tuple, segment, &handshake)) {
        *verdict =
            tcp_reset_unknown(listener->tcp, tuple, &segment->header, segment_length(segment));
        return NULL;
    }
    *verdict = DAYTONA_VERDICT_BACKLOG_FULL;
    if (tcp_listen_overflows(listener))
        return NULL;
    *verdict = DAYTONA_VERDICT_NO_MEMORY;
    return handshake_child(listener, tuple, &handshake, NULL, "SYN cookie");
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

void tcp_listen_established(struct socket *child)
{
    struct listener *queues = &child->parent->listener;
    list_remove(&child->sibling);
    list_append(&queues->queue, &child->sibling);
    queues->queue_count++;
    queues->established++;
    child->queued = true;
    socket_changed(child->parent, DAYTONA_READY_IN);
}

void tcp_listen_caught_up(struct socket *child)
{
    if (child->parent != NULL)
        child->parent->listener.early_count--;
}

void tcp_listen_forget(struct socket *child)
{
    if (child->parent == NULL)
        return;
    if (child->connection != NULL && child->connection->fastopen == FASTOPEN_EARLY)
        tcp_listen_caught_up(child);
    struct listener *queues = &child->parent->listener;
    list_remove(&child->sibling);
    queues->queue_count -= child->queued;
    child->queued = false;
    child->parent = NULL;
}

void tcp_open_passive(struct socket *socket, uint32_t backlog)
{
    if (socket->state != DAYTONA_TCP_LISTEN) {
        struct listener *queues = &socket->listener;
        *queues = (struct listener){0};
        list_init(&queues->requests);
        list_init(&queues->embryos);
        list_init(&queues->queue);
        tcp_state_set(socket, DAYTONA_TCP_LISTEN, "listen");
    }
    socket->listener.backlog = backlog;
}

static void end_requests(struct listener *queues)
{
    struct list_node *node;
    while ((node = list_first(&queues->requests)) != NULL)
        request_drop(OWNER_OF(node, struct request, sibling), "listener closed");
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
    end_requests(&listener->listener);
    end_children(&listener->listener.embryos, "listener closed");
    end_children(&listener->listener.queue, "listener closed");
    tcp_state_set(listener, DAYTONA_TCP_CLOSED, "listener closed");
}
