/*
 * The life of the records: slots that give sockets their ids, connections made and ended, and
 * the lists of what is dead until the call in progress is over.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/tcp/tcp_signature.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define SLOT_BLOCK 512u
#define SLOT_NONE  UINT32_MAX

#define PATH_MTU_MAX 65535u /* no IPv4 packet is longer */

struct slot {
    struct demux_entry *entry; /* of a socket or a request; NULL: free */
    uint32_t next_free;
};

int tcp_init(struct tcp *tcp, struct memory *memory, const struct daytona_stack_config *config,
             const struct daytona_observer *observer)
{
    *tcp = (struct tcp){.memory = memory, .sent = {.memory = memory}, .config = *config};
    if (observer != NULL && observer->event != NULL) {
        tcp->observer = *observer;
        tcp_observe_all(tcp, observer->mask == 0 ? DAYTONA_EVENTS_ALL : observer->mask);
    } else if (observer != NULL) {
        tcp->observer.ended = observer->ended;
        tcp->observer.context = observer->context;
    }
    list_init(&tcp->output);
    list_init(&tcp->replies);
    list_init(&tcp->requests);
    list_init(&tcp->changed);
    list_init(&tcp->dead);
    list_init(&tcp->ended);
    settings_init(tcp);
    tcp->now.ns = 1; /* so that an instant of 0 can mean "never" */
    uint64_t seed = siphash(config->secret, "random", 6);
    tcp->random.state = seed;
    tcp->slots.first_free = SLOT_NONE;
    tcp->slots.generation = 0;
    size_t sockets = memory_region(memory) / memory_block_bytes(sizeof(struct socket));
    tcp->slots.block_max = (uint32_t)(sockets / SLOT_BLOCK + 1);
    tcp->slots.blocks = memory_take_zeroed(memory, tcp->slots.block_max * sizeof(struct slot *));
    if (tcp->slots.blocks == NULL)
        return -ENOMEM;
    return demux_init(&tcp->demux, memory, config->secret);
}

static struct slot *slot_at(const struct tcp *tcp, uint32_t index)
{
    return &tcp->slots.blocks[index / SLOT_BLOCK][index % SLOT_BLOCK];
}

/* Makes a block of free slots; false when memory is short. */
static bool slots_grow(struct tcp *tcp)
{
    struct slots *slots = &tcp->slots;
    if (slots->block_count == slots->block_max)
        return false;
    struct slot *block = memory_take_zeroed(tcp->memory, SLOT_BLOCK * sizeof(struct slot));
    if (block == NULL)
        return false;
    uint32_t first = slots->block_count * SLOT_BLOCK;
    slots->blocks[slots->block_count++] = block;
    for (uint32_t i = 0; i < SLOT_BLOCK; i++)
        block[i].next_free = i + 1 < SLOT_BLOCK ? first + i + 1 : slots->first_free;
    slots->first_free = first;
    return true;
}

/* With the last socket the slots' memory goes too: an empty stack holds none. Generations go
 * on counting, so an old id never fits again. */
static void slots_release(struct tcp *tcp)
{
    struct slots *slots = &tcp->slots;
    while (slots->block_count > 0)
        memory_return(tcp->memory, slots->blocks[--slots->block_count]);
    slots->first_free = SLOT_NONE;
}

static bool slot_take(struct tcp *tcp, struct demux_entry *entry, struct daytona_socket_id *id)
{
    if (tcp->slots.first_free == SLOT_NONE && !slots_grow(tcp))
        return false;
    uint32_t index = tcp->slots.first_free;
    struct slot *slot = slot_at(tcp, index);
    tcp->slots.first_free = slot->next_free;
    tcp->slots.used++;
    slot->entry = entry;
    if (++tcp->slots.generation == 0)
        tcp->slots.generation = 1;
    *id = (struct daytona_socket_id){index, tcp->slots.generation};
    return true;
}

