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

const char *daytona_event_name(enum daytona_event_type type)
{
    static const char *const names[] = {
#define EVENT(name, description) [DAYTONA_EVENT_##name] = #name,
#include <daytona/events.def>
#undef EVENT
    };
    return name_at(names, sizeof names / sizeof names[0], (size_t)type);
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
