/*
 * daytona-top: a live screen of all connections on Daytona, of every process of this user (root: of
 * all): rates, cwnd, the round trip lately, what was sent again. With --json, the same as lines.
 */
#include "scripts/json.h"
#include "scripts/option.h"
#include "scripts/rates.h"
#include "scripts/say.h"
#include "scripts/sift.h"
#include "scripts/top_screen.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 300

static const char usage[] =
    "usage: daytona top [OPTION]...\n\n"
    "Connections on Daytona, live, of all processes of this user (root: of all). The key h "
    "helps.\n\n"
    "  --every SECONDS         how often it looks; 1 unless told, 0.2 at least\n"
    "  --order WORD            largest first: out, in, again, rtt, cwnd; or process\n"
    "  --state STATE[,STATE]   only those: established, listen ...; `connected` is all but "
    "listen,\n"
    "                          closed and time-wait\n"
    "  --port PORT[,PORT]      only those with such a port at either end\n"
    "  --pid PID[,PID]         only those of these processes\n"
    "  --json                  no screen: a line of JSON for each look\n"
    "  --count N               that many looks\n"
    "  --lines N               in JSON, only the first N connections; 20 unless told, 0 all\n"
    "  --directory DIRECTORY   where records are (DAYTONA_RECORD, /dev/shm)\n\n"
    "Exit status: 0; 1 when there is no terminal or records cannot be looked for; 125 wrong "
    "options.\n";

struct request {
    struct sift sift;
    struct top_view view;
    const char *directory;
    bool json;
    uint64_t count, lines; /* 0: no end, all */
};

static volatile sig_atomic_t told_to_end;

static void end_told(int number)
{
    (void)number;
    told_to_end = 1;
}

/* ------------------------------------------------------------------ a look */

struct look {
    const struct request *request;
    struct rates *rates;
    struct record *record;
};

static void take_row(void *context, const struct daytona_record_row *row)
{
    struct look *look = context;
    if (sift_takes(&look->request->sift, row))
        rates_take_row(look->rates, look->record, row);
}

static void take_record(void *context, struct record *record)
{
    struct look *look = context;
    if (!record->alive)
        return;
    record_refresh(record, PATIENCE_MS); /* else as it was within the last second */
    look->record = record;
    rates_take_record(look->rates, record);
    record_rows(record, take_row, look);
}

static int take_look(const struct request *request, struct rates *rates)
{
    struct look look = {.request = request, .rates = rates};
    struct records_met met;
    rates_begin(rates);
    int visited = records_visit(request->directory, take_record, &look, &met);
    rates_end(rates);
    rates_sort(rates, request->view.order);
    return visited;
}

/* ------------------------------------------------------------------ as JSON */

static void write_number(bool *first, const char *name, double value)
{
    json_number(stdout, first, name, (uint64_t)(value + 0.5));
}

static void write_one(const struct rated *one, bool first_of_all)
{
    char end[SHOWN_MAX];
    const struct daytona_variables *now = &one->state.variables;
    bool first = true;
    fputs(first_of_all ? "{" : ", {", stdout);
    json_number(stdout, &first, "pid", one->pid);
    json_text(stdout, &first, "program", one->program);
    show_endpoint(end, &one->state.local);
    json_text(stdout, &first, "local", end);
    show_endpoint(end, &one->state.remote);
    json_text(stdout, &first, "remote", end);
    json_text(stdout, &first, "state", daytona_tcp_state_name((enum daytona_tcp_state)now->state));
    write_number(&first, "out_bytes_per_second", one->out_bps);
    write_number(&first, "in_bytes_per_second", one->in_bps);
    write_number(&first, "segments_out_per_second", one->sent_per_s);
    write_number(&first, "segments_again_per_second", one->again_per_s);
    if (now->state != DAYTONA_TCP_LISTEN) {
        json_number(stdout, &first, "cur_cwnd", now->cur_cwnd);
        json_number(stdout, &first, "pipe_size", now->pipe_size);
        json_number(stdout, &first, "smoothed_rtt", now->smoothed_rtt);
        json_text(stdout, &first, "limited_by",
                  daytona_limit_name((enum daytona_limit)now->limited_by));
    }
    putchar('}');
}