static void slot_give_up(struct tcp *tcp, const struct demux_entry *entry, uint32_t index)
{
    struct slot *slot = slot_at(tcp, index);
    assert(slot->entry == entry);
    slot->entry = NULL;
    slot->next_free = tcp->slots.first_free;
    tcp->slots.first_free = index;
    if (--tcp->slots.used == 0)
        slots_release(tcp);
}

static bool sockets_full(const struct tcp *tcp)
{
    return tcp->config.sockets_max != 0 &&
           tcp->slots.used - tcp->request_count >= tcp->config.sockets_max;
}

struct socket *socket_unnamed(struct tcp *tcp)
{
    struct socket *socket = memory_take_zeroed(tcp->memory, sizeof *socket);
    if (socket == NULL) {
        tcp->counters.allocation_failures++;
        return NULL;
    }
    socket->tcp = tcp;
    socket->state = DAYTONA_TCP_CLOSED;
    socket->congestion = tcp->congestion;
    settings_share(socket, &tcp->settings);
    return socket;
}

bool socket_name(struct socket *socket)
{
    struct tcp *tcp = socket->tcp;
    if (sockets_full(tcp))
        return false;
    bool named = slot_take(tcp, &socket->entry, &socket->id);
    tcp->counters.allocation_failures += !named;
    return named;
}

void socket_name_after(struct socket *socket, const struct request *request)
{
    struct slot *slot = slot_at(socket->tcp, request->id.index);
    assert(slot->entry == &request->entry);
    slot->entry = &socket->entry;
    socket->id = request->id;
    socket->tcp->request_count--;
}

bool request_name(struct tcp *tcp, struct request *request)
{
    bool named = slot_take(tcp, &request->entry, &request->id);
    tcp->counters.allocation_failures += !named;
    tcp->request_count += named;
    return named;
}

void request_unname(struct tcp *tcp, const struct request *request)
{
    tcp->request_count--;
    slot_give_up(tcp, &request->entry, request->id.index);
}

struct socket *socket_new(struct tcp *tcp, int *error)
{
    *error = -ENFILE;
    if (sockets_full(tcp))
        return NULL;
    *error = -ENOMEM;
    struct socket *socket = socket_unnamed(tcp);
    if (socket == NULL || socket_name(socket))
        return socket;
    settings_release(socket);
    memory_return(tcp->memory, socket);
    return NULL;
}

/* What is in the slot of `index`, NULL nothing. */
static struct demux_entry *slot_entry(const struct tcp *tcp, uint32_t index)
{
    return index < tcp->slots.block_count * SLOT_BLOCK ? slot_at(tcp, index)->entry : NULL;
}

struct socket *socket_find(const struct tcp *tcp, struct daytona_socket_id id)
{
    struct demux_entry *entry = slot_entry(tcp, id.index);
    if (entry == NULL || entry->owner != DEMUX_SOCKET)
        return NULL;
    struct socket *socket = OWNER_OF(entry, struct socket, entry);
    return socket->id.generation == id.generation ? socket : NULL;
}

const struct request *request_find(const struct tcp *tcp, struct daytona_socket_id id)
{
    struct demux_entry *entry = slot_entry(tcp, id.index);
    if (entry == NULL || entry->owner != DEMUX_REQUEST)
        return NULL;
    const struct request *request = OWNER_OF(entry, struct request, entry);
    return request->id.generation == id.generation ? request : NULL;
}

struct socket *socket_from_index(const struct tcp *tcp, uint32_t index)
{
    for (; index < tcp->slots.block_count * SLOT_BLOCK; index++) {
        struct demux_entry *entry = slot_at(tcp, index)->entry;
        if (entry == NULL || entry->owner != DEMUX_SOCKET)
            continue;
        struct socket *socket = OWNER_OF(entry, struct socket, entry);
        if (!socket->gone)
            return socket;
    }
    return NULL;
}

