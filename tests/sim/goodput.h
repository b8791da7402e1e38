/*
 * goodput.h - a table of loss and buffer against what a bulk transfer gets of its link. It is
 * deterministic, so a change of the stack shows as a change of tests/sim/goodput.txt.
 */
#ifndef SIM_GOODPUT_H
#define SIM_GOODPUT_H

/** Prints the table; 0, or 1 when a transfer broke a promise. */
int sim_goodput_print(void);

#endif
