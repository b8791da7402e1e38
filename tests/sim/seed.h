/*
 * seed.h - what a seed draws for one end of a connection.
 */
#ifndef SIM_SEED_H
#define SIM_SEED_H

#include "tests/sim/scenario.h"

/** Any controller that the stack has: a new one is drawn from the day it is there. */
const char *sim_seed_controller(struct sim_random *random);

/** Some options of the stack's table, and the controller, of one end. */
void sim_seed_options(struct sim_random *random, struct sim_side_plan *side);

#endif
