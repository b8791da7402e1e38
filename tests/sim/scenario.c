#include "tests/sim/scenario.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MILLION      1000000u
#define REGION       ((size_t)64 << 20)     /* pages that are not used cost nothing */
#define STILLNESS_US (40ull * 60 * MILLION) /* Linux gives up after about 16 minutes */

struct sim_side_plan sim_side_plan_plain(uint64_t bytes)
{
    struct sim_side_plan plan = {.bytes = bytes,
                                 .pace = SIM_PACE_FREE,
                                 .write_max = 16384,
                                 .read_max = 65536,
                                 .ending = SIM_ENDING_HALF_CLOSE};
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        plan.options[option] = SIM_OPTION_UNSET;
    return plan;
}

bool sim_connection_plan_resets(const struct sim_connection_plan *plan)
{
    return plan->sides[0].ending >= SIM_ENDING_UNREAD || plan->sides[1].ending >= SIM_ENDING_UNREAD;
}

/* ---------------------------------------------------------------- building */

void sim_scenario_empty(struct sim_scenario *scenario, uint64_t seed)
{
    memset(scenario, 0, sizeof *scenario);
    scenario->seed = seed;
    scenario->origin.ns = 1000 * MILLION;
    scenario->stillness_us = STILLNESS_US;
}

void sim_scenario_release(struct sim_scenario *scenario)
{
    free(scenario->connections);
    scenario->connections = NULL;
    scenario->connection_count = scenario->connection_capacity = 0;
}

unsigned sim_scenario_add_host(struct sim_scenario *scenario)
{
    assert(scenario->host_count < SIM_HOSTS_MAX && scenario->router_count == 0);
    unsigned number = scenario->host_count++;
    struct sim_host_plan *host = &scenario->hosts[number];
    *host = (struct sim_host_plan){.config = {.owns_every_port = true},
                                   .region_bytes = REGION,
                                   .path_mtu = 1500,
                                   .batch = 1,
                                   .backlog = 128};
    struct sim_random random = sim_random_from(scenario->seed, 10000 + number);
    for (unsigned byte = 0; byte < 16; byte++)
        host->config.secret[byte] = (uint8_t)sim_random_next(&random);
    return number;
}

unsigned sim_scenario_add_link(struct sim_scenario *scenario, unsigned from, unsigned to,
                               const struct sim_link_config *config)
{
    assert(scenario->link_count < SIM_LINKS_MAX);
    unsigned number = scenario->link_count++;
    scenario->links[number] = *config;
    scenario->ends[number][0] = from;
    scenario->ends[number][1] = to;
    return number;
}

struct sim_connection_plan *sim_scenario_add(struct sim_scenario *scenario, unsigned client,
                                             unsigned server)
{
    if (scenario->connection_count == scenario->connection_capacity) {
        scenario->connection_capacity = scenario->connection_capacity * 2 + 8;
        scenario->connections = realloc(scenario->connections, scenario->connection_capacity *
                                                                   sizeof *scenario->connections);
        assert(scenario->connections != NULL);
    }
    struct sim_connection_plan *plan = &scenario->connections[scenario->connection_count++];
    memset(plan, 0, sizeof *plan);
    plan->hosts[SIM_CLIENT] = client;
    plan->hosts[SIM_SERVER] = server;
    plan->sides[0] = plan->sides[1] = sim_side_plan_plain(0);
    return plan;
}

/* ---------------------------------------------------------------- ways */

/* Breadth first, backwards from the host: the first link found from a node is on a shortest way.
 * No way leads through another host. */
