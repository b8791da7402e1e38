#include "tests/sim/flow.h"
#include "tests/sim/invariant.h"
#include "tests/sim/stream.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ACK_DELAY_MAX_US     500000u
#define TIMER_LEAST_US       100000u
#define CAUSES_AT_FIRST      4u   /* as the room that options make */
#define COOKIE_TIMESTAMP_MAX 63   /* what the bits of a cookie's timestamp make out */
#define COOKIE_MSS_MIN       216u /* no cookie says less */
#define CLOCK_HALF_US        (24ull * 24 * 3600 * 1000000) /* 2^31 milliseconds are 24.9 days */

/* What tells flows apart: host and port of the end with the lower number, then of the other. */
struct flow_key {
    unsigned hosts[2];
    uint16_t ports[2];
};

static struct sim_flow **bucket_of(struct sim_flows *flows, const struct flow_key *key)
{
    uint64_t ports = (uint64_t)key->ports[0] << 16 | key->ports[1];
    uint64_t hosts = (uint64_t)key->hosts[0] << 16 | key->hosts[1];
    return &flows->buckets[sim_mix(hosts << 32 | ports) % SIM_FLOW_BUCKETS];
}

static struct sim_flow *flow_find(struct sim_flows *flows, const struct flow_key *key)
{
    struct sim_flow *flow = *bucket_of(flows, key);
    while (flow != NULL && (flow->hosts[0] != key->hosts[0] || flow->hosts[1] != key->hosts[1] ||
                            flow->ports[0] != key->ports[0] || flow->ports[1] != key->ports[1]))
        flow = flow->next;
    return flow;
}

unsigned sim_flow_end(const struct sim_flow *flow, unsigned host)
{
    return flow->hosts[1] == host ? 1 : 0;
}

/* The connection whose client chose this port, or whose two ends cross on it. */
static struct sim_connection *connection_of(struct sim_world *world, const struct sim_flow *flow)
{
    struct sim_connection *last = NULL;
    for (unsigned i = 0; i < world->scenario->connection_count; i++) {
        struct sim_connection *connection = &world->connections[i];
        const unsigned *hosts = connection->plan->hosts;
        unsigned client = sim_flow_end(flow, hosts[SIM_CLIENT]);
        if (connection->client_port != 0 && connection->client_port == flow->ports[client] &&
            flow->hosts[client] == hosts[SIM_CLIENT] &&
            flow->hosts[1 - client] == hosts[SIM_SERVER] &&
            (flow->ports[1 - client] == SIM_CLOSED_PORT) == connection->plan->refused &&
            (last == NULL || connection->order > last->order))
            last = connection;
    }
    return last;
}

static struct sim_flow *flow_new(struct sim_world *world, const struct flow_key *key)
{
    struct sim_flow *flow = calloc(1, sizeof *flow);
    assert(flow != NULL);
    struct sim_flow **bucket = bucket_of(&world->flows, key);
    flow->next = *bucket;
    memcpy(flow->hosts, key->hosts, sizeof flow->hosts);
    memcpy(flow->ports, key->ports, sizeof flow->ports);
    flow->heard[0] = flow->heard[1] = world->now;
    *bucket = flow;
    return flow;
}

void sim_flows_release(struct sim_flows *flows)
{
    for (unsigned i = 0; i < SIM_FLOW_BUCKETS; i++)
        for (struct sim_flow *flow = flows->buckets[i], *next; flow != NULL; flow = next) {
            next = flow->next;
            free(flow->directions[0].arrived);
            free(flow->directions[1].arrived);
            free(flow);
        }
    memset(flows, 0, sizeof *flows);
}

const struct sim_flow *sim_flow_of(const struct sim_flows *flows,
                                   const struct sim_connection *connection)
{
    for (unsigned i = 0; i < SIM_FLOW_BUCKETS; i++)
        for (const struct sim_flow *flow = flows->buckets[i]; flow != NULL; flow = flow->next)
            if (flow->connection == connection)
                return flow;
    return NULL;
}

/* ---------------------------------------------------------------- what has arrived */

static void arrived_insert(struct sim_direction *direction, uint32_t at, struct sim_range range)
{
    if (direction->arrived_count == direction->arrived_capacity) {
        direction->arrived_capacity = direction->arrived_capacity * 2 + 8;
        direction->arrived =
            realloc(direction->arrived, direction->arrived_capacity * sizeof range);
        assert(direction->arrived != NULL);
    }
    memmove(direction->arrived + at + 1, direction->arrived + at,
            (direction->arrived_count - at) * sizeof range);
    direction->arrived[at] = range;
    direction->arrived_count++;
}

