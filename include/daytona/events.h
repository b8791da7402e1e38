/*
 * events.h - what a stack tells an observer while it runs. Observers see events and never
 * call back into the stack. An event that nobody wants costs one predictable branch.
 */
#ifndef DAYTONA_EVENTS_H
#define DAYTONA_EVENTS_H

#include <daytona/types.h>

enum daytona_event_type {
#define EVENT(name, ...) DAYTONA_EVENT_##name,
#include <daytona/events.def>
#undef EVENT
    DAYTONA_EVENT_COUNT
};
_Static_assert(DAYTONA_EVENT_COUNT <= 64, "a mask of events has 64 bits");

/** A mask of events has a bit for each type. */
#define DAYTONA_EVENT_BIT(type) (UINT64_C(1) << (type))
#define DAYTONA_EVENTS_ALL      UINT64_MAX

/** How often events of a type happen. */
enum daytona_pace {
    DAYTONA_PACE_RARE,    /**< not with every round trip */
    DAYTONA_PACE_ACK,     /**< with an acknowledgment, or with a call of the application */
    DAYTONA_PACE_SEGMENT, /**< with each segment */
};

/** The mask of all types with this pace. */
uint64_t daytona_events_of(enum daytona_pace pace);

/** What a number of an event is. */
enum daytona_unit {
    DAYTONA_UNIT_NONE, /**< it has no meaning */
    DAYTONA_UNIT_COUNT,
    DAYTONA_UNIT_BYTES,
    DAYTONA_UNIT_SEQUENCE, /**< a sequence number, 32 bits */
    DAYTONA_UNIT_MICROSECONDS,
    DAYTONA_UNIT_NANOSECONDS,
    DAYTONA_UNIT_SIGNED,  /**< bytes, or a negative errno, as int64_t */
    DAYTONA_UNIT_CODE,    /**< the event's reason says it in words */
    DAYTONA_UNIT_STATE,   /**< enum daytona_tcp_state */
    DAYTONA_UNIT_VERDICT, /**< enum daytona_verdict */
    DAYTONA_UNIT_LIMIT,   /**< enum daytona_limit */
    DAYTONA_UNIT_FLAGS,   /**< of a TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, ... */
    DAYTONA_UNIT_ICMP,    /**< type << 8 | code */
    DAYTONA_UNIT_IPV4,    /**< an address, as daytona_address_to_ipv4(); 0 unknown */
};

/** One row of events.def. All of it is static. */
struct daytona_event_kind {
    const char *name; /**< "RETRANSMIT" */
    const char *description;
    struct {
        const char *name; /**< "" when there is none */
        enum daytona_unit unit;
    } fields[4];        /**< a to d */
    const char *reason; /**< what the event's words mean; "" when it has none */
    const char *source; /**< "RFC 6298 section 5" */
    enum daytona_pace pace;
};

/** The row of a type; NULL for a number that is none. */
const struct daytona_event_kind *daytona_event_kind(enum daytona_event_type type);
const char *daytona_event_name(enum daytona_event_type type);

/** What keeps a sender from sending more (RFC 4898, tcpEStatsPerfSndLim..., in finer parts). */
enum daytona_limit {
    DAYTONA_LIMITED_BY_UNKNOWN,     /**< it was not looked at yet */
    DAYTONA_LIMITED_BY_APPLICATION, /**< everything that was written has been sent */
    DAYTONA_LIMITED_BY_BUFFER, /**< the same, and the application waits for room to write more */
    DAYTONA_LIMITED_BY_PEER,   /**< the peer's receive window */
    DAYTONA_LIMITED_BY_CONGESTION, /**< the congestion window */
    DAYTONA_LIMITED_BY_PACING,     /**< the next segment's time has not come */
    DAYTONA_LIMITED_BY_NAGLE,      /**< a partial segment waits for an acknowledgment */
    DAYTONA_LIMITED_BY_CORK,       /**< ... because the application said that more follows */
    DAYTONA_LIMITED_BY_COUNT
};
/** "congestion window" */
const char *daytona_limit_name(enum daytona_limit limit);

/** A segment as it was on the wire. */
struct daytona_segment_view {
    struct daytona_span header; /**< TCP header and options; borrowed for the call */
    uint32_t payload_bytes;
    uint16_t segment_bytes; /**< payload of each when several are sent as one; 0: it is one */
    uint8_t time_to_live, type_of_service;
    uint8_t window_scale; /**< of the header's window, counted from 1; 0: it is not known */
};

/** One event. `a` to `d` and `reason` are explained per type in events.def. */
struct daytona_event {
    uint64_t number; /**< counts the events that this stack has raised, from 1 */
    struct daytona_instant at;
    enum daytona_event_type type;
    uint32_t socket_index, socket_generation; /**< 0, 0: no socket is known */
    const struct daytona_endpoint *local;     /**< borrowed for the call; NULL: not known */
    const struct daytona_endpoint *remote;    /**< the same */
    bool singled_out;  /**< daytona_stack_observe_socket() asked for it of this socket */
    uint8_t state;     /**< enum daytona_tcp_state; 0 without a socket */
    uint32_t call;     /**< the application's call that began last on the socket; 0 none yet */
    uint32_t una, nxt; /**< send.una and send.nxt, sequence numbers */
    uint32_t cwnd_bytes, ssthresh_bytes, srtt_us, in_flight_bytes;
    uint64_t a, b, c, d;
    const char *reason;                         /**< borrowed, static; may be NULL */
    const struct daytona_segment_view *segment; /**< of SEGMENT_IN and SEGMENT_OUT, else NULL;
                                                     borrowed for the call */
};

struct daytona_connection_info; /* stack.h */

struct daytona_observer {
    void *context;
    /** Called inside the stack; must return soon and not enter the stack. */
    void (*event)(void *context, const struct daytona_event *event);
    uint64_t mask; /**< DAYTONA_EVENT_BIT(type) of each wanted; 0: all */
    /** May be NULL: a connection's record is given up, because it is closed or only waits in
     *  TIME-WAIT. `last` is what daytona_stack_info() said until now; borrowed for the call. The
     *  same rules as for event(). */
    void (*ended)(void *context, const struct daytona_connection_info *last);
};

#endif
