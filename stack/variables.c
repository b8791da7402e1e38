/* The table of variables, for whoever shows them by name. */
#include <daytona/state.h>

#include <errno.h>
#include <string.h>

static const struct daytona_variable rows[] = {
#define VARIABLE(group, member, name, kind, unit, text, source)                                    \
    {#member, #name, unit, text, source, DAYTONA_GROUP_##group, DAYTONA_KIND_##kind},
#include <daytona/variables.def>
#undef VARIABLE
};

_Static_assert(sizeof(struct daytona_variables) == DAYTONA_VARIABLE_COUNT * sizeof(uint64_t),
               "an array of numbers, too");

const struct daytona_variable *daytona_variable_at(size_t index)
{
    return index < DAYTONA_VARIABLE_COUNT ? &rows[index] : NULL;
}

static char lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

/* Capitals and underscores do not count. */
static bool names_equal(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '_')
            a++;
        while (*b == '_')
            b++;
        if (lower(*a) != lower(*b))
            return false;
        if (*a == '\0')
            return true;
    }
}

int daytona_variable_find(const char *name)
{
    for (int i = 0; i < DAYTONA_VARIABLE_COUNT; i++)
        if (names_equal(name, rows[i].member) || names_equal(name, rows[i].name))
            return i;
    return -ENOENT;
}

const char *daytona_variable_group_name(enum daytona_variable_group group)
{
    static const char *const names[] = {
        [DAYTONA_GROUP_PERF] = "Perf",   [DAYTONA_GROUP_PATH] = "Path",
        [DAYTONA_GROUP_STACK] = "Stack", [DAYTONA_GROUP_APP] = "App",
        [DAYTONA_GROUP_TUNE] = "Tune",   [DAYTONA_GROUP_LISTENER] = "Listener",
        [DAYTONA_GROUP_OWN] = "Own",
    };
    return names[group];
}

static const char *name_at(const char *const *names, size_t count, uint64_t value)
{
    return value < count ? names[value] : NULL;
}

const char *daytona_variable_value_name(enum daytona_variable_kind kind, uint64_t value)
{
    static const char *const recoveries[] = {
        [DAYTONA_RECOVERY_OPEN] = "open",
        [DAYTONA_RECOVERY_DISORDER] = "disorder",
        [DAYTONA_RECOVERY_FAST] = "recovery",
        [DAYTONA_RECOVERY_LOSS] = "loss",
    };
    static const char *const modes[] = {
        [DAYTONA_ECN_MODE_NONE] = "none",
        [DAYTONA_ECN_MODE_CLASSIC] = "classic",
        [DAYTONA_ECN_MODE_ACCURATE] = "accurate",
    };
    switch (kind) {
    case DAYTONA_KIND_STATE:
        return value <= DAYTONA_TCP_CLOSING ? daytona_tcp_state_name((enum daytona_tcp_state)value)
                                            : NULL;
    case DAYTONA_KIND_RECOVERY:
        return name_at(recoveries, sizeof recoveries / sizeof recoveries[0], value);
    case DAYTONA_KIND_LIMIT:
        return value < DAYTONA_LIMITED_BY_COUNT ? daytona_limit_name((enum daytona_limit)value)
                                                : NULL;
    case DAYTONA_KIND_ECN:
        return name_at(modes, sizeof modes / sizeof modes[0], value);
    case DAYTONA_KIND_COUNTER:
    case DAYTONA_KIND_GAUGE:
    case DAYTONA_KIND_FLAG:
        return NULL;
    }
    return NULL;
}

/* ------------------------------------------------------------------ a quiet connection, later */

static void add_us(uint64_t *value, uint64_t us)
{
    if (*value != DAYTONA_VARIABLE_NONE)
        *value += us;
}

/* RFC 4898 has three kinds of limits for the times that Daytona tells apart further. */
static uint64_t *limited_time(struct daytona_variables *variables)
{
    if (variables->limited_by == DAYTONA_LIMITED_BY_PEER)
        return &variables->snd_lim_time_rwin;
    if (variables->limited_by == DAYTONA_LIMITED_BY_CONGESTION ||
        variables->limited_by == DAYTONA_LIMITED_BY_PACING)
        return &variables->snd_lim_time_cwnd;
    return &variables->snd_lim_time_snd;
}

void daytona_state_later(struct daytona_connection_state *state, struct daytona_instant now)
{
    struct daytona_variables *variables = &state->variables;
    if (!daytona_instant_before(state->at, now))
        return;
    uint64_t us = now.ns / 1000 - state->at.ns / 1000;
    state->at = now;
    add_us(&variables->elapsed_micro_secs, us);
    add_us(&variables->last_data_sent, us);
    add_us(&variables->last_data_rcvd, us);
    add_us(&variables->last_ack_rcvd, us);
    add_us(limited_time(variables), us);
    if (variables->cur_retx_queue != DAYTONA_VARIABLE_NONE && variables->cur_retx_queue > 0)
        add_us(&variables->busy_time, us);
}
