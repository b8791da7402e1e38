/*
 * daytona-bench-stack - what the bare stack costs: two of them in one thread hand each other
 * packets in memory, without a kernel and without a clock.
 *
 *     daytona-bench-stack [--events|--profile] [SECONDS]     processor time for each measurement, 2
 * by default
 *
 * Times are processor time of the thread, both stacks together, less the bench's own work (the
 * copy that stands for a network card), which the samples of the profile tell. A segment's
 * nanoseconds are thus those of sending it, of receiving it, and of its share of acknowledgments.
 *
 * With --events it tells what events cost: three pairs of stacks do the same by turns, many times,
 * so that what else the machine does hits all alike. Nobody observes the first; the second has an
 * observer that wants nothing; all events of the third go into a ring (preload/ring.h).
 *
 * With --profile it does the same with cycles that are counted by activity (daytona/profile.h), and
 * compares their sum with the processor time that it took.
 */
#include "preload/ring.h"
#include "tests/bench/pair.h"
#include "tests/bench/profile.h"

#include <daytona/cycles.h>
#include <daytona/profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK_BYTES = 45 * 1448 }; /* full segments, under 64 KB */
enum { WARM_TURNS = 2000 };

static uint8_t chunk[CHUNK_BYTES];
static double seconds_wanted = 2;

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One measurement: its work, done again and again, and what it has done. */
struct work {
    const char *name;
    void (*turn)(struct work *);
    struct bench_pair pair;
    struct daytona_socket_id listener, ends[2];
    uint64_t bytes, turns;
    uint16_t port;
};

static double run(struct work *work)
{
    double start = processor_seconds(), now = start;
    work->pair.packets = work->pair.segments = work->bytes = work->turns = 0;
    bench_profile_start();
    for (uint64_t i = 1; now - start < seconds_wanted; i++) {
        work->turn(work);
        work->turns++;
        if (i % 64 == 0)
            now = processor_seconds();
    }
    now = processor_seconds();
    return (now - start) * bench_profile_stop();
}

static void pass_time(struct work *work)
{
    work->pair.now = daytona_instant_after_us(work->pair.now, 1);
}

/* ---------------------------------------------------------------- bulk */

static void turn_bulk(struct work *work)
{
    struct daytona_span span = {chunk, CHUNK_BYTES};
    struct daytona_room room = {chunk, CHUNK_BYTES};
    struct bench_pair *pair = &work->pair;
    ptrdiff_t got;
    bench_party = BENCH_STACK;
    daytona_stack_send(pair->stacks[0], pair->now, work->ends[0], &span, 1, 0);
    bench_pair_settle(pair);
    bench_party = BENCH_STACK;
    while ((got = daytona_stack_receive(pair->stacks[1], pair->now, work->ends[1], &room, 1, 0)) >
           0)
        work->bytes += (uint64_t)got;
    bench_pair_settle(pair);
    pass_time(work);
}

/* ---------------------------------------------------------------- one byte there and back */

static void pass_byte(struct work *work, unsigned from)
{
    struct bench_pair *pair = &work->pair;
    struct daytona_span span = {chunk, 1};
    struct daytona_room room = {chunk, 1};
    bench_party = BENCH_STACK;
    bench_demand(daytona_stack_send(pair->stacks[from], pair->now, work->ends[from], &span, 1, 0) ==
                     1,
                 "send");
    bench_pair_carry(pair, from);
    bench_party = BENCH_STACK;
    bench_demand(daytona_stack_receive(pair->stacks[1 - from], pair->now, work->ends[1 - from],
                                       &room, 1, 0) == 1,
                 "receive");
    bench_party = BENCH_DRIVER;
}

static void turn_echo(struct work *work)
{
    pass_byte(work, 0);
    pass_byte(work, 1);
    pass_time(work);
}

/* ---------------------------------------------------------------- open and close */

static void turn_open(struct work *work)
{
    struct bench_pair *pair = &work->pair;
    struct daytona_ready ready;
    work->port = work->port < 20000 || work->port == 60000 ? 20000 : (uint16_t)(work->port + 1);
    bench_pair_connect(pair, work->listener, work->port, work->ends);
    for (unsigned i = 0; i < 2; i++) {
        bench_party = BENCH_STACK;
        bench_demand(daytona_stack_close(pair->stacks[i], pair->now, work->ends[i]) == 0, "close");
        bench_pair_settle(pair);
    }
    bench_party = BENCH_STACK;
    for (unsigned i = 0; i < 2; i++)
        while (daytona_stack_take_ready(pair->stacks[i], &ready))
            ;
    bench_party = BENCH_DRIVER;
    pair->now = daytona_instant_after_us(pair->now, 10);
}

