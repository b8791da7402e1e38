#include "preload/process.h"

#include "preload/attributes.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/linger.h"
#include "preload/pump.h"
#include "preload/real.h"
#include "preload/tally.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 10 /* for the engine's thread, on a busy machine, to leave its child behind */

/* What a forked child may hold too, or the program to be executed will, goes on; what is carried
 * through a twin ends when all that lies there has been. */
static void leave_file(struct file *file)
{
    if (bridge_is_up(file))
        return;
    if (!file->shared)
        file_end(file);
    else if (file->kind == FILE_KIND_CONNECTION)
        bridge_begin(file, file->descriptor, 0);
}

/* The engine's thread leaves a child behind, which is the engine from then on. Engine locked, and
 * given back. */
static void leave(void)
{
    const struct timespec patience = {.tv_sec = PATIENCE_S};
    file_each(leave_file);
    pump_output();
    struct daytona_counters counters = *daytona_stack_counters(engine.stack);
    struct daytona_capture_counters capture;
    daytona_capture_counters(engine.capture, &capture);
    atomic_store(&engine.exit_wanted, true);
    engine.kick_thread = true;
    engine_leave();
    tally_say(&counters, &capture);
    syscall(SYS_futex, &engine.exit_done, FUTEX_WAIT_PRIVATE, 0, &patience, NULL, 0);
}

static bool engine_is_here(void)
{
    return engine_alive() && engine.pid == getpid();
}

void process_exit(void)
{
    if (engine_is_here() && engine_enter() == 0)
        leave();
}

bool process_exec(void)
{
    if (!engine_is_here() || engine_enter() < 0)
        return false;
    for (int fd = 0; fd <= file_highest_descriptor(); fd++) {
        struct file *file = file_get(fd);
        if (file != NULL && (real.fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
            file->shared = true;
        file_put(file);
    }
    leave();
    return true;
}

void process_exec_failed(void)
{
    linger_desert();
    engine_left_behind();
}

static void mark_shared(struct file *file)
{
    file->shared = true;
}

void process_fork_prepare(void)
{
    engine_fork_prepare();
}

void process_fork_parent(void)
{
    if (engine_alive())
        file_each(mark_shared);
    engine_fork_parent();
}

void process_fork_child(void)
{
    engine_fork_child();
}

void process_clone_prepare(void)
{
    if (!engine_is_here() || engine_enter() < 0)
        return;
    file_each(mark_shared);
    engine_leave();
}

ATTRIBUTE_DESTRUCTOR static void library_ends(void)
{
    process_exit();
}
