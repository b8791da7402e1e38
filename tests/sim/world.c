#include "tests/sim/world.h"
#include "tests/sim/invariant.h"
#include "tests/sim/pcap.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_PER_INSTANT_MAX 1000000u
#define LENGTH_MAX_US         (48ull * 3600 * 1000000)

void sim_fail(struct sim_world *world, const char *format, ...)
{
    if (world->failed)
        return;
    world->failed = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(world->failure, sizeof world->failure, format, arguments);
    va_end(arguments);
    sim_log(world, "FAILED: %s", world->failure);
}

void sim_log(const struct sim_world *world, const char *format, ...)
{
    if (!world->log)
        return;
    uint64_t ns = world->now.ns - world->scenario->origin.ns;
    printf("%5llu.%09llu ", (unsigned long long)(ns / 1000000000),
           (unsigned long long)(ns % 1000000000));
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void sim_world_progress(struct sim_world *world)
{
    world->progress = world->now;
}

static void init_link(struct sim_world *world, unsigned from)
{
    struct sim_link_config config = world->scenario->links[from];
    if (config.outage_end.ns != 0) {
        config.outage_start.ns += world->now.ns;
        config.outage_end.ns += world->now.ns;
    }
    world->links[from] = (struct sim_link){
        .config = config,
        .random = sim_random_from(world->scenario->seed, 200 + from),
        .queue = &world->queue,
        .from = from,
        .to = 1 - from,
    };
}

static void init_connection(struct sim_world *world, unsigned number)
{
    const struct sim_connection_plan *plan = &world->scenario->connections[number];
    struct sim_connection *connection = &world->connections[number];
    *connection = (struct sim_connection){.number = number, .plan = plan};
    for (unsigned role = 0; role < 2; role++) {
        uint64_t stream = 1000 + 2 * number + role;
        struct sim_random random = sim_random_from(world->scenario->seed, stream);
        connection->keys[role] = sim_random_next(&random);
        connection->sides[role] = (struct sim_side){
            .connection = connection,
            .host = &world->hosts[role == SIM_CLIENT ? plan->client : 1 - plan->client],
            .plan = &plan->sides[role],
            .role = role,
            .random = random,
        };
    }
    struct daytona_instant start = {world->now.ns + plan->start.ns};
    sim_queue_add(
        &world->queue,
        (struct sim_event){.at = start, .kind = SIM_EVENT_CONNECT, .subject = connection});
}

void sim_world_init(struct sim_world *world, const struct sim_scenario *scenario, int pcap,
                    bool log)
{
    memset(world, 0, sizeof *world);
    world->scenario = scenario;
    world->now = scenario->origin;
    world->progress = world->now;
    world->pcap = pcap;
    world->log = log;
    for (unsigned i = 0; i < 2; i++) {
        init_link(world, i);
        sim_host_init(&world->hosts[i], world, i);
    }
    for (unsigned i = 0; i < scenario->connection_count; i++)
        init_connection(world, i);
}

void sim_world_release(struct sim_world *world)
{
    sim_queue_release(&world->queue);
    sim_flows_release(&world->flows);
    sim_host_release(&world->hosts[0]);
    sim_host_release(&world->hosts[1]);
}

static uint64_t digest(uint64_t trace, const struct sim_packet *packet)
{
    for (uint32_t at = 0; at < packet->length; at += 8) {
        uint64_t word = 0;
        memcpy(&word, packet->bytes + at, packet->length - at < 8 ? packet->length - at : 8);
        trace = (trace ^ word) * 0x100000001b3u;
        trace ^= trace >> 29;
    }
    return trace;
}

uint32_t sim_world_transmit(struct sim_world *world, unsigned from, struct sim_packet *packet)
{
    sim_packet_strip_options(packet, world->scenario->stripped);
    sim_flow_sent(world, from, packet);
    sim_pcap_write(world->pcap, world->now, packet);
    world->trace = digest(sim_mix(world->trace ^ world->now.ns), packet);
    struct sim_mark mark = packet->mark;
    uint32_t length = packet->length;
    const char *fate = sim_link_carry(&world->links[from], world->now, packet);
    if (world->log && mark.flow != NULL) {
        const struct sim_direction *mine = &mark.flow->directions[from];
        const struct sim_direction *theirs = &mark.flow->directions[1 - from];
        sim_log(world, "%u->%u port %u>%u flags %#x seq %u..%u ack %u window %u length %u: %s",
                from, 1 - from, mark.flow->ports[from], mark.flow->ports[1 - from], mark.flags,
                mark.seq - mine->isn, mark.end - mine->isn, mark.ack - theirs->isn, mark.window,
                length, fate);
    }
    return world->links[from].refused_mtu;
}

static void arrive(struct sim_world *world, unsigned number, struct sim_packet *packet)
{
    sim_flow_arrived(world, packet);
    sim_host_input(&world->hosts[number], packet);
    free(packet);
}

static void happen(struct sim_world *world, const struct sim_event *event)
{
    struct sim_side *side = event->subject;
    switch (event->kind) {
    case SIM_EVENT_PACKET:
        arrive(world, event->host, event->subject);
        break;
    case SIM_EVENT_CONNECT:
        sim_connection_start(event->subject);
        break;
    case SIM_EVENT_READ:
        side->reading_rests = false;
        sim_side_run(side);
        break;
    case SIM_EVENT_WRITE:
        side->writing_rests = false;
        sim_side_run(side);
        break;
    case SIM_EVENT_ACCEPT:
        world->hosts[event->host].accept_waits = false;
        sim_connection_accept(&world->hosts[event->host]);
        break;
    }
}

static struct daytona_instant earliest(const struct sim_world *world)
{
    struct daytona_instant at = sim_queue_next(&world->queue);
    for (unsigned i = 0; i < 2; i++) {
        struct daytona_instant next = sim_host_next(&world->hosts[i]);
        if (daytona_instant_before(next, at))
            at = next;
    }
    return at;
}

static void advance(struct sim_world *world, struct daytona_instant at)
{
    if (daytona_instant_before(world->now, at))
        world->now = at;
    world->steps = world->step.ns == world->now.ns ? world->steps + 1 : 0;
    world->step = world->now;
    if (world->steps > STEPS_PER_INSTANT_MAX)
        sim_fail(world, "virtual time stands still");
    if (daytona_instant_since_us(world->now, world->progress) > world->scenario->stillness_us)
        sim_fail(world, "livelock: no application got anywhere for %llu virtual minutes",
                 (unsigned long long)(world->scenario->stillness_us / 60000000));
    if (daytona_instant_since_us(world->now, world->scenario->origin) >
        world->scenario->stillness_us + LENGTH_MAX_US)
        sim_fail(world, "not over after two days");
}

/* One event, or one turn of a host's driver. */
static void step(struct sim_world *world, struct daytona_instant at)
{
    advance(world, at);
    if (sim_queue_next(&world->queue).ns == at.ns) {
        struct sim_event event = sim_queue_take(&world->queue);
        happen(world, &event);
        return;
    }
    for (unsigned i = 0; i < 2; i++)
        if (!daytona_instant_before(at, sim_host_next(&world->hosts[i])))
            sim_host_pump(&world->hosts[i]);
}

static bool connections_are_over(const struct sim_world *world)
{
    for (unsigned i = 0; i < world->scenario->connection_count; i++)
        if (!sim_connection_is_over(&world->connections[i]))
            return false;
    return true;
}

/* Nothing will ever happen again although connections are open. That is in order only where one
 * end has died and the other cannot know it. */
static void give_up(struct sim_world *world)
{
    bool any = false;
    for (unsigned i = 0; i < world->scenario->connection_count; i++)
        any = sim_connection_give_up(&world->connections[i]) || any;
    if (any)
        return;
    for (unsigned i = 0; i < world->scenario->connection_count; i++)
        if (!sim_connection_is_over(&world->connections[i])) {
            const struct sim_side *sides = world->connections[i].sides;
            sim_fail(world,
                     "connection %u hangs: client sent %llu received %llu, server sent %llu "
                     "received %llu, and nothing is going to happen",
                     i, (unsigned long long)sides[0].sent, (unsigned long long)sides[0].received,
                     (unsigned long long)sides[1].sent, (unsigned long long)sides[1].received);
        }
}

void sim_world_run(struct sim_world *world)
{
    bool over = false;
    while (!world->failed) {
        if (!over && connections_are_over(world)) {
            over = true;
            sim_host_stop_listening(&world->hosts[0]);
            sim_host_stop_listening(&world->hosts[1]);
        }
        struct daytona_instant at = earliest(world);
        sim_invariant_wait(world, at);
        if (at.ns != UINT64_MAX)
            step(world, at);
        else if (over)
            break;
        else
            give_up(world);
    }
    for (unsigned i = 0; i < world->scenario->connection_count && !world->failed; i++)
        sim_connection_check_end(&world->connections[i]);
    if (!world->failed)
        sim_invariant_end(world);
}
