#include "tests/sim/meter.h"
#include <assert.h>
#include <stdlib.h>

void sim_meter_init(struct sim_meter *meter, const struct sim_scenario *scenario,
                    struct daytona_instant from, struct daytona_instant to)
{
    *meter = (struct sim_meter){.from = {scenario->origin.ns + from.ns},
                                .to = {scenario->origin.ns + to.ns}};
    meter->sides = calloc(2 * scenario->connection_count + 1, sizeof *meter->sides);
    meter->sojourns = calloc(scenario->link_count + 1, sizeof *meter->sojourns);
    assert(meter->sides != NULL && meter->sojourns != NULL);
}

void sim_meter_release(struct sim_meter *meter, const struct sim_scenario *scenario)
{
    for (unsigned i = 0; i < 2 * scenario->connection_count; i++) {
        sim_samples_release(&meter->sides[i].rtt);
        sim_samples_release(&meter->sides[i].response);
    }
    for (unsigned i = 0; i < scenario->link_count; i++)
        sim_samples_release(&meter->sojourns[i]);
    free(meter->sides);
    free(meter->sojourns);
}

static struct sim_side_meter *of_side(const struct sim_meter *meter, const struct sim_side *side)
{
    return &meter->sides[2 * side->connection->number + side->role];
}

void sim_meter_event(struct sim_meter *meter, const struct sim_side *side,
                     const struct daytona_event *event)
{
    if (meter == NULL)
        return;
    struct sim_side_meter *mine = of_side(meter, side);
    if (event->type == DAYTONA_EVENT_RTT_SAMPLE)
        sim_samples_add(&mine->rtt, event->a);
    if (event->type == DAYTONA_EVENT_TIMEOUT)
        mine->timeouts++;
    if (event->type == DAYTONA_EVENT_RECOVERY_ENTER)
        mine->recoveries++;
    if (event->type == DAYTONA_EVENT_RETRANSMIT) {
        mine->retransmitted_segments++;
        mine->retransmitted_bytes += event->b;
    }
}

void sim_meter_response(struct sim_meter *meter, const struct sim_side *side, uint64_t us)
{
    if (meter != NULL)
        sim_samples_add(&of_side(meter, side)->response, us);
}

static void look_at_side(const struct sim_meter *meter, const struct sim_side *side,
                         struct daytona_instant now)
{
    struct sim_side_meter *mine = of_side(meter, side);
    if (now.ns == meter->from.ns)
        mine->received_before = side->received;
    if (now.ns == meter->to.ns)
        mine->received_until = side->received;
}

void sim_meter_look(struct sim_meter *meter, struct sim_world *world)
{
    for (unsigned i = 0; i < 2 * world->scenario->connection_count; i++)
        look_at_side(meter, &world->connections[i / 2].sides[i % 2], world->now);
    if (meter->look != NULL)
        meter->look(meter->context, world);
}

/* When the last byte had come that the application waited for; the end when none has. */
static struct daytona_instant end_of(const struct sim_meter *meter,
                                     const struct sim_connection *connection)
{
    struct daytona_instant end = {0};
    for (unsigned role = 0; role < 2; role++) {
        const struct sim_side *side = &connection->sides[role];
        if (side->ended_at.ns == 0)
            return meter->to;
        if (daytona_instant_before(end, side->ended_at))
            end = side->ended_at;
    }
    return daytona_instant_before(end, meter->to) ? end : meter->to;
}

struct sim_delivery sim_meter_delivery(const struct sim_meter *meter,
                                       const struct sim_connection *connection)
{
    const struct sim_scenario *scenario = connection->sides[0].host->world->scenario;
    struct sim_delivery delivery = {.start = {scenario->origin.ns + connection->plan->start.ns},
                                    .end = end_of(meter, connection)};
    if (daytona_instant_before(delivery.start, meter->from))
        delivery.start = meter->from;
    for (unsigned role = 0; role < 2; role++) {
        const struct sim_side_meter *mine = of_side(meter, &connection->sides[role]);
        uint64_t received = delivery.end.ns == meter->to.ns ? mine->received_until
                                                            : connection->sides[role].received;
        delivery.bytes += received - mine->received_before;
    }
    return delivery;
}

double sim_delivery_rate(const struct sim_delivery *delivery)
{
    uint64_t us = daytona_instant_since_us(delivery->end, delivery->start);
    return us == 0 ? 0 : (double)delivery->bytes * 1e6 / (double)us;
}
