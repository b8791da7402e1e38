/*
 * profile.h - where the cycles go, by activity (profile.def): counted while the stack works, in
 * memory that other processes can read.
 *
 * Activities nest, and time is charged once: entering one stops the clock of the one around it,
 * and leaving starts it again. So the cycles of all activities together are those between
 * daytona_profiler_begin() and daytona_profiler_end(), to the last one. They are kept by place, an
 * activity with all those around it, and by connection.
 *
 *     begin(calls)   enter(copy)      leave         enter(transmit) enter(checksum) leave  leave
 * end
 *     |--- calls ----|---- copy ------|--- calls ---|-- transmit ---|--- checksum --|--tr--|-cal-|
 *
 * Reading the counter costs something, too. The profiler measures what, when it begins: how much a
 * pair of enter and leave with nothing in between charges to the inner activity, and how much to
 * the one around it. The counts are raw; daytona_profile_net() subtracts that.
 *
 * The table is a file beside the record of the process (record.h) while the profile is on, and
 * after that until the process ends:
 *
 *     DIRECTORY/daytona.PID.NONCE.profile     mode 0600
 *
 * One thread at a time writes it, word by word, each word whole; a reader may see one word newer
 * than another, by what happened while it read.
 */
#ifndef DAYTONA_PROFILE_H
#define DAYTONA_PROFILE_H

#include <daytona/stack.h>

#define DAYTONA_PROFILE_SUFFIX  ".profile"
#define DAYTONA_PROFILE_MAGIC   UINT64_C(0x0a656c69666f7270) /* "profile", newline */
#define DAYTONA_PROFILE_VERSION 1

enum daytona_activity {
#define ACTIVITY(member, name, text) DAYTONA_ACTIVITY_##member,
#include <daytona/profile.def>
#undef ACTIVITY
    DAYTONA_ACTIVITY_COUNT
};

/** A row of profile.def. Strings are static. */
struct daytona_activity_row {
    const char *member, *name, *text;
};
/** NULL past the last. */
const struct daytona_activity_row *daytona_activity_at(size_t index);

/* ------------------------------------------------------------------ the table */

/** What was charged to an activity. */
struct daytona_profile_count {
    uint64_t calls;  /**< how often it was entered */
    uint64_t nested; /**< how often another one was entered from it */
    uint64_t cycles; /**< of its own, the cost of measuring included */
};

/** What went through meanwhile: packets as they were captured, segments out as they are on the
 *  wire, and bytes of their text. */
struct daytona_profile_traffic {
    uint64_t packets_in, segments_out, bytes_in, bytes_out;
};

/** Paths of activities that are kept apart. More than there are; one that has no place is charged
 * to the activity around it. */
#define DAYTONA_PROFILE_PLACES 128

/** An activity, and where it was entered from. Place 0 is outside of all. */
struct daytona_profile_place {
    uint32_t activity; /**< enum daytona_activity */
    uint32_t outer;    /**< a place of a lower number */
    struct daytona_profile_count count;
};

/** A connection's share. It stays when the connection is over, until its index is used again. */
struct daytona_profile_row {
    struct daytona_socket_id id; /**< generation 0: the row is free */
    struct daytona_endpoint local, remote;
    uint32_t reserved;
    struct daytona_profile_traffic traffic;
    struct daytona_profile_count activities[DAYTONA_ACTIVITY_COUNT];
};

/** Rows follow at rows_at, by the index of the socket. What connections with a higher index do is
 *  in the places only. */
struct daytona_profile_table {
    uint64_t magic; /**< written last of what never changes */
    uint32_t version;
    uint32_t activity_count;
    uint32_t place_max, row_max, row_bytes, rows_at;
    int32_t pid;
    uint32_t reserved;
    char program[16];     /**< cut */
    uint64_t hertz;       /**< cycles a second */
    uint64_t cost_inside; /**< cycles of 1000 pairs of enter and leave that the inner one is charged
                             with */
    uint64_t cost_around; /**< and the one around it */
    uint64_t on;          /**< it counts; 0: it does no more */
    uint64_t rounds;      /**< how often it was switched on: all counts began at 0 then */
    struct daytona_instant began; /**< when it was last; CLOCK_MONOTONIC */
    uint64_t on_ns;               /**< how long it has been, when it is not */
    uint64_t disturbed;           /**< cycles taken out of the counts: the thread was not running */
    uint64_t program_ns;          /**< processor time of the process when it began; when it is not
                                       on, what it took meanwhile */
    struct daytona_profile_traffic traffic;
    uint64_t place_count;
    struct daytona_profile_place places[DAYTONA_PROFILE_PLACES];
};