static void arrived_add(struct sim_direction *direction, uint32_t start, uint32_t end)
{
    uint32_t first = 0;
    while (first < direction->arrived_count && direction->arrived[first].end < start)
        first++;
    uint32_t beyond = first;
    for (; beyond < direction->arrived_count && direction->arrived[beyond].start <= end; beyond++) {
        if (direction->arrived[beyond].start < start)
            start = direction->arrived[beyond].start;
        if (direction->arrived[beyond].end > end)
            end = direction->arrived[beyond].end;
    }
    struct sim_range range = {start, end};
    if (beyond == first) {
        arrived_insert(direction, first, range);
        return;
    }
    direction->arrived[first] = range;
    memmove(direction->arrived + first + 1, direction->arrived + beyond,
            (direction->arrived_count - beyond) * sizeof range);
    direction->arrived_count -= beyond - first - 1;
}

static bool arrived_holds(const struct sim_direction *direction, uint32_t start, uint32_t end)
{
    for (uint32_t i = 0; i < direction->arrived_count; i++)
        if (direction->arrived[i].start <= start && end <= direction->arrived[i].end)
            return true;
    return false;
}

/* One past the last byte before the first gap. */
static uint32_t arrived_in_order(const struct sim_direction *direction)
{
    bool any = direction->arrived_count > 0 && direction->arrived[0].start == 0;
    return any ? direction->arrived[0].end : 0;
}

static bool scales(const struct sim_flow *flow)
{
    return flow->directions[0].window_scale >= 0 && flow->directions[1].window_scale >= 0;
}

static uint32_t window_bytes(const struct sim_flow *flow, unsigned end, uint16_t window,
                             uint8_t flags)
{
    if ((flags & SIM_SYN) != 0 || !scales(flow))
        return window;
    return (uint32_t)window << flow->directions[end].window_scale;
}

static struct sim_side *side_of(const struct sim_flow *flow, unsigned end)
{
    struct sim_connection *connection = flow->connection;
    bool client = connection->plan->hosts[SIM_CLIENT] == flow->hosts[end];
    return &connection->sides[client ? SIM_CLIENT : SIM_SERVER];
}

/* In TIME-WAIT what still arrives is a copy, answered at a bounded rate. */
static bool waits_for_old_segments(const struct sim_side *side)
{
    return side->id.index < SIM_SOCKETS_WATCHED &&
           side->host->watches[side->id.index].state == DAYTONA_TCP_TIME_WAIT;
}

/* RFC 9293 section 3.8.6.3: half a second at most passes before text is acknowledged. */
static void judge_patience(const struct sim_world *world, const struct sim_flow *flow, unsigned end)
{
    const struct sim_direction *mine = &flow->directions[end];
    if (mine->owed_since.ns == 0 || flow->connection == NULL || flow->reused ||
        world->scenario->tight)
        return;
    const struct sim_side *side = side_of(flow, end);
    uint64_t late_us = daytona_instant_since_us(world->now, mine->owed_since);
    if (!side->closed && !waits_for_old_segments(side) &&
        late_us > ACK_DELAY_MAX_US + 2 * side->host->plan->late_us)
        sim_side_complain(side, "has owed an ACK for %llu us", (unsigned long long)late_us);
}

static bool host_uses_cookies(const struct sim_world *world, const struct sim_flow *flow,
                              unsigned end)
{
    return sim_host_uses_cookies(&world->hosts[flow->hosts[end]]);
}

/* Text has reached an application that may read it: it is to be acknowledged soon. Not so what
 * carries an old acknowledgement, which may be dropped (RFC 5961 section 5.2). */
static void owe_acknowledgement(struct sim_world *world, struct sim_flow *flow,
                                const struct sim_packet *packet)
{
    unsigned end = 1 - packet->mark.from;
    bool text = packet->mark.end != packet->mark.seq && (packet->mark.flags & SIM_SYN) == 0;
    if (flow->connection == NULL || !text || sim_packet_is_fragment(packet) ||
        !side_of(flow, end)->connected ||
        packet->mark.ack - flow->directions[end].isn < flow->directions[end].una)
        return;
    judge_patience(world, flow, end);
    if (flow->directions[end].owed_since.ns == 0)
        flow->directions[end].owed_since = world->now;
}

