/*
 * campaign.h - many seeds one after the other, on several processes: what fails is said with its
 * seed and leaves its packets in a file.
 */
#ifndef SIM_CAMPAIGN_H
#define SIM_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>

struct sim_campaign {
    const char *program; /**< arguments[0]: sim-SEED.pcap is written beside it; borrowed */
    bool log;            /**< every packet and event on standard output */
    bool plan;           /**< says first what a seed means */
    bool twice;          /**< runs each seed twice and compares the packets */
    bool single;         /**< one seed, whose packets are recorded from the first run on */
    unsigned jobs;       /**< processes, at least 1 */
};

/** Runs the `count` seeds and prints a line of totals. 0 all is well, 1 a seed failed. */
int sim_campaign_run(const struct sim_campaign *campaign, const uint64_t *seeds, uint64_t count);

/** The seeds that the lines of a file begin with, made with malloc, `*count` of them; NULL after
 *  saying why not. */
uint64_t *sim_campaign_read(const char *path, uint64_t *count);

#endif
