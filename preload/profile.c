#include "preload/profile.h"

#include "preload/engine.h"
#include "preload/log.h"
#include "preload/real.h"
#include "preload/record.h"
#include "preload/settings.h"
#include "preload/text.h"

#include <daytona/cycles.h>
#include <daytona/profile.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX   ((uint32_t)16384)
#define PATH_BYTES (SETTINGS_FILE_MAX + 96)

/* A clock read to within 100 ns twice tells the counter's speed to 1 in 10,000 after this time. */
#define CLOCK_APART_NS 2000000u

atomic_bool profile_on;

static struct daytona_profiler profiler;
static struct daytona_profile_table *table; /* NULL: nothing was counted yet */
static int file = -1;                       /* in the engine's table */
static uint64_t program_before_ns;          /* processor time when it was switched on */

/* The counter and the clock at one instant. */
static struct moment {
    uint64_t cycles, ns;
} first;

/* What this thread had taken of the processor, and how often it had been taken off it, at a moment
 * since which it has not been out for longer than a stretch that would be looked at. */
static ATTRIBUTE_THREAD struct checkpoint {
    uint64_t cycles, used_ns;
    long switches;
} checkpoint;

/* What this thread did outside since it was in: processor time, and where it was inside. */
static ATTRIBUTE_THREAD struct outside {
    uint64_t calls, ns;
    uint64_t since_ns; /* 0: it does nothing that counts */
    uint32_t place;
} outside;

static size_t total_bytes(void)
{
    return daytona_profile_bytes(ROWS_MAX);
}

static void path_of(char *path)
{
    struct text text = text_begin(path, PATH_BYTES);
    text_add_format(&text, "%s/%s" DAYTONA_PROFILE_SUFFIX, settings.record_directory,
                    record_name());
}

/* ------------------------------------------------------------------ the clocks */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct moment moment_now(void)
{
    return (struct moment){cycles_now(), cycles_of_clock()};
}

/* A function, for the profiler. */
static uint64_t read_cycles(void)
{
    return cycles_now();
}

static void measure_speed(void)
{
    struct moment now;
    do
        now = moment_now();
    while (now.ns - first.ns < CLOCK_APART_NS);
    double seconds = (double)(now.ns - first.ns) / 1e9;
    table->hertz = (uint64_t)((double)(now.cycles - first.cycles) / seconds);
}

/* ------------------------------------------------------------------ the file */

static void unmap(void)
{
    if (table != NULL)
        munmap(table, total_bytes());
    table = NULL;
}

void profile_forget(void)
{
    atomic_store(&profile_on, false);
    unmap();
    file = -1;
}

static int make_file(void)
{
    char path[PATH_BYTES];
    if (record_name()[0] == '\0')
        return -ENODEV;
    path_of(path);
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file < 0 ? -errno : 0;
}