void sim_flow_arrived(struct sim_world *world, const struct sim_packet *packet)
{
    const struct sim_mark *mark = &packet->mark;
    struct sim_flow *flow = mark->flow;
    if (flow == NULL)
        return;
    flow->directions[1 - mark->from].heard_packets++;
    if (!packet->intact)
        return;
    struct sim_direction *from = &flow->directions[mark->from];
    struct sim_direction *to = &flow->directions[1 - mark->from];
    flow->heard[1 - mark->from] = world->now;
    /* An old ACK with a cookie opens again what a reset has closed. */
    flow->reused = flow->reused ||
                   ((mark->flags & SIM_RST) != 0 && host_uses_cookies(world, flow, 1 - mark->from));
    if (mark->incarnation != from->incarnation || (mark->flags & SIM_RST) != 0)
        return;
    owe_acknowledgement(world, flow, packet);
    if (mark->end != mark->seq)
        arrived_add(from, mark->seq - from->isn, mark->end - from->isn);
    if (!from->timestamp_seen_known || (int32_t)(mark->timestamp - from->timestamp_seen) > 0)
        from->timestamp_seen = mark->timestamp;
    from->timestamp_seen_known = true;
    if ((mark->flags & SIM_ACK) == 0 || !to->known)
        return;
    uint32_t ack = mark->ack - to->isn;
    uint32_t edge = ack + window_bytes(flow, mark->from, mark->window, mark->flags);
    if (ack <= to->sent_end && ack > to->una) {
        to->una = ack;
        /* What an old segment says (a keepalive probe) need not be heeded. */
        if (mark->seq - from->isn >= to->acked)
            to->stalled_since = world->now;
    }
    if (edge > to->right_edge)
        to->right_edge = edge;
}

/* ---------------------------------------------------------------- what is sent */

struct judgement {
    struct sim_world *world;
    struct sim_flow *flow;
    unsigned end; /* of the flow */
    const struct sim_segment *segment;
    struct sim_direction *mine, *theirs;
    uint32_t start, beyond; /* relative to mine->isn */
};

#define COMPLAIN(judgement, format, ...)                                                           \
    sim_fail((judgement)->world, "host %u port %u sends " format,                                  \
             (judgement)->flow->hosts[(judgement)->end], (judgement)->segment->source_port,        \
             __VA_ARGS__)

/* A SYN begins a direction; with another number than before it begins a new connection, or an
 * old duplicate of the peer's SYN has seemed to. */
static void begin_direction(struct sim_flow *flow, unsigned end, struct daytona_instant now,
                            const struct sim_segment *segment)
{
    struct sim_direction *mine = &flow->directions[end];
    if (mine->known && mine->isn == segment->seq)
        return;
    flow->reused = flow->reused || mine->known;
    struct sim_direction fresh = {.known = true,
                                  .incarnation = mine->incarnation + 1,
                                  .isn = segment->seq,
                                  .begun = now,
                                  .window_scale = segment->window_scale,
                                  .sack_permitted = segment->sack_permitted,
                                  .mss = segment->mss == 0 ? 536 : segment->mss,
                                  .arrived = mine->arrived,
                                  .arrived_capacity = mine->arrived_capacity};
    *mine = fresh;
}

static void judge_payload(const struct judgement *j)
{
    const struct sim_connection *connection = j->flow->connection;
    const struct sim_segment *segment = j->segment;
    uint32_t length = segment->payload_length;
    bool fin = (segment->flags & SIM_FIN) != 0;
    if (connection == NULL || (length == 0 && !fin))
        return;
    const struct sim_side *side = side_of(j->flow, j->end);
    uint64_t written = side->sent;
    uint64_t offset = (uint64_t)j->start + ((segment->flags & SIM_SYN) != 0) - 1;
    if (offset + length > written)
        COMPLAIN(j, "bytes %llu..%llu but only %llu were written", (unsigned long long)offset,
                 (unsigned long long)offset + length, (unsigned long long)written);
    size_t right = sim_stream_match(connection->keys[side->role], offset, segment->payload, length);
    if (right != length)
        COMPLAIN(j, "a wrong byte at stream offset %llu", (unsigned long long)offset + right);
    if (fin && offset + length != written)
        COMPLAIN(j, "FIN at offset %llu of %llu", (unsigned long long)offset + length,
                 (unsigned long long)written);
}

/* RFC 9293 section 3.8.6: nothing beyond the peer's window, except a probe of one byte or a FIN
 * on its edge. */
static void judge_window(const struct judgement *j)
{
    uint32_t length = j->segment->payload_length;
    uint32_t beyond =
        j->start + length > j->mine->right_edge ? j->start + length - j->mine->right_edge : 0;
    if (length > 0 && beyond > 1)
        COMPLAIN(j, "%u bytes beyond the peer's window", beyond);
    bool super = j->world->scenario->offload;
    uint32_t options = j->segment->has_timestamps ? 12 : 0;
    bool cookie =
        host_uses_cookies(j->world, j->flow, j->end) && length + options <= COOKIE_MSS_MIN;
    if (!super && !cookie && length > 0 && length + options > j->theirs->mss)
        COMPLAIN(j, "%u bytes above the peer's MSS of %u", length, j->theirs->mss);
}

