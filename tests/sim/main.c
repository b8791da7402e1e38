/*
 * daytona-sim - runs simulations by their seed.
 *
 *     daytona-sim [--seed] SEED [COUNT]   seeds SEED .. SEED + COUNT - 1
 *     daytona-sim --seeds FIRST-LAST      the same
 *     daytona-sim --seeds FILE            the seeds that the lines of a file begin with
 *     daytona-sim --goodput               the table of tests/sim/goodput.txt
 *     daytona-sim --report                the tables of tests/sim/report.txt
 *     daytona-sim --scenario FILE         a scenario (docs/simulator.md): its result as a table
 *     --csv FILE, --pcap FILE  first: measurements over time, packets
 *     --brief   first: only what a scenario did not meet
 *     --jobs N  first: on so many processes; 0: as many as there are processors
 *     --log     first: every packet and event on standard output
 *     --plan    first: what the seed means
 *     --twice   first: each seed twice, both runs must be the same
 *
 * A failing seed says what broke and when, and leaves its packets in sim-SEED.pcap beside this
 * program. The exit status is 1 when a seed failed.
 */
#include "tests/sim/campaign.h"
#include "tests/sim/goodput.h"
#include "tests/sim/play.h"
#include "tests/sim/report.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
    fprintf(stderr, "usage: daytona-sim [--log] [--plan] [--twice] [--seed] SEED [COUNT]\n"
                    "       daytona-sim [--jobs N] [--twice] --seeds FIRST-LAST | FILE\n"
                    "       daytona-sim [--log] [--brief] [--seed N] [--csv FILE] [--pcap FILE] "
                    "--scenario FILE\n"
                    "       daytona-sim --goodput\n"
                    "       daytona-sim [--jobs N] --report\n");
    return 2;
}

static int run_span(const struct sim_campaign *campaign, uint64_t first, uint64_t count)
{
    uint64_t *seeds = calloc(count, sizeof *seeds);
    assert(seeds != NULL);
    for (uint64_t i = 0; i < count; i++)
        seeds[i] = first + i;
    int result = sim_campaign_run(campaign, seeds, count);
    free(seeds);
    return result;
}

/* "FIRST-LAST" or the name of a file. */
static int run_many(const struct sim_campaign *campaign, const char *words)
{
    char *dash, *end;
    uint64_t first = strtoull(words, &dash, 10);
    if (dash != words && *dash == '-') {
        uint64_t last = strtoull(dash + 1, &end, 10);
        return *end != '\0' || last < first ? usage() : run_span(campaign, first, last - first + 1);
    }
    uint64_t count;
    uint64_t *seeds = sim_campaign_read(words, &count);
    if (seeds == NULL)
        return 2;
    int result = sim_campaign_run(campaign, seeds, count);
    free(seeds);
    return result;
}

static unsigned read_jobs(const char *word)
{
    unsigned jobs = (unsigned)strtoul(word, NULL, 10);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return jobs != 0 ? jobs : processors > 0 ? (unsigned)processors : 1;
}

/* The words of the command line. */
struct command {
    bool log, plan, twice, brief, goodput, report;
    const char *jobs, *seed, *seeds, *scenario, *csv, *pcap;
};

/* Takes what begins with "-"; the index of the first word that does not, -1: one is not known. */
static int read_options(struct command *command, int count, char **arguments)
{
    const struct {
        const char *name;
        bool *flag; /* or */
        const char **value;
    } options[] = {
        {"--log", &command->log, NULL},         {"--plan", &command->plan, NULL},
        {"--twice", &command->twice, NULL},     {"--brief", &command->brief, NULL},
        {"--goodput", &command->goodput, NULL}, {"--report", &command->report, NULL},
        {"--jobs", NULL, &command->jobs},       {"--seed", NULL, &command->seed},
        {"--seeds", NULL, &command->seeds},     {"--scenario", NULL, &command->scenario},
        {"--csv", NULL, &command->csv},         {"--pcap", NULL, &command->pcap},
    };
    int at = 1;
    while (at < count && arguments[at][0] == '-') {
        size_t i = 0;
        while (i < sizeof options / sizeof options[0] &&
               strcmp(options[i].name, arguments[at]) != 0)
            i++;
        if (i == sizeof options / sizeof options[0] ||
            (options[i].value != NULL && at + 1 == count))
            return -1;
        if (options[i].flag != NULL)
            *options[i].flag = true;
        else
            *options[i].value = arguments[++at];
        at++;
    }
    return at;
}

int main(int count, char **arguments)
{
    struct command command = {0};
    int at = read_options(&command, count, arguments);
    if (at >= 0 && command.seed == NULL && at < count)
        command.seed = arguments[at++];
    if (at < 0 || at + 1 < count)
        return usage();
    struct sim_campaign campaign = {.program = arguments[0],
                                    .log = command.log,
                                    .plan = command.plan,
                                    .twice = command.twice,
                                    .jobs = command.jobs == NULL ? 1 : read_jobs(command.jobs)};
    struct sim_play play = {.program = arguments[0],
                            .seed = command.seed == NULL ? 0 : strtoull(command.seed, NULL, 10),
                            .csv = command.csv,
                            .pcap = command.pcap,
                            .log = command.log,
                            .brief = command.brief};
    if (command.goodput)
        return sim_goodput_print();
    if (command.report)
        return sim_report_print(campaign.jobs);
    if (command.scenario != NULL)
        return sim_play_file(&play, command.scenario);
    if (command.seeds != NULL)
        return run_many(&campaign, command.seeds);
    if (command.seed == NULL)
        return usage();
    uint64_t seeds = at < count ? strtoull(arguments[at], NULL, 10) : 1;
    campaign.single = seeds == 1;
    return run_span(&campaign, play.seed, seeds);
}
