#include "scripts/plot_script.h"

#include "scripts/seen_print.h"

#include <inttypes.h>
#include <string.h>

enum { BINS = 200 };

static const struct kind {
    const char *name, *title, *axis;
} kinds[] = {
    [PLOT_CWND] = {"cwnd", "Congestion window", "kB"},
    [PLOT_SEQUENCE] = {"sequence", "Sequence numbers", "kB"},
    [PLOT_RTT] = {"rtt", "Round trip time", "ms"},
    [PLOT_GOODPUT] = {"goodput", "Goodput", "Mbit/s"},
};

const char *plot_name(enum plot_what what)
{
    return kinds[what].name;
}

enum plot_what plot_of_name(const char *name)
{
    enum plot_what what = PLOT_CWND;
    while (what < PLOT_COUNT && strcmp(kinds[what].name, name) != 0)
        what = (enum plot_what)(what + 1);
    return what;
}

/* The direction that moved more. */
static bool is_sender(const struct plot *plot)
{
    const struct series_connection *connection = &plot->series->connections[plot->connection];
    return connection->bytes_out >= connection->bytes_in;
}

static int64_t cell(const struct plot *plot, enum series_table table, size_t row, unsigned column)
{
    return series_cell(plot->series, table, row, column);
}

static double at_s(const struct plot *plot, enum series_table table, size_t row)
{
    return (double)cell(plot, table, row, 0) / 1e6;
}

static size_t rows_of(const struct plot *plot, enum series_table table)
{
    return plot->end[table] - plot->begin[table];
}

/* A number in thousands, or that there is none. */
static void put_thousands(FILE *out, int64_t value, bool none)
{
    if (none)
        fputs(" NaN", out);
    else
        fprintf(out, " %.3f", (double)value / 1e3);
}

/* ------------------------------------------------------------------ numbers */

/* Every table has its columns behind the time; 0 or `none` stands for a value that is not known. */
static size_t put_block(FILE *out, const struct plot *plot, enum series_table table, int64_t none)
{
    fprintf(out, "# %s: seconds", series_name(table));
    for (unsigned i = 1; i < series_columns(table); i++)
        fprintf(out, ", %s", series_column(table, i));
    fprintf(out, " (thousands)\n");
    for (size_t row = plot->begin[table]; row < plot->end[table]; row++) {
        fprintf(out, "%.6f", at_s(plot, table, row));
        for (unsigned i = 1; i < series_columns(table); i++)
            put_thousands(out, cell(plot, table, row, i), cell(plot, table, row, i) == none);
        putc('\n', out);
    }
    fputs("\n\n", out);
    return rows_of(plot, table);
}

/* Segments: what was new, or what was sent again or came again. */
static size_t put_segments(FILE *out, const struct plot *plot, enum series_table table, bool again)
{
    size_t count = 0;
    fprintf(out, "# %s: seconds, first, last byte (thousands)\n", again ? "again" : "new");
    for (size_t row = plot->begin[table]; row < plot->end[table]; row++) {
        int64_t start = cell(plot, table, row, 1), kind = cell(plot, table, row, 3);
        if ((kind != SERIES_FIRST && kind != SERIES_BEYOND) != again)
            continue;
        fprintf(out, "%.6f", at_s(plot, table, row));
        put_thousands(out, start, false);
        put_thousands(out, start + cell(plot, table, row, 2), false);
        putc('\n', out);
        count++;
    }
    fputs("\n\n", out);
    return count;
}

/* Bits per second in bins of the same length: what was acknowledged in each. */
static size_t put_goodput(FILE *out, const struct plot *plot)
{
    enum series_table table = is_sender(plot) ? SERIES_ACKED : SERIES_ACKING;
    if (rows_of(plot, table) < 2)
        return 0;
    double from = at_s(plot, table, plot->begin[table]);
    double to = at_s(plot, table, plot->end[table] - 1), step = (to - from) / BINS;
    double round_trip = plot->series->connections[plot->connection].rtt_min_us / 1e6;
    size_t row = plot->begin[table];
    int64_t before = cell(plot, table, row, 1);
    /* Acknowledgments come in bursts, one a round trip. */
    step = step < 2 * round_trip ? 2 * round_trip : step;
    fputs("# goodput: seconds, Mbit/s\n", out);
    for (unsigned bin = 0; step > 0 && from + step * bin < to; bin++) {
        int64_t until = before;
        for (; row < plot->end[table] && at_s(plot, table, row) <= from + step * (bin + 1); row++)
            until = cell(plot, table, row, 1) > until ? cell(plot, table, row, 1) : until;
        fprintf(out, "%.6f %.6f\n", from + step * bin, (double)(until - before) * 8e-6 / step);
        before = until;
    }
    return rows_of(plot, table);
}

