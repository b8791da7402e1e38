#include "tests/sim/report.h"
#include "tests/sim/meter.h"
#include "tests/sim/parallel.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define RATE            2500000u /* bytes per second: 20 Mbit/s */
#define PACKET          1500u
#define SEGMENT         1448u /* of its bytes, with timestamps */
#define QUEUE_LEAST     (20 * PACKET)
#define BULK_BYTES      2000000000u /* more than any run moves */
#define SECOND_NS       1000000000u
#define CONTROLLERS_MAX 12

#define COUNT_OF(table) (sizeof(table) / sizeof(table)[0])

static const uint32_t round_trips_ms[] = {1, 20, 100, 300};
static const uint32_t losses[] = {0, 1000, 10000, 30000}; /* parts per million */

/** One simulation: flows of a controller on one link, measured after a time of finding its pace. */
struct trial {
    const char *controllers[2]; /**< of flow 0, 2, 4... and of flow 1, 3, 5... */
    unsigned flows;
    uint32_t round_trip_ms, loss;
    unsigned warm_seconds, measured_seconds;
    /* found out: */
    bool failed;
    char failure[512];
    double shares[2]; /* of the line, by controller */
    double fairness;  /* Jain */
    double queue_ms;  /* in the mean */
};

struct report {
    struct trial *trials; /* shared memory */
    unsigned count, capacity;
};

/* ---------------------------------------------------------------- one trial */

static void prepare(struct sim_scenario *scenario, const struct trial *trial)
{
    sim_scenario_plain(scenario, 1);
    for (unsigned i = 0; i < 2; i++) {
        scenario->links[i].delay_us = (uint64_t)trial->round_trip_ms * 500;
        scenario->links[i].bytes_per_second = RATE;
        scenario->hosts[i].region_bytes = (size_t)256 << 20;
    }
    uint64_t pipe = (uint64_t)RATE * trial->round_trip_ms / 1000;
    scenario->links[0].queue_bytes = pipe > QUEUE_LEAST ? pipe : QUEUE_LEAST;
    scenario->links[0].loss = trial->loss;
    uint64_t end_ns = (uint64_t)(trial->warm_seconds + trial->measured_seconds) * SECOND_NS;
    for (unsigned i = 0; i < trial->flows; i++) {
        struct sim_connection_plan *plan = sim_scenario_add(scenario, 0, 1);
        plan->start.ns = i * 100000000ull;
        plan->stop.ns = end_ns;
        plan->sides[SIM_CLIENT].bytes = BULK_BYTES;
        plan->sides[SIM_CLIENT].write_max = plan->sides[SIM_SERVER].read_max = 65536;
        plan->sides[0].congestion = plan->sides[1].congestion = trial->controllers[i % 2];
    }
}

static void evaluate(struct trial *trial, const struct sim_world *world,
                     const struct sim_meter *meter)
{
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < trial->flows; i++) {
        struct sim_delivery delivery = sim_meter_delivery(meter, &world->connections[i]);
        double share = sim_delivery_rate(&delivery) / RATE;
        trial->shares[i % 2] += share;
        sum += share;
        squares += share * share;
    }
    trial->fairness = squares == 0 ? 0 : sum * sum / (trial->flows * squares);
    trial->queue_ms = sim_samples_mean(&meter->sojourns[0]) / 1e3;
    trial->failed = world->failed;
    memcpy(trial->failure, world->failure, sizeof trial->failure);
}

static void run_trial(void *context, uint64_t index, unsigned job)
{
    static struct sim_scenario scenario;
    static struct sim_world world;
    struct trial *trial = &((struct report *)context)->trials[index];
    struct sim_meter meter;
    (void)job;
    prepare(&scenario, trial);
    sim_world_init(&world, &scenario, -1, false);
    sim_meter_init(&meter, &scenario,
                   (struct daytona_instant){(uint64_t)trial->warm_seconds * SECOND_NS},
                   (struct daytona_instant){
                       (uint64_t)(trial->warm_seconds + trial->measured_seconds) * SECOND_NS});
    sim_world_measure(&world, &meter);
    sim_world_run(&world);
    evaluate(trial, &world, &meter);
    sim_meter_release(&meter, &scenario);
    sim_world_release(&world);
    sim_scenario_release(&scenario);
}

/* ---------------------------------------------------------------- theory */

static double root(double value)
{
    double guess = value > 1 ? value : 1;
    for (int i = 0; i < 60; i++)
        guess = (guess + value / guess) / 2;
    return guess;
}

/* Mathis, Semke, Mahdavi, Ott (1997): an average window of sqrt(3/2) / sqrt(p) segments. */
static double reno_window(double loss)
{
    return root(1.5 / loss);
}

/* RFC 9438 section 5.1, figure 6: with C = 0.4 and beta = 0.7, 1.054 RTT^(3/4) / p^(3/4) segments;
 * where Reno would have more, CUBIC does as Reno (section 4.3). */
static double cubic_window(double loss, double round_trip_s)
{
    double ratio = round_trip_s / loss;
    double window = 1.054 * root(ratio * root(ratio));
    double reno = reno_window(loss);
    return window > reno ? window : reno;
}

