/*
 * call_process.c - the calls that end or split the process. exit() and the return from main()
 * run the library's destructor, and fork() the handlers it registered.
 */
#include "preload/process.h"
#include "preload/wrappers.h"

#include <unistd.h>

/* A child of vfork() runs in its parent's memory: what it closes before exec would be
 * closed in the parent's table of Daytona sockets. POSIX lets vfork() be fork(). */
pid_t daytona_vfork(void)
{
    return fork();
}

static void end_with(void (*end)(int), int status)
{
    process_exit();
    for (;;)
        end(status);
}

void daytona__exit(int status)
{
    end_with(real._exit, status);
}

void daytona__Exit(int status)
{
    end_with(real._Exit, status);
}

void daytona_quick_exit(int status)
{
    end_with(real.quick_exit, status);
}