static void judge_acknowledgement(const struct judgement *j)
{
    const struct sim_segment *segment = j->segment;
    if ((segment->flags & SIM_ACK) == 0)
        return;
    if (!j->theirs->known) {
        COMPLAIN(j, "an acknowledgement of nothing (%u)", segment->ack);
        return;
    }
    uint32_t ack = segment->ack - j->theirs->isn;
    uint32_t edge = ack + window_bytes(j->flow, j->end, segment->window, segment->flags);
    uint32_t slack = scales(j->flow) ? 1u << j->mine->window_scale : 1;
    if (ack > arrived_in_order(j->theirs))
        COMPLAIN(j, "ack %u but only %u arrived", ack, arrived_in_order(j->theirs));
    if (ack < j->mine->acked)
        COMPLAIN(j, "ack %u after ack %u", ack, j->mine->acked);
    bool syn = (segment->flags & SIM_SYN) != 0; /* its window cannot say more than 65,535 */
    if (!syn && edge + slack < j->mine->promised + 1)
        COMPLAIN(j, "a right window edge of %u after %u", edge, j->mine->promised);
    j->mine->acked = ack;
    if (edge > j->mine->promised)
        j->mine->promised = edge;
}

/* RFC 2018 section 4: blocks tell of bytes that are here. */
static void judge_sacks(const struct judgement *j)
{
    for (unsigned i = 0; i < j->segment->sack_count; i++) {
        uint32_t left = j->segment->sacks[i].left - j->theirs->isn;
        uint32_t right = j->segment->sacks[i].right - j->theirs->isn;
        if (!j->theirs->sack_permitted)
            COMPLAIN(j, "SACK block %u that was not permitted", i);
        else if (left >= right || !arrived_holds(j->theirs, left, right))
            COMPLAIN(j, "SACK block %u..%u of bytes that did not arrive", left, right);
    }
}

/* RFC 7323 section 3. */
static void judge_timestamps(const struct judgement *j)
{
    const struct sim_segment *segment = j->segment;
    /* After half the clock's circle nobody can tell before from after. */
    const struct sim_connection *connection = j->flow->connection;
    if (!segment->has_timestamps ||
        (connection != NULL && connection->plan->sleep_us > CLOCK_HALF_US))
        return;
    int32_t ahead = (int32_t)(segment->timestamp - j->mine->timestamp);
    /* The low bits of a cookie's timestamp say what the SYN had asked for, and each SYN may ask for
     * less than the one before. */
    bool cookie = (segment->flags & SIM_SYN) != 0 && host_uses_cookies(j->world, j->flow, j->end);
    if (j->mine->timestamp_known && ahead < (cookie ? -COOKIE_TIMESTAMP_MAX : 0))
        COMPLAIN(j, "timestamp %u after %u", segment->timestamp, j->mine->timestamp);
    j->mine->timestamp = segment->timestamp;
    j->mine->timestamp_known = true;
    if ((segment->flags & SIM_ACK) != 0 &&
        (!j->theirs->timestamp_seen_known ||
         (int32_t)(segment->timestamp_echo - j->theirs->timestamp_seen) > 0))
        COMPLAIN(j, "an echo of timestamp %u that did not arrive", segment->timestamp_echo);
}

/* Each segment that says nothing but ACK has a cause: something that arrived, room that a reader
 * made, or a timer, none of which is faster than ten times a second. */
static void judge_causes(const struct judgement *j)
{
    j->mine->payload_bytes += j->segment->payload_length;
    if (j->beyond != j->start || j->flow->connection == NULL)
        return;
    const struct sim_side *side = side_of(j->flow, j->end);
    uint64_t causes = j->mine->heard_packets + side->reads + CAUSES_AT_FIRST +
                      daytona_instant_since_us(j->world->now, j->mine->begun) / TIMER_LEAST_US;
    if (++j->mine->empties > causes)
        COMPLAIN(j, "empty segment %llu with %llu causes", (unsigned long long)j->mine->empties,
                 (unsigned long long)causes);
}

