#include "tests/sim/seed.h"

#define SECOND 1000000 /* in microseconds */
#define MINUTE (60 * SECOND)

const char *sim_seed_controller(struct sim_random *random)
{
    size_t count = 0;
    while (daytona_stack_congestion_name(count) != NULL)
        count++;
    return daytona_stack_congestion_name((size_t)sim_random_between(random, 0, count - 1));
}

/* Options that are on or off; a new row of the stack's table is drawn from the day it is there.
 * Those that are left out are read-only, or drawn with what else must be so. */
static void draw_switches(struct sim_random *random, int64_t *options)
{
    static const int64_t least[] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = minimum,
#include <daytona/options.def>
#undef OPTION
    };
    static const int64_t most[] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = maximum,
#include <daytona/options.def>
#undef OPTION
    };
    static const bool left_out[DAYTONA_OPTION_COUNT] = {
        [DAYTONA_OPTION_AT_MARK] = true,
        [DAYTONA_OPTION_URGENT_INLINE] = true,
        [DAYTONA_OPTION_CORK] = true,
        [DAYTONA_OPTION_NO_DELAY] = true,
        [DAYTONA_OPTION_KEEP_ALIVE] = true,
        [DAYTONA_OPTION_FASTOPEN_CONNECT] = true, /* a client that only reads would never begin */
    };
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        if (least[option] == 0 && most[option] == 1 && !left_out[option] &&
            sim_random_once_in(random, 8))
            options[option] = (int64_t)sim_random_between(random, 0, 1);
}

/* Options with a number, drawn once in so many times, with every order of magnitude about equally
 * likely. Times in FIN-WAIT-2 are no shorter than the simulator excuses. */
static void draw_numbers(struct sim_random *random, int64_t *options)
{
    static const struct {
        enum daytona_option option;
        uint32_t times;
        uint64_t low, high;
    } numbers[] = {
        {DAYTONA_OPTION_RECEIVE_BUFFER, 5, 1152, 262144},
        {DAYTONA_OPTION_SEND_BUFFER, 5, 2304, 262144},
        {DAYTONA_OPTION_MAXIMUM_SEGMENT, 10, 88, 1460},
        {DAYTONA_OPTION_WINDOW_CLAMP, 16, 1000, 65536},
        {DAYTONA_OPTION_USER_TIMEOUT_US, 40, SECOND, 5 * MINUTE},
        {DAYTONA_OPTION_NOT_SENT_LOW_WATER, 16, 1, 65536},
        {DAYTONA_OPTION_FIN_WAIT_2_US, 20, MINUTE, 2 * MINUTE},
        {DAYTONA_OPTION_PATH_DISCOVERY, 16, 1, 2},
        {DAYTONA_OPTION_MINIMUM_HOPS, 30, 1, 64},
        {DAYTONA_OPTION_MAXIMUM_PACING_RATE, 12, 20000, 100000000},
        {DAYTONA_OPTION_LOSS_DETECTION, 6, 1, 2},
        {DAYTONA_OPTION_ECN, 4, 1, 5},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sim_random_once_in(random, numbers[i].times))
            options[numbers[i].option] =
                (int64_t)sim_random_skewed(random, numbers[i].low, numbers[i].high);
}

void sim_seed_options(struct sim_random *random, struct sim_side_plan *side)
{
    int64_t *options = side->options;
    if (sim_random_once_in(random, 3))
        options[DAYTONA_OPTION_NO_DELAY] = 1;
    if (sim_random_once_in(random, 12))
        options[DAYTONA_OPTION_CORK] = 1;
    if (sim_random_once_in(random, 8)) {
        options[DAYTONA_OPTION_KEEP_ALIVE] = 1;
        options[DAYTONA_OPTION_KEEP_IDLE_US] = (int64_t)sim_random_between(random, 1, 20) * SECOND;
        options[DAYTONA_OPTION_KEEP_INTERVAL_US] =
            (int64_t)sim_random_between(random, 1, 20) * SECOND;
    }
    draw_numbers(random, options);
    draw_switches(random, options);
    if (sim_random_once_in(random, 4))
        side->congestion = sim_seed_controller(random);
}
