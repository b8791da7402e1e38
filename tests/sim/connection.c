#include "tests/sim/connection.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <string.h>

#define ATTEMPTS_MAX 100 /* to connect */

static void side_opened(struct sim_side *side, struct daytona_socket_id id)
{
    side->id = id;
    side->opened = true;
    side->opened_at = side->host->world->now;
    sim_host_side_opened(side->host, side);
    daytona_stack_set_user(side->host->stack, id, side);
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++) {
        int64_t value = side->plan->options[option];
        if (value == SIM_OPTION_UNSET)
            continue;
        int result = daytona_stack_set_option(side->host->stack, side->host->world->now, id,
                                              (enum daytona_option)option, value);
        if (result != 0)
            sim_side_complain(side, "option %d = %lld: %s", option, (long long)value,
                              strerror(-result));
    }
    if (side->plan->congestion != NULL &&
        daytona_stack_set_congestion(side->host->stack, side->host->world->now, id,
                                     side->plan->congestion) != 0)
        sim_side_complain(side, "no congestion control %s", side->plan->congestion);
}

/* The socket was never of use. */
static void take_back(struct sim_side *side)
{
    daytona_stack_set_user(side->host->stack, side->id, NULL);
    int result = daytona_stack_close(side->host->stack, side->host->world->now, side->id);
    if (result != 0)
        sim_side_complain(side, "close after a failed connect: %s", strerror(-result));
    side->opened = false;
    sim_host_side_closed(side->host, side);
    sim_host_touch(side->host);
}

/* Tries again when ports are busy, for a while: the user of one may be dead without knowing it.
 * Gives up when memory is short. */
static void connect_failed(struct sim_side *side, int error)
{
    struct sim_world *world = side->host->world;
    sim_log(world, "connection %u: connect: %s", side->connection->number, strerror(error));
    bool busy = error == EADDRINUSE || error == EADDRNOTAVAIL;
    if (busy && !side->connection->plan->crossing && ++side->attempts < ATTEMPTS_MAX) {
        uint64_t us = sim_random_between(&side->random, 100000, 5000000);
        sim_queue_add(&world->queue,
                      (struct sim_event){.at = daytona_instant_after_us(world->now, us),
                                         .kind = SIM_EVENT_CONNECT,
                                         .subject = side->connection});
        return;
    }
    if (!busy && (error != ENOMEM || !world->scenario->tight))
        sim_side_complain(side, "connect: %s", strerror(error));
    side->error = error;
    side->closed = side->gone = true;
}

/* Binds and connects; -EINPROGRESS when all is well. */
static int connect_socket(struct sim_side *side)
{
    struct sim_connection *connection = side->connection;
    struct daytona_stack *stack = side->host->stack;
    struct daytona_address mine = sim_host_address(side->host->number);
    unsigned peer = connection->plan->hosts[1 - side->role];
    struct daytona_endpoint remote = {sim_host_address(peer), SIM_SERVER_PORT};
    int port = (int)(SIM_CROSSING_PORT + connection->number);
    if (connection->plan->crossing)
        remote.port = (uint16_t)port;
    else
        port = daytona_stack_choose_port(stack, &mine, &remote);
    if (connection->plan->refused)
        remote.port = SIM_CLOSED_PORT;
    if (port < 0)
        return port;
    struct daytona_endpoint local = {mine, (uint16_t)port};
    int result = sim_host_sign(side->host, side->id) ? 0 : -ENOMEM;
    if (result == 0)
        result = daytona_stack_bind(stack, side->id, &local);
    if (result == 0)
        result = daytona_stack_connect(stack, side->host->world->now, side->id, &mine, &remote);
    if (result == -EINPROGRESS) {
        connection->client_port = (uint16_t)port;
        connection->order = ++side->host->world->started;
    }
    return result;
}

static void side_connect(struct sim_side *side)
{
    struct daytona_socket_id id;
    int result = daytona_stack_open(side->host->stack, &id);
    if (result == 0) {
        side_opened(side, id);
        result = connect_socket(side);
        if (result != -EINPROGRESS)
            take_back(side);
    }
    if (result != -EINPROGRESS)
        connect_failed(side, -result);
    sim_world_progress(side->host->world);
    sim_host_touch(side->host);
}

void sim_connection_start(struct sim_connection *connection)
{
    side_connect(&connection->sides[SIM_CLIENT]);
    if (connection->plan->crossing)
        side_connect(&connection->sides[SIM_SERVER]);
}

static struct sim_side *side_to_accept(struct sim_host *host, struct daytona_socket_id id)
{
    struct daytona_endpoint local, remote;
    int result = daytona_stack_endpoints(host->stack, id, &local, &remote);
    struct sim_world *world = host->world;
    struct sim_side *last = NULL;
    for (unsigned i = 0; result == 0 && i < world->scenario->connection_count; i++) {
        struct sim_side *side = &world->connections[i].sides[SIM_SERVER];
        const struct sim_connection_plan *plan = world->connections[i].plan;
        struct daytona_address client = sim_host_address(plan->hosts[SIM_CLIENT]);
        if (side->host == host && !plan->crossing && !plan->refused &&
            world->connections[i].client_port == remote.port &&
            daytona_address_equal(&client, &remote.address) &&
            (last == NULL || last->connection->order < side->connection->order))
            last = side;
    }
    if (last != NULL && !last->opened)
        return last;
    if (last != NULL && sim_host_uses_cookies(host)) {
        sim_log(world, "connection %u: a late copy", last->connection->number);
        daytona_stack_abort(host->stack, world->now, id);
        return NULL;
    }
    sim_fail(world, "host %u accepts a connection that nobody made (port %u)", host->number,
             result == 0 ? remote.port : 0u);
    return NULL;
}