/* Room is made sure of at once: without it a store would end the program with SIGBUS. */
static int map(void)
{
    int status = file < 0 ? make_file() : 0;
    if (status < 0)
        return status;
    if (ftruncate(file, (off_t)total_bytes()) < 0)
        return -ENOSPC;
    void *memory = mmap(NULL, total_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    table = memory;
    if (fallocate(file, 0, 0, (off_t)total_bytes()) == 0 ||
        madvise(memory, total_bytes(), MADV_POPULATE_WRITE) == 0) /* a server may not fallocate() */
        return 0;
    unmap();
    return -ENOSPC;
}

static void describe(void)
{
    const char *program = program_invocation_short_name;
    table->pid = engine.pid;
    for (size_t i = 0; i + 1 < sizeof table->program && program[i] != '\0'; i++)
        table->program[i] = program[i];
    atomic_thread_fence(memory_order_release);
    table->magic = DAYTONA_PROFILE_MAGIC;
}

void profile_begin(void)
{
    profile_forget();
    first = moment_now();
    int status = settings.profile ? profile_switch(true) : 0;
    if (status < 0)
        log_line(LOG_LEVEL_WARNING, "DAYTONA_PROFILE: cycles are not counted: %s",
                 strerror(-status));
}

void profile_end(void)
{
    char path[PATH_BYTES];
    engine.profiler = NULL;
    daytona_stack_profile(engine.stack, NULL);
    if (file >= 0 && record_name()[0] != '\0') {
        path_of(path);
        if (unlink(path) < 0 && ftruncate(file, 0) < 0) /* a server may not: an empty one is none */
            log_line(LOG_LEVEL_DEBUG, "the profile %s stays", path);
        real.close(file);
    }
    profile_forget();
}

/* ------------------------------------------------------------------ other programs */

/* Cycles in which an activity may have been interrupted: 100 us. */
static uint64_t suspicious(void)
{
    return table->hertz / 10000;
}

static long switches_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

static void set_checkpoint(long switches)
{
    checkpoint = (struct checkpoint){.switches = switches,
                                     .used_ns = read_clock(CLOCK_THREAD_CPUTIME_ID),
                                     .cycles = cycles_now()};
}

static void refresh_checkpoint(void)
{
    if (cycles_now() - checkpoint.cycles > suspicious())
        set_checkpoint(switches_now());
}

/* The counter goes on while another program has the processor. */
static void look_for_others(void)
{
    long switches = switches_now();
    if (switches == checkpoint.switches) {
        engine.profiler->longest.cycles = 0;
        return;
    }
    const struct checkpoint before = checkpoint;
    set_checkpoint(switches);
    uint64_t passed = checkpoint.cycles - before.cycles;
    double used_s = (double)(checkpoint.used_ns - before.used_ns) / 1e9;
    uint64_t used = (uint64_t)(used_s * (double)table->hertz);
    daytona_profiler_disturbed(engine.profiler, passed > used ? passed - used : 0);
}

void profile_check(void)
{
    if (engine.profiler != NULL && engine.profiler->longest.cycles > suspicious())
        look_for_others();
}

/* ------------------------------------------------------------------ on and off */

static void set_profiler(struct daytona_profiler *to)
{
    engine.profiler = to;
    daytona_stack_profile(engine.stack, to);
    atomic_store(&profile_on, to != NULL);
}

static int begin_counting(void)
{
    int status = table == NULL ? map() : 0;
    if (status < 0)
        return status;
    if (table->magic == 0) {
        daytona_profiler_init(&profiler, read_cycles, table, ROWS_MAX);
        describe();
    } else {
        daytona_profiler_clear(&profiler);
    }
    measure_speed();
    table->began = engine_now();
    program_before_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    table->on_ns = table->program_ns = 0;
    table->rounds++;
    table->on = 1;
    set_profiler(&profiler);
    set_checkpoint(switches_now());
    daytona_profiler_begin(&profiler, DAYTONA_ACTIVITY_upkeep);
    return 0;
}

int profile_switch(bool on)
{
    if (on)
        return begin_counting();
    if (engine.profiler == NULL)
        return 0;
    daytona_profiler_end(&profiler);
    profile_update();
    set_profiler(NULL);
    table->on = 0;
    return 0;
}

void profile_update(void)
{
    if (engine.profiler == NULL)
        return;
    measure_speed();
    table->on_ns = engine_now().ns - table->began.ns;
    table->program_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID) - program_before_ns;
}

/* ------------------------------------------------------------------ the lock */

void profile_lock(pthread_mutex_t *lock)
{
    if (pthread_mutex_trylock(lock) == 0)
        return;
    profile_sleep();
    pthread_mutex_lock(lock);
    profile_awake();
}

/* Brings in what was done outside. */
static void account(void)
{
    double cycles = (double)outside.ns * (double)table->hertz / 1e9;
    if (outside.calls > 0)
        daytona_profiler_add(&profiler, DAYTONA_ACTIVITY_wake, outside.calls, (uint64_t)cycles);
    outside.calls = outside.ns = 0;
}

void profile_come(void)
{
    if (engine.profiler == NULL)
        return;
    refresh_checkpoint();
    daytona_profiler_begin(&profiler,
                           engine_is_thread() ? DAYTONA_ACTIVITY_upkeep : DAYTONA_ACTIVITY_calls);
    account();
}

void profile_come_back(void)
{
    if (engine.profiler == NULL)
        return;
    refresh_checkpoint();
    daytona_profiler_resume(&profiler, outside.place);
    account();
}

void profile_go(void)
{
    outside.place = 0;
    if (engine.profiler == NULL)
        return;
    outside.place = daytona_profiler_end(&profiler);
    profile_check();
}

void profile_sleep(void)
{
    outside.since_ns = profile_is_on() ? read_clock(CLOCK_THREAD_CPUTIME_ID) : 0;
}

void profile_awake(void)
{
    if (outside.since_ns == 0)
        return;
    outside.ns += read_clock(CLOCK_THREAD_CPUTIME_ID) - outside.since_ns;
    outside.calls++;
    outside.since_ns = 0;
}
