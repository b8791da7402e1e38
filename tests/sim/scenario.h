/*
 * scenario.h - everything that a seed decides: the links, the two hosts, the connections and
 * what their applications do.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "tests/sim/link.h"

#define SIM_CONNECTIONS_MAX 48
#define SIM_SERVER_PORT     80   /* every host listens on it */
#define SIM_CLOSED_PORT     81   /* nobody listens on it */
#define SIM_CROSSING_PORT   7000 /* + connection number: both ends of a simultaneous open */

enum { SIM_CLIENT, SIM_SERVER };

/** When a side may write its next byte. */
enum sim_pace {
    SIM_PACE_FREE,    /**< whenever there is room */
    SIM_PACE_ECHO,    /**< as many bytes as have arrived */
    SIM_PACE_REQUEST, /**< the next request when the last reply is complete */
    SIM_PACE_COUNT,
};

/** How a side ends its connection. */
enum sim_ending {
    SIM_ENDING_HALF_CLOSE,  /**< shut down writing after the last byte; close after the end of
                                 the peer's stream */
    SIM_ENDING_CLOSE,       /**< close when all is written and all expected bytes have arrived */
    SIM_ENDING_CLOSE_EARLY, /**< close after the last write; the peer sends nothing */
    SIM_ENDING_UNREAD,      /**< close with data unread or yet to come: RST */
    SIM_ENDING_ABORT,       /**< daytona_stack_abort in the middle: RST */
    SIM_ENDING_LINGER_ZERO, /**< close with LINGER 0 in the middle: RST */
    SIM_ENDING_COUNT,
};

/** What the application of one side does. */
struct sim_side_plan {
    uint64_t bytes; /**< to send */
    enum sim_pace pace;
    uint64_t request, reply;          /**< of SIM_PACE_REQUEST, bytes */
    uint32_t write_max, read_max;     /**< bytes per call at most */
    uint32_t write_pause, read_pause; /**< chance of a pause after a call, ppm */
    uint32_t pause_us;                /**< length of a pause at most */
    enum sim_ending ending;
    uint64_t ending_after;          /**< bytes sent + received, for the endings "in the middle" */
    bool shuts_both;                /**< shuts both directions down before it closes */
    bool short_count_means_blocked; /**< waits for an edge after a short count, not only after
                                         -EAGAIN */
    bool peeks;                     /**< now and then */
    bool discards;                  /**< reads without looking now and then */
    bool uses_more;                 /**< SEND_MORE now and then */
    bool urgent;                    /**< SEND_URGENT now and then */
    int64_t options[DAYTONA_OPTION_COUNT]; /**< SIM_OPTION_UNSET: leave the default */
    const char *congestion;                /**< NULL: the stack's default */
};

#define SIM_OPTION_UNSET INT64_MIN

struct sim_connection_plan {
    unsigned client;              /**< host number */
    struct daytona_instant start; /**< after the scenario's origin */
    uint64_t sleep_us; /**< the client rests so long in the middle of writing; 0: never */
    bool refused;      /**< to a port where nobody listens */
    bool crossing;     /**< simultaneous open: both sides connect */
    struct sim_side_plan sides[2];
};

struct sim_host_plan {
    struct daytona_stack_config config;
    size_t region_bytes;
    bool dirty_region; /**< memory that is not zero at first */
    uint32_t path_mtu; /**< what the stack is told of the path */
    uint32_t late_us;  /**< the driver serves a due deadline or an input this late at most */
    uint32_t batch;    /**< packets taken in a row before any of them is sent */
    int backlog;
    uint32_t accept_pause_us; /**< the application lets connections wait this long at most */
};

struct sim_scenario {
    uint64_t seed;
    struct daytona_instant origin;   /**< when everything begins */
    struct sim_link_config links[2]; /**< links[i] goes from host i to the other */
    struct sim_host_plan hosts[2];
    struct sim_connection_plan connections[SIM_CONNECTIONS_MAX];
    unsigned connection_count;
    bool offload;          /**< super-segments and partial checksums both ways */
    bool tight;            /**< memory may run out: connections may fail, but nothing else */
    unsigned stripped;     /**< enum sim_strip: what a middlebox takes from SYNs */
    uint64_t stillness_us; /**< nothing happens for so long at most when all is well */
};

void sim_scenario_from_seed(struct sim_scenario *scenario, uint64_t seed);

/** The quiet middle from which special scenarios start: fast clean links, two plain hosts, no
 *  connection. */
void sim_scenario_plain(struct sim_scenario *scenario, uint64_t seed);

/** A side that sends `bytes` as fast as it can and closes in order. */
struct sim_side_plan sim_side_plan_plain(uint64_t bytes);

/** Resets are part of the plan. */
bool sim_connection_plan_resets(const struct sim_connection_plan *plan);

/** A few lines for people. */
void sim_scenario_print(const struct sim_scenario *scenario);

#endif
