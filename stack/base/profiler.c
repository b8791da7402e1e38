/* Charges cycles to activities. */
#include <daytona/profile.h>

#include <string.h>

static const struct daytona_activity_row rows[] = {
#define ACTIVITY(member, name, text) {#member, name, text},
#include <daytona/profile.def>
#undef ACTIVITY
};

_Static_assert(sizeof(struct daytona_profile_row) % sizeof(uint64_t) == 0,
               "a row is made of words");
_Static_assert(DAYTONA_ACTIVITY_COUNT <= 32, "touched has a bit for each activity");
_Static_assert(DAYTONA_PROFILE_PLACES <= UINT8_MAX, "inner has room for the number of a place");

const struct daytona_activity_row *daytona_activity_at(size_t index)
{
    return index < DAYTONA_ACTIVITY_COUNT ? &rows[index] : NULL;
}

/* ------------------------------------------------------------------ the clock */

static struct daytona_profile_place *place_now(const struct daytona_profiler *profiler)
{
    return &profiler->table->places[profiler->place];
}

static struct daytona_profile_count *share_of(struct daytona_profiler *profiler, uint32_t activity)
{
    profiler->touched |= UINT32_C(1) << activity;
    return &profiler->row->activities[activity];
}

/* What has passed is that of the place where the profiler is. */
static void charge(struct daytona_profiler *profiler, uint64_t now)
{
    struct daytona_profile_place *place = place_now(profiler);
    uint64_t cycles = now - profiler->since;
    profiler->since = now;
    if (profiler->place == 0)
        return;
    place->count.cycles += cycles;
    share_of(profiler, place->activity)->cycles += cycles;
    if (cycles > profiler->longest.cycles)
        profiler->longest = (struct daytona_profile_stretch){cycles, place, profiler->row};
}

/* The place of `activity` within `outer`; 0: there is no room for it. */
static uint32_t inner_place(struct daytona_profiler *profiler, uint32_t outer, uint32_t activity)
{
    struct daytona_profile_table *table = profiler->table;
    uint8_t *known = &profiler->inner[outer][activity];
    if (*known == 0 && table->place_count < DAYTONA_PROFILE_PLACES) {
        struct daytona_profile_place *place = &table->places[table->place_count];
        place->activity = activity;
        place->outer = outer;
        *known = (uint8_t)table->place_count++;
    }
    return *known;
}

static void count_call(struct daytona_profiler *profiler)
{
    struct daytona_profile_place *place = place_now(profiler);
    place->count.calls++;
    share_of(profiler, place->activity)->calls++;
}

static void count_nested(struct daytona_profiler *profiler)
{
    struct daytona_profile_place *place = place_now(profiler);
    place->count.nested++;
    share_of(profiler, place->activity)->nested++;
}

void daytona_profiler_enter(struct daytona_profiler *profiler, enum daytona_activity activity)
{
    charge(profiler, profiler->cycles());
    uint32_t place = inner_place(profiler, profiler->place, activity);
    if (place == 0 || profiler->beyond > 0) {
        profiler->beyond++;
        return;
    }
    if (profiler->place != 0)
        count_nested(profiler);
    profiler->place = place;
    count_call(profiler);
}

void daytona_profiler_leave(struct daytona_profiler *profiler)
{
    charge(profiler, profiler->cycles());
    if (profiler->beyond > 0)
        profiler->beyond--;
    else
        profiler->place = place_now(profiler)->outer;
}

void daytona_profiler_resume(struct daytona_profiler *profiler, uint32_t place)
{
    profiler->place = place < profiler->table->place_count ? place : 0;
    profiler->beyond = 0;
    profiler->sender_count = 0;
    profiler->longest.cycles = 0;
    daytona_profiler_nobody(profiler);
    profiler->since = profiler->cycles();
}

void daytona_profiler_begin(struct daytona_profiler *profiler, enum daytona_activity activity)
{
    daytona_profiler_resume(profiler, inner_place(profiler, 0, activity));
    if (profiler->place != 0)
        count_call(profiler);
}

