/*
 * scenario.h - everything that a seed or a scenario file decides: hosts, routers and links, the
 * connections and what their applications do.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "tests/sim/link.h"

#define SIM_HOSTS_MAX   80
#define SIM_ROUTERS_MAX 16
#define SIM_NODES_MAX   (SIM_HOSTS_MAX + SIM_ROUTERS_MAX)
#define SIM_LINKS_MAX   256
#define SIM_CHANGES_MAX 32
#define SIM_NO_ROUTE    UINT16_MAX

#define SIM_SERVER_PORT   80   /* every host listens on it */
#define SIM_CLOSED_PORT   81   /* nobody listens on it */
#define SIM_CROSSING_PORT 7000 /* + connection number: both ends of a simultaneous open */

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
    uint64_t burst;  /**< after each so many bytes written, or before each request... */
    uint64_t gap_us; /**< ... the side rests so long; 0: never */
};

#define SIM_OPTION_UNSET INT64_MIN

struct sim_connection_plan {
    unsigned hosts[2];            /**< host numbers of SIM_CLIENT and SIM_SERVER */
    unsigned group;               /**< connections of one line of a scenario file */
    struct daytona_instant start; /**< after the scenario's origin */
    struct daytona_instant stop;  /**< after the origin: writes no more; 0: when all is sent */
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

/** Keys that all hosts have for all peers. */
enum sim_signature {
    SIM_SIGNATURE_NONE,
    SIM_SIGNATURE_MD5,     /**< RFC 2385 */
    SIM_SIGNATURE_AO_SHA1, /**< RFC 5925 */
    SIM_SIGNATURE_AO_AES,
};

/** A link becomes another one. */
struct sim_change {
    struct daytona_instant at; /**< after the scenario's origin */
    unsigned link;
    struct sim_link_config config;
};

struct sim_scenario {
    uint64_t seed;
    struct daytona_instant origin; /**< when everything begins */
    unsigned host_count, router_count;
    unsigned link_count;
    struct sim_host_plan hosts[SIM_HOSTS_MAX];
    struct sim_link_config links[SIM_LINKS_MAX];
    unsigned ends[SIM_LINKS_MAX][2]; /**< the nodes that a link goes from and to */
    /** The link that a node sends by to a host; set by sim_scenario_route(). */
    uint16_t routes[SIM_NODES_MAX][SIM_HOSTS_MAX];
    struct sim_change changes[SIM_CHANGES_MAX]; /**< in the order of time for each link */
    unsigned change_count;
    struct sim_connection_plan *connections; /**< owned; see sim_scenario_add() */
    unsigned connection_count, connection_capacity;
    uint32_t ghosts;       /**< ppm of the text, before which an old segment comes with the same
                                numbers, as after the sequence space has wrapped (RFC 7323
                                section 5): PAWS has to refuse it */
    bool offload;          /**< super-segments and partial checksums everywhere */
    bool tight;            /**< memory may run out: connections may fail, but nothing else */
    unsigned signature;    /**< enum sim_signature: how all hosts sign */
    unsigned stripped;     /**< enum sim_strip: what a middlebox takes from SYNs */
    uint64_t stillness_us; /**< nothing happens for so long at most when all is well */
};

/** Decides everything from the seed. To be released. */
void sim_scenario_from_seed(struct sim_scenario *scenario, uint64_t seed);

/** The quiet middle from which special scenarios start: two plain hosts with fast clean links in
 *  between, routed, no connection. To be released. */
void sim_scenario_plain(struct sim_scenario *scenario, uint64_t seed);

/** No host and no link yet. To be released. */
void sim_scenario_empty(struct sim_scenario *scenario, uint64_t seed);

void sim_scenario_release(struct sim_scenario *scenario);

/** Another host that nothing is special about; its number. */
unsigned sim_scenario_add_host(struct sim_scenario *scenario);

/** Another link, of nodes that may come later; its number. */
unsigned sim_scenario_add_link(struct sim_scenario *scenario, unsigned from, unsigned to,
                               const struct sim_link_config *config);

/** Another connection; borrowed until the next is added. Its sides are plain ones of no bytes. */
struct sim_connection_plan *sim_scenario_add(struct sim_scenario *scenario, unsigned client,
                                             unsigned server);

/** Finds the ways with the fewest links. Before a world is made. */
void sim_scenario_route(struct sim_scenario *scenario);

/** The number of the link that `node` sends by to `host`; SIM_NO_ROUTE when there is no way. */
unsigned sim_scenario_hop(const struct sim_scenario *scenario, unsigned node, unsigned host);

/** The least that a packet takes from one host to another, microseconds, changes included. */
uint64_t sim_scenario_way_us(const struct sim_scenario *scenario, unsigned from, unsigned to);

/** Some link of the ways from `host` may refuse or cut packets that the host thinks fit. */
bool sim_scenario_narrows(const struct sim_scenario *scenario, unsigned host);

/** Without loss, jitter and lateness no clock of TCP may run out: a retransmission would be
 *  spurious, and nobody answers a connection that is over. */
bool sim_scenario_is_smooth(const struct sim_scenario *scenario);

/** Some link tells of an outage by ICMP. */
bool sim_scenario_tells_outages(const struct sim_scenario *scenario);

/** A side that sends `bytes` as fast as it can and closes in order. */
struct sim_side_plan sim_side_plan_plain(uint64_t bytes);

/** Resets are part of the plan. */
bool sim_connection_plan_resets(const struct sim_connection_plan *plan);

/** A few lines for people. */
void sim_scenario_print(const struct sim_scenario *scenario);

#endif
