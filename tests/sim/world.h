/*
 * world.h - two hosts, two links, one clock. Time jumps from event to event; nothing depends
 * on the machine, so a seed is a run.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "tests/sim/connection.h"
#include "tests/sim/flow.h"
#include "tests/sim/host.h"

struct sim_world {
    const struct sim_scenario *scenario; /**< borrowed */
    struct daytona_instant now;
    struct sim_queue queue;
    struct sim_link links[2]; /**< links[i]: from host i */
    struct sim_host hosts[2];
    struct sim_flows flows;
    struct sim_connection connections[SIM_CONNECTIONS_MAX];
    unsigned started;                /**< connections */
    struct daytona_instant progress; /**< when an application last got somewhere */
    struct daytona_instant step;     /**< instant of the steps counted */
    uint64_t steps;
    uint64_t trace; /**< digest of all packets and their times */
    int pcap;       /**< descriptor, -1 none */
    bool log;       /**< every packet and event on standard output */
    bool failed;
    char failure[512];
};

/** Memory is the caller's, scenario outlives the world. `pcap` as for sim_pcap_write. */
void sim_world_init(struct sim_world *world, const struct sim_scenario *scenario, int pcap,
                    bool log);

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
uint32_t sim_world_transmit(struct sim_world *world, unsigned from, struct sim_packet *packet);

#endif