static size_t put_sequence(FILE *out, const struct plot *plot)
{
    bool sender = is_sender(plot);
    enum series_table segments = sender ? SERIES_SENT : SERIES_RECEIVED;
    size_t count = put_segments(out, plot, segments, false);
    put_block(out, plot, sender ? SERIES_ACKED : SERIES_ACKING, 0);
    put_block(out, plot, sender ? SERIES_SACKED : SERIES_SACKING, -1);
    put_segments(out, plot, segments, true);
    return count;
}

size_t plot_data(FILE *out, const struct plot *plot)
{
    switch (plot->what) {
    case PLOT_CWND:
        return put_block(out, plot, SERIES_WINDOW, UINT32_MAX);
    case PLOT_SEQUENCE:
        return put_sequence(out, plot);
    case PLOT_RTT:
        return put_block(out, plot, SERIES_RTT, 0);
    case PLOT_GOODPUT:
        return put_goodput(out, plot);
    case PLOT_COUNT:
        break;
    }
    return 0;
}

/* ------------------------------------------------------------------ the script */

/* gnuplot doubles an apostrophe in a string. */
static void put_string(FILE *out, const char *text)
{
    putc('\'', out);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            putc('\'', out);
        putc(*text, out);
    }
    putc('\'', out);
}

static void put_terminal(FILE *out, const struct plot *plot)
{
    bool svg = strcmp(plot->terminal, "svg") == 0;
    fprintf(out, "set terminal %s size %u,%u font 'sans,%u'%s\nset output ",
            svg ? "svg dynamic" : "pngcairo", plot->width, plot->height, svg ? 14u : 12u,
            svg ? " background '#ffffff'" : "");
    put_string(out, plot->picture);
    putc('\n', out);
}

static void put_title(FILE *out, const struct plot *plot)
{
    const struct daytona_ring_event *who = &plot->series->connections[plot->connection].first;
    char local[SEEN_END_BYTES], remote[SEEN_END_BYTES], title[3 * SEEN_END_BYTES];
    snprintf(title, sizeof title, "%s, %s - %s", kinds[plot->what].title,
             seen_end(who->local, who->local_port, local),
             seen_end(who->remote, who->remote_port, remote));
    fputs("set title ", out);
    put_string(out, title);
    fputs(" noenhanced\n", out);
}

/* The end of a receive window may be far away: it is shown as long as it flattens nothing. */
static void put_sequence_range(FILE *out, const struct plot *plot)
{
    enum series_table table = is_sender(plot) ? SERIES_SENT : SERIES_RECEIVED;
    int64_t least = INT64_MAX, most = 0;
    for (size_t row = plot->begin[table]; row < plot->end[table]; row++) {
        int64_t start = cell(plot, table, row, 1), end = start + cell(plot, table, row, 2);
        double at = at_s(plot, table, row);
        if (plot->to > plot->from && (at < plot->from || at > plot->to))
            continue;
        least = start < least ? start : least;
        most = end > most ? end : most;
    }
    double span = (double)(most - least) / 1e3;
    if (least < most)
        fprintf(out, "set yrange [%.3f:%.3f]\n", (double)least / 1e3 - span * 0.05,
                (double)most / 1e3 + span * 0.25);
}

