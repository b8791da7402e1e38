#include "tests/sim/invariant.h"
#include "stack/socket/socket.h"
#include "tests/sim/meter.h"
#include "tests/sim/quiet.h"
#include <string.h>

#define STILL_MAX_US 150000u    /* a delayed ACK or two, but no timeout */
#define RTO_MAX_US   120000000u /* Linux TCP_RTO_MAX */

#define BIT(state) (1u << DAYTONA_TCP_##state)

/* RFC 9293 figure 5, with CLOSED reachable from everywhere (abort, timeout, reset). A socket made
 * by a listener is born in SYN-RECEIVED. */
static const unsigned legal_next[DAYTONA_TCP_CLOSING + 1] = {
    [DAYTONA_TCP_CLOSED] = BIT(LISTEN) | BIT(SYN_SENT) | BIT(SYN_RECEIVED),
    [DAYTONA_TCP_LISTEN] = BIT(SYN_RECEIVED) | BIT(SYN_SENT) | BIT(CLOSED),
    [DAYTONA_TCP_SYN_SENT] = BIT(ESTABLISHED) | BIT(SYN_RECEIVED) | BIT(CLOSED),
    [DAYTONA_TCP_SYN_RECEIVED] =
        BIT(ESTABLISHED) | BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(LISTEN) | BIT(CLOSED),
    [DAYTONA_TCP_ESTABLISHED] = BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(CLOSED),
    [DAYTONA_TCP_FIN_WAIT_1] = BIT(FIN_WAIT_2) | BIT(CLOSING) | BIT(TIME_WAIT) | BIT(CLOSED),
    [DAYTONA_TCP_FIN_WAIT_2] = BIT(TIME_WAIT) | BIT(CLOSED),
    [DAYTONA_TCP_CLOSING] = BIT(TIME_WAIT) | BIT(CLOSED),
    [DAYTONA_TCP_TIME_WAIT] = BIT(CLOSED),
    [DAYTONA_TCP_CLOSE_WAIT] = BIT(LAST_ACK) | BIT(CLOSED),
    [DAYTONA_TCP_LAST_ACK] = BIT(CLOSED),
};

#define SYNCHRONIZED                                                                               \
    (BIT(ESTABLISHED) | BIT(FIN_WAIT_1) | BIT(FIN_WAIT_2) | BIT(CLOSE_WAIT) | BIT(CLOSING) |       \
     BIT(LAST_ACK))

bool sim_state_edge_is_legal(enum daytona_tcp_state from, enum daytona_tcp_state to)
{
    return from >= DAYTONA_TCP_ESTABLISHED && from <= DAYTONA_TCP_CLOSING &&
           (legal_next[from] >> to & 1) != 0;
}

static void follow_state(struct sim_host *host, const struct daytona_event *event)
{
    enum daytona_tcp_state from = (enum daytona_tcp_state)event->a;
    enum daytona_tcp_state to = (enum daytona_tcp_state)event->b;
    if (!sim_state_edge_is_legal(from, to))
        sim_fail(host->world, "host %u socket %u goes from %s to %s", host->number,
                 event->socket_index, daytona_tcp_state_name(from), daytona_tcp_state_name(to));
    if (event->socket_index >= SIM_SOCKETS_WATCHED)
        return;
    struct sim_watch *watch = &host->watches[event->socket_index];
    bool same = watch->generation == event->socket_generation;
    if (same && watch->state != 0 && watch->state != (uint8_t)from)
        sim_fail(host->world, "host %u socket %u leaves %s but was in %s", host->number,
                 event->socket_index, daytona_tcp_state_name(from),
                 daytona_tcp_state_name((enum daytona_tcp_state)watch->state));
    if (!same)
        *watch = (struct sim_watch){.generation = event->socket_generation};
    watch->state = (uint8_t)to;
}

/* A closed socket whose connection ends by itself: in order after the peer's last ACK, after a
 * reset, or after a long silence, when the stack may give up what it still had to say. */
static void follow_orphan(struct sim_host *host, const struct daytona_event *event)
{
    struct sim_side *side = sim_host_side(host, event->socket_index, event->socket_generation);
    if (side != NULL && side->opened && side->closed && !side->gone)
        sim_side_orphan_ended(side, (enum daytona_tcp_state)event->a);
}