/** The cycles of a count without the cost of measuring, at least 0. */
uint64_t daytona_profile_net(const struct daytona_profile_table *table,
                             const struct daytona_profile_count *count);

/* ------------------------------------------------------------------ counting */

/** Reads a counter of cycles, or of something else that goes on evenly. */
typedef uint64_t daytona_cycles(void);

/** Packets that are shared out at once. */
#define DAYTONA_PROFILE_SENDERS 64

/** One thread at a time may use it. Its members are the profiler's own. */
struct daytona_profiler {
    daytona_cycles *cycles;
    struct daytona_profile_table *table;
    struct daytona_profile_row *rows;
    struct daytona_profile_row *row; /**< that is charged, too: a connection's, or `nobody` */
    uint32_t place;                  /**< where it is; 0 outside */
    uint32_t beyond;                 /**< activities entered for which there was no place */
    uint64_t since;                  /**< what it has charged until */
    struct daytona_profile_stretch {
        uint64_t cycles;
        struct daytona_profile_place *place;
        struct daytona_profile_row *row; /**< NULL: nobody's, and forgotten */
    } longest;                           /**< charged at once, since begin() or disturbed() */
    uint32_t touched; /**< bits: activities of `nobody` since the last connection; who is found next
                         has caused them */
    struct daytona_profile_row nobody;
    unsigned sender_count;
    struct daytona_profile_row
        *senders[DAYTONA_PROFILE_SENDERS]; /**< of the packets taken since the last sent() */
    uint8_t inner[DAYTONA_PROFILE_PLACES][DAYTONA_ACTIVITY_COUNT]; /**< places; 0 not yet */
};

/** Bytes of a table with so many rows. */
size_t daytona_profile_bytes(uint32_t row_max);

/** Begins in `table`, zeroed memory of daytona_profile_bytes(), aligned to 8 bytes and borrowed.
 *  Measures its own cost, which takes a fraction of a millisecond. What describes the process is
 *  the caller's to fill in. */
void daytona_profiler_init(struct daytona_profiler *profiler, daytona_cycles *cycles,
                           struct daytona_profile_table *table, uint32_t row_max);

/** All counts are 0 again. Outside. */
void daytona_profiler_clear(struct daytona_profiler *profiler);

/** A thread comes in, at this activity; or again where it was when daytona_profiler_end() gave its
 *  place. */
void daytona_profiler_begin(struct daytona_profiler *profiler, enum daytona_activity activity);
void daytona_profiler_resume(struct daytona_profiler *profiler, uint32_t place);
/** It goes. Returns where it was. */
uint32_t daytona_profiler_end(struct daytona_profiler *profiler);

void daytona_profiler_enter(struct daytona_profiler *profiler, enum daytona_activity activity);
void daytona_profiler_leave(struct daytona_profiler *profiler);

/** The thread was not running for so many of the cycles since begin(): they are taken out of the
 *  longest stretch, as far as it reaches. */
void daytona_profiler_disturbed(struct daytona_profiler *profiler, uint64_t cycles);

/** Cycles of an activity that were counted elsewhere, while the thread was not in. */
void daytona_profiler_add(struct daytona_profiler *profiler, enum daytona_activity activity,
                          uint64_t calls, uint64_t cycles);

/** What is done from now on is done for this connection, as was what was done for nobody just
 *  before; until another one is found, or nobody() is called. */
void daytona_profiler_found(struct daytona_profiler *profiler, struct daytona_socket_id id,
                            const struct daytona_endpoint *local,
                            const struct daytona_endpoint *remote);
void daytona_profiler_nobody(struct daytona_profiler *profiler);

/** A packet of the connection found last goes in or out. */
void daytona_profiler_arrived(struct daytona_profiler *profiler, uint64_t bytes);
void daytona_profiler_taken(struct daytona_profiler *profiler, uint64_t segments, uint64_t bytes);

/** The packets taken are sent: what was done for nobody since is shared out among their
 *  connections. */
void daytona_profiler_sent(struct daytona_profiler *profiler);

/** The same, and nothing when there is no profiler. */
static inline void daytona_profile_enter(struct daytona_profiler *profiler,
                                         enum daytona_activity activity)
{
    if (profiler != NULL)
        daytona_profiler_enter(profiler, activity);
}

static inline void daytona_profile_leave(struct daytona_profiler *profiler)
{
    if (profiler != NULL)
        daytona_profiler_leave(profiler);
}

#endif
