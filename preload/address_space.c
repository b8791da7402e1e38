#include "preload/address_space.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PART_OF_REST 4
#define LEAST_BYTES  ((size_t)4 << 20) /* what DAYTONA_MEMORY may be */

/* Without /proc, half of what there may be. */
static size_t mapped_bytes(size_t limit)
{
    size_t pages = 0, bytes = limit / 2;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL && fscanf(file, "%zu", &pages) == 1)
        bytes = pages * (size_t)sysconf(_SC_PAGESIZE);
    if (file != NULL)
        fclose(file);
    return bytes < limit ? bytes : limit;
}

size_t address_space_share(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    size_t share = (limit.rlim_cur - mapped_bytes(limit.rlim_cur)) / PART_OF_REST;
    if (share < LEAST_BYTES)
        share = LEAST_BYTES;
    return share < wanted ? share & ~(size_t)0xfff : wanted;
}

struct daytona_room address_space_take(size_t wanted)
{
    size_t length = address_space_share(wanted);
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? (struct daytona_room){NULL, 0}
                                : (struct daytona_room){memory, length};
}
