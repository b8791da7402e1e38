/*
 * table.h - tables of what is expected, one row a line:
 *
 *     ESTABLISHED CLOSE-WAIT | RST | left | * | CLOSED | - | reset
 *
 * The first columns are keys: a row is for every cell whose keys are among the row's words (`*`:
 * all). The rest says what is to come of it. `#` begins a comment. A cell for which there is no
 * row, or more than one, is a mistake of the table, and so is a row for which there is no cell.
 */
#ifndef TESTS_CONFORMANCE_TABLE_H
#define TESTS_CONFORMANCE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS_MAX 12
#define TABLE_ROWS_MAX    600

struct table_row {
    unsigned line;
    char cells[TABLE_COLUMNS_MAX][128];
    unsigned used; /**< cells that it was for */
};

struct table {
    const char *path;
    size_t keys, columns;
    size_t row_count;
    struct table_row rows[TABLE_ROWS_MAX];
};

/** Reads a table of that many columns, the first `keys` of them keys. False, and says why. */
bool table_read(struct table *table, const char *path, size_t keys, size_t columns);

/** The row for a cell; NULL, and says so, when there is not exactly one. Counts the use. */
const struct table_row *table_find(struct table *table, const char *const *keys);

/** The same, but no row is no mistake. */
const struct table_row *table_find_maybe(struct table *table, const char *const *keys);

/** Every row was used; else says which were not. */
bool table_used(const struct table *table);

/** Whether a word is among the words of a cell; `*` has all. */
bool table_has(const char *cell, const char *word);

#endif
