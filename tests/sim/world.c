#include "tests/sim/world.h"
#include "tests/sim/invariant.h"
#include "tests/sim/meter.h"
#include "tests/sim/pcap.h"
#include <assert.h>
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

static void init_link(struct sim_world *world, unsigned number)
{
    const struct sim_scenario *scenario = world->scenario;
    world->links[number] = (struct sim_link){
        .config = scenario->links[number],
        .random = sim_random_from(scenario->seed, 20000 + number),
        .events = &world->queue,
        .from = scenario->ends[number][0],
        .to = scenario->ends[number][1],
    };
}

static void init_change(struct sim_world *world, const struct sim_change *change)
{
    sim_queue_add(&world->queue, (struct sim_event){.at = {world->now.ns + change->at.ns},
                                                    .kind = SIM_EVENT_CHANGE,
                                                    .subject = (void *)(uintptr_t)change});
}

static void init_stop(struct sim_world *world, struct sim_side *side)
{
    uint64_t stop_ns = side->connection->plan->stop.ns;
    if (stop_ns != 0)
        sim_queue_add(&world->queue, (struct sim_event){.at = {world->now.ns + stop_ns},
                                                        .kind = SIM_EVENT_STOP,
                                                        .subject = side});
}

static void init_connection(struct sim_world *world, unsigned number)
{
    const struct sim_connection_plan *plan = &world->scenario->connections[number];
    struct sim_connection *connection = &world->connections[number];
    *connection = (struct sim_connection){.number = number, .plan = plan};
    for (unsigned role = 0; role < 2; role++) {
        uint64_t stream = 100000 + 2 * number + role;
        struct sim_random random = sim_random_from(world->scenario->seed, stream);
        connection->keys[role] = sim_random_next(&random);
        connection->sides[role] = (struct sim_side){
            .connection = connection,
            .host = &world->hosts[plan->hosts[role]],
            .plan = &plan->sides[role],
            .role = role,
            .random = random,
            .bytes = plan->sides[role].bytes,
        };
        init_stop(world, &connection->sides[role]);
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
    world->smooth = sim_scenario_is_smooth(scenario);
    world->links = calloc(scenario->link_count + 1, sizeof *world->links);
    world->hosts = calloc(scenario->host_count + 1, sizeof *world->hosts);
    world->connections = calloc(scenario->connection_count + 1, sizeof *world->connections);
    assert(world->links != NULL && world->hosts != NULL && world->connections != NULL);
    for (unsigned i = 0; i < scenario->link_count; i++)
        init_link(world, i);
    for (unsigned i = 0; i < scenario->change_count; i++)
        init_change(world, &scenario->changes[i]);
    for (unsigned i = 0; i < scenario->host_count; i++)
        sim_host_init(&world->hosts[i], world, i);
    for (unsigned i = 0; i < scenario->connection_count; i++)
        init_connection(world, i);
}

static void look_at(struct sim_world *world, struct daytona_instant at)
{
    sim_queue_add(&world->queue, (struct sim_event){.at = at, .kind = SIM_EVENT_SAMPLE});
}

void sim_world_measure(struct sim_world *world, struct sim_meter *meter)
{
    world->meter = meter;
    for (unsigned i = 0; i < world->scenario->link_count; i++)
        world->links[i].sojourn = &meter->sojourns[i];
    look_at(world, meter->from);
    look_at(world, meter->to);
    uint64_t step_ns = meter->period_us * 1000;
    for (uint64_t ns = world->now.ns; step_ns != 0 && ns < meter->to.ns; ns += step_ns)
        if (ns != meter->from.ns)
            look_at(world, (struct daytona_instant){ns});
}

void sim_world_release(struct sim_world *world)
{
    sim_queue_release(&world->queue);
    sim_flows_release(&world->flows);
    for (unsigned i = 0; i < world->scenario->host_count; i++)
        sim_host_release(&world->hosts[i]);
    for (unsigned i = 0; i < world->scenario->link_count; i++)
        sim_link_release(&world->links[i]);
    free(world->hosts);
    free(world->links);
    free(world->connections);
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

/* ICMP about a packet that a link refused goes back the way it came, and meets no queue there. */
static void return_complaint(struct sim_world *world, const struct sim_link *link)
{
    struct sim_packet *error = link->complaint;
    if (error == NULL)
        return;
    uint64_t us = link->config.delay_us +
                  sim_scenario_way_us(world->scenario, link->from, error->destination);
    world->errors++;
    sim_queue_add(&world->queue, (struct sim_event){.at = daytona_instant_after_us(world->now, us),
                                                    .kind = SIM_EVENT_PACKET,
                                                    .node = error->destination,
                                                    .subject = error});
}

/* The link that a node sends by; NULL, and the run has failed, when there is none. */
static struct sim_link *hop(struct sim_world *world, unsigned node, unsigned destination)
{
    unsigned number = sim_scenario_hop(world->scenario, node, destination);
    if (number != SIM_NO_ROUTE)
        return &world->links[number];
    sim_fail(world, "node %u knows no way to host %u", node, destination);
    return NULL;
}

static void log_packet(const struct sim_world *world, const struct sim_mark *mark, unsigned node,
                       uint32_t length, const char *fate)
{
    if (!world->log || mark->flow == NULL)
        return;
    const struct sim_flow *flow = mark->flow;
    unsigned from = mark->from, to = 1 - from;
    sim_log(
        world, "%u>%u at node %u port %u>%u flags %#x seq %u..%u ack %u window %u length %u: %s",
        flow->hosts[from], flow->hosts[to], node, flow->ports[from], flow->ports[to], mark->flags,
        mark->seq - flow->directions[from].isn, mark->end - flow->directions[from].isn,
        mark->ack - flow->directions[to].isn, mark->window, length, fate);
}

/* Takes ownership. Returns 0, or the MTU of the device that refused the packet. */
static uint64_t carry(struct sim_world *world, unsigned node, struct sim_packet *packet)
{
    struct sim_link *link = hop(world, node, packet->destination);
    if (link == NULL) {
        free(packet);
        return 0;
    }
    struct sim_mark mark = packet->mark;
    uint32_t length = packet->length;
    const char *fate = sim_link_carry(link, world->now, packet);
    log_packet(world, &mark, node, length, fate);
    return_complaint(world, link);
    return link->refused_mtu;
}

uint64_t sim_world_transmit(struct sim_world *world, unsigned from, struct sim_packet *packet)
{
    sim_packet_strip_options(packet, world->scenario->stripped);
    sim_flow_sent(world, from, packet);
    sim_pcap_write(world->pcap, world->now, packet);
    world->trace = digest(sim_mix(world->trace ^ world->now.ns), packet);
    return carry(world, from, packet);
}

#define GHOST_TICKS 0x40000000u /* twelve days of milliseconds */

/* An old segment with the numbers of this one and other bytes, where only its timestamp tells. */
static void haunt(struct sim_world *world, struct sim_host *host, const struct sim_packet *packet)
{
    struct sim_flow *flow = packet->mark.flow;
    unsigned special = SIM_SYN | SIM_RST | SIM_FIN;
    if (!sim_random_chance(&host->random, world->scenario->ghosts) || flow == NULL ||
        flow->connection == NULL || flow->reused || !packet->intact ||
        sim_packet_is_fragment(packet) || packet->mark.end == packet->mark.seq ||
        (packet->mark.flags & special) != 0 || flow->connection->plan->sleep_us != 0 ||
        sim_host_uses_cookies(host))
        return;
    bool client = flow->connection->plan->hosts[SIM_CLIENT] == host->number;
    const struct sim_side *side = &flow->connection->sides[client ? SIM_CLIENT : SIM_SERVER];
    if (!side->opened || !side->connected || side->gone)
        return;
    struct sim_packet *ghost = sim_packet_copy(packet);
    if (sim_packet_age(ghost, GHOST_TICKS)) {
        world->ghosts++;
        flow->directions[1 - packet->mark.from].heard_packets++;
        sim_log(world, "host %u meets a ghost", host->number);
        sim_host_input(host, ghost);
    }
    free(ghost);
}

static void arrive(struct sim_world *world, unsigned node, struct sim_packet *packet)
{
    if (node >= world->scenario->host_count) {
        world->forwarded++;
        carry(world, node, packet);
        return;
    }
    if (world->scenario->ghosts > 0)
        haunt(world, &world->hosts[node], packet);
    world->handed++;
    sim_flow_arrived(world, packet);
    sim_host_input(&world->hosts[node], packet);
    free(packet);
}

static void line_is_free(struct sim_world *world, struct sim_link *link)
{
    sim_link_go_on(link, world->now);
    return_complaint(world, link);
}

static void change_link(struct sim_world *world, const struct sim_change *change)
{
    sim_log(world, "link %u changes", change->link);
    sim_link_change(&world->links[change->link], world->now, &change->config);
}

static void happen(struct sim_world *world, const struct sim_event *event)
{
    struct sim_side *side = event->subject;
    switch (event->kind) {
    case SIM_EVENT_PACKET:
        arrive(world, event->node, event->subject);
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
        world->hosts[event->node].accept_waits = false;
        sim_connection_accept(&world->hosts[event->node]);
        break;
    case SIM_EVENT_LINE:
        line_is_free(world, event->subject);
        break;
    case SIM_EVENT_CHANGE:
        change_link(world, event->subject);
        break;
    case SIM_EVENT_STOP:
        sim_side_stop(side);
        break;
    case SIM_EVENT_SAMPLE:
        sim_meter_look(world->meter, world);
        break;
    }
}

static struct daytona_instant earliest(const struct sim_world *world)
{
    struct daytona_instant at = sim_queue_next(&world->queue);
    for (unsigned i = 0; i < world->scenario->host_count; i++) {
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
    for (unsigned i = 0; i < world->scenario->host_count; i++)
        if (!daytona_instant_before(at, sim_host_next(&world->hosts[i])))
            sim_host_pump(&world->hosts[i]);
}

/* One that is over because it was never accepted may be accepted yet. */
static bool connections_are_over(struct sim_world *world)
{
    unsigned count = world->scenario->connection_count;
    while (world->over < count && world->connections[world->over].sides[SIM_CLIENT].gone &&
           world->connections[world->over].sides[SIM_SERVER].gone)
        world->over++;
    for (unsigned i = world->over; i < count; i++)
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
            for (unsigned i = 0; i < world->scenario->host_count; i++)
                sim_host_stop_listening(&world->hosts[i]);
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
