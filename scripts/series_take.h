/*
 * series_take.h - what each event adds to the tables: series.h's inner part.
 */
#ifndef DAYTONA_SCRIPTS_SERIES_TAKE_H
#define DAYTONA_SCRIPTS_SERIES_TAKE_H

#include "scripts/series.h"

/** Takes an event of the connection of that number. False without memory. */
bool series_take(struct series *series, size_t which, const struct seen *seen);

/** Adds a row: as many cells as the table has columns. */
bool series_add(struct series *series, enum series_table table, size_t which, const int64_t *cells);

/** The cells of the row that was added last. */
int64_t *series_last(struct series *series, enum series_table table);

/** The number of a word, which is copied; 0: none, or there are too many. */
unsigned series_word(struct series *series, const char *text);

#endif