/* RFC 6298 section 5.5: each timeout in a row waits twice as long as the one before. */
static void follow_timeout(struct sim_host *host, const struct daytona_event *event)
{
    struct sim_watch *watch = &host->watches[event->socket_index];
    if (watch->side != NULL && watch->side->plan->options[DAYTONA_OPTION_THIN_LINEAR] == 1)
        return;
    uint64_t least = 2 * watch->rto_us < RTO_MAX_US ? 2 * watch->rto_us : RTO_MAX_US;
    if (event->b > 1 && event->b == watch->timeouts + 1u && event->a < least)
        sim_fail(host->world, "host %u socket %u: timeout after %llu us, then %llu", host->number,
                 event->socket_index, (unsigned long long)watch->rto_us,
                 (unsigned long long)event->a);
    watch->timeouts = (uint8_t)event->b;
    watch->rto_us = event->a;
}

/* No measured round trip is shorter than the way, but for the millisecond of a timestamp: that
 * would be the ACK of another transmission (Karn's algorithm). */
static void check_round_trip(const struct sim_host *host, const struct sim_side *side,
                             uint64_t measured_us)
{
    struct sim_world *world = host->world;
    unsigned peer = side->connection->plan->hosts[1 - side->role];
    uint64_t way_us = sim_scenario_way_us(world->scenario, host->number, peer) +
                      sim_scenario_way_us(world->scenario, peer, host->number);
    if (measured_us + 1000 < way_us)
        sim_fail(world, "host %u measures a round trip of %llu us on a way of %llu", host->number,
                 (unsigned long long)measured_us, (unsigned long long)way_us);
}

void sim_invariant_event(void *context, const struct daytona_event *event)
{
    struct sim_host *host = context;
    struct sim_world *world = host->world;
    if (world->log)
        sim_log(world, "host %u socket %u event %s a %llu b %llu cwnd %u ssthresh %u (%s)",
                host->number, event->socket_index, daytona_event_name(event->type),
                (unsigned long long)event->a, (unsigned long long)event->b, event->cwnd_bytes,
                event->ssthresh_bytes, event->reason == NULL ? "" : event->reason);
    if (event->at.ns > world->now.ns)
        sim_fail(world, "host %u tells of an event in the future", host->number);
    struct sim_side *side = sim_host_side(host, event->socket_index, event->socket_generation);
    if (side != NULL)
        sim_meter_event(world->meter, side, event);
    if (side != NULL && event->type == DAYTONA_EVENT_RTT_SAMPLE)
        check_round_trip(host, side, event->a);
    if (event->type == DAYTONA_EVENT_TIMEOUT && event->socket_index < SIM_SOCKETS_WATCHED)
        follow_timeout(host, event);
    if (event->type == DAYTONA_EVENT_RTT_SAMPLE && event->socket_index < SIM_SOCKETS_WATCHED)
        host->watches[event->socket_index].rto_us = 0; /* Karn: the doubling is over */
    if (event->type == DAYTONA_EVENT_STATE)
        follow_state(host, event);
    if (event->type == DAYTONA_EVENT_STATE && event->b == DAYTONA_TCP_CLOSED)
        follow_orphan(host, event);
}

void sim_invariant_ended(void *context, const struct daytona_connection_info *last)
{
    struct sim_host *host = context;
    struct sim_side *side = sim_host_side(host, last->id.index, last->id.generation);
    if (side == NULL)
        return;
    side->bytes_told = last->bytes_sent;
    side->ended_told = true;
}

#define CHECK(side, condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_side_complain(side, "not true: %s", #condition);                                   \
    } while (0)

/* Numbers that contradict each other whatever the state. */
static void check_info(const struct sim_side *side)
{
    struct daytona_connection_info info;
    const struct sim_world *world = side->host->world;
    int result = daytona_stack_info(side->host->stack, world->now, side->id, &info);
    if (result != 0) {
        sim_side_complain(side, "no information on an open socket: %s", strerror(-result));
        return;
    }
    if (info.state == DAYTONA_TCP_CLOSED)
        return;
    CHECK(side, info.not_sent <= info.send_queued);
    CHECK(side, info.in_flight_bytes <= 2 * (info.send_queued + 1)); /* each byte and its copy */
    CHECK(side, info.sacked_bytes <= info.send_queued);
    CHECK(side, info.lost_bytes <= info.send_queued + 1);
    CHECK(side, info.bytes_acked <= info.bytes_sent);
    CHECK(side, info.segments_retransmitted <= info.segments_out);
    CHECK(side, info.data_segments_out <= info.segments_out);
    CHECK(side, info.data_segments_in <= info.segments_in);
    CHECK(side, info.rtt_min_us <= info.srtt_us || info.srtt_us == 0);
    CHECK(side, info.rto_us <= 120000000);
    CHECK(side, (SYNCHRONIZED >> info.state & 1) == 0 || info.cwnd_bytes >= info.send_mss);
    CHECK(side, info.send_mss + 40 <= info.path_mtu);
    bool listening = side->connected && !side->ended && !side->host->world->scenario->tight;
    CHECK(side, !listening || info.receive_queued > 0 || info.receive_window > 0);
    /* What was acknowledged is what the peer's stack has, at least what its reader has. */
    const struct sim_side *peer = &side->connection->sides[1 - side->role];
    CHECK(side, side->sent - info.send_queued <= side->sent);
    CHECK(side, side->received + info.receive_queued <= peer->sent);
}