uint32_t daytona_profiler_end(struct daytona_profiler *profiler)
{
    uint32_t place = profiler->place;
    charge(profiler, profiler->cycles());
    profiler->place = 0;
    return place;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void daytona_profiler_disturbed(struct daytona_profiler *profiler, uint64_t cycles)
{
    const struct daytona_profile_stretch *longest = &profiler->longest;
    uint64_t taken = smaller(cycles, longest->cycles);
    if (taken > 0) {
        longest->place->count.cycles -= taken;
        profiler->table->disturbed += taken;
    }
    if (taken > 0 && longest->row != NULL) {
        uint64_t *share = &longest->row->activities[longest->place->activity].cycles;
        *share -= smaller(*share, taken);
    }
    profiler->longest.cycles = 0;
}

void daytona_profiler_add(struct daytona_profiler *profiler, enum daytona_activity activity,
                          uint64_t calls, uint64_t cycles)
{
    struct daytona_profile_count *count =
        &profiler->table->places[inner_place(profiler, 0, activity)].count;
    count->calls += calls;
    count->cycles += cycles;
}

/* ------------------------------------------------------------------ connections */

static void add_count(struct daytona_profile_count *to, const struct daytona_profile_count *from)
{
    to->calls += from->calls;
    to->nested += from->nested;
    to->cycles += from->cycles;
}

/* The connection's row, made its own; NULL: there is none for that index. */
static struct daytona_profile_row *row_of(struct daytona_profiler *profiler,
                                          struct daytona_socket_id id,
                                          const struct daytona_endpoint *local,
                                          const struct daytona_endpoint *remote)
{
    if (id.index >= profiler->table->row_max)
        return NULL;
    struct daytona_profile_row *row = &profiler->rows[id.index];
    if (row->id.generation == id.generation)
        return row;
    *row = (struct daytona_profile_row){.id = id, .local = *local, .remote = *remote};
    return row;
}

/* What was done for nobody goes to `row`, or is forgotten when that is NULL. */
static void hand_over(struct daytona_profiler *profiler, struct daytona_profile_row *row)
{
    uint32_t touched = profiler->row == &profiler->nobody ? profiler->touched : 0;
    for (uint32_t i = 0; touched != 0; touched >>= 1, i++) {
        if ((touched & 1) == 0)
            continue;
        if (row != NULL)
            add_count(&row->activities[i], &profiler->nobody.activities[i]);
        profiler->nobody.activities[i] = (struct daytona_profile_count){0};
    }
    if (profiler->longest.row == &profiler->nobody)
        profiler->longest.row = row;
    profiler->touched = 0;
}

void daytona_profiler_found(struct daytona_profiler *profiler, struct daytona_socket_id id,
                            const struct daytona_endpoint *local,
                            const struct daytona_endpoint *remote)
{
    struct daytona_profile_row *row = row_of(profiler, id, local, remote);
    if (row == NULL || row == profiler->row)
        return;
    hand_over(profiler, row);
    profiler->row = row;
}

void daytona_profiler_nobody(struct daytona_profiler *profiler)
{
    hand_over(profiler, NULL);
    profiler->row = &profiler->nobody;
}

void daytona_profiler_arrived(struct daytona_profiler *profiler, uint64_t bytes)
{
    profiler->table->traffic.packets_in++;
    profiler->table->traffic.bytes_in += bytes;
    profiler->row->traffic.packets_in++;
    profiler->row->traffic.bytes_in += bytes;
}

void daytona_profiler_taken(struct daytona_profiler *profiler, uint64_t segments, uint64_t bytes)
{
    profiler->table->traffic.segments_out += segments;
    profiler->table->traffic.bytes_out += bytes;
    profiler->row->traffic.segments_out += segments;
    profiler->row->traffic.bytes_out += bytes;
    if (profiler->sender_count < DAYTONA_PROFILE_SENDERS)
        profiler->senders[profiler->sender_count++] = profiler->row;
}

/* The n-th part of a count, taken out of it. */
static struct daytona_profile_count take_part(struct daytona_profile_count *whole, uint64_t n)
{
    struct daytona_profile_count part = {whole->calls / n, whole->nested / n, whole->cycles / n};
    whole->calls -= part.calls;
    whole->nested -= part.nested;
    whole->cycles -= part.cycles;
    return part;
}

void daytona_profiler_sent(struct daytona_profiler *profiler)
{
    uint32_t touched = profiler->row == &profiler->nobody ? profiler->touched : 0;
    for (uint32_t i = 0; touched != 0; touched >>= 1, i++) {
        for (unsigned left = (touched & 1) != 0 ? profiler->sender_count : 0; left > 0; left--) {
            struct daytona_profile_count part = take_part(&profiler->nobody.activities[i], left);
            add_count(&profiler->senders[left - 1]->activities[i], &part);
        }
    }
    profiler->sender_count = 0;
    daytona_profiler_nobody(profiler);
}

/* ------------------------------------------------------------------ the cost */

/* Few enough pairs that hardly a round is interrupted, and rounds enough that one is not. */
#define PAIRS  100
#define ROUNDS 50

/* Cycles that PAIRS pairs take; `inside` is what the inner activity is charged with. */
static uint64_t one_round(struct daytona_profiler *profiler, uint64_t *inside)
{
    struct daytona_profile_place *inner;
    daytona_profiler_begin(profiler, DAYTONA_ACTIVITY_calls);
    daytona_profiler_enter(profiler, DAYTONA_ACTIVITY_copy);
    inner = place_now(profiler);
    daytona_profiler_leave(profiler);
    uint64_t before = inner->count.cycles, start = profiler->cycles();
    for (unsigned i = 0; i < PAIRS; i++) {
        daytona_profile_enter(profiler, DAYTONA_ACTIVITY_copy);
        daytona_profile_leave(profiler);
    }
    uint64_t whole = profiler->cycles() - start;
    *inside = inner->count.cycles - before;
    daytona_profiler_end(profiler);
    return whole;
}

/* Leaves the places as it found them: there are none yet. */
static void measure_cost(struct daytona_profiler *profiler)
{
    uint64_t least = UINT64_MAX, inside_least = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t inside, whole = one_round(profiler, &inside);
        if (whole >= least)
            continue;
        least = whole;
        inside_least = inside < whole ? inside : whole;
    }
    profiler->table->cost_inside = inside_least * 1000 / PAIRS;
    profiler->table->cost_around = (least - inside_least) * 1000 / PAIRS;
    profiler->table->place_count = 1;
    memset(profiler->inner, 0, sizeof profiler->inner);
    memset(profiler->table->places, 0, sizeof profiler->table->places);
}

