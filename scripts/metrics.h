/*
 * metrics.h - the text format of Prometheus (version 0.0.4): each variable and each counter is a
 * family, "daytona_NAME", of one sample for each connection or process.
 */
#ifndef DAYTONA_SCRIPTS_METRICS_H
#define DAYTONA_SCRIPTS_METRICS_H

#include "scripts/records.h"

#include <stdio.h>

/** What is of use for each of many connections. */
#define METRICS_USUAL                                                                              \
    "data_octets_out,thru_octets_acked,thru_octets_received,segs_retrans,octets_retrans,"          \
    "smoothed_rtt,min_rtt,cur_rto,cur_cwnd,cur_ssthresh,pipe_size,cong_signals,total_timeouts,"    \
    "snd_lim_time_rwin,snd_lim_time_cwnd,snd_lim_time_snd,cur_rwin_rcvd,delivery_rate,"            \
    "delivered_ce,out_of_order_in,accepted,exceed_backlog,cur_estab_backlog"

/** Which variables are wanted of each connection. */
struct metrics_choice {
    bool wanted[DAYTONA_VARIABLE_COUNT];
};

/** Reads a list of names, "all" or "none"; false: it has been said what is wrong. */
bool metrics_choose(struct metrics_choice *choice, const char *list);

/** Brings the records in the directory up to date and writes them. How many, or -errno. */
int metrics_write(FILE *out, const char *directory, const struct metrics_choice *choice);

#endif