/* The records of what was sent agree with each other and with their sums. To walk over a long queue
 * at each step would take most of the time, so those are looked at now and then. */
static void check_sent(const struct sim_side *side)
{
    enum { SHORT = 32, NOW_AND_THEN = 64 };
    struct sim_host *host = side->host;
    const struct socket *socket = socket_held(host->stack, side->id);
    if (socket == NULL || socket->connection == NULL)
        return;
    const struct sender *send = &socket->connection->send;
    uint64_t segments = (send->nxt - send->una) / (send->mss + 1);
    if (segments <= SHORT || host->rests % NOW_AND_THEN == 0)
        CHECK(side, sent_is_sound(&send->sent));
}

void sim_invariant_rest(struct sim_host *host)
{
    struct sim_world *world = host->world;
    struct daytona_instant deadline = daytona_stack_deadline(host->stack);
    if (deadline.ns <= world->now.ns)
        sim_fail(world, "host %u has nothing to do, but its deadline is %llu ns ago", host->number,
                 (unsigned long long)(world->now.ns - deadline.ns));
    if (host->listening && !host->accept_waits &&
        (daytona_stack_readiness(host->stack, host->listener) & DAYTONA_READY_IN) != 0)
        sim_fail(world, "host %u can accept but was not told", host->number);
    struct daytona_memory_use memory;
    daytona_stack_memory(host->stack, &memory);
    if (memory.used_bytes > memory.peak_bytes || memory.peak_bytes > memory.region_bytes)
        sim_fail(world, "host %u memory: used %zu, peak %zu, region %zu", host->number,
                 memory.used_bytes, memory.peak_bytes, memory.region_bytes);
    for (unsigned i = 0; i < host->open_count; i++) {
        sim_side_check_edges(host->open[i]);
        check_info(host->open[i]);
        check_sent(host->open[i]);
    }
    sim_quiet_rest(host);
    host->rests++;
}

/* RFC 5681 with the two exceptions of RFC 3042 (limited transmit): new data leaves only within
 * cwnd + 2 segments. A tail loss probe goes whatever cwnd is (RFC 8985 section
 * 7.3). */
static void check_cwnd(struct sim_side *side, const struct daytona_connection_info *info)
{
    bool probe = info->tail_probes != side->tail_probes;
    side->tail_probes = info->tail_probes;
    if (probe)
        return;
    uint32_t allowed = info->cwnd_bytes + 1; /* FIN is not counted as a byte of cwnd */
    if (info->sacked_bytes > 0 || info->in_recovery || !info->sack_on || info->in_loss)
        allowed += 2 * info->send_mss;
    if (info->in_flight_bytes > allowed)
        sim_side_complain(side, "in flight %u with cwnd %u, MSS %u", info->in_flight_bytes,
                          info->cwnd_bytes, info->send_mss);
}

/* Nagle's algorithm as Minshall has it: what is less than a segment waits while another such
 * piece is unacknowledged, unless the application asked for haste or has finished. */
static void check_nagle(struct sim_side *side, struct sim_direction *direction, uint32_t start,
                        uint32_t length, const struct daytona_connection_info *info)
{
    uint32_t end = start + length;
    bool everything = end - 1 == side->sent; /* else the window is what cut it short */
    bool hasty = side->plan->options[DAYTONA_OPTION_NO_DELAY] == 1 || side->plan->urgent ||
                 side->shut || side->closed;
    /* What was a full segment may be partial by now, and the other way round. */
    bool changed = direction->send_mss != info->send_mss;
    direction->send_mss = info->send_mss;
    if (changed)
        direction->small_end = 0;
    bool probe = length > info->send_mss; /* or super-segments, which may end in one */
    if (side->host->narrowed || changed || probe || length % info->send_mss == 0)
        return;
    if (everything && !hasty && direction->small_end > direction->una)
        sim_side_complain(side, "sends %u bytes with a small segment unacknowledged", length);
    direction->small_end = end;
}