bool tcp_next_id(const struct tcp *tcp, uint32_t index, struct daytona_socket_id *id)
{
    for (; index < tcp->slots.block_count * SLOT_BLOCK; index++) {
        struct demux_entry *entry = slot_at(tcp, index)->entry;
        if (entry == NULL)
            continue;
        const struct socket *socket =
            entry->owner == DEMUX_SOCKET ? OWNER_OF(entry, struct socket, entry) : NULL;
        if (socket != NULL && socket->gone)
            continue;
        *id = socket != NULL ? socket->id : OWNER_OF(entry, struct request, entry)->id;
        return true;
    }
    return false;
}

void socket_changed(struct socket *socket, unsigned edges)
{
    if (!socket->owned && !socket->gone)
        return;
    socket->edges |= (uint8_t)edges;
    if (!list_holds(&socket->changed))
        list_append(&socket->tcp->changed, &socket->changed);
}

/* Out of every table and list but the slots. */
static void socket_detach(struct socket *socket)
{
    struct tcp *tcp = socket->tcp;
    assert(socket->state == DAYTONA_TCP_CLOSED);
    timer_cancel(&tcp->timers, &socket->life);
    tcp_listen_forget(socket);
    demux_remove_tuple(&tcp->demux, &socket->entry);
    demux_remove_port(&tcp->demux, &socket->entry);
    if (socket->connection != NULL)
        connection_drop(socket->connection);
}

void socket_finish(struct socket *socket)
{
    socket_detach(socket);
    if (!socket->closed) {
        socket_drop(socket);
        return;
    }
    socket->gone = true;
    socket_changed(socket, DAYTONA_READY_GONE);
}

void socket_drop(struct socket *socket)
{
    socket_detach(socket);
    list_remove(&socket->changed);
    if (socket->id.generation != 0)
        slot_give_up(socket->tcp, &socket->entry, socket->id.index);
    list_append(&socket->tcp->dead, &socket->changed);
}

uint32_t tcp_path_mtu_ask(const struct tcp *tcp, const struct demux_entry *tuple)
{
    struct daytona_path path = {.mtu = 1500};
    if (tcp->config.path != NULL)
        tcp->config.path(tcp->config.path_context, &tuple->local.address, &tuple->remote.address,
                         &path);
    uint32_t known = tcp_path_mtu_known(tcp, &tuple->remote.address);
    uint32_t mtu = known != 0 && known < path.mtu ? known : path.mtu;
    if (mtu < PATH_MTU_MIN)
        mtu = PATH_MTU_MIN;
    return mtu > PATH_MTU_MAX ? PATH_MTU_MAX : mtu;
}

struct connection *connection_new(struct socket *socket, uint32_t path_mtu)
{
    struct tcp *tcp = socket->tcp;
    struct connection *connection = memory_take_zeroed(tcp->memory, sizeof *connection);
    if (connection == NULL) {
        tcp->counters.allocation_failures++;
        return NULL;
    }
    connection->tcp = tcp;
    connection->socket = socket;
    connection->since = tcp->now;
    connection->identification = (uint16_t)random_next(&tcp->random);
    connection->timestamp_offset = tcp_timestamp_offset(tcp, &socket->entry);
    sent_init(&connection->send.sent);
    connection->send.pacing.kind = TIMER_PACING;
    connection->send.rack.reo_wnd_mult = 1;
    connection->send.rack.reordering = REORDERING_INITIAL;
    connection->receive.timer.kind = TIMER_DELAYED_ACK;
    connection->receive.last_segment = tcp->now;
    connection->receive.mss = 536; /* RFC 9293 section 3.7.1: the least a peer sends in full */
    connection->send.rto_us = RTO_INITIAL_US;
    connection->send.buffer_bytes = (uint32_t)socket->options[DAYTONA_OPTION_SEND_BUFFER];
    connection->send.path_mtu = path_mtu;
    connection->signature = signature_room(socket, &socket->entry.remote.address);
    if (tcp_path_mtu_known(tcp, &socket->entry.remote.address) != 0)
        connection->send.path_lowered_at = tcp->now;
    tcp_autotune_limit(connection);
    socket->connection = connection;
    return connection;
}

