/*
 * state.h - all that is known of connections and listeners, as one struct: the variables of RFC
 * 4898 and Daytona's own (variables.def). For whoever drives a stack, for programs that use
 * sockets.h or are preloaded, and for tools that read the records of other processes.
 */
#ifndef DAYTONA_STATE_H
#define DAYTONA_STATE_H

#include <daytona/stack.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** A variable that is not known, or has no meaning for this socket. */
#define DAYTONA_VARIABLE_NONE UINT64_MAX

/** The variables, each a 64-bit number. New ones come at the end: who knows fewer of them
 *  understands the front, and who knows more has to ask how many there are. */
struct daytona_variables {
#define VARIABLE(group, member, name, kind, unit, text, source) uint64_t member;
#include <daytona/variables.def>
#undef VARIABLE
};

/** The variables' places: daytona_variable(v, DAYTONA_VARIABLE_cur_cwnd) is v->cur_cwnd. */
enum daytona_variable_index {
#define VARIABLE(group, member, name, kind, unit, text, source) DAYTONA_VARIABLE_##member,
#include <daytona/variables.def>
#undef VARIABLE
    DAYTONA_VARIABLE_COUNT
};

enum daytona_variable_group {
    DAYTONA_GROUP_PERF,
    DAYTONA_GROUP_PATH,
    DAYTONA_GROUP_STACK,
    DAYTONA_GROUP_APP,
    DAYTONA_GROUP_TUNE,
    DAYTONA_GROUP_LISTENER,
    DAYTONA_GROUP_OWN,
};

/** How a value is to be read. */
enum daytona_variable_kind {
    DAYTONA_KIND_COUNTER,  /**< only grows */
    DAYTONA_KIND_GAUGE,    /**< what holds now */
    DAYTONA_KIND_FLAG,     /**< 0 or 1 */
    DAYTONA_KIND_STATE,    /**< enum daytona_tcp_state */
    DAYTONA_KIND_RECOVERY, /**< enum daytona_recovery_state */
    DAYTONA_KIND_LIMIT,    /**< enum daytona_limit */
    DAYTONA_KIND_ECN,      /**< enum daytona_ecn_mode */
};

/** What the sender is at; the values are those of Linux's tcpi_ca_state, which has one more (2, its
 *  reduction after a mark). */
enum daytona_recovery_state {
    DAYTONA_RECOVERY_OPEN = 0,
    DAYTONA_RECOVERY_DISORDER = 1, /**< something was SACKed */
    DAYTONA_RECOVERY_FAST = 3,     /**< fast recovery */
    DAYTONA_RECOVERY_LOSS = 4,     /**< after a retransmission timeout */
};

/** A row of variables.def. All strings are static. */
struct daytona_variable {
    const char *member; /**< "cur_cwnd": in C, in JSON and in metrics */
    const char *name;   /**< "CurCwnd": as RFC 4898 has it, or would */
    const char *unit;   /**< "bytes"; "" none */
    const char *text;   /**< what it means */
    const char *source; /**< RFC, draft, or what of Linux it is */
    enum daytona_variable_group group;
    enum daytona_variable_kind kind;
};

/** The description of a variable; NULL past the last. */
const struct daytona_variable *daytona_variable_at(size_t index);

/** The index of the variable of that name: member or RFC name, in capitals or not, with or without
 *  underscores. -ENOENT. */
int daytona_variable_find(const char *name);

/** "Perf", "Path", ... */
const char *daytona_variable_group_name(enum daytona_variable_group group);

/** The name of a value of a kind that has names; NULL for numbers and for values without one. */
const char *daytona_variable_value_name(enum daytona_variable_kind kind, uint64_t value);

static inline uint64_t daytona_variable(const struct daytona_variables *variables, size_t index)
{
    return ((const uint64_t *)(const void *)variables)[index];
}

/** One connection or listener at one instant. */
struct daytona_connection_state {
    struct daytona_socket_id id;
    struct daytona_endpoint local, remote; /**< remote: all zero for a listener */
    struct daytona_instant at;             /**< when it was so, on CLOCK_MONOTONIC */
    char congestion[16];                   /**< controller's name */
    struct daytona_variables variables;
};

/** Fills *out with what holds at `now`. -EBADF: there is no such socket (any more). */
int daytona_stack_state(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id, struct daytona_connection_state *out);

/** Whether anything has happened to the socket since this was asked last: a segment came or went, a
 *  timer fired, the application called. If not, its state is what it was, but for what time alone
 *  changes (daytona_state_later()). For one who keeps copies of many; there can be only one. */
bool daytona_stack_take_stirred(struct daytona_stack *stack, struct daytona_socket_id id);

/** The state of a connection to which nothing has happened, at a later instant: how long it has
 * lived, waited, and been limited. Nothing when `now` is not later. */
void daytona_state_later(struct daytona_connection_state *state, struct daytona_instant now);

#if defined(__cplusplus)
}
#endif

#endif
