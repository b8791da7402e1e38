/*
 * world.h - hosts, links, one clock. Time jumps from event to event; nothing depends
 * on the machine, so a seed is a run.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "tests/sim/connection.h"
#include "tests/sim/flow.h"
#include "tests/sim/host.h"

struct sim_meter;

struct sim_world {
    const struct sim_scenario *scenario; /**< borrowed */
    struct daytona_instant now;
    struct sim_queue queue;
    struct sim_link *links; /**< as in the scenario; owned, as the next two */
    struct sim_host *hosts;
    struct sim_connection *connections;
    struct sim_flows flows;
    struct sim_meter *meter;            /**< NULL: nothing is measured; borrowed */
    unsigned started;                   /**< connections */
    unsigned over;                      /**< connections before this one are over */
    uint64_t forwarded, handed, errors; /**< packets by routers, to hosts, and by links */
    uint64_t ghosts;                    /**< packets that nobody sent; see the scenario */
    struct daytona_instant progress;    /**< when an application last got somewhere */
    struct daytona_instant step;        /**< instant of the steps counted */
    uint64_t steps;
    uint64_t trace; /**< digest of all packets and their times */
    int pcap;       /**< descriptor, -1 none */
    bool smooth;    /**< sim_scenario_is_smooth() */
    bool log;       /**< every packet and event on standard output */
    bool failed;
    char failure[512];
};

/** Memory is the caller's, the routed scenario outlives the world. `pcap` as for sim_pcap_write. */
void sim_world_init(struct sim_world *world, const struct sim_scenario *scenario, int pcap,
                    bool log);

/** Everything that happens is told to `meter` too; before the run. */
void sim_world_measure(struct sim_world *world, struct sim_meter *meter);

/** Runs until every connection is over and both stacks are at rest, or something is wrong. */
void sim_world_run(struct sim_world *world);

void sim_world_release(struct sim_world *world);

/** The first broken promise ends the run; later ones are ignored. */
__attribute__((format(printf, 2, 3))) void sim_fail(struct sim_world *world, const char *format,
                                                    ...);

/** Says something when the log is on. */
__attribute__((format(printf, 2, 3))) void sim_log(const struct sim_world *world,
                                                   const char *format, ...);

/** An application moved a byte or took a step of its life. */
void sim_world_progress(struct sim_world *world);

/** A host's stack gave a packet: judge, record and carry it. Takes ownership. Returns 0, or the
 *  MTU of the device that refused it. */
uint64_t sim_world_transmit(struct sim_world *world, unsigned from, struct sim_packet *packet);

#endif
