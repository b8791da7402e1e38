#include "tests/sim/goodput.h"
#include "tests/sim/world.h"
#include <stdio.h>

/* 10 Mbit/s and a round trip of 40 ms: the pipe holds 50,000 bytes. */
#define RATE       1250000u
#define ONE_WAY_US 20000u
#define PIPE_BYTES 50000u
#define BULK_BYTES 12500000u /* ten seconds of the line */

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

/** One transfer. */
struct trial {
    const char *controller;
    uint32_t loss, reorder; /**< ppm of the packets with data */
    uint32_t reorder_us, queue_percent;
};

static void prepare(struct sim_scenario *scenario, const struct trial *trial)
{
    sim_scenario_plain(scenario, 1);
    for (unsigned i = 0; i < 2; i++) {
        scenario->links[i].bytes_per_second = RATE;
        scenario->links[i].delay_us = ONE_WAY_US;
        scenario->hosts[i].config.congestion = trial->controller;
        scenario->hosts[i].config.receive_buffer_bytes = 1000000;
    }
    scenario->links[0].loss = trial->loss;
    scenario->links[0].reorder = trial->reorder;
    scenario->links[0].reorder_us = trial->reorder_us;
    scenario->links[0].queue_bytes = PIPE_BYTES / 100 * trial->queue_percent;
    sim_scenario_add(scenario, 0, 1)->sides[SIM_CLIENT].bytes = BULK_BYTES;
}

/* Prints payload over time, from the connect to the last byte read, as a share of the line. */
static int print_share(const struct trial *trial)
{
    static struct sim_scenario scenario;
    static struct sim_world world;
    prepare(&scenario, trial);
    sim_world_init(&world, &scenario, -1, false);
    sim_world_run(&world);
    uint64_t ns = world.connections[0].sides[SIM_SERVER].ended_at.ns - scenario.origin.ns;
    if (world.failed) {
        printf("  FAILED: %s", world.failure);
    } else {
        unsigned thousandths = (unsigned)((uint64_t)BULK_BYTES * 1000000000 / ns * 1000 / RATE);
        printf("%8u.%u", thousandths / 10, thousandths % 10);
    }
    sim_world_release(&world);
    sim_scenario_release(&scenario);
    return world.failed ? 1 : 0;
}

static int print_losses(const char *controller)
{
    static const uint32_t losses[] = {0, 1000, 10000, 30000, 50000};
    static const uint32_t queues[] = {10, 25, 50, 100, 400};
    int result = 0;
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        printf("%-6s %3u.%u %%", controller, losses[i] / 10000, losses[i] / 1000 % 10);
        for (size_t j = 0; j < COUNT_OF(queues); j++)
            result |= print_share(&(struct trial){
                .controller = controller, .loss = losses[i], .queue_percent = queues[j]});
        putchar('\n');
    }
    return result;
}

static int print_reorderings(const char *controller)
{
    static const uint32_t shares[] = {10000, 50000, 250000};
    static const uint32_t delays_us[] = {1000, 2000, 5000, 10000, 20000};
    int result = 0;
    for (size_t i = 0; i < COUNT_OF(shares); i++) {
        printf("%-6s %3u.%u %%", controller, shares[i] / 10000, shares[i] / 1000 % 10);
        for (size_t j = 0; j < COUNT_OF(delays_us); j++)
            result |= print_share(&(struct trial){.controller = controller,
                                                  .reorder = shares[i],
                                                  .reorder_us = delays_us[j],
                                                  .queue_percent = 400});
        putchar('\n');
    }
    return result;
}

int sim_goodput_print(void)
{
    const char *name;
    int result = 0;
    printf(
        "Goodput of one bulk transfer in percent of a line of 10 Mbit/s, round trip 40 ms.\n"
        "The headers of full segments cost 3.5 percent.\n\n"
        "Random loss, and the queue in front of the line in percent of the pipe's 50,000 bytes:\n"
        "        queue      10 %%      25 %%      50 %%     100 %%     400 %%\n");
    for (size_t i = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++)
        result |= print_losses(name);
    printf("\nA share of the packets comes late, by up to:\n"
           "                   1 ms      2 ms      5 ms     10 ms     20 ms\n");
    for (size_t i = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++)
        result |= print_reorderings(name);
    return result;
}
