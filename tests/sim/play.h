/*
 * play.h - runs scenario files: result table, expectations, measurements over time as CSV.
 */
#ifndef SIM_PLAY_H
#define SIM_PLAY_H

#include <stdbool.h>
#include <stdint.h>

struct sim_play {
    const char *program;    /**< arguments[0]: packets of a broken run are written beside it */
    uint64_t seed;          /**< 0: the file's */
    const char *csv, *pcap; /**< files to write; NULL: none */
    bool log;               /**< every packet and event on standard output */
    bool brief;             /**< says only what was not as expected */
};

/** 0 everything is as expected, 1 not, 2 the file cannot be read or written. */
int sim_play_file(const struct sim_play *play, const char *path);

#endif
