/*
 * leftover.h - ports on which this engine has connections and no listener (any more). Another
 * engine of this host may listen there by now: a lingering predecessor's (linger.h), or that of a
 * program that has closed its listener. It hears of those connections' segments and knows nothing
 * of them; so that it does not answer them with RST, who has such connections holds an abstract
 * name for the port, which anybody can find taken.
 */
#ifndef DAYTONA_PRELOAD_LEFTOVER_H
#define DAYTONA_PRELOAD_LEFTOVER_H

#include <stdbool.h>
#include <stdint.h>

/** The engine's thread: a listener has ended, or is going to. */
void leftover_begin(void);

/** The engine's thread, now and then: takes and gives back names. */
void leftover_look(void);

/** Whether somebody has such connections on the port. */
bool leftover_is(uint16_t port);

#endif