void sim_invariant_sent_new(struct sim_side *side, struct sim_direction *direction, uint32_t start,
                            uint32_t length)
{
    struct daytona_connection_info info;
    struct sim_host *host = side->host;
    if (!side->opened || side->closed ||
        daytona_stack_info(host->stack, host->world->now, side->id, &info) != 0)
        return;
    check_cwnd(side, &info);
    check_nagle(side, direction, start, length, &info);
}

static bool is_of_flow(const struct daytona_connection_info *info, const struct sim_flow *flow,
                       unsigned end)
{
    struct daytona_address peer = sim_host_address(flow->hosts[1 - end]);
    return info->local.port == flow->ports[end] && info->remote.port == flow->ports[1 - end] &&
           daytona_address_equal(&info->remote.address, &peer);
}

static bool reset_is_planned(const struct sim_flow *flow)
{
    const struct sim_connection *connection = flow->connection;
    return connection != NULL &&
           (sim_connection_plan_resets(connection->plan) || connection->plan->refused ||
            connection->given_up || connection->sides[0].error != 0 ||
            connection->sides[1].error != 0);
}

void sim_invariant_reset(struct sim_world *world, unsigned number, const struct sim_flow *flow)
{
    struct sim_host *host = &world->hosts[number];
    unsigned end = sim_flow_end(flow, number);
    host->resets_taken++;
    if (reset_is_planned(flow))
        return;
    if (world->smooth && !flow->reused)
        sim_fail(world, "host %u port %u sends RST although nothing went wrong", number,
                 flow->ports[end]);
    struct daytona_socket_id id = {0, 0};
    while (daytona_stack_next(host->stack, &id)) {
        struct daytona_connection_info info;
        if (daytona_stack_info(host->stack, world->now, id, &info) == 0 &&
            is_of_flow(&info, flow, end) && (SYNCHRONIZED >> info.state & 1) != 0)
            sim_fail(world, "host %u port %u sends RST in %s", number, flow->ports[end],
                     daytona_tcp_state_name(info.state));
    }
}

/* A side that never rests and asks for nothing that delays; a window below some segments does:
 * sender SWS avoidance (RFC 9293 section 3.8.6.2.1). */
static bool is_prompt(const struct sim_side *side)
{
    const struct sim_side_plan *plan = side->plan;
    uint32_t buffer = side->host->plan->config.receive_buffer_bytes;
    return (buffer == 0 || buffer > 4 * side->host->plan->path_mtu) &&
           plan->options[DAYTONA_OPTION_RECEIVE_BUFFER] == SIM_OPTION_UNSET &&
           plan->options[DAYTONA_OPTION_WINDOW_CLAMP] == SIM_OPTION_UNSET &&
           plan->read_pause == 0 && plan->write_pause == 0 && !plan->uses_more &&
           plan->options[DAYTONA_OPTION_CORK] != 1 &&
           plan->options[DAYTONA_OPTION_RECEIVE_LOW_WATER] == SIM_OPTION_UNSET;
}

static bool is_going_on(const struct sim_connection *connection)
{
    const struct sim_side *sides = connection->sides;
    return sides[0].connected && sides[1].connected && (!sides[0].closed || !sides[1].closed) &&
           !sim_connection_plan_resets(connection->plan) && connection->plan->sleep_us == 0 &&
           is_prompt(&sides[0]) && is_prompt(&sides[1]);
}

void sim_invariant_wait(struct sim_world *world, struct daytona_instant at)
{
    uint64_t still_us = daytona_instant_since_us(at, world->progress);
    if (still_us < STILL_MAX_US || !world->smooth || world->scenario->tight)
        return;
    for (unsigned i = 0; i < world->scenario->connection_count; i++)
        if (is_going_on(&world->connections[i]))
            sim_fail(world, "connection %u stands still for %llu us although nothing hinders it", i,
                     (unsigned long long)still_us);
}

/* ---------------------------------------------------------------- the end */

