/*
 * page_column.h - a column of a table (series.h) as an array of numbers in base64.
 */
#ifndef DAYTONA_SCRIPTS_PAGE_COLUMN_H
#define DAYTONA_SCRIPTS_PAGE_COLUMN_H

#include "scripts/series.h"
#include <stdio.h>

/** The narrowest form that holds all its numbers: u8, u16, u32, or f64, which is a double. */
const char *column_form(const struct series *series, enum series_table table, unsigned column);

/** <script type="text/plain" id="TABLE.COLUMN">BASE64</script> */
void column_write(FILE *out, const struct series *series, enum series_table table, unsigned column);

#endif
