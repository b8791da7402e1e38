#include "tests/sim/scenario.h"
#include <stdio.h>

#define MILLION 1000000u

static void print_link(const struct sim_scenario *scenario, const struct sim_link_config *link,
                       unsigned number)
{
    printf("  link %u from node %u to %u: %llu B/s, delay %llu us, jitter %llu us%s, queue %llu B, "
           "mtu %llu%s%s%s\n",
           number, scenario->ends[number][0], scenario->ends[number][1],
           (unsigned long long)link->bytes_per_second, (unsigned long long)link->delay_us,
           (unsigned long long)link->jitter_us, link->jitter_reorders ? " (reorders)" : "",
           (unsigned long long)link->queue_bytes, (unsigned long long)link->mtu,
           link->partial_checksums ? ", partial checksums" : "", link->down ? ", unplugged" : "",
           link->held ? ", held" : "");
    printf("    ppm: loss %llu, bursts in %llu out %llu of %llu, reorder %llu by %llu us, "
           "duplicate %llu, corrupt %llu, cut %llu, fragment %llu\n",
           (unsigned long long)link->loss, (unsigned long long)link->burst_enter,
           (unsigned long long)link->burst_leave, (unsigned long long)link->burst_loss,
           (unsigned long long)link->reorder, (unsigned long long)link->reorder_us,
           (unsigned long long)link->duplicate, (unsigned long long)link->corrupt,
           (unsigned long long)link->cut, (unsigned long long)link->fragment);
}

static void print_host(const struct sim_host_plan *host, unsigned number)
{
    printf("  host %u: %s, receive %u..%u B, send %u B, path mtu %u, late %u us, batch %u, backlog "
           "%d, accept pause %u us, super %u%s\n",
           number, host->config.congestion == NULL ? "default" : host->config.congestion,
           host->config.receive_buffer_bytes, host->config.receive_buffer_max,
           host->config.send_buffer_bytes, host->path_mtu, host->late_us, host->batch,
           host->backlog, host->accept_pause_us, host->config.super_segment_bytes_max,
           host->dirty_region ? ", dirty memory" : "");
}

static void print_side(const struct sim_side_plan *side, const char *name)
{
    static const char *const paces[SIM_PACE_COUNT] = {"free", "echo", "request"};
    static const char *const endings[SIM_ENDING_COUNT] = {"half-close",   "close", "close-early",
                                                          "close-unread", "abort", "linger-zero"};
    printf("    %s: %llu bytes (%s), writes to %u, reads to %u, pauses %u/%u ppm to %u us, "
           "ends by %s after %llu%s%s%s%s",
           name, (unsigned long long)side->bytes, paces[side->pace], side->write_max,
           side->read_max, side->write_pause, side->read_pause, side->pause_us,
           endings[side->ending], (unsigned long long)side->ending_after,
           side->short_count_means_blocked ? ", trusts short counts" : "",
           side->peeks ? ", peeks" : "", side->uses_more ? ", MORE" : "",
           side->urgent ? ", urgent" : "");
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        if (side->options[option] != SIM_OPTION_UNSET)
            printf(", option %d = %lld", option, (long long)side->options[option]);
    putchar('\n');
}

void sim_scenario_print(const struct sim_scenario *scenario)
{
    printf("seed %llu: %u connections%s%s, stripped options %#x, signed %u\n",
           (unsigned long long)scenario->seed, scenario->connection_count,
           scenario->offload ? ", offloads" : "", scenario->tight ? ", tight memory" : "",
           scenario->stripped, scenario->signature);
    for (unsigned i = 0; i < scenario->link_count; i++)
        print_link(scenario, &scenario->links[i], i);
    for (unsigned i = 0; i < scenario->change_count; i++) {
        printf("  at %llu ms:", (unsigned long long)scenario->changes[i].at.ns / MILLION);
        print_link(scenario, &scenario->changes[i].config, scenario->changes[i].link);
    }
    for (unsigned i = 0; i < scenario->host_count; i++)
        print_host(&scenario->hosts[i], i);
    for (unsigned i = 0; i < scenario->connection_count; i++) {
        const struct sim_connection_plan *plan = &scenario->connections[i];
        printf("  connection %u from host %u to %u at %llu ms, sleeps %llu s%s%s\n", i,
               plan->hosts[SIM_CLIENT], plan->hosts[SIM_SERVER],
               (unsigned long long)plan->start.ns / MILLION,
               (unsigned long long)plan->sleep_us / MILLION, plan->refused ? ", refused" : "",
               plan->crossing ? ", crossing" : "");
        print_side(&plan->sides[SIM_CLIENT], "client");
        print_side(&plan->sides[SIM_SERVER], "server");
    }
}