static void write_look(const struct request *request, const struct rates *rates)
{
    const struct rates_total *total = &rates->total;
    struct timespec now;
    bool first = true;
    clock_gettime(CLOCK_REALTIME, &now);
    putchar('{');
    json_number(stdout, &first, "time_ms",
                (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    json_number(stdout, &first, "programs", total->programs);
    json_number(stdout, &first, "connections", total->connections);
    json_number(stdout, &first, "established", total->established);
    json_number(stdout, &first, "listeners", total->listeners);
    write_number(&first, "out_bytes_per_second", total->out_bps);
    write_number(&first, "in_bytes_per_second", total->in_bps);
    write_number(&first, "segments_out_per_second", total->sent_per_s);
    write_number(&first, "segments_again_per_second", total->again_per_s);
    json_number(stdout, &first, "lost_by_capture", total->dropped);
    fputs(", \"list\": [", stdout);
    for (size_t i = 0; i < rates->count && (request->lines == 0 || i < request->lines); i++)
        write_one(&rates->all[i], i == 0);
    puts("]}");
    fflush(stdout);
}

/* ------------------------------------------------------------------ again and again */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until the next look is due, or a key asks for the end. */
static void wait_with_keys(struct request *request, struct rates *rates)
{
    struct top_view *view = &request->view;
    uint64_t began = now_ms();
    while (!view->quit && told_to_end == 0) {
        uint64_t gone = now_ms() - began;
        if (!view->paused && gone >= view->period_ms)
            return;
        uint64_t wait = view->paused ? 1000 : view->period_ms - gone;
        if (top_screen_key(view, rates, (unsigned)wait)) {
            rates_sort(rates, view->order);
            top_screen_follow(view, rates);
            top_screen_draw(view, rates);
        }
    }
}

static int run(struct request *request)
{
    struct rates rates = {0};
    int visited = 0;
    if (!request->json && !top_screen_open())
        return 1;
    for (uint64_t looks = 0; !request->view.quit && told_to_end == 0; looks++) {
        if (looks > 0 && looks == request->count)
            break;
        if (looks > 0 && request->json)
            poll(NULL, 0, (int)request->view.period_ms);
        if ((visited = take_look(request, &rates)) < 0)
            break;
        if (request->json) {
            write_look(request, &rates);
        } else {
            top_screen_follow(&request->view, &rates);
            top_screen_draw(&request->view, &rates);
            wait_with_keys(request, &rates);
        }
    }
    if (!request->json)
        top_screen_close();
    if (visited < 0)
        say("top: %s: %s", request->directory, strerror(-visited));
    rates_free(&rates);
    return visited < 0 ? 1 : 0;
}

/* ------------------------------------------------------------------ options */

static bool read_number(const char *option, const char *text, uint64_t *out)
{
    char *rest;
    errno = 0;
    *out = strtoull(text, &rest, 10);
    if (errno == 0 && *text >= '0' && *text <= '9' && *rest == '\0')
        return true;
    say("top: %s %s: expected a whole number", option, text);
    return false;
}

static bool read_period(struct request *request, const char *text)
{
    char *rest;
    double seconds = strtod(text, &rest);
    if (*text == '\0' || *rest != '\0' || !(seconds >= 0.2 && seconds <= 3600)) {
        say("top: --every %s: expected seconds, from 0.2 to 3600", text);
        return false;
    }
    request->view.period_ms = (unsigned)(seconds * 1000 + 0.5);
    return true;
}

static bool read_order(struct request *request, const char *text)
{
    request->view.order = rates_order_find(text);
    if (request->view.order < RATES_ORDERS)
        return true;
    say("top: --order %s: expected out, in, again, rtt, cwnd or process", text);
    return false;
}

static bool take_option(struct request *request, char **arguments, int *index)
{
    const char *value;
    if ((value = option_value("--every", arguments, index)) != NULL)
        return read_period(request, value);
    if ((value = option_value("--order", arguments, index)) != NULL)
        return read_order(request, value);
    if ((value = option_value("--state", arguments, index)) != NULL)
        return sift_states(&request->sift, value);
    if ((value = option_value("--port", arguments, index)) != NULL)
        return sift_ports(&request->sift, value);
    if ((value = option_value("--pid", arguments, index)) != NULL)
        return sift_processes(&request->sift, value);
    if ((value = option_value("--count", arguments, index)) != NULL)
        return read_number("--count", value, &request->count);
    if ((value = option_value("--lines", arguments, index)) != NULL)
        return read_number("--lines", value, &request->lines);
    if ((value = option_value("--directory", arguments, index)) != NULL)
        request->directory = value;
    else if (strcmp(arguments[*index], "--json") == 0)
        request->json = true;
    else
        return say("top: %s is no option, or lacks its value; `daytona top --help` lists them",
                   arguments[*index]),
               false;
    return true;
}

int main(int count, char **arguments)
{
    static struct request request;
    const struct sigaction end = {.sa_handler = end_told};
    (void)count;
    request = (struct request){
        .directory = records_directory(), .lines = 20, .view = {.period_ms = 1000}};
    for (int i = 1; arguments[i] != NULL; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
            return fputs(usage, stdout), 0;
        if (!take_option(&request, arguments, &i))
            return EXIT_REFUSED;
    }
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    return run(&request);
}