/* Colours that can be told apart without seeing red and green, and different dashes for print. */
static void put_style(FILE *out, const struct plot *plot)
{
    fprintf(out,
            "set key above center horizontal noenhanced\n"
            "set grid linetype 1 linewidth 1 linecolor rgb '#d0d5da'\n"
            "set border 3 linecolor '#505860'\n"
            "set tics nomirror\n"
            "set xlabel 'time [s]'\n"
            "set ylabel '%s'\n"
            "set style line 1 linecolor '#0072b2' linewidth 2\n"
            "set style line 2 linecolor '#d08700' linewidth 2 dashtype 2\n"
            "set style line 3 linecolor '#56b4e9' linewidth 1\n"
            "set style line 4 linecolor '#009e73' linewidth 1.5\n"
            "set style line 5 linecolor '#d55e00' linewidth 1.5 pointtype 9 pointsize 1\n"
            "set style line 6 linecolor '#cc79a7' linewidth 1.5\n"
            "set style line 7 linecolor '#d08700' linewidth 1\n",
            kinds[plot->what].axis);
    if (plot->to > plot->from)
        fprintf(out, "set xrange [%.6f:%.6f]\n", plot->from, plot->to);
    else
        fputs("set autoscale xfixmin\nset autoscale xfixmax\n", out);
    if (plot->what == PLOT_SEQUENCE)
        put_sequence_range(out, plot);
    else
        fputs("set yrange [0:]\n", out);
}

/* A part of the plot command: what of which block, how, and its name. */
static void put_part(FILE *out, const struct plot *plot, bool *first, unsigned block,
                     const char *using, const char *style, const char *name)
{
    fputs(*first ? "plot " : ", \\\n     ", out);
    *first = false;
    put_string(out, plot->data);
    fprintf(out, " index %u using %s with %s title '%s'", block, using, style, name);
}

/* A block without rows has no index: later ones move up. */
static unsigned next_block(unsigned *block, size_t rows)
{
    return rows == 0 ? UINT32_MAX : (*block)++;
}

static void put_sequence_parts(FILE *out, const struct plot *plot, bool *first)
{
    bool sender = is_sender(plot), again = false;
    enum series_table segments = sender ? SERIES_SENT : SERIES_RECEIVED;
    for (size_t row = plot->begin[segments]; row < plot->end[segments]; row++)
        again = again || (cell(plot, segments, row, 3) != SERIES_FIRST &&
                          cell(plot, segments, row, 3) != SERIES_BEYOND);
    unsigned block = 0;
    unsigned fresh = next_block(&block, 1);
    unsigned acks = next_block(&block, rows_of(plot, sender ? SERIES_ACKED : SERIES_ACKING));
    unsigned sacks = next_block(&block, rows_of(plot, sender ? SERIES_SACKED : SERIES_SACKING));
    unsigned repeats = next_block(&block, again);
    if (sacks != UINT32_MAX)
        put_part(out, plot, first, sacks, "1:2:(0):($3-$2)", "vectors nohead linestyle 6", "SACK");
    put_part(out, plot, first, fresh, "1:2:(0):($3-$2)", "vectors nohead linestyle 1",
             sender ? "sent" : "received");
    if (acks != UINT32_MAX)
        put_part(out, plot, first, acks, "1:2", "steps linestyle 4", "acknowledged");
    if (acks != UINT32_MAX)
        put_part(out, plot, first, acks, "1:3", "steps linestyle 7",
                 sender ? "receive window" : "our window");
    if (repeats != UINT32_MAX)
        put_part(out, plot, first, repeats, "1:2", "points linestyle 5",
                 sender ? "sent again" : "late");
}

void plot_script(FILE *out, const struct plot *plot)
{
    bool first = true;
    put_terminal(out, plot);
    put_title(out, plot);
    put_style(out, plot);
    switch (plot->what) {
    case PLOT_CWND:
        put_part(out, plot, &first, 0, "1:4", "steps linestyle 3", "in flight");
        put_part(out, plot, &first, 0, "1:3", "steps linestyle 2", "ssthresh");
        put_part(out, plot, &first, 0, "1:2", "steps linestyle 1", "cwnd");
        break;
    case PLOT_SEQUENCE:
        put_sequence_parts(out, plot, &first);
        break;
    case PLOT_RTT:
        put_part(out, plot, &first, 0, "1:2",
                 "points pointtype 7 pointsize 0.3 linecolor '#56b4e9'", "sample");
        put_part(out, plot, &first, 0, "1:3", "steps linestyle 1", "smoothed");
        put_part(out, plot, &first, 0, "1:4", "steps linewidth 2 linecolor '#d08700'", "RTO");
        break;
    case PLOT_GOODPUT:
        put_part(out, plot, &first, 0, "1:2", "steps linestyle 1", "goodput");
        break;
    case PLOT_COUNT:
        break;
    }
    putc('\n', out);
}
