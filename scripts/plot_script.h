/*
 * plot_script.h - a picture of one connection for gnuplot: a file of numbers and a script.
 */
#ifndef DAYTONA_SCRIPTS_PLOT_SCRIPT_H
#define DAYTONA_SCRIPTS_PLOT_SCRIPT_H

#include "scripts/series.h"
#include <stdio.h>

enum plot_what { PLOT_CWND, PLOT_SEQUENCE, PLOT_RTT, PLOT_GOODPUT, PLOT_COUNT };

/** "cwnd"; PLOT_COUNT for a name that is none. */
const char *plot_name(enum plot_what what);
enum plot_what plot_of_name(const char *name);

struct plot {
    enum plot_what what;
    const struct series *series;
    size_t connection;
    size_t begin[SERIES_COUNT], end[SERIES_COUNT]; /**< its rows */
    double from, to;                               /**< seconds; to 0: all */
    const char *data, *picture;                    /**< files, as the script names them */
    const char *terminal;                          /**< "svg" or "png" */
    unsigned width, height;                        /**< pixels */
};

/** Writes the numbers: blocks of rows, each with a comment that names its columns. Returns how many
 * rows the picture's main block has; 0: there is nothing to draw. */
size_t plot_data(FILE *out, const struct plot *plot);

/** Writes the same numbers as JSON: an object with blocks of rows, and null for NaN. 0 or -ENOMEM.
 */
int plot_json(FILE *out, const struct plot *plot);

/** Writes the script. */
void plot_script(FILE *out, const struct plot *plot);

#endif