/* ---------------------------------------------------------------- all of them */

static void prepare(struct work *work, const struct bench_way *way)
{
    bench_pair_prepare(&work->pair, way);
    work->listener = bench_pair_listen(&work->pair);
    if (work->turn != turn_open)
        bench_pair_connect(&work->pair, work->listener, 10000, work->ends);
    for (unsigned i = 0; i < WARM_TURNS; i++)
        work->turn(work);
}

static void measure_bulk(const char *name, struct bench_way way)
{
    static struct work work;
    work = (struct work){.turn = turn_bulk};
    prepare(&work, &way);
    double seconds = run(&work);
    double segment_ns = seconds * 1e9 / (double)work.pair.segments;
    printf("%-26s %7.2f Gbit/s %8.0f ns a segment of %u bytes, %.2f packets a segment\n", name,
           (double)work.bytes * 8 / seconds / 1e9, segment_ns,
           (unsigned)(work.bytes / work.pair.segments),
           (double)work.pair.packets / (double)work.pair.segments);
    bench_profile_print(segment_ns);
    bench_pair_release(&work.pair);
}

static void measure_turns(const char *name, void (*turn)(struct work *), const char *unit)
{
    static struct work work;
    work = (struct work){.turn = turn};
    prepare(&work, &(struct bench_way){.batch = 1});
    double seconds = run(&work);
    double turn_ns = seconds * 1e9 / (double)work.turns;
    printf("%-26s %7.0f %s a second, %.0f ns each, %.1f packets each, %.0f ns a packet\n", name,
           (double)work.turns / seconds, unit, turn_ns,
           (double)work.pair.packets / (double)work.turns,
           seconds * 1e9 / (double)work.pair.packets);
    bench_profile_print(turn_ns);
    bench_pair_release(&work.pair);
}

/* ---------------------------------------------------------------- what events cost */

enum { WATCHED = 3, SLOTS = 32768, TURNS_AT_ONCE = 64 };

static struct ring ring;

static void write_event(void *context, const struct daytona_event *event)
{
    (void)context;
    ring_write(&ring, event);
}

/* One slice of each, the order changing: what a slice leaves in the caches is the next one's. */
static void take_turns(struct work *works, double *seconds, unsigned round)
{
    for (unsigned i = 0; i < WATCHED; i++) {
        unsigned which = (i + round) % WATCHED;
        double start = processor_seconds();
        for (unsigned turn = 0; turn < TURNS_AT_ONCE; turn++)
            works[which].turn(&works[which]);
        seconds[which] += processor_seconds() - start;
    }
}

static void measure_events(const char *name, void (*turn)(struct work *), unsigned batch)
{
    static const struct daytona_observer observer = {.event = write_event};
    static struct work works[WATCHED];
    double seconds[WATCHED] = {0};
    uint64_t before = ring.events, packets;
    for (unsigned i = 0; i < WATCHED; i++) {
        works[i] = (struct work){.turn = turn};
        prepare(&works[i],
                &(struct bench_way){.batch = batch, .observer = i == 0 ? NULL : &observer});
        if (i == 1) {
            daytona_stack_observe(works[i].pair.stacks[0], 0);
            daytona_stack_observe(works[i].pair.stacks[1], 0);
        }
    }
    packets = works[2].pair.packets;
    before = ring.events;
    for (unsigned round = 0; seconds[0] < seconds_wanted; round++)
        take_turns(works, seconds, round);
    printf("%-26s events off %+5.1f %%, all on %+6.1f %%; %.1f events and %.0f ns a packet\n", name,
           (seconds[1] / seconds[0] - 1) * 100, (seconds[2] / seconds[0] - 1) * 100,
           (double)(ring.events - before) / (double)(works[2].pair.packets - packets),
           (seconds[2] - seconds[0]) * 1e9 / (double)(works[2].pair.packets - packets));
    for (unsigned i = 0; i < WATCHED; i++)
        bench_pair_release(&works[i].pair);
}

