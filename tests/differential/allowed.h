/*
 * allowed.h - the table of differences that are allowed, one row a line:
 *
 *     mode | program | verb | kernel's result | other's result | heading of
 * docs/kernel-differences.md
 *
 * The first five are patterns as of a shell, for several words with spaces between; results are
 * compared together with how things were then. A `?` behind the heading says that it is a matter of
 * time whether the difference is there. What follows a difference in a program is not compared.
 */
#ifndef TESTS_DIFFERENTIAL_ALLOWED_H
#define TESTS_DIFFERENTIAL_ALLOWED_H

#include "tests/differential/record.h"

#define ALLOWED_ROWS_MAX 200
#define ALLOWED_CELLS    6

struct allowed_row {
    unsigned line, used;
    char cells[ALLOWED_CELLS][160];
};

struct allowed {
    const char *path;
    unsigned count;
    struct allowed_row rows[ALLOWED_ROWS_MAX];
};

/** Reads the table; NULL is one without rows. Ends the process when something is wrong. */
void allowed_read(struct allowed *allowed, const char *path);

/** The row for a difference in a step of a verb; NULL: it is not allowed. */
struct allowed_row *allowed_find(struct allowed *allowed, const char *mode, const char *program,
                                 enum verb verb, const struct record_step *wanted,
                                 const struct record_step *got);

/** Whether each row for that mode was used; says which were not. Rows for walks alone, whose
 * program is `seed-*`, may go unused: there are never all of them. */
bool allowed_used(const struct allowed *allowed, const char *mode);

#endif