static void judge(const struct judgement *j)
{
    if (j->beyond - j->start > 0x7fffffffu || j->start > 0x7fffffffu) {
        COMPLAIN(j, "sequence number %u before its first one", j->segment->seq);
        return;
    }
    judge_causes(j);
    judge_payload(j);
    judge_window(j);
    judge_acknowledgement(j);
    judge_sacks(j);
    judge_timestamps(j);
    bool new_data = j->segment->payload_length > 0 && j->beyond > j->mine->sent_end;
    if (j->beyond > j->mine->sent_end && j->mine->una == j->mine->sent_end)
        j->mine->stalled_since = j->world->now;
    if (j->beyond > j->mine->sent_end)
        j->mine->sent_end = j->beyond;
    if (new_data && j->flow->connection != NULL)
        sim_invariant_sent_new(side_of(j->flow, j->end), j->mine, j->start,
                               j->segment->payload_length);
}

static struct sim_mark mark_of(struct sim_flow *flow, unsigned end,
                               const struct sim_segment *segment)
{
    uint32_t length = segment->payload_length + ((segment->flags & SIM_SYN) != 0) +
                      ((segment->flags & SIM_FIN) != 0);
    return (struct sim_mark){.flow = flow,
                             .incarnation = flow->directions[end].incarnation,
                             .from = end,
                             .seq = segment->seq,
                             .end = segment->seq + length,
                             .ack = segment->ack,
                             .timestamp = segment->timestamp,
                             .window = segment->window,
                             .flags = segment->flags};
}

/* Addresses and length are those of the two hosts. */
static void judge_addresses(struct sim_world *world, unsigned host, const struct sim_packet *packet,
                            const struct sim_segment *segment)
{
    struct daytona_address mine = sim_host_address(host);
    struct daytona_address other = sim_host_address(packet->destination);
    if (segment->source != daytona_address_to_ipv4(&mine) ||
        segment->destination != daytona_address_to_ipv4(&other))
        sim_fail(world, "host %u sends from or to a wrong address", host);
    if (!world->scenario->offload && packet->length > world->hosts[host].plan->path_mtu)
        sim_fail(world, "host %u sends %u bytes on a path of %u", host, packet->length,
                 world->hosts[host].plan->path_mtu);
}

static struct sim_flow *flow_of(struct sim_world *world, unsigned host,
                                const struct sim_packet *packet, const struct sim_segment *segment)
{
    bool first = host < packet->destination;
    struct flow_key key = {{host, packet->destination},
                           {segment->source_port, segment->destination_port}};
    if (!first)
        key = (struct flow_key){{packet->destination, host},
                                {segment->destination_port, segment->source_port}};
    struct sim_flow *flow = flow_find(&world->flows, &key);
    if (flow == NULL && (segment->flags & SIM_SYN) == 0)
        sim_fail(world, "host %u port %u sends on a connection that never began", host,
                 segment->source_port);
    return flow != NULL ? flow : flow_new(world, &key);
}

/* A connection that a cookie made once more, of a copy of the ACK that had made one before. */
static bool is_late_copy(const struct sim_world *world, const struct sim_flow *flow, unsigned end)
{
    if (flow->connection == NULL || !sim_host_uses_cookies(&world->hosts[flow->hosts[end]]))
        return false;
    const struct sim_side *side = side_of(flow, end);
    return side->role == SIM_SERVER && side->opened && side->gone;
}

void sim_flow_sent(struct sim_world *world, unsigned host, struct sim_packet *packet)
{
    struct sim_segment segment;
    const char *wrong = sim_packet_read(packet, &segment);
    if (wrong != NULL) {
        sim_fail(world, "host %u sends a malformed packet: %s", host, wrong);
        return;
    }
    judge_addresses(world, host, packet, &segment);
    struct sim_flow *flow = flow_of(world, host, packet, &segment);
    unsigned end = sim_flow_end(flow, host);
    bool reset = (segment.flags & SIM_RST) != 0;
    if ((segment.flags & SIM_SYN) != 0) {
        begin_direction(flow, end, world->now, &segment);
        if ((segment.flags & SIM_ACK) == 0)
            flow->connection = connection_of(world, flow);
    }
    packet->mark = mark_of(flow, end, &segment);
    if (reset)
        sim_invariant_reset(world, host, flow);
    if ((segment.flags & SIM_ACK) != 0) {
        judge_patience(world, flow, end);
        flow->directions[end].owed_since.ns = 0;
    }
    if (is_late_copy(world, flow, end))
        flow->reused = true;
    if (reset || flow->reused || !flow->directions[end].known)
        return;
    struct judgement judgement = {.world = world,
                                  .flow = flow,
                                  .end = end,
                                  .segment = &segment,
                                  .mine = &flow->directions[end],
                                  .theirs = &flow->directions[1 - end],
                                  .start = segment.seq - flow->directions[end].isn,
                                  .beyond = packet->mark.end - flow->directions[end].isn};
    judge(&judgement);
}
