#include "tests/sim/parallel.h"
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void work_share(unsigned job, unsigned jobs, uint64_t count,
                       void (*work)(void *context, uint64_t index, unsigned job), void *context)
{
    for (uint64_t i = job; i < count; i += jobs)
        work(context, i, job);
}

unsigned sim_parallel(unsigned jobs, uint64_t count,
                      void (*work)(void *context, uint64_t index, unsigned job), void *context)
{
    if (jobs == 1) {
        work_share(0, 1, count, work, context);
        return 0;
    }
    fflush(stdout);
    for (unsigned job = 0; job < jobs; job++) {
        pid_t worker = fork();
        assert(worker >= 0);
        if (worker == 0) {
            work_share(job, jobs, count, work, context);
            fflush(stdout);
            _exit(0);
        }
    }
    unsigned failed = 0;
    int status;
    for (unsigned job = 0; job < jobs && wait(&status) > 0; job++)
        failed += status != 0;
    return failed;
}

void *sim_parallel_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(memory != MAP_FAILED);
    return memory;
}
