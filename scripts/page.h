/*
 * page.h - the data of a report: what the page's own program (scripts/report/) reads.
 *
 * One element with JSON, "trace", says whose trace it is, the connections, the requests and what
 * numbers mean. Each column of a table of series.h is an element "TABLE.COLUMN" with an array of
 * little-endian numbers in base64; how wide they are, and where each connection's rows begin, is in
 * the JSON.
 */
#ifndef DAYTONA_SCRIPTS_PAGE_H
#define DAYTONA_SCRIPTS_PAGE_H

#include "scripts/blame.h"
#include "scripts/series.h"
#include "scripts/trace_file.h"
#include <stdio.h>

struct page {
    struct series *series; /**< is sorted by page_write() */
    const struct blame *blame;
    const struct trace_about *about;
    size_t requests_max; /**< so many of the slowest */
    const char *profile; /**< JSON of `daytona profile`; NULL: there is none */
};

/** Writes the elements. 0 or -ENOMEM; what the stream says is the caller's to ask. */
int page_write(FILE *out, const struct page *page);

/** The JSON alone. */
int page_json(FILE *out, const struct page *page);

#endif
