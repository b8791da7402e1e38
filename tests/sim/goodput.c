#include "tests/sim/goodput.h"
#include "tests/sim/world.h"
#include <stdio.h>

/* 10 Mbit/s and a round trip of 40 ms: the pipe holds 50,000 bytes. */
#define RATE       1250000u
#define ONE_WAY_US 20000u
#define PIPE_BYTES 50000u
#define BULK_BYTES 12500000u /* ten seconds of the line */

static const uint32_t losses_ppm[] = {0, 1000, 10000, 30000, 50000};
static const uint32_t queue_percents[] = {10, 25, 50, 100, 400};
static const char *const controllers[] = {"reno", "cubic"};

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

static void prepare(struct sim_scenario *scenario, const char *controller, uint32_t loss,
                    uint32_t queue_percent)
{
    sim_scenario_plain(scenario, 1);
    for (unsigned i = 0; i < 2; i++) {
        scenario->links[i].bytes_per_second = RATE;
        scenario->links[i].delay_us = ONE_WAY_US;
        scenario->hosts[i].config.congestion = controller;
        scenario->hosts[i].config.receive_buffer_bytes = 1000000;
    }
    scenario->links[0].loss = loss;
    scenario->links[0].queue_bytes = PIPE_BYTES / 100 * queue_percent;
    scenario->connection_count = 1;
    struct sim_connection_plan *plan = &scenario->connections[0];
    plan->sides[SIM_CLIENT] = sim_side_plan_plain(BULK_BYTES);
    plan->sides[SIM_SERVER] = sim_side_plan_plain(0);
}

/* Payload over time from the connect to the last byte read, in thousandths of the line. */
static int measure(const char *controller, uint32_t loss, uint32_t queue_percent)
{
    static struct sim_scenario scenario;
    static struct sim_world world;
    prepare(&scenario, controller, loss, queue_percent);
    sim_world_init(&world, &scenario, -1, false);
    sim_world_run(&world);
    uint64_t ns = world.connections[0].sides[SIM_SERVER].ended_at.ns - scenario.origin.ns;
    int share = world.failed ? -1 : (int)((uint64_t)BULK_BYTES * 1000000000 / ns * 1000 / RATE);
    if (world.failed)
        printf("%s, loss %u ppm, queue %u %%: %s\n", controller, loss, queue_percent,
               world.failure);
    sim_world_release(&world);
    return share;
}

static int print_row(const char *controller, uint32_t loss)
{
    int result = 0;
    printf("%-6s %6u.%u %%", controller, loss / 10000, loss / 1000 % 10);
    for (size_t i = 0; i < COUNT_OF(queue_percents); i++) {
        int share = measure(controller, loss, queue_percents[i]);
        if (share < 0)
            result = 1;
        printf("   %3d.%d", share / 10, share % 10);
    }
    putchar('\n');
    return result;
}

int sim_goodput_print(void)
{
    int result = 0;
    printf("Goodput of one bulk transfer in percent of a line of 10 Mbit/s, round trip 40 ms,\n"
           "against random loss and the queue in front of the line (percent of the pipe's\n"
           "50,000 bytes). The headers of full segments cost 3.5 percent.\n\n");
    printf("              queue");
    for (size_t i = 0; i < COUNT_OF(queue_percents); i++)
        printf("%6u %%", queue_percents[i]);
    putchar('\n');
    for (size_t i = 0; i < COUNT_OF(controllers); i++)
        for (size_t j = 0; j < COUNT_OF(losses_ppm); j++)
            result |= print_row(controllers[i], losses_ppm[j]);
    return result;
}