static void accept_one(struct sim_host *host, struct daytona_socket_id id)
{
    struct sim_side *side = side_to_accept(host, id);
    if (side == NULL)
        return;
    side_opened(side, id);
    side->connected = true;
    unsigned ready = daytona_stack_readiness(host->stack, id);
    sim_side_told(side, ready);
    sim_log(host->world, "connection %u server accepted: socket %u/%u ready %#x",
            side->connection->number, id.index, id.generation, ready);
    sim_world_progress(host->world);
    if ((ready & DAYTONA_READY_ERROR) != 0)
        sim_side_failed(side, daytona_stack_take_error(host->stack, id));
    else
        sim_side_run(side);
}

void sim_connection_accept(struct sim_host *host)
{
    struct sim_world *world = host->world;
    while (host->listening && !world->failed) {
        if (host->plan->accept_pause_us > 0 && sim_random_once_in(&host->random, 2)) {
            uint64_t us = sim_random_between(&host->random, 0, host->plan->accept_pause_us);
            host->accept_waits = true;
            sim_queue_add(&world->queue,
                          (struct sim_event){.at = daytona_instant_after_us(world->now, us),
                                             .kind = SIM_EVENT_ACCEPT,
                                             .node = host->number});
            return;
        }
        struct daytona_socket_id id;
        int result = daytona_stack_accept(host->stack, host->listener, &id);
        if (result == -EAGAIN)
            return;
        if (result < 0)
            sim_fail(world, "accept: %s", strerror(-result));
        else
            accept_one(host, id);
    }
}

/* ---------------------------------------------------------------- the end */

bool sim_connection_is_over(const struct sim_connection *connection)
{
    const struct sim_side *client = &connection->sides[SIM_CLIENT];
    const struct sim_side *server = &connection->sides[SIM_SERVER];
    bool never_accepted = !server->opened && (client->error != 0 || connection->given_up ||
                                              sim_connection_plan_resets(connection->plan));
    return client->gone && (server->gone || never_accepted);
}

static bool died(const struct sim_side *side)
{
    return side->error != 0 || (side->closed && sim_connection_plan_resets(side->connection->plan));
}

bool sim_connection_give_up(struct sim_connection *connection)
{
    bool any = false;
    for (unsigned role = 0; role < 2; role++) {
        struct sim_side *side = &connection->sides[role];
        const struct sim_side *peer = &connection->sides[1 - role];
        /* A peer that never accepted gave the handshake up; one that died cannot tell. */
        if (!side->opened || side->closed || (peer->opened && !died(peer)))
            continue;
        connection->given_up = true;
        sim_side_abort(side);
        any = true;
    }
    return any;
}

static void check_side_end(const struct sim_side *side)
{
    const struct sim_side *peer = &side->connection->sides[1 - side->role];
    bool wants_end = side->plan->ending == SIM_ENDING_HALF_CLOSE;
    if (side->sent != side->bytes || side->received != peer->bytes)
        sim_side_complain(side, "sent %llu of %llu, received %llu of %llu",
                          (unsigned long long)side->sent, (unsigned long long)side->bytes,
                          (unsigned long long)side->received, (unsigned long long)peer->bytes);
    if (wants_end && !side->ended)
        sim_side_complain(side, "never saw the end of the stream of %llu bytes",
                          (unsigned long long)side->received);
}

/* What a stack counted on a connection is what the wire saw. */
static void check_wire(const struct sim_side *side)
{
    const struct sim_flow *flow = sim_flow_of(&side->host->world->flows, side->connection);
    if (!side->ended_told || flow == NULL || flow->reused)
        return;
    uint64_t seen = flow->directions[sim_flow_end(flow, side->host->number)].payload_bytes;
    if (side->bytes_told != seen)
        sim_side_complain(side, "counted %llu bytes sent, the wire saw %llu",
                          (unsigned long long)side->bytes_told, (unsigned long long)seen);
}

void sim_connection_check_end(const struct sim_connection *connection)
{
    check_wire(&connection->sides[SIM_CLIENT]);
    check_wire(&connection->sides[SIM_SERVER]);
    const struct sim_side *client = &connection->sides[SIM_CLIENT];
    const struct sim_side *server = &connection->sides[SIM_SERVER];
    if (connection->plan->refused && client->error == 0)
        sim_side_complain(client, "was not refused (%d)", client->error);
    if (sim_connection_plan_resets(connection->plan) || connection->given_up ||
        client->error != 0 || server->error != 0)
        return;
    check_side_end(client);
    check_side_end(server);
}
