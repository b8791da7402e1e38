/*
 * quiet.h - a promise of a stack to those who keep copies of its sockets' state: as long as
 * daytona_stack_take_stirred() says no, a copy that daytona_state_later() brings forward is right.
 */
#ifndef SIM_QUIET_H
#define SIM_QUIET_H

#include <daytona/state.h>

#define SIM_QUIET_SOCKETS 32 /* the first ones of a host */

struct sim_host;

struct sim_quiet {
    unsigned rests;
    struct daytona_connection_state copies[SIM_QUIET_SOCKETS]; /* id.generation 0: none */
};

/** The host's stack came to rest; every few times, compares. */
void sim_quiet_rest(struct sim_host *host);

#endif
