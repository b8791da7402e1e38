/*
 * daytona-explain: of each request in a recorded trace, where its time went and who was to blame.
 */
#include "scripts/blame.h"
#include "scripts/option.h"
#include "scripts/say.h"
#include "scripts/seen_print.h"
#include "scripts/told.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: daytona explain [OPTION]... TRACE\n\n"
                            "Of each request in TRACE, which `daytona trace -o` has recorded: how "
                            "long it took, where the time\n"
                            "went, and who was to blame. A request is what the end that opened a "
                            "connection says, and what the\n"
                            "other one answers.\n\n"
                            "  --slowest N      only the N slowest (10), slowest first\n"
                            "  --all            all, in their order\n"
                            "  --json           an array of objects\n"
                            "  --causes         lists what can be to blame\n\n"
                            "Exit status: 0; 1 when it could not be done; 125 wrong options.\n";

enum { SHOWN_CAUSES = 3 };

struct wish {
    const char *from;
    size_t most;
    bool all, json;
};

static struct trace_reader reader;

/* ------------------------------------------------------------------ in order */

static uint64_t took_ns(const struct request_told *request)
{
    return request->end_ns - request->begin_ns;
}

/* The causes of a request, the longest first. */
static void order_causes(const struct request_told *request, enum cause *order)
{
    for (unsigned i = 0; i < CAUSE_COUNT; i++) {
        unsigned at = i;
        for (; at > 0 && request->charged[order[at - 1]] < request->charged[i]; at--)
            order[at] = order[at - 1];
        order[at] = (enum cause)i;
    }
}

/* ------------------------------------------------------------------ text */

static const char *amount(uint64_t bytes, char *room, size_t size)
{
    if (bytes >= 1000000)
        snprintf(room, size, "%.1f MB", (double)bytes / 1e6);
    else if (bytes >= 10000)
        snprintf(room, size, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(room, size, "%" PRIu64 " bytes", bytes);
    return room;
}

static void print_causes(const struct request_told *request)
{
    enum cause order[CAUSE_COUNT] = {0};
    uint64_t total = 0;
    order_causes(request, order);
    for (unsigned i = 0; i < CAUSE_COUNT; i++)
        total += request->charged[i];
    for (unsigned i = 0; i < SHOWN_CAUSES; i++) {
        uint64_t ns = request->charged[order[i]];
        if (ns == 0 || ns * 100 < total)
            break;
        printf("%s%s %.1f ms", i == 0 ? "" : ", ", cause_word(order[i]), (double)ns / 1e6);
    }
    putchar('\n');
}

static void print_details(const struct request_told *request, uint64_t begin_ns)
{
    char sent[32], received[32];
    printf("      at +%.6f s", (double)(request->begin_ns - begin_ns) / 1e9);
    if (request->first_call != 0)
        printf(", calls %u to %u: %u sent, %u received", request->first_call, request->last_call,
               request->sends, request->receives);
    printf("; %s out in %u segments, %s in in %u", amount(request->bytes_sent, sent, sizeof sent),
           request->segments_out, amount(request->bytes_received, received, sizeof received),
           request->segments_in);
    if (request->retransmissions + request->losses + request->timeouts > 0)
        printf("; %u sent again, %u found lost, %u timeouts", request->retransmissions,
               request->losses, request->timeouts);
    if (request->longest_ns > 0)
        printf("; longest wait %.1f ms (%s) until +%.6f s, in call %u",
               (double)request->longest_ns / 1e6, cause_word(request->longest_cause),
               (double)(request->longest_at_ns - begin_ns) / 1e9, request->longest_call);
    putchar('\n');
}

static void print_request(const struct request_told *request, uint64_t begin_ns)
{
    const struct daytona_ring_event *who = &request->first;
    char local[SEEN_END_BYTES], remote[SEEN_END_BYTES], name[2 * SEEN_END_BYTES + 16];
    snprintf(name, sizeof name, "%s %s %s #%u", seen_end(who->local, who->local_port, local),
             request->server ? "<-" : "->", seen_end(who->remote, who->remote_port, remote),
             request->number);
    printf("%-50s %10.1f ms  %-17s  ", name, (double)took_ns(request) / 1e6,
           cause_word(request_blame(request)));
    print_causes(request);
    print_details(request, begin_ns);
}

/* ------------------------------------------------------------------ doing it */

static void show(const struct wish *wish, const struct told *list, size_t count, uint64_t begin_ns)
{
    size_t shown = wish->all || count < wish->most ? count : wish->most;
    if (!wish->json)
        printf("%s[%u]: %zu requests%s\n\n", reader.about.program, reader.about.pid, count,
               shown < count ? "; the slowest:" : "");
    for (size_t i = 0; i < shown; i++) {
        if (!wish->json) {
            print_request(list[i].request, begin_ns);
            continue;
        }
        bool first = true;
        fputs(i == 0 ? "[\n{" : ",\n{", stdout);
        told_json(stdout, &first, list[i].request, begin_ns);
        putchar('}');
    }
    if (wish->json)
        fputs(shown == 0 ? "[]\n" : "\n]\n", stdout);
}

static int explain(const struct wish *wish, const struct blame *blame, uint64_t begin_ns)
{
    size_t count;
    struct told *list = told_list(blame, !wish->all, &count);
    if (list == NULL)
        return 1;
    show(wish, list, count, begin_ns);
    free(list);
    return 0;
}

static int run(const struct wish *wish)
{
    struct seen seen;
    uint64_t begin_ns = 0;
    bool segments = false;
    int status = trace_reader_open(&reader, wish->from);
    if (status < 0) {
        say("explain: %s: %s", wish->from,
            status == -EINVAL ? "this is no trace" : strerror(-status));
        return 1;
    }
    struct blame *blame = blame_begin();
    while (blame != NULL && trace_reader_next(&reader, &seen)) {
        begin_ns = begin_ns == 0 ? seen.event.at_ns : begin_ns;
        segments = segments || seen.event.header_bytes > 0;
        blame_event(blame, &seen);
    }
    if (blame == NULL)
        return 1;
    if (blame_missed(blame) > 0)
        say("explain: %" PRIu64 " events are missing; what they tell is missing, too",
            blame_missed(blame));
    if (!segments)
        say("explain: no segments were recorded; record all events for this");
    status = explain(wish, blame, begin_ns);
    blame_end(blame);
    trace_reader_close(&reader);
    return status;
}

static bool take_argument(struct wish *wish, char **arguments, int *index)
{
    const char *value;
    if (strcmp(arguments[*index], "--json") == 0)
        return wish->json = true;
    if (strcmp(arguments[*index], "--all") == 0)
        return wish->all = true;
    if ((value = option_value("--slowest", arguments, index)) != NULL)
        return (wish->most = strtoull(value, NULL, 10)) > 0;
    if (wish->from != NULL || (arguments[*index][0] == '-' && arguments[*index][1] != '\0'))
        return false;
    wish->from = arguments[*index];
    return true;
}

int main(int count, char **arguments)
{
    struct wish wish = {.most = 10};
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argument, "--causes") == 0) {
            for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
                printf("%-18s %s\n", cause_word((enum cause)cause),
                       cause_description((enum cause)cause));
            return 0;
        }
        if (!take_argument(&wish, arguments, &i)) {
            say("explain: %s is not understood; `daytona explain --help` tells all", argument);
            return EXIT_REFUSED;
        }
    }
    if (wish.from == NULL) {
        fputs(usage, stderr);
        return EXIT_REFUSED;
    }
    return run(&wish);
}
