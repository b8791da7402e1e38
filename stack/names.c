/* Names of the enumerations that users see, from the tables that define them. */
#include <daytona/stack.h>

static const char *name_at(const char *const *names, size_t count, size_t index)
{
    return index < count && names[index] != NULL ? names[index] : "unknown";
}

const char *daytona_verdict_name(enum daytona_verdict verdict)
{
    static const char *const names[] = {
#define VERDICT(name, description) [DAYTONA_VERDICT_##name] = #name,
#include <daytona/verdicts.def>
#undef VERDICT
    };
    return name_at(names, sizeof names / sizeof names[0], (size_t)verdict);
}

const struct daytona_event_kind *daytona_event_kind(enum daytona_event_type type)
{
    static const struct daytona_event_kind kinds[] = {
#define EVENT(name_, pace_, description_, a, a_unit, b, b_unit, c, c_unit, d, d_unit, reason_,     \
              source_)                                                                             \
    [DAYTONA_EVENT_##name_] = {.name = #name_,                                                     \
                               .description = description_,                                        \
                               .fields = {{a, DAYTONA_UNIT_##a_unit},                              \
                                          {b, DAYTONA_UNIT_##b_unit},                              \
                                          {c, DAYTONA_UNIT_##c_unit},                              \
                                          {d, DAYTONA_UNIT_##d_unit}},                             \
                               .reason = reason_,                                                  \
                               .source = source_,                                                  \
                               .pace = DAYTONA_PACE_##pace_},
#include <daytona/events.def>
#undef EVENT
    };
    return (size_t)type < DAYTONA_EVENT_COUNT ? &kinds[type] : NULL;
}

const char *daytona_event_name(enum daytona_event_type type)
{
    const struct daytona_event_kind *kind = daytona_event_kind(type);
    return kind == NULL ? "unknown" : kind->name;
}

uint64_t daytona_events_of(enum daytona_pace pace)
{
    uint64_t mask = 0;
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++)
        if (daytona_event_kind((enum daytona_event_type)type)->pace == pace)
            mask |= DAYTONA_EVENT_BIT(type);
    return mask;
}

const char *daytona_limit_name(enum daytona_limit limit)
{
    static const char *const names[] = {
        [DAYTONA_LIMITED_BY_UNKNOWN] = "unknown",
        [DAYTONA_LIMITED_BY_APPLICATION] = "application",
        [DAYTONA_LIMITED_BY_BUFFER] = "send buffer",
        [DAYTONA_LIMITED_BY_PEER] = "receive window",
        [DAYTONA_LIMITED_BY_CONGESTION] = "congestion window",
        [DAYTONA_LIMITED_BY_PACING] = "pacing",
        [DAYTONA_LIMITED_BY_NAGLE] = "Nagle",
        [DAYTONA_LIMITED_BY_CORK] = "cork",
    };
    return name_at(names, sizeof names / sizeof names[0], (size_t)limit);
}

const char *daytona_call_name(enum daytona_call_kind kind)
{
    static const char *const names[] = {
        [DAYTONA_CALL_CONNECT] = "connect",   [DAYTONA_CALL_ACCEPT] = "accept",
        [DAYTONA_CALL_SEND] = "send",         [DAYTONA_CALL_RECEIVE] = "receive",
        [DAYTONA_CALL_SHUTDOWN] = "shutdown", [DAYTONA_CALL_CLOSE] = "close",
    };
    return name_at(names, sizeof names / sizeof names[0], (size_t)kind);
}

/* As RFC 9293 section 3.3.2 writes them. */
const char *daytona_tcp_state_name(enum daytona_tcp_state state)
{
    static const char *const names[] = {
        [DAYTONA_TCP_ESTABLISHED] = "ESTABLISHED",
        [DAYTONA_TCP_SYN_SENT] = "SYN-SENT",
        [DAYTONA_TCP_SYN_RECEIVED] = "SYN-RECEIVED",
        [DAYTONA_TCP_FIN_WAIT_1] = "FIN-WAIT-1",
        [DAYTONA_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
        [DAYTONA_TCP_TIME_WAIT] = "TIME-WAIT",
        [DAYTONA_TCP_CLOSED] = "CLOSED",
        [DAYTONA_TCP_CLOSE_WAIT] = "CLOSE-WAIT",
        [DAYTONA_TCP_LAST_ACK] = "LAST-ACK",
        [DAYTONA_TCP_LISTEN] = "LISTEN",
        [DAYTONA_TCP_CLOSING] = "CLOSING",
    };
    return name_at(names, sizeof names / sizeof names[0], (size_t)state);
}
