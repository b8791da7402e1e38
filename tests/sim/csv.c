#include "tests/sim/csv.h"

static void write_side(const struct sim_csv *csv, const struct sim_world *world,
                       const struct sim_side *side)
{
    const struct sim_side *peer = &side->connection->sides[1 - side->role];
    struct daytona_connection_info info;
    if (!side->opened || side->gone || side->bytes == 0 ||
        daytona_stack_info(side->host->stack, world->now, side->id, &info) != 0)
        return;
    unsigned number = side->connection->number;
    const struct sim_side_meter *meter = &csv->meter->sides[2 * number + side->role];
    const char *group = csv->script->groups[side->connection->plan->group].name;
    fprintf(csv->file, "%.3f,flow,%s,%u,%s,%u,%lld,%u,%u,%llu,%llu,%llu,,,\n",
            (double)daytona_instant_since_us(world->now, world->scenario->origin) / 1e6, group,
            number, daytona_tcp_state_name(info.state), info.cwnd_bytes,
            info.ssthresh_bytes == UINT32_MAX ? -1ll : (long long)info.ssthresh_bytes, info.srtt_us,
            info.in_flight_bytes, (unsigned long long)peer->received,
            (unsigned long long)meter->retransmitted_segments, (unsigned long long)meter->timeouts);
}

static void write_link(const struct sim_csv *csv, const struct sim_world *world, unsigned number)
{
    const struct sim_link *link = &world->links[number];
    if (csv->script->links[number][0] == '\0')
        return;
    fprintf(csv->file, "%.3f,link,%s,%u,,,,,,,,,%llu,%llu,%llu\n",
            (double)daytona_instant_since_us(world->now, world->scenario->origin) / 1e6,
            csv->script->links[number], number, (unsigned long long)link->waiting_bytes,
            (unsigned long long)link->counters.queue_full + link->counters.codel_dropped,
            (unsigned long long)link->counters.marked);
}

static void look(void *context, const struct sim_world *world)
{
    const struct sim_csv *csv = context;
    for (unsigned i = 0; i < 2 * world->scenario->connection_count; i++)
        write_side(csv, world, &world->connections[i / 2].sides[i % 2]);
    for (unsigned i = 0; i < world->scenario->link_count; i++)
        write_link(csv, world, i);
}

void sim_csv_begin(struct sim_csv *csv, struct sim_meter *meter, uint64_t period_us)
{
    fprintf(csv->file,
            "seconds,kind,name,number,state,cwnd_bytes,ssthresh_bytes,srtt_us,in_flight_bytes,"
            "received_bytes,retransmitted_segments,timeouts,queue_bytes,dropped,marked\n");
    meter->look = look;
    meter->context = csv;
    meter->period_us = period_us;
}