/* Of the line, in percent; negative: theory does not say. */
static double theory(const char *controller, uint32_t round_trip_ms, uint32_t loss_ppm)
{
    const double most = 100.0 * SEGMENT / PACKET;
    double loss = loss_ppm / 1e6, round_trip_s = round_trip_ms / 1e3, window;
    bool reno = strcmp(controller, "reno") == 0;
    if (!reno && strcmp(controller, "cubic") != 0)
        return -1;
    if (loss_ppm == 0)
        return most;
    window = reno ? reno_window(loss) : cubic_window(loss, round_trip_s);
    double percent = 100 * window * SEGMENT / round_trip_s / RATE;
    return percent < most ? percent : most;
}

/* ---------------------------------------------------------------- the tables */

static struct trial *add(struct report *report, const char *one, const char *other)
{
    struct trial *trial = &report->trials[report->count++];
    trial->controllers[0] = one;
    trial->controllers[1] = other;
    trial->flows = 1;
    trial->warm_seconds = 10;
    trial->measured_seconds = 50;
    trial->round_trip_ms = 40;
    return trial;
}

/* In the order in which the tables are printed. */
static void plan_trials(struct report *report, const char *const *names, unsigned count)
{
    for (unsigned c = 0; c < count; c++)
        for (size_t i = 0; i < COUNT_OF(losses); i++)
            for (size_t j = 0; j < COUNT_OF(round_trips_ms); j++) {
                struct trial *trial = add(report, names[c], names[c]);
                trial->loss = losses[i];
                trial->round_trip_ms = round_trips_ms[j];
            }
    for (unsigned c = 0; c < count; c++) {
        add(report, names[c], names[c])->flows = 2;
        add(report, names[c], names[c])->flows = 10;
        add(report, names[c], "cubic")->flows = 2;
    }
}

static int print_failure(const struct trial *trial)
{
    if (trial->failed)
        printf("  FAILED: %s\n", trial->failure);
    return trial->failed ? 1 : 0;
}

static int print_shares(const struct trial **next, const char *name)
{
    int result = 0;
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        printf("%-8s %u.%u %%", name, losses[i] / 10000, losses[i] / 1000 % 10);
        for (size_t j = 0; j < COUNT_OF(round_trips_ms); j++, ++*next) {
            double expected = theory(name, round_trips_ms[j], losses[i]);
            printf("%9.1f", 100 * (*next)->shares[0]);
            if (expected >= 0)
                printf(" (%4.1f)", expected);
            else if (j + 1 < COUNT_OF(round_trips_ms))
                printf("       ");
            result |= print_failure(*next);
        }
        putchar('\n');
    }
    return result;
}

static int print_fairness(const struct trial **next, const char *name)
{
    const struct trial *two = (*next)++, *ten = (*next)++, *mixed = (*next)++;
    printf("%-8s %8.3f %6.1f ms %10.3f %6.1f ms %11.1f : %4.1f\n", name, two->fairness,
           two->queue_ms, ten->fairness, ten->queue_ms, 100 * mixed->shares[0],
           100 * mixed->shares[1]);
    return print_failure(two) | print_failure(ten) | print_failure(mixed);
}

static int print(const struct trial *trials, const char *const *names, unsigned count)
{
    const struct trial *next = trials;
    int result = 0;
    printf(
        "Goodput of one bulk transfer in percent of a line of 20 Mbit/s, measured for 50 s after "
        "10 s.\nThe queue holds one pipe, at least 20 packets; packets with data are lost at "
        "random. In\nbrackets what theory says: Mathis for Reno, RFC 9438 section 5.1 for "
        "CUBIC.\n\n         loss   RTT 1 ms           20 ms          100 ms          300 ms\n");
    for (unsigned c = 0; c < count; c++)
        result |= print_shares(&next, names[c]);
    printf("\nFairness (Jain's index) of flows that share a line of 20 Mbit/s and 40 ms, the delay "
           "in its\nqueue in the mean, and the shares of one flow beside one of CUBIC.\n\n"
           "          2 flows     queue   10 flows     queue   beside CUBIC\n");
    for (unsigned c = 0; c < count; c++)
        result |= print_fairness(&next, names[c]);
    return result;
}

int sim_report_print(unsigned jobs)
{
    const char *names[CONTROLLERS_MAX];
    unsigned count = 0;
    while (count < CONTROLLERS_MAX && daytona_stack_congestion_name(count) != NULL) {
        names[count] = daytona_stack_congestion_name(count);
        count++;
    }
    unsigned trials = count * (unsigned)(COUNT_OF(losses) * COUNT_OF(round_trips_ms) + 3);
    struct report report = {.trials = sim_parallel_memory(trials * sizeof(struct trial))};
    plan_trials(&report, names, count);
    int result = sim_parallel(jobs, report.count, run_trial, &report) != 0;
    result |= print(report.trials, names, count);
    munmap(report.trials, trials * sizeof(struct trial));
    return result;
}
