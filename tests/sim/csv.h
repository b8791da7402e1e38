/*
 * csv.h - a scenario over time as comma-separated values: a row for every connection and for the
 * queue of every named link, at every look.
 */
#ifndef SIM_CSV_H
#define SIM_CSV_H

#include "tests/sim/meter.h"
#include "tests/sim/script.h"
#include <stdio.h>

struct sim_csv {
    const struct sim_script *script; /**< borrowed, as the others */
    const struct sim_meter *meter;
    FILE *file;
};

/** Writes the heads of the columns, and rows every `period_us` of the run to come. `csv` must live
 * as long as the meter. */
void sim_csv_begin(struct sim_csv *csv, struct sim_meter *meter, uint64_t period_us);

#endif
