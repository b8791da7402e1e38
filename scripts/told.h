/*
 * told.h - a request of a trace (blame.h) as JSON.
 */
#ifndef DAYTONA_SCRIPTS_TOLD_H
#define DAYTONA_SCRIPTS_TOLD_H

#include "scripts/blame.h"
#include <stdio.h>

/** The members of its object, without the braces. `begin_ns` is when the trace began; *first as in
 *  json.h. */
void told_json(FILE *out, bool *first, const struct request_told *request, uint64_t begin_ns);

/** A request in a list that was brought in order. */
struct told {
    const struct request_told *request;
};

/** All requests of a trace, the slowest first or in their order. The list is the caller's, the
 *  requests are `blame`'s. NULL without memory; *count says how many. */
struct told *told_list(const struct blame *blame, bool slowest_first, size_t *count);

#endif
