#include "preload/process.h"

#include "preload/attributes.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/linger.h"
#include "preload/pump.h"
#include "preload/tally.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 2 /* for the engine's thread to leave its child behind */

static void end_file(struct file *file)
{
    file_end(file);
}

void process_exit(void)
{
    const struct timespec patience = {.tv_sec = PATIENCE_S};
    if (!engine_alive() || engine.pid != getpid() || engine_enter() < 0)
        return;
    file_each(end_file);
    pump_output();
    struct daytona_counters counters = *daytona_stack_counters(engine.stack);
    atomic_store(&engine.exit_wanted, true);
    engine.kick_thread = true;
    engine_leave();
    tally_say(&counters);
    syscall(SYS_futex, &engine.exit_done, FUTEX_WAIT_PRIVATE, 0, &patience, NULL, 0);
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

ATTRIBUTE_DESTRUCTOR static void library_ends(void)
{
    process_exit();
}
