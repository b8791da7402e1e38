/*
 * daytona-report: a recorded trace as one page for a browser, with everything in it.
 */
#include "scripts/option.h"
#include "scripts/page.h"
#include "scripts/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: daytona report [OPTION]... TRACE\n\n"
    "Draws TRACE, which `daytona trace -o` has recorded, as a page for a browser: sequence numbers "
    "over\n"
    "time, windows, round trips, goodput, events, requests. The page needs no network.\n\n"
    "  -o FILE          where to (report.html)\n"
    "  --profile FILE   show this, too: what `daytona profile --json` has said\n"
    "  --slowest N      so many requests, the slowest (1000)\n"
    "  --json           the page's data alone: connections, requests, and what numbers mean\n\n"
    "Exit status: 0; 1 when it could not be done; 125 wrong options.\n";

/* The page before its data and behind them, which the linker takes from a file: empty in a build
 * that could not get the chart library. */
extern const char _binary_report_page_html_start[], _binary_report_page_html_end[];
static const char data_mark[] = "<!-- data -->";

struct wish {
    const char *from, *to, *profile;
    uint64_t requests_max;
    bool json;
};

static struct trace_reader reader;

/* ------------------------------------------------------------------ reading */

static bool read_trace(struct series *series, struct blame *blame)
{
    struct seen seen;
    while (trace_reader_next(&reader, &seen)) {
        if (!series_event(series, &seen))
            return false;
        blame_event(blame, &seen);
    }
    return true;
}

/* The whole of a file, to be freed; NULL when it cannot be read. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    ssize_t length = file == NULL ? -1 : getdelim(&text, &size, '\0', file);
    if (file != NULL)
        fclose(file);
    if (length > 0)
        return text;
    free(text);
    return NULL;
}

/* ------------------------------------------------------------------ writing */

static int write_page(FILE *out, const struct page *page)
{
    const char *start = _binary_report_page_html_start;
    size_t length = (uintptr_t)_binary_report_page_html_end - (uintptr_t)start;
    const char *mark = memmem(start, length, data_mark, strlen(data_mark));
    if (mark == NULL)
        return -ENOEXEC;
    const char *rest = mark + strlen(data_mark);
    fwrite(start, (size_t)(mark - start), 1, out);
    int status = page_write(out, page);
    fwrite(rest, (size_t)(start + length - rest), 1, out);
    return status;
}

/* Half a page is none. What was no file before stays: a device, a pipe. */
static void discard(FILE *out, const char *path)
{
    struct stat about;
    if (fstat(fileno(out), &about) == 0 && S_ISREG(about.st_mode))
        remove(path);
}

static int write_out(const struct wish *wish, const struct page *page)
{
    bool standard = strcmp(wish->to, "-") == 0 || wish->json;
    FILE *out = standard ? stdout : fopen(wish->to, "we");
    if (out == NULL)
        return -errno;
    errno = 0;
    int status = wish->json ? page_json(out, page) : write_page(out, page);
    if ((fflush(out) != 0 || ferror(out) != 0) && status == 0)
        status = errno != 0 ? -errno : -EIO;
    if (!standard && status < 0)
        discard(out, wish->to);
    if (!standard)
        fclose(out);
    return status;
}

static int report(const struct wish *wish, struct series *series, struct blame *blame)
{
    char *profile = wish->profile == NULL ? NULL : read_text(wish->profile);
    if (wish->profile != NULL && profile == NULL) {
        say("report: %s cannot be read", wish->profile);
        return 1;
    }
    const struct page page = {.series = series,
                              .blame = blame,
                              .about = &reader.about,
                              .requests_max = wish->requests_max,
                              .profile = profile};
    int status = write_out(wish, &page);
    free(profile);
    if (status == -ENOEXEC)
        say("report: this was built without the chart library, uPlot; `make tools` with a network "
            "fetches it");
    else if (status < 0)
        say("report: %s: %s", wish->to, strerror(-status));
    else if (!wish->json && strcmp(wish->to, "-") != 0)
        say("report: %zu connections in %s", series->count, wish->to);
    return status < 0;
}

static int run(const struct wish *wish)
{
    struct series *series = series_begin();
    struct blame *blame = blame_begin();
    int status = trace_reader_open(&reader, wish->from);
    if (status < 0) {
        say("report: %s: %s", wish->from,
            status == -EINVAL ? "this is no trace" : strerror(-status));
        return 1;
    }
    if (series == NULL || blame == NULL || !read_trace(series, blame)) {
        say("report: %s", strerror(ENOMEM));
        return 1;
    }
    if (!series->segments)
        say("report: no segments were recorded; record all events for a whole picture");
    status = report(wish, series, blame);
    blame_end(blame);
    series_end(series);
    trace_reader_close(&reader);
    return status;
}

static bool take_argument(struct wish *wish, char **arguments, int *index)
{
    const char *value;
    if (strcmp(arguments[*index], "--json") == 0)
        return wish->json = true;
    if ((value = option_value("-o", arguments, index)) != NULL)
        return (wish->to = value) != NULL;
    if ((value = option_value("--profile", arguments, index)) != NULL)
        return (wish->profile = value) != NULL;
    if ((value = option_value("--slowest", arguments, index)) != NULL)
        return (wish->requests_max = strtoull(value, NULL, 10)) > 0;
    if (wish->from != NULL || (arguments[*index][0] == '-' && arguments[*index][1] != '\0'))
        return false;
    wish->from = arguments[*index];
    return true;
}

int main(int count, char **arguments)
{
    struct wish wish = {.to = "report.html", .requests_max = 1000};
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (!take_argument(&wish, arguments, &i)) {
            say("report: %s is not understood; `daytona report --help` tells all", argument);
            return EXIT_REFUSED;
        }
    }
    if (wish.from == NULL) {
        fputs(usage, stderr);
        return EXIT_REFUSED;
    }
    return run(&wish);
}
