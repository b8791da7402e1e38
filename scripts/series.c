#include "scripts/series.h"

#include "scripts/series_take.h"

#include <stdlib.h>
#include <string.h>

#define HASH_SIZE 16384u
#define NOBODY    SIZE_MAX

static const struct table {
    const char *name;
    const char *columns[SERIES_COLUMNS_MAX + 1];
} tables[] = {
#define SERIES(id, text, ...) [SERIES_##id] = {text, {__VA_ARGS__}},
#include "scripts/series.def"
#undef SERIES
};

const char *series_name(enum series_table table)
{
    return tables[table].name;
}

const char *series_column(enum series_table table, unsigned column)
{
    return column < SERIES_COLUMNS_MAX ? tables[table].columns[column] : NULL;
}

unsigned series_columns(enum series_table table)
{
    unsigned count = 0;
    while (series_column(table, count) != NULL)
        count++;
    return count;
}

struct series *series_begin(void)
{
    struct series *series = calloc(1, sizeof *series);
    if (series == NULL)
        return NULL;
    series->word_count = 1;
    series->hash = calloc(HASH_SIZE, sizeof *series->hash);
    if (series->hash != NULL)
        return series;
    free(series);
    return NULL;
}

void series_end(struct series *series)
{
    for (unsigned i = 1; i < series->word_count; i++)
        free((char *)series->words[i]);
    for (unsigned i = 0; i < SERIES_COUNT; i++)
        free(series->rows[i].cells);
    free(series->connections);
    free(series->hash);
    free(series);
}

/* ------------------------------------------------------------------ connections */

static uint32_t *chain_of(const struct series *series, uint32_t index, uint32_t generation)
{
    return &series->hash[(index + generation * 31u) % HASH_SIZE];
}

size_t series_find(const struct series *series, uint32_t index, uint32_t generation)
{
    for (uint32_t at = *chain_of(series, index, generation); at != 0;
         at = series->connections[at - 1].next) {
        const struct daytona_ring_event *first = &series->connections[at - 1].first;
        if (first->socket_index == index && first->socket_generation == generation)
            return at - 1;
    }
    return NOBODY;
}

static size_t add_connection(struct series *series, const struct daytona_ring_event *event)
{
    if (series->count == series->room) {
        size_t room = series->room == 0 ? 64 : 2 * series->room;
        struct series_connection *list = realloc(series->connections, room * sizeof *list);
        if (list == NULL)
            return NOBODY;
        series->connections = list;
        series->room = room;
    }
    uint32_t *chain = chain_of(series, event->socket_index, event->socket_generation);
    series->connections[series->count] = (struct series_connection){
        .first = *event,
        .server = event->local_port < event->remote_port, /* until a state says it */
        .next = *chain,
    };
    *chain = (uint32_t)series->count + 1;
    return series->count++;
}

bool series_event(struct series *series, const struct seen *seen)
{
    const struct daytona_ring_event *event = &seen->event;
    series->first_ns = series->events == 0 ? event->at_ns : series->first_ns;
    series->last_ns = event->at_ns;
    series->missed += seen->missed;
    series->events++;
    series->segments = series->segments || event->header_bytes > 0;
    size_t which = series_find(series, event->socket_index, event->socket_generation);
    if (which == NOBODY)
        which = add_connection(series, event);
    return which != NOBODY && series_take(series, which, seen);
}

/* ------------------------------------------------------------------ rows */

static size_t width_of(enum series_table table)
{
    return 1 + (size_t)series_columns(table);
}

bool series_add(struct series *series, enum series_table table, size_t which, const int64_t *cells)
{
    struct series_rows *rows = &series->rows[table];
    size_t width = width_of(table);
    if (rows->count == rows->room) {
        size_t room = rows->room == 0 ? 1024 : 2 * rows->room;
        int64_t *list = realloc(rows->cells, room * width * sizeof *list);
        if (list == NULL)
            return false;
        rows->cells = list;
        rows->room = room;
    }
    int64_t *row = rows->cells + rows->count++ * width;
    row[0] = (int64_t)which;
    memcpy(row + 1, cells, (width - 1) * sizeof *row);
    return true;
}

int64_t *series_last(struct series *series, enum series_table table)
{
    struct series_rows *rows = &series->rows[table];
    return rows->cells + (rows->count - 1) * width_of(table) + 1;
}

bool series_sort(struct series *series, enum series_table table, size_t *starts)
{
    struct series_rows *rows = &series->rows[table];
    size_t width = width_of(table), bytes = width * sizeof *rows->cells;
    int64_t *sorted = malloc(rows->count * bytes + 1);
    size_t *next = calloc(series->count + 1, sizeof *next);
    if (sorted == NULL || next == NULL) {
        free(sorted);
        free(next);
        return false;
    }
    memset(starts, 0, (series->count + 1) * sizeof *starts);
    for (size_t i = 0; i < rows->count; i++)
        starts[(size_t)rows->cells[i * width] + 1]++;
    for (size_t i = 0; i < series->count; i++) {
        starts[i + 1] += starts[i];
        next[i] = starts[i];
    }
    for (size_t i = 0; i < rows->count; i++) {
        const int64_t *row = rows->cells + i * width;
        memcpy(sorted + next[(size_t)row[0]]++ * width, row, bytes);
    }
    free(next);
    free(rows->cells);
    rows->cells = sorted;
    rows->room = rows->count;
    return true;
}

int64_t series_cell(const struct series *series, enum series_table table, size_t row,
                    unsigned column)
{
    return series->rows[table].cells[row * width_of(table) + 1 + column];
}

/* ------------------------------------------------------------------ words */

unsigned series_word(struct series *series, const char *text)
{
    if (text == NULL)
        return 0;
    for (unsigned i = 1; i < series->word_count; i++)
        if (strcmp(series->words[i], text) == 0)
            return i;
    char *copy = series->word_count < SERIES_WORDS_MAX ? strdup(text) : NULL;
    if (copy == NULL)
        return 0;
    series->words[series->word_count] = copy;
    return series->word_count++;
}