uint64_t daytona_profile_net(const struct daytona_profile_table *table,
                             const struct daytona_profile_count *count)
{
    uint64_t cost = (count->calls * table->cost_inside + count->nested * table->cost_around) / 1000;
    return count->cycles > cost ? count->cycles - cost : 0;
}

/* ------------------------------------------------------------------ beginning */

size_t daytona_profile_bytes(uint32_t row_max)
{
    return sizeof(struct daytona_profile_table) + row_max * sizeof(struct daytona_profile_row);
}

void daytona_profiler_clear(struct daytona_profiler *profiler)
{
    struct daytona_profile_table *table = profiler->table;
    for (uint64_t i = 0; i < table->place_count; i++)
        table->places[i].count = (struct daytona_profile_count){0};
    for (uint32_t i = 0; i < table->row_max; i++)
        if (profiler->rows[i].id.generation != 0)
            profiler->rows[i] = (struct daytona_profile_row){0};
    table->traffic = (struct daytona_profile_traffic){0};
    table->disturbed = 0;
    profiler->place = 0;
    daytona_profiler_resume(profiler, 0);
}

void daytona_profiler_init(struct daytona_profiler *profiler, daytona_cycles *cycles,
                           struct daytona_profile_table *table, uint32_t row_max)
{
    *profiler = (struct daytona_profiler){.cycles = cycles, .table = table};
    profiler->rows = (struct daytona_profile_row *)(void *)(table + 1);
    profiler->row = &profiler->nobody;
    table->version = DAYTONA_PROFILE_VERSION;
    table->activity_count = DAYTONA_ACTIVITY_COUNT;
    table->place_max = DAYTONA_PROFILE_PLACES;
    table->row_max = row_max;
    table->row_bytes = sizeof(struct daytona_profile_row);
    table->rows_at = sizeof *table;
    table->place_count = 1;
    measure_cost(profiler);
    daytona_profiler_clear(profiler);
}