void connection_set_iss(struct connection *connection, struct seq iss)
{
    struct sender *send = &connection->send;
    send->iss = send->una = offset_first(iss);
    send->nxt = send->iss + 1;
    send->up = send->small_end = send->pushed = send->una;
    send->lost_to = send->recovery_point = send->rack.fack = send->una;
    send->pages.start = send->pages.end = send->nxt;
}

void connection_set_irs(struct connection *connection, struct seq irs)
{
    struct receiver *receive = &connection->receive;
    uint64_t offered = receive->edge - receive->nxt; /* in a SYN sent before irs was known */
    receive->irs = offset_first(irs);
    receive->nxt = receive->read = receive->acked = receive->irs + 1;
    receive->edge = receive->nxt + offered;
    receive->pages.start = receive->pages.end = receive->nxt;
    receive->measured_from = receive->nxt;
    receive->measured_at = connection->tcp->now;
}

void connection_end(struct connection *connection, int error, const char *cause)
{
    struct tcp *tcp = connection->tcp;
    struct socket *socket = connection->socket;
    assert(!connection->ended);
    connection->ended = true;
    tcp_sender_timers_cancel(connection);
    timer_cancel(&tcp->timers, &connection->receive.timer);
    timer_cancel(&tcp->timers, &socket->life);
    list_remove(&connection->output);
    list_append(&tcp->ended, &connection->output);
    demux_remove_tuple(&tcp->demux, &socket->entry);
    bool embryo = socket->parent != NULL && socket->state == DAYTONA_TCP_SYN_RECEIVED;
    tcp_state_set(socket, DAYTONA_TCP_CLOSED, cause);
    if (error != 0)
        socket->error = (uint16_t)error;
    if (socket->closed || embryo)
        socket_finish(socket);
    else
        socket_changed(socket, DAYTONA_READY_IN | DAYTONA_READY_OUT | DAYTONA_READY_RDHUP |
                                   DAYTONA_READY_HUP | (error != 0 ? DAYTONA_READY_ERROR : 0));
}

void connection_drop(struct connection *connection)
{
    assert(connection->ended);
    struct socket *socket = connection->socket;
    if (socket == NULL)
        return;
    tcp_observe_end(connection);
    socket->connection = NULL;
    connection->socket = NULL;
    if (!list_holds(&connection->output))
        list_append(&connection->tcp->ended, &connection->output);
}

void connection_forget(struct socket *socket)
{
    struct demux *demux = &socket->tcp->demux;
    connection_drop(socket->connection);
    demux_remove_port(demux, &socket->entry);
    socket->entry.remote = (struct daytona_endpoint){0};
    demux_insert_port(demux, &socket->entry);
    socket->shut_read = socket->shut_write = socket->wants_space = false;
}

/* Gives back the buffers of ended connections, and the record when nobody has it any more. */
static void release_ended(struct tcp *tcp)
{
    for (struct list_node *node; (node = list_first(&tcp->ended)) != NULL;) {
        struct connection *connection = OWNER_OF(node, struct connection, output);
        list_remove(node);
        pages_release(&connection->send.pages, tcp->memory);
        sent_release(&connection->send.sent, &tcp->sent);
        ranges_release(&connection->receive.ranges, tcp->memory);
        if (connection->socket != NULL)
            continue;
        troubles_release(connection);
        pages_release(&connection->receive.pages, tcp->memory);
        memory_return(tcp->memory, connection);
    }
}

void tcp_enter(struct tcp *tcp, struct daytona_instant now)
{
    if (daytona_instant_before(tcp->now, now))
        tcp->now = now;
}

void tcp_leave(struct tcp *tcp)
{
    release_ended(tcp);
    for (struct list_node *node; (node = list_first(&tcp->dead)) != NULL;) {
        struct socket *socket = OWNER_OF(node, struct socket, changed);
        list_remove(node);
        settings_release(socket);
        extras_release(socket);
        memory_return(tcp->memory, socket);
    }
}
