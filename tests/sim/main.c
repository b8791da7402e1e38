/*
 * daytona-sim - runs simulations by their seed.
 *
 *     daytona-sim [--seed] SEED [COUNT]   seeds SEED .. SEED + COUNT - 1
 *     daytona-sim --seeds FIRST-LAST      the same
 *     daytona-sim --seeds FILE            the seeds that the lines of a file begin with
 *     daytona-sim --goodput               the table of tests/sim/goodput.txt
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
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
    fprintf(stderr, "usage: daytona-sim [--log] [--plan] [--twice] [--seed] SEED [COUNT]\n"
                    "       daytona-sim [--jobs N] [--twice] --seeds FIRST-LAST | FILE\n"
                    "       daytona-sim --goodput\n");
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

int main(int count, char **arguments)
{
    struct sim_campaign campaign = {.program = arguments[0], .jobs = 1};
    int at = 1;
    for (; at < count && arguments[at][0] == '-'; at++) {
        const char *word = arguments[at];
        if (strcmp(word, "--goodput") == 0)
            return sim_goodput_print();
        if (strcmp(word, "--seeds") == 0 && at + 1 < count)
            return run_many(&campaign, arguments[at + 1]);
        if (strcmp(word, "--jobs") == 0 && at + 1 < count)
            campaign.jobs = read_jobs(arguments[++at]);
        else if (strcmp(word, "--log") == 0)
            campaign.log = true;
        else if (strcmp(word, "--plan") == 0)
            campaign.plan = true;
        else if (strcmp(word, "--twice") == 0)
            campaign.twice = true;
        else if (strcmp(word, "--seed") != 0)
            return usage();
    }
    if (at == count || at + 2 < count)
        return usage();
    uint64_t seeds = at + 1 < count ? strtoull(arguments[at + 1], NULL, 10) : 1;
    campaign.single = seeds == 1;
    return run_span(&campaign, strtoull(arguments[at], NULL, 10), seeds);
}
