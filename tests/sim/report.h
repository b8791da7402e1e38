/*
 * report.h - what every congestion controller makes of a link, beside what theory says, and how
 * fairly flows share. Deterministic: a change of the stack shows as a change of
 * tests/sim/report.txt.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

/** Prints the tables, computed on `jobs` processes; 0, or 1 when a transfer broke a promise. */
int sim_report_print(unsigned jobs);

#endif
