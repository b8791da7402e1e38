/*
 * sift.h - which connections a tool shows: by state, port and process.
 */
#ifndef DAYTONA_SCRIPTS_SIFT_H
#define DAYTONA_SCRIPTS_SIFT_H

#include "scripts/records.h"

#define SIFT_MAX 64 /* ports, processes */

struct elsewhere;

/** Zeroed: takes all. */
struct sift {
    uint32_t states; /**< 1 << enum daytona_tcp_state of each that is wanted; 0 all */
    size_t port_count, process_count;
    uint16_t ports[SIFT_MAX];
    uint32_t processes[SIFT_MAX];
};

/** Each reads a list with commas; false: it has been said what is wrong. */
bool sift_states(struct sift *sift, const char *list);
bool sift_ports(struct sift *sift, const char *list);
bool sift_processes(struct sift *sift, const char *list);

bool sift_takes(const struct sift *sift, const struct daytona_record_row *row);
bool sift_takes_elsewhere(const struct sift *sift, const struct elsewhere *socket);

#endif
