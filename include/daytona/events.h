/*
 * events.h - what a stack tells an observer while it runs. Observers see events and never
 * call back into the stack. Without an observer an event costs one predictable branch.
 */
#ifndef DAYTONA_EVENTS_H
#define DAYTONA_EVENTS_H

#include <daytona/types.h>

enum daytona_event_type {
#define EVENT(name, description) DAYTONA_EVENT_##name,
#include <daytona/events.def>
#undef EVENT
    DAYTONA_EVENT_COUNT
};
const char *daytona_event_name(enum daytona_event_type type);

/** One event. `a`, `b` and `reason` are explained per type in events.def. */
struct daytona_event {
    struct daytona_instant at;
    enum daytona_event_type type;
    uint32_t socket_index, socket_generation;
    uint32_t una, nxt; /**< send.una and send.nxt, sequence numbers */
    uint32_t cwnd_bytes, ssthresh_bytes, srtt_us;
    uint64_t a, b;
    const char *reason; /**< borrowed, static; may be NULL */
};

struct daytona_connection_info; /* stack.h */

struct daytona_observer {
    void *context;
    /** Called inside the stack; must return soon and not enter the stack. */
    void (*event)(void *context, const struct daytona_event *event);
    uint32_t mask; /**< 1 << type of each event wanted; 0: all */
    /** May be NULL: a connection's record is given up, because it is closed or only waits in
     *  TIME-WAIT. `last` is what daytona_stack_info() said until now; borrowed for the call. The
     *  same rules as for event(). */
    void (*ended)(void *context, const struct daytona_connection_info *last);
};

#endif
