/* Copies of profiles. */
#include "scripts/profile_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_LIMIT    ((uint32_t)1 << 20)
#define ROWS_AT_ONCE  ((uint32_t)1024)
#define PLACES_OF(it) ((size_t)(it)->place_count)

/* ------------------------------------------------------------------ reading */

static bool table_sound(const struct daytona_profile_table *table)
{
    if (table->magic != DAYTONA_PROFILE_MAGIC || table->version != DAYTONA_PROFILE_VERSION ||
        table->activity_count != DAYTONA_ACTIVITY_COUNT ||
        table->row_bytes != sizeof(struct daytona_profile_row) || table->rows_at < sizeof *table ||
        table->row_max > ROWS_LIMIT || table->place_count > DAYTONA_PROFILE_PLACES)
        return false;
    for (uint32_t i = 1; i < table->place_count; i++)
        if (table->places[i].activity >= DAYTONA_ACTIVITY_COUNT || table->places[i].outer >= i)
            return false;
    return true;
}

static int keep_row(struct profile_view *view, const struct daytona_profile_row *row)
{
    if (view->row_count % ROWS_AT_ONCE == 0) {
        struct daytona_profile_row *more =
            realloc(view->rows, (view->row_count + ROWS_AT_ONCE) * sizeof *row);
        if (more == NULL)
            return -ENOMEM;
        view->rows = more;
    }
    view->rows[view->row_count++] = *row;
    return 0;
}

static int read_rows(struct profile_view *view, int file)
{
    size_t row_bytes = sizeof *view->rows;
    struct daytona_profile_row *block = malloc(ROWS_AT_ONCE * row_bytes);
    int status = block == NULL ? -ENOMEM : 0;
    for (uint32_t first = 0; status == 0 && first < view->table.row_max; first += ROWS_AT_ONCE) {
        off_t at = (off_t)(view->table.rows_at + (uint64_t)first * row_bytes);
        ssize_t got = pread(file, block, ROWS_AT_ONCE * row_bytes, at);
        if (got <= 0)
            break;
        for (size_t i = 0; status == 0 && i < (size_t)got / row_bytes; i++)
            if (block[i].id.generation != 0)
                status = keep_row(view, &block[i]);
    }
    free(block);
    return status;
}

int profile_view_read(struct profile_view *view, const char *path, bool rows)
{
    *view = (struct profile_view){0};
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return -errno;
    ssize_t got = pread(file, &view->table, sizeof view->table, 0);
    int status = got < 0                                                            ? -errno
                 : got == 0 || view->table.magic == 0                               ? -ENOENT
                 : got != (ssize_t)sizeof view->table || !table_sound(&view->table) ? -EINVAL
                                                                                    : 0;
    view->table.program[sizeof view->table.program - 1] = '\0';
    if (status == 0 && rows)
        status = read_rows(view, file);
    close(file);
    if (status < 0)
        profile_view_release(view);
    return status;
}

void profile_view_release(struct profile_view *view)
{
    free(view->rows);
    view->rows = NULL;
    view->row_count = 0;
}

/* ------------------------------------------------------------------ differences */

static void subtract_count(struct daytona_profile_count *from,
                           const struct daytona_profile_count *count)
{
    from->calls -= count->calls;
    from->nested -= count->nested;
    from->cycles -= count->cycles;
}

static void subtract_traffic(struct daytona_profile_traffic *from,
                             const struct daytona_profile_traffic *traffic)
{
    from->packets_in -= traffic->packets_in;
    from->segments_out -= traffic->segments_out;
    from->bytes_in -= traffic->bytes_in;
    from->bytes_out -= traffic->bytes_out;
}

/* Both are in the order of indices; a row that another connection has taken since is all new. */
static void subtract_rows(struct profile_view *view, const struct profile_view *before)
{
    size_t at = 0;
    for (size_t i = 0; i < view->row_count; i++) {
        struct daytona_profile_row *row = &view->rows[i];
        while (at < before->row_count && before->rows[at].id.index < row->id.index)
            at++;
        if (at == before->row_count)
            return;
        const struct daytona_profile_row *old = &before->rows[at];
        if (old->id.index != row->id.index || old->id.generation != row->id.generation)
            continue;
        for (size_t activity = 0; activity < DAYTONA_ACTIVITY_COUNT; activity++)
            subtract_count(&row->activities[activity], &old->activities[activity]);
        subtract_traffic(&row->traffic, &old->traffic);
    }
}

void profile_view_since(struct profile_view *view, const struct profile_view *before)
{
    struct daytona_profile_table *table = &view->table;
    if (before->table.rounds != table->rounds)
        return;
    for (size_t i = 0; i < PLACES_OF(&before->table); i++)
        subtract_count(&table->places[i].count, &before->table.places[i].count);
    subtract_traffic(&table->traffic, &before->table.traffic);
    table->disturbed -= before->table.disturbed;
    table->on_ns -= before->table.on_ns;
    table->program_ns -= before->table.program_ns;
    subtract_rows(view, before);
}

struct profile_sum profile_view_sum(const struct profile_view *view)
{
    struct profile_sum sum = {0, 0};
    for (size_t i = 1; i < PLACES_OF(&view->table); i++) {
        const struct daytona_profile_count *count = &view->table.places[i].count;
        uint64_t net = daytona_profile_net(&view->table, count);
        sum.net += net;
        sum.cost += count->cycles - net;
    }
    return sum;
}