static void route_to(struct sim_scenario *scenario, unsigned host)
{
    unsigned nodes = scenario->host_count + scenario->router_count;
    unsigned queue[SIM_NODES_MAX], first = 0, count = 1;
    for (unsigned node = 0; node < nodes; node++)
        scenario->routes[node][host] = SIM_NO_ROUTE;
    queue[0] = host;
    while (first < count) {
        unsigned at = queue[first++];
        if (at != host && at < scenario->host_count)
            continue;
        for (unsigned link = 0; link < scenario->link_count; link++) {
            unsigned from = scenario->ends[link][0];
            if (scenario->ends[link][1] != at || from == host ||
                scenario->routes[from][host] != SIM_NO_ROUTE)
                continue;
            scenario->routes[from][host] = (uint16_t)link;
            queue[count++] = from;
        }
    }
}

void sim_scenario_route(struct sim_scenario *scenario)
{
    for (unsigned host = 0; host < scenario->host_count; host++)
        route_to(scenario, host);
}

void sim_scenario_plain(struct sim_scenario *scenario, uint64_t seed)
{
    sim_scenario_empty(scenario, seed);
    struct sim_link_config link = {.delay_us = 1000, .mtu = 1500};
    unsigned client = sim_scenario_add_host(scenario), server = sim_scenario_add_host(scenario);
    sim_scenario_add_link(scenario, client, server, &link);
    sim_scenario_add_link(scenario, server, client, &link);
    sim_scenario_route(scenario);
}

unsigned sim_scenario_hop(const struct sim_scenario *scenario, unsigned node, unsigned host)
{
    return scenario->routes[node][host];
}

static uint64_t least_delay_us(const struct sim_scenario *scenario, unsigned link)
{
    uint64_t least = scenario->links[link].delay_us;
    for (unsigned i = 0; i < scenario->change_count; i++)
        if (scenario->changes[i].link == link && scenario->changes[i].config.delay_us < least)
            least = scenario->changes[i].config.delay_us;
    return least;
}

uint64_t sim_scenario_way_us(const struct sim_scenario *scenario, unsigned from, unsigned to)
{
    uint64_t us = 0;
    for (unsigned node = from; node != to;) {
        unsigned link = sim_scenario_hop(scenario, node, to);
        if (link == SIM_NO_ROUTE)
            return us;
        us += least_delay_us(scenario, link);
        node = scenario->ends[link][1];
    }
    return us;
}

static uint64_t least_mtu(const struct sim_scenario *scenario, unsigned link)
{
    uint64_t least = scenario->links[link].mtu;
    for (unsigned i = 0; i < scenario->change_count; i++)
        if (scenario->changes[i].link == link && scenario->changes[i].config.mtu < least)
            least = scenario->changes[i].config.mtu;
    return least;
}

bool sim_scenario_narrows(const struct sim_scenario *scenario, unsigned host)
{
    for (unsigned to = 0; to < scenario->host_count; to++)
        for (unsigned node = host; node != to;) {
            unsigned link = sim_scenario_hop(scenario, node, to);
            if (link == SIM_NO_ROUTE)
                break;
            if (least_mtu(scenario, link) < scenario->hosts[host].path_mtu)
                return true;
            node = scenario->ends[link][1];
        }
    return false;
}

bool sim_scenario_tells_outages(const struct sim_scenario *scenario)
{
    for (unsigned i = 0; i < scenario->link_count; i++)
        if (scenario->links[i].outage_is_told)
            return true;
    return false;
}

bool sim_scenario_is_smooth(const struct sim_scenario *scenario)
{
    for (unsigned i = 0; i < scenario->link_count; i++) {
        const struct sim_link_config *link = &scenario->links[i];
        uint64_t most_us = scenario->router_count == 0 ? 20000 : 7000;
        if (!sim_link_is_clean(link) || link->jitter_us > most_us || link->delay_us > most_us ||
            link->bytes_per_second != 0)
            return false;
    }
    for (unsigned i = 0; i < scenario->host_count; i++) {
        const struct sim_host_plan *host = &scenario->hosts[i];
        if (sim_scenario_narrows(scenario, i) || host->late_us > 20000 || host->accept_pause_us > 0)
            return false;
    }
    return scenario->change_count == 0;
}
