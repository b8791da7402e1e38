/*
 * result.h - what came of a scenario: a table of its flows and links, and whether it was as
 * expected.
 */
#ifndef SIM_RESULT_H
#define SIM_RESULT_H

#include "tests/sim/meter.h"
#include "tests/sim/script.h"
#include <stdio.h>

struct sim_result {
    const struct sim_script *script; /**< borrowed, as the others */
    const struct sim_world *world;
    const struct sim_meter *meter;
};

/** Prints flows, links and fairness. */
void sim_result_print(const struct sim_result *result, FILE *out);

/** Prints every expectation with what was measured; how many were not met. */
unsigned sim_result_judge(const struct sim_result *result, FILE *out);

/** Jain's index of the goodputs of the connections [first, first + count): 1 all alike, 1 / count
 *  one has everything. */
double sim_result_fairness(const struct sim_result *result, unsigned first, unsigned count);

/** The row of a metric in the table, -1: there is none; what its bound is written in, and whether
 *  it is about a link. */
int sim_result_find_metric(const char *name);
enum sim_value_kind sim_result_metric_kind(int metric);
bool sim_result_metric_is_of_link(int metric);

/** "goodput, retransmissions, ..." */
void sim_result_list_metrics(char *out, size_t size);

#endif
