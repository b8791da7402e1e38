/*
 * parallel.h - work on several processes at once. What the work leaves behind has to lie in memory
 * from sim_parallel_memory(), which all of them share.
 */
#ifndef SIM_PARALLEL_H
#define SIM_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

/** Calls `work` with every index below `count`, each in one of `jobs` processes: that of number
 *  index % jobs. With one job, in this process. Returns how many processes did not end well. */
unsigned sim_parallel(unsigned jobs, uint64_t count,
                      void (*work)(void *context, uint64_t index, unsigned job), void *context);

/** Zeroed; given back with munmap(). */
void *sim_parallel_memory(size_t bytes);

#endif
