/*
 * table.h - the views of `daytona stat` for people: lines with columns as wide as what is in them.
 */
#ifndef DAYTONA_SCRIPTS_TABLE_H
#define DAYTONA_SCRIPTS_TABLE_H

#include "scripts/elsewhere.h"
#include "scripts/records.h"

#define COLUMNS_MAX (DAYTONA_VARIABLE_COUNT + 8)

/** Columns chosen with --columns. */
struct columns {
    size_t count;
    int chosen[COLUMNS_MAX]; /**< a variable's index, or below 0 one of those with no number */
    bool help;               /**< the list was asked for */
};

/** Reads "pid,local,cur_cwnd"; false: it has been said what is wrong. */
bool columns_read(struct columns *columns, const char *list);

/** All there are, with unit and meaning. */
void columns_list(FILE *out);

/** Zeroed at first. */
struct table {
    struct line {
        char **cells; /**< NULL: a paragraph of its own, `text` */
        size_t cell_count;
        char *text; /**< NULL, or what follows below the line */
    } * lines;
    size_t line_count, line_max;
    bool with_kernel; /**< the heading of sockets elsewhere is there */
    bool out_of_memory;
};

/** The usual view: a line, and unless `brief` what matters most below it. */
void table_add(struct table *table, const struct record *record,
               const struct daytona_record_row *row, bool brief);

/** The chosen columns, in whole numbers. */
void table_add_columns(struct table *table, const struct columns *columns,
                       const struct record *record, const struct daytona_record_row *row);

/** A socket on the kernel's TCP. After all others. */
void table_add_elsewhere(struct table *table, const struct elsewhere *socket);

/** Prints it and gives its memory back. */
void table_print(struct table *table, FILE *out);

#endif
