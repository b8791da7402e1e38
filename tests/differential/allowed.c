#include "tests/differential/allowed.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { MODE, PROGRAM, VERB, KERNEL, OTHER, HEADING };

static void copy_cell(char *cell, size_t size, char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\n", text[length - 1]) != NULL)
        length--;
    snprintf(cell, size, "%.*s", (int)length, text);
}

static bool read_row(struct allowed_row *row, char *line)
{
    char *rest = line;
    for (int i = 0; i < ALLOWED_CELLS; i++) {
        char *cell = strsep(&rest, "|");
        if (cell == NULL)
            return false;
        copy_cell(row->cells[i], sizeof row->cells[i], cell);
    }
    return rest == NULL;
}

void allowed_read(struct allowed *allowed, const char *path)
{
    char line[1000];
    unsigned number = 0;
    memset(allowed, 0, sizeof *allowed);
    allowed->path = path;
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    if (path != NULL && file == NULL) {
        perror(path);
        exit(2);
    }
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (line[0] == '#' || line[strspn(line, " \n")] == '\0')
            continue;
        struct allowed_row *row = &allowed->rows[allowed->count];
        row->line = number;
        if (allowed->count == ALLOWED_ROWS_MAX - 1 || !read_row(row, line)) {
            fprintf(stderr, "%s:%u: not a row\n", path, number);
            exit(2);
        }
        allowed->count++;
    }
    if (file != NULL)
        fclose(file);
}

/* One of the patterns in a cell fits. */
static bool fits_one(const char *cell, const char *text)
{
    char copy[160], *rest;
    snprintf(copy, sizeof copy, "%s", cell);
    for (char *one = strtok_r(copy, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest))
        if (fnmatch(one, text, 0) == 0)
            return true;
    return false;
}

static bool fits_step(const char *cell, const struct record_step *step)
{
    char text[RESULT_TEXT_MAX + SETTLED_TEXT_MAX + 4];
    snprintf(text, sizeof text, "%s ;%s", step->result, step->settled);
    return fnmatch(cell, text, 0) == 0;
}

struct allowed_row *allowed_find(struct allowed *allowed, const char *mode, const char *program,
                                 enum verb verb, const struct record_step *wanted,
                                 const struct record_step *got)
{
    for (unsigned i = 0; i < allowed->count; i++) {
        struct allowed_row *row = &allowed->rows[i];
        if (fits_one(row->cells[MODE], mode) && fits_one(row->cells[PROGRAM], program) &&
            fits_one(row->cells[VERB], operation_verb(verb)) &&
            fits_step(row->cells[KERNEL], wanted) && fits_step(row->cells[OTHER], got))
            return row;
    }
    return NULL;
}

bool allowed_used(const struct allowed *allowed, const char *mode)
{
    bool all = true;
    for (unsigned i = 0; i < allowed->count; i++) {
        const struct allowed_row *row = &allowed->rows[i];
        bool for_walks = strncmp(row->cells[PROGRAM], "walk-", 5) == 0 ||
                         strncmp(row->cells[PROGRAM], "family-", 7) == 0;
        if (row->used > 0 || for_walks || strchr(row->cells[HEADING], '?') != NULL ||
            !fits_one(row->cells[MODE], mode))
            continue;
        printf("# %s:%u: on %s there is no such difference any more\n", allowed->path, row->line,
               mode);
        all = false;
    }
    return all;
}
