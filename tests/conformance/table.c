#include "tests/conformance/table.h"

#include <stdio.h>
#include <string.h>

static void trim(char *text)
{
    size_t begin = strspn(text, " "), length = strlen(text + begin);
    memmove(text, text + begin, length + 1);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
}

static bool read_row(struct table *table, char *line, unsigned number)
{
    struct table_row *row = &table->rows[table->row_count];
    size_t column = 0;
    *row = (struct table_row){.line = number};
    for (char *cell; (cell = strsep(&line, "|")) != NULL; column++) {
        trim(cell);
        if (column == table->columns || strlen(cell) >= sizeof row->cells[0] || cell[0] == '\0') {
            printf("%s:%u: a cell is empty, too long or too many\n", table->path, number);
            return false;
        }
        strcpy(row->cells[column], cell);
    }
    if (column != table->columns) {
        printf("%s:%u: a row has %zu columns\n", table->path, number, table->columns);
        return false;
    }
    return ++table->row_count < TABLE_ROWS_MAX;
}

bool table_read(struct table *table, const char *path, size_t keys, size_t columns)
{
    *table = (struct table){.path = path, .keys = keys, .columns = columns};
    FILE *file = fopen(path, "re");
    char line[512];
    bool right = file != NULL;
    if (!right)
        printf("%s: cannot be read\n", path);
    for (unsigned number = 1; right && fgets(line, sizeof line, file) != NULL; number++) {
        line[strcspn(line, "#\n")] = '\0';
        if (line[strspn(line, " ")] != '\0')
            right = read_row(table, line, number);
    }
    if (file != NULL)
        fclose(file);
    return right;
}

bool table_has(const char *cell, const char *word)
{
    size_t length = strlen(word);
    if (strcmp(cell, "*") == 0)
        return true;
    for (const char *at = cell; (at = strstr(at, word)) != NULL; at += length)
        if ((at == cell || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    return false;
}

static bool row_fits(const struct table *table, const struct table_row *row,
                     const char *const *keys)
{
    for (size_t i = 0; i < table->keys; i++)
        if (!table_has(row->cells[i], keys[i]))
            return false;
    return true;
}

static void say_keys(const struct table *table, const char *const *keys)
{
    for (size_t key = 0; key < table->keys; key++)
        printf(" %s", keys[key]);
    printf("\n");
}

const struct table_row *table_find_maybe(struct table *table, const char *const *keys)
{
    struct table_row *found = NULL;
    for (size_t i = 0; i < table->row_count; i++) {
        struct table_row *row = &table->rows[i];
        if (!row_fits(table, row, keys))
            continue;
        if (found != NULL) {
            printf("%s: lines %u and %u are for the same cell:", table->path, found->line,
                   row->line);
            say_keys(table, keys);
            return NULL;
        }
        found = row;
    }
    if (found != NULL)
        found->used++;
    return found;
}

const struct table_row *table_find(struct table *table, const char *const *keys)
{
    const struct table_row *found = table_find_maybe(table, keys);
    if (found == NULL) {
        printf("%s: no row for:", table->path);
        say_keys(table, keys);
    }
    return found;
}

bool table_used(const struct table *table)
{
    bool all = true;
    for (size_t i = 0; i < table->row_count; i++) {
        if (table->rows[i].used == 0) {
            printf("%s:%u: this row is for no cell\n", table->path, table->rows[i].line);
            all = false;
        }
    }
    return all;
}
