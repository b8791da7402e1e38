/*
 * pump.h - the loop that turns packets into readiness: capture -> stack -> raw socket -> wake-ups.
 * Everything here wants the engine locked and never waits.
 */
#ifndef DAYTONA_PRELOAD_PUMP_H
#define DAYTONA_PRELOAD_PUMP_H

#include <stdbool.h>

/** Takes what has arrived, sends what is due, wakes whom it concerns. True when it stopped for
 *  fairness although more has arrived. */
bool pump(void);

/** Sends what is due, and wakes whom timers concern. */
void pump_output(void);

#endif