static int measure_all_events(void)
{
    void *memory = aligned_alloc(4096, (ring_bytes(SLOTS) + 4095) / 4096 * 4096);
    bench_demand(memory != NULL, "memory");
    memset(memory, 0, ring_bytes(SLOTS));
    ring_init(&ring, memory, SLOTS);
    measure_events("bulk, one by one", turn_bulk, 2);
    measure_events("bulk, in batches", turn_bulk, 64);
    measure_events("one byte there and back", turn_echo, 1);
    measure_events("open and close", turn_open, 1);
    free(memory);
    return 0;
}

/* ---------------------------------------------------------------- what a profile costs */

enum { COUNTED = 2, COUNTED_ROWS = 64 };

static uint64_t read_cycles(void)
{
    return cycles_now();
}

static uint64_t cycles_counted(const struct daytona_profile_table *table, bool net)
{
    uint64_t sum = 0;
    for (uint64_t i = 1; i < table->place_count; i++)
        sum += net ? daytona_profile_net(table, &table->places[i].count)
                   : table->places[i].count.cycles;
    return sum;
}

static void profile_pair(struct work *work, struct daytona_profiler *profiler)
{
    daytona_stack_profile(work->pair.stacks[0], profiler);
    daytona_stack_profile(work->pair.stacks[1], profiler);
}

static void measure_profile(const char *name, void (*turn)(struct work *), unsigned batch)
{
    static struct daytona_profiler profiler;
    static struct work works[COUNTED];
    double seconds[COUNTED] = {0};
    struct daytona_profile_table *table = calloc(1, daytona_profile_bytes(COUNTED_ROWS));
    bench_demand(table != NULL, "memory");
    daytona_profiler_init(&profiler, read_cycles, table, COUNTED_ROWS);
    for (unsigned i = 0; i < COUNTED; i++) {
        works[i] = (struct work){.turn = turn};
        prepare(&works[i], &(struct bench_way){.batch = batch});
    }
    profile_pair(&works[1], &profiler);
    uint64_t packets = works[1].pair.packets, cycles = 0;
    for (unsigned round = 0; seconds[0] < seconds_wanted; round++) {
        for (unsigned i = 0; i < COUNTED; i++) {
            unsigned which = (i + round) % COUNTED;
            double start = processor_seconds();
            uint64_t from = cycles_now();
            daytona_profiler_begin(&profiler, DAYTONA_ACTIVITY_calls);
            for (unsigned done = 0; done < TURNS_AT_ONCE; done++)
                turn(&works[which]);
            daytona_profiler_end(&profiler);
            cycles += cycles_now() - from;
            seconds[which] += processor_seconds() - start;
        }
    }
    packets = works[1].pair.packets - packets;
    printf(
        "%-26s profile on %+6.1f %%, %.0f ns a packet; counted %.2f %% of the cycles, net of the "
        "cost %.1f %%\n",
        name, (seconds[1] / seconds[0] - 1) * 100,
        (seconds[1] - seconds[0]) * 1e9 / (double)packets,
        100 * (double)cycles_counted(table, false) / (double)cycles,
        100 * (double)cycles_counted(table, true) / (double)cycles);
    profile_pair(&works[1], NULL);
    for (unsigned i = 0; i < COUNTED; i++)
        bench_pair_release(&works[i].pair);
    free(table);
}

static int measure_all_profiles(void)
{
    measure_profile("bulk, one by one", turn_bulk, 2);
    measure_profile("bulk, in batches", turn_bulk, 64);
    measure_profile("one byte there and back", turn_echo, 1);
    measure_profile("open and close", turn_open, 1);
    return 0;
}

int main(int count, char **arguments)
{
    bool events = count > 1 && strcmp(arguments[1], "--events") == 0;
    bool profile = count > 1 && strcmp(arguments[1], "--profile") == 0;
    int numbers = events || profile ? 2 : 1;
    if (count > numbers)
        seconds_wanted = strtod(arguments[numbers], NULL);
    if (count > numbers + 1 || seconds_wanted <= 0) {
        fprintf(stderr, "usage: daytona-bench-stack [--events|--profile] [SECONDS]\n");
        return 2;
    }
    if (events)
        return measure_all_events();
    if (profile)
        return measure_all_profiles();
    measure_bulk("bulk, one by one", (struct bench_way){.batch = 2});
    measure_bulk("bulk, in batches", (struct bench_way){.batch = 64});
    measure_bulk("bulk, super-segments", (struct bench_way){.batch = 2, .super = true});
    measure_bulk("bulk, 1 % lost", (struct bench_way){.batch = 2, .lose_every = 100});
    measure_turns("one byte there and back", turn_echo, "round trips");
    measure_turns("open and close", turn_open, "connections");
    return 0;
}
