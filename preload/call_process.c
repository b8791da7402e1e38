/*
 * call_process.c - the calls that end the process at once. exit() and the return from main() run
 * the library's destructor, fork() the handlers that the engine registers.
 */
#include "preload/process.h"
#include "preload/wrappers.h"

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