static void check_link(struct sim_world *world, unsigned number)
{
    const struct sim_link_counters *c = &world->links[number].counters;
    uint64_t entered = c->offered + c->duplicates + c->fragments;
    uint64_t left = c->scheduled + c->lost + c->lost_in_outage + c->queue_full + c->codel_dropped +
                    c->too_big + c->undetectable;
    if (entered != left)
        sim_fail(world, "link %u: %llu packets entered, %llu left", number,
                 (unsigned long long)entered, (unsigned long long)left);
}

static void check_counters(struct sim_world *world, const struct sim_host *host)
{
    const struct daytona_counters *counters = daytona_stack_counters(host->stack);
    uint64_t judged = 0;
    for (int i = 0; i < DAYTONA_VERDICT_COUNT; i++)
        judged += counters->verdicts[i];
    if (counters->packets_in != host->packets_given || judged != host->packets_given)
        sim_fail(world, "host %u was given %llu packets, counted %llu, judged %llu", host->number,
                 (unsigned long long)host->packets_given, (unsigned long long)counters->packets_in,
                 (unsigned long long)judged);
    if (counters->packets_out != host->packets_taken)
        sim_fail(world, "host %u gave %llu packets, counted %llu", host->number,
                 (unsigned long long)host->packets_taken,
                 (unsigned long long)counters->packets_out);
    if (counters->resets_sent != host->resets_taken)
        sim_fail(world, "host %u sent %llu RST, counted %llu", host->number,
                 (unsigned long long)host->resets_taken, (unsigned long long)counters->resets_sent);
}

/* What links took on is what hosts and routers gave them, and the other way round. */
static void check_conservation(struct sim_world *world)
{
    uint64_t taken = 0, given = 0, offered = 0, scheduled = 0;
    for (unsigned i = 0; i < world->scenario->host_count; i++) {
        taken += world->hosts[i].packets_taken;
        given += world->hosts[i].packets_given;
    }
    for (unsigned i = 0; i < world->scenario->link_count; i++) {
        offered += world->links[i].counters.offered;
        scheduled += world->links[i].counters.scheduled;
    }
    if (taken + world->forwarded != offered ||
        given + world->forwarded != scheduled + world->errors + world->ghosts)
        sim_fail(world,
                 "packets were lost inside the simulator: %llu taken, %llu given, %llu "
                 "forwarded, %llu offered to links, %llu from them",
                 (unsigned long long)taken, (unsigned long long)given,
                 (unsigned long long)world->forwarded, (unsigned long long)offered,
                 (unsigned long long)scheduled);
}

static void check_memory(struct sim_world *world, const struct sim_host *host)
{
    struct daytona_memory_use memory;
    daytona_stack_memory(host->stack, &memory);
    if (memory.used_bytes != 0)
        sim_fail(world, "host %u still uses %zu bytes after the end", host->number,
                 memory.used_bytes);
    struct daytona_socket_id id = {0, 0};
    if (daytona_stack_next(host->stack, &id))
        sim_fail(world, "host %u still has socket %u/%u", host->number, id.index, id.generation);
}

static void check_patience(struct sim_world *world, const struct sim_host *host)
{
    for (unsigned i = 0; i < world->scenario->connection_count; i++)
        if (world->scenario->connections[i].refused || world->scenario->connections[i].crossing)
            return; /* a crossed SYN is sent again, as SYN-ACK */
    const struct daytona_counters *counters = daytona_stack_counters(host->stack);
    uint64_t excuses = 0;
    for (unsigned i = 0; i < world->scenario->host_count; i++) {
        const struct daytona_counters *other = daytona_stack_counters(world->hosts[i].stack);
        excuses += other->listen_overflows + (i == host->number ? 0 : other->allocation_failures);
    }
    /* A tail loss probe asks; it does not think anything lost. */
    if (world->smooth && counters->segments_retransmitted > counters->tail_probes && excuses == 0)
        sim_fail(world, "host %u retransmitted %llu segments although none was lost", host->number,
                 (unsigned long long)counters->segments_retransmitted);
}

void sim_invariant_end(struct sim_world *world)
{
    check_conservation(world);
    for (unsigned i = 0; i < world->scenario->link_count; i++)
        check_link(world, i);
    for (unsigned i = 0; i < world->scenario->host_count; i++) {
        check_counters(world, &world->hosts[i]);
        check_memory(world, &world->hosts[i]);
        check_patience(world, &world->hosts[i]);
    }
}
