/*
 * daytona-plot: a picture of one connection of a recorded trace for a paper, drawn by gnuplot.
 */
#include "scripts/option.h"
#include "scripts/plot_script.h"
#include "scripts/say.h"
#include "scripts/trace_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: daytona plot [OPTION]... TRACE\n\n"
    "Draws one connection of TRACE, which `daytona trace -o` has recorded: a picture for a "
    "paper.\n\n"
    "  --what WHAT      cwnd (with ssthresh and what is in flight), sequence, rtt or goodput\n"
    "  -o FILE          where to, .svg or .png (WHAT.svg)\n"
    "  --port PORT      of the connections with this port at either end; without it of all: the "
    "one\n"
    "                   that moved the most\n"
    "  --from S, --to S only these seconds since the trace began\n"
    "  --size WxH       in pixels (900x500)\n"
    "  --json           its numbers, in JSON on standard output, instead of a picture\n"
    "  --keep           leaves gnuplot's files beside the picture: FILE.dat, FILE.gp\n\n"
    "Exit status: 0; 1 when it could not be done; 125 wrong options.\n";

struct wish {
    const char *from, *to;
    uint64_t port;
    bool keep, json;
    struct plot plot;
};

static struct trace_reader reader;

/* ------------------------------------------------------------------ the connection */

static uint64_t moved(const struct series_connection *connection)
{
    return connection->bytes_out + connection->bytes_in;
}

/* The one that moved the most; SIZE_MAX: there is none. */
static size_t choose(const struct series *series, uint64_t port)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < series->count; i++) {
        const struct daytona_ring_event *who = &series->connections[i].first;
        if (who->socket_generation == 0 || who->remote_port == 0 ||
            (port != 0 && who->local_port != port && who->remote_port != port))
            continue;
        if (best == SIZE_MAX || moved(&series->connections[i]) > moved(&series->connections[best]))
            best = i;
    }
    return best;
}

static bool find_rows(struct series *series, struct plot *plot)
{
    size_t *starts = calloc(series->count + 1, sizeof *starts);
    bool sorted = starts != NULL;
    for (unsigned table = 0; table < SERIES_COUNT && sorted; table++) {
        sorted = series_sort(series, (enum series_table)table, starts);
        plot->begin[table] = starts[plot->connection];
        plot->end[table] = starts[plot->connection + 1];
    }
    free(starts);
    return sorted;
}

/* ------------------------------------------------------------------ gnuplot */

static int draw(const char *script)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        execlp("gnuplot", "gnuplot", script, (char *)NULL);
        _exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -errno;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
        return -ENOENT;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static bool close_file(FILE *file)
{
    return file != NULL && fclose(file) == 0;
}

static size_t write_files(const struct plot *plot, const char *script)
{
    FILE *data = fopen(plot->data, "we"), *commands = fopen(script, "we");
    size_t rows = 0;
    if (data != NULL && commands != NULL) {
        rows = plot_data(data, plot);
        plot_script(commands, plot);
    }
    bool written = close_file(data);
    if (!close_file(commands) || !written) {
        say("plot: beside %s: %s", plot->picture, strerror(errno));
        return 0;
    }
    if (rows == 0)
        say("plot: the trace has nothing of this; were all events recorded?");
    return rows;
}

static int make(const struct wish *wish)
{
    char data[PATH_MAX], script[PATH_MAX];
    struct plot plot = wish->plot;
    int status = 1;
    snprintf(data, sizeof data, "%s.dat", wish->to);
    snprintf(script, sizeof script, "%s.gp", wish->to);
    plot.data = data;
    plot.picture = wish->to;
    if (write_files(&plot, script) > 0) {
        int drawn = draw(script);
        status = drawn < 0;
        if (drawn == -ENOENT)
            say("plot: gnuplot is not installed (Debian: gnuplot-nox)");
        else if (drawn < 0)
            say("plot: gnuplot has failed");
        else
            say("plot: %s", wish->to);
    }
    if (!wish->keep) {
        remove(data);
        remove(script);
    }
    return status;
}

/* ------------------------------------------------------------------ doing it */

static bool read_trace(struct series *series)
{
    struct seen seen;
    while (trace_reader_next(&reader, &seen))
        if (!series_event(series, &seen))
            return false;
    return true;
}

static int run(struct wish *wish)
{
    struct series *series = series_begin();
    int status = trace_reader_open(&reader, wish->from);
    if (status < 0) {
        say("plot: %s: %s", wish->from, status == -EINVAL ? "this is no trace" : strerror(-status));
        return 1;
    }
    if (series == NULL || !read_trace(series)) {
        say("plot: %s", strerror(ENOMEM));
        return 1;
    }
    wish->plot.series = series;
    wish->plot.connection = choose(series, wish->port);
    if (wish->plot.connection == SIZE_MAX)
        say("plot: there is no such connection in %s", wish->from);
    status = wish->plot.connection == SIZE_MAX || !find_rows(series, &wish->plot) ||
             (wish->json ? plot_json(stdout, &wish->plot) < 0 : make(wish));
    series_end(series);
    trace_reader_close(&reader);
    return status;
}

/* The kind of picture that a file's name says; NULL: none that is known. */
static const char *terminal_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot != NULL && strcmp(dot, ".svg") == 0)
        return "svg";
    return dot != NULL && strcmp(dot, ".png") == 0 ? "png" : NULL;
}

static bool take_size(struct plot *plot, const char *value)
{
    char *end;
    unsigned long width = strtoul(value, &end, 10);
    unsigned long height = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
    plot->width = (unsigned)width;
    plot->height = (unsigned)height;
    return *end == '\0' && width >= 100 && height >= 100 && width <= 20000 && height <= 20000;
}

static bool take_argument(struct wish *wish, char **arguments, int *index)
{
    struct plot *plot = &wish->plot;
    const char *value;
    if (strcmp(arguments[*index], "--keep") == 0)
        return wish->keep = true;
    if (strcmp(arguments[*index], "--json") == 0)
        return wish->json = true;
    if ((value = option_value("--what", arguments, index)) != NULL)
        return (plot->what = plot_of_name(value)) != PLOT_COUNT;
    if ((value = option_value("-o", arguments, index)) != NULL)
        return (wish->to = value) != NULL && terminal_of(value) != NULL;
    if ((value = option_value("--port", arguments, index)) != NULL)
        return (wish->port = strtoull(value, NULL, 10)) > 0;
    if ((value = option_value("--from", arguments, index)) != NULL)
        return (plot->from = strtod(value, NULL)) >= 0;
    if ((value = option_value("--to", arguments, index)) != NULL)
        return (plot->to = strtod(value, NULL)) > 0;
    if ((value = option_value("--size", arguments, index)) != NULL)
        return take_size(plot, value);
    if (wish->from != NULL || (arguments[*index][0] == '-' && arguments[*index][1] != '\0'))
        return false;
    wish->from = arguments[*index];
    return true;
}

int main(int count, char **arguments)
{
    static char standard[32];
    struct wish wish = {.plot = {.width = 900, .height = 500}};
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (!take_argument(&wish, arguments, &i)) {
            say("plot: %s is not understood; `daytona plot --help` tells all", argument);
            return EXIT_REFUSED;
        }
    }
    if (wish.from == NULL) {
        fputs(usage, stderr);
        return EXIT_REFUSED;
    }
    snprintf(standard, sizeof standard, "%s.svg", plot_name(wish.plot.what));
    wish.to = wish.to == NULL ? standard : wish.to;
    wish.plot.terminal = terminal_of(wish.to);
    return run(&wish);
}
