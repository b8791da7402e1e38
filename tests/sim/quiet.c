#include "tests/sim/quiet.h"

#include "tests/sim/world.h"

#define RESTS_APART 16
#define ROUNDING_US 2 /* sums of times that were rounded each for itself */

static bool near_enough(const struct daytona_variable *variable, uint64_t kept, uint64_t real)
{
    bool time = variable->unit[0] == 'u' && variable->unit[1] == 's';
    uint64_t apart = kept > real ? kept - real : real - kept;
    return apart == 0 || (time && apart <= ROUNDING_US);
}

static void compare(const struct sim_host *host, const struct daytona_connection_state *kept,
                    const struct daytona_connection_state *real)
{
    for (size_t i = 0; i < DAYTONA_VARIABLE_COUNT; i++) {
        uint64_t was = daytona_variable(&kept->variables, i);
        uint64_t is = daytona_variable(&real->variables, i);
        if (!near_enough(daytona_variable_at(i), was, is))
            sim_fail(host->world, "host %u socket %u was not stirred, but its %s is %llu, not %llu",
                     host->number, real->id.index, daytona_variable_at(i)->name,
                     (unsigned long long)is, (unsigned long long)was);
    }
}

static void look_at(struct sim_host *host, struct daytona_socket_id id)
{
    struct daytona_connection_state *kept = &host->quiet.copies[id.index], real;
    bool stirred = daytona_stack_take_stirred(host->stack, id);
    if (daytona_stack_state(host->stack, host->world->now, id, &real) < 0) {
        kept->id.generation = 0;
        return;
    }
    if (!stirred && kept->id.generation == id.generation) {
        daytona_state_later(kept, host->world->now);
        compare(host, kept, &real);
    }
    *kept = real;
}

void sim_quiet_rest(struct sim_host *host)
{
    struct daytona_socket_id id = {0, 0};
    if (host->quiet.rests++ % RESTS_APART != 0)
        return;
    while (daytona_stack_next(host->stack, &id) && id.index < SIM_QUIET_SOCKETS)
        look_at(host, id);
}
