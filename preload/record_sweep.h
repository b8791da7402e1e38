/*
 * record_sweep.h - removes records that crashed or killed processes of this user have left, so that
 * they do not pile up: all that are empty or a day old, and of the others all
 * but the newest 16.
 */
#ifndef DAYTONA_PRELOAD_RECORD_SWEEP_H
#define DAYTONA_PRELOAD_RECORD_SWEEP_H

void record_sweep(const char *directory);

#endif
