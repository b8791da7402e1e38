#include "tests/sim/campaign.h"
#include "tests/sim/parallel.h"
#include "tests/sim/pcap.h"
#include "tests/sim/world.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct outcome {
    bool failed;
    uint64_t trace, packets, virtual_us;
    char failure[sizeof((struct sim_world *)NULL)->failure];
};

struct totals {
    uint64_t seeds, failed, packets, virtual_us;
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

static void watch_for_abort(const struct sim_campaign *campaign, uint64_t seed)
{
    static char self[] = "/proc/self/exe";
    snprintf(running.seed, sizeof running.seed, "%llu", (unsigned long long)seed);
    running.arguments[0] = self;
    running.arguments[1] = running.seed;
    running.again = !campaign->single;
    struct sigaction action = {.sa_handler = aborted, .sa_flags = SA_NODEFER};
    sigaction(SIGABRT, &action, NULL);
}

static int open_recording(const struct sim_campaign *campaign, uint64_t seed)
{
    char path[4096];
    const char *slash = strrchr(campaign->program, '/');
    int length = slash == NULL ? 0 : (int)(slash - campaign->program + 1);
    snprintf(path, sizeof path, "%.*ssim-%llu.pcap", length, campaign->program,
             (unsigned long long)seed);
    int descriptor = sim_pcap_open(path);
    if (descriptor < 0)
        fprintf(stderr, "cannot record to %s: %s\n", path, strerror(-descriptor));
    else
        printf("seed %llu: packets are in %s\n", (unsigned long long)seed, path);
    return descriptor;
}

static struct outcome run_once(const struct sim_campaign *campaign, uint64_t seed, bool record)
{
    static struct sim_scenario scenario;
    static struct sim_world world;
    sim_scenario_from_seed(&scenario, seed);
    if (campaign->plan)
        sim_scenario_print(&scenario);
    int pcap = record ? open_recording(campaign, seed) : -1;
    running.world = &world;
    sim_scenario_route(&scenario);
    sim_world_init(&world, &scenario, pcap, campaign->log);
    sim_world_run(&world);
    struct outcome outcome = {.failed = world.failed,
                              .trace = world.trace,
                              .packets = world.handed,
                              .virtual_us = daytona_instant_since_us(world.now, scenario.origin)};
    memcpy(outcome.failure, world.failure, sizeof outcome.failure);
    sim_world_release(&world);
    sim_scenario_release(&scenario);
    sim_pcap_close(pcap);
    return outcome;
}

static void run_seed(const struct sim_campaign *campaign, uint64_t seed, struct totals *totals)
{
    watch_for_abort(campaign, seed);
    struct outcome outcome = run_once(campaign, seed, campaign->single);
    if (!outcome.failed && campaign->twice) {
        struct outcome second = run_once(campaign, seed, false);
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
    if (!campaign->single)
        run_once(campaign, seed, true);
    fflush(stdout);
}

struct share {
    const struct sim_campaign *campaign;
    const uint64_t *seeds;
    struct totals *totals; /* by job */
};

static void run_one(void *context, uint64_t index, unsigned job)
{
    const struct share *share = context;
    run_seed(share->campaign, share->seeds[index], &share->totals[job]);
}

/* A process that does not live to report its seeds counts as one that failed. */
int sim_campaign_run(const struct sim_campaign *campaign, const uint64_t *seeds, uint64_t count)
{
    size_t bytes = campaign->jobs * sizeof(struct totals);
    struct share share = {campaign, seeds, sim_parallel_memory(bytes)};
    struct totals totals = {.failed = sim_parallel(campaign->jobs, count, run_one, &share)};
    for (unsigned job = 0; job < campaign->jobs; job++) {
        totals.seeds += share.totals[job].seeds;
        totals.failed += share.totals[job].failed;
        totals.packets += share.totals[job].packets;
        totals.virtual_us += share.totals[job].virtual_us;
    }
    munmap(share.totals, bytes);
    printf("%llu seeds, %llu failed; %llu packets in %llu virtual seconds\n",
           (unsigned long long)totals.seeds, (unsigned long long)totals.failed,
           (unsigned long long)totals.packets, (unsigned long long)totals.virtual_us / 1000000);
    return totals.failed == 0 ? 0 : 1;
}

uint64_t *sim_campaign_read(const char *path, uint64_t *count)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return NULL;
    }
    char line[512];
    uint64_t *seeds = malloc(sizeof *seeds);
    *count = 0;
    while (seeds != NULL && fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line)
            continue;
        seeds[(*count)++] = seed;
        uint64_t *more = realloc(seeds, (*count + 1) * sizeof *seeds);
        assert(more != NULL);
        seeds = more;
    }
    assert(seeds != NULL);
    fclose(file);
    return seeds;
}
