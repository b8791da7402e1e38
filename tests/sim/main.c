/*
 * daytona-sim - runs simulations by their seed.
 *
 *     daytona-sim [--seed] SEED [COUNT]   seeds SEED .. SEED + COUNT - 1
 *     daytona-sim --seeds FIRST-LAST      the same
 *     daytona-sim --seeds FILE            the seeds that the lines of a file begin with
 *     daytona-sim --goodput               the table of tests/sim/goodput.txt
 *     --log    first: every packet and event on standard output
 *     --plan   first: what the seed means
 *     --twice  first: each seed twice, both runs must be the same
 *
 * A failing seed says what broke and when, and leaves its packets in sim-SEED.pcap beside this
 * program. The exit status is 1 when a seed failed.
 */
#include "tests/sim/goodput.h"
#include "tests/sim/pcap.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command {
    const char *program;
    bool log, plan, twice, single;
};

struct outcome {
    bool failed;
    uint64_t trace, packets, virtual_us;
    char failure[sizeof((struct sim_world *)NULL)->failure];
};

/* For the handler of SIGABRT: a failed assertion inside the stack ends the process. */
static struct {
    char *arguments[3];
    char seed[24];
    const struct sim_world *world;
    bool again; /* the seed runs again with its packets recorded */
} running;

/* Starts over with the one seed that broke, so that its packets are recorded. */
static void aborted(int signal_number)
{
    signal(signal_number, SIG_DFL);
    dprintf(STDERR_FILENO, "seed %s: stopped by signal %d at virtual %llu us\n", running.seed,
            signal_number,
            running.world == NULL ? 0ull
                                  : (unsigned long long)daytona_instant_since_us(
                                        running.world->now, running.world->scenario->origin));
    if (running.again)
        execv(running.arguments[0], running.arguments);
    raise(signal_number);
}

static void watch_for_abort(const struct command *command, uint64_t seed)
{
    static char self[] = "/proc/self/exe";
    snprintf(running.seed, sizeof running.seed, "%llu", (unsigned long long)seed);
    running.arguments[0] = self;
    running.arguments[1] = running.seed;
    running.again = !command->single;
    struct sigaction action = {.sa_handler = aborted, .sa_flags = SA_NODEFER};
    sigaction(SIGABRT, &action, NULL);
}

static int open_recording(const struct command *command, uint64_t seed)
{
    char path[4096];
    const char *slash = strrchr(command->program, '/');
    int length = slash == NULL ? 0 : (int)(slash - command->program + 1);
    snprintf(path, sizeof path, "%.*ssim-%llu.pcap", length, command->program,
             (unsigned long long)seed);
    int descriptor = sim_pcap_open(path);
    if (descriptor < 0)
        fprintf(stderr, "cannot record to %s: %s\n", path, strerror(-descriptor));
    else
        printf("seed %llu: packets are in %s\n", (unsigned long long)seed, path);
    return descriptor;
}

static struct outcome run_once(const struct command *command, uint64_t seed, bool record)
{
    static struct sim_scenario scenario;
    static struct sim_world world;
    sim_scenario_from_seed(&scenario, seed);
    if (command->plan)
        sim_scenario_print(&scenario);
    int pcap = record ? open_recording(command, seed) : -1;
    running.world = &world;
    sim_world_init(&world, &scenario, pcap, command->log);
    sim_world_run(&world);
    struct outcome outcome = {.failed = world.failed,
                              .trace = world.trace,
                              .packets =
                                  world.links[0].counters.offered + world.links[1].counters.offered,
                              .virtual_us = daytona_instant_since_us(world.now, scenario.origin)};
    memcpy(outcome.failure, world.failure, sizeof outcome.failure);
    sim_world_release(&world);
    sim_pcap_close(pcap);
    return outcome;
}

struct totals {
    uint64_t seeds, failed, packets, virtual_us;
};

static void run_seed(const struct command *command, uint64_t seed, struct totals *totals)
{
    watch_for_abort(command, seed);
    struct outcome outcome = run_once(command, seed, command->single);
    if (!outcome.failed && command->twice) {
        struct outcome second = run_once(command, seed, false);
        if (second.trace != outcome.trace) {
            outcome.failed = true;
            snprintf(outcome.failure, sizeof outcome.failure, "two runs of the seed differ");
        }
    }
    totals->seeds++;
    totals->packets += outcome.packets;
    totals->virtual_us += outcome.virtual_us;
    if (!outcome.failed)
        return;
    totals->failed++;
    printf("seed %llu: FAILED at virtual %llu.%06llu s: %s\n", (unsigned long long)seed,
           (unsigned long long)outcome.virtual_us / 1000000,
           (unsigned long long)outcome.virtual_us % 1000000, outcome.failure);
    fflush(stdout);
    if (!command->single)
        run_once(command, seed, true);
}

static int usage(void)
{
    fprintf(stderr, "usage: daytona-sim [--log] [--plan] [--twice] [--seed] SEED [COUNT]\n"
                    "       daytona-sim [--twice] --seeds FIRST-LAST | FILE\n"
                    "       daytona-sim --goodput\n");
    return 2;
}

static int finish(const struct totals *totals)
{
    printf("%llu seeds, %llu failed; %llu packets in %llu virtual seconds\n",
           (unsigned long long)totals->seeds, (unsigned long long)totals->failed,
           (unsigned long long)totals->packets, (unsigned long long)totals->virtual_us / 1000000);
    return totals->failed == 0 ? 0 : 1;
}

static void run_span(const struct command *command, uint64_t first, uint64_t count,
                     struct totals *totals)
{
    for (uint64_t i = 0; i < count; i++)
        run_seed(command, first + i, totals);
}

static int run_file(const struct command *command, const char *path, struct totals *totals)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 2;
    }
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line)
            run_seed(command, seed, totals);
    }
    fclose(file);
    return finish(totals);
}

/* "FIRST-LAST" or the name of a file. */
static int run_many(const struct command *command, const char *words, struct totals *totals)
{
    char *dash, *end;
    uint64_t first = strtoull(words, &dash, 10);
    if (dash == words || *dash != '-')
        return run_file(command, words, totals);
    uint64_t last = strtoull(dash + 1, &end, 10);
    if (*end != '\0' || last < first)
        return usage();
    run_span(command, first, last - first + 1, totals);
    return finish(totals);
}

int main(int count, char **arguments)
{
    struct command command = {.program = arguments[0]};
    struct totals totals = {0};
    int at = 1;
    for (; at < count && arguments[at][0] == '-'; at++) {
        const char *word = arguments[at];
        if (strcmp(word, "--goodput") == 0)
            return sim_goodput_print();
        if (strcmp(word, "--seeds") == 0 && at + 1 < count)
            return run_many(&command, arguments[at + 1], &totals);
        if (strcmp(word, "--log") == 0)
            command.log = true;
        else if (strcmp(word, "--plan") == 0)
            command.plan = true;
        else if (strcmp(word, "--twice") == 0)
            command.twice = true;
        else if (strcmp(word, "--seed") != 0)
            return usage();
    }
    if (at == count || at + 2 < count)
        return usage();
    uint64_t seeds = at + 1 < count ? strtoull(arguments[at + 1], NULL, 10) : 1;
    command.single = seeds == 1;
    run_span(&command, strtoull(arguments[at], NULL, 10), seeds, &totals);
    return finish(&totals);
}
