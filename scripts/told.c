#include "scripts/told.h"

#include "scripts/json.h"
#include "scripts/seen_print.h"

#include <inttypes.h>
#include <stdlib.h>

static void add_ms(FILE *out, bool *first, const char *name, uint64_t ns)
{
    char room[32];
    snprintf(room, sizeof room, "%" PRIu64 ".%06" PRIu64, ns / 1000000, ns % 1000000);
    json_word(out, first, name, room);
}

static void add_causes(FILE *out, const struct request_told *request)
{
    bool first = true;
    fputs(", \"charged_ms\": {", out);
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
        add_ms(out, &first, cause_word((enum cause)cause), request->charged[cause]);
    putc('}', out);
}

void told_json(FILE *out, bool *first, const struct request_told *request, uint64_t begin_ns)
{
    const struct daytona_ring_event *who = &request->first;
    char end[SEEN_END_BYTES];
    json_text(out, first, "local", seen_end(who->local, who->local_port, end));
    json_text(out, first, "remote", seen_end(who->remote, who->remote_port, end));
    json_text(out, first, "role", request->server ? "server" : "client");
    json_number(out, first, "request", request->number);
    add_ms(out, first, "begin_ms", request->begin_ns - begin_ns);
    add_ms(out, first, "took_ms", request->end_ns - request->begin_ns);
    json_text(out, first, "blame", cause_word(request_blame(request)));
    json_number(out, first, "first_call", request->first_call);
    json_number(out, first, "last_call", request->last_call);
    json_number(out, first, "sends", request->sends);
    json_number(out, first, "receives", request->receives);
    json_number(out, first, "bytes_sent", request->bytes_sent);
    json_number(out, first, "bytes_received", request->bytes_received);
    json_number(out, first, "segments_out", request->segments_out);
    json_number(out, first, "segments_in", request->segments_in);
    json_number(out, first, "retransmissions", request->retransmissions);
    json_number(out, first, "lost", request->losses);
    json_number(out, first, "timeouts", request->timeouts);
    if (request->longest_ns > 0) {
        add_ms(out, first, "longest_wait_ms", request->longest_ns);
        json_text(out, first, "longest_wait_for", cause_word(request->longest_cause));
        json_number(out, first, "longest_wait_call", request->longest_call);
    }
    add_causes(out, request);
}

/* ------------------------------------------------------------------ in order */

static uint64_t took_ns(const struct request_told *request)
{
    return request->end_ns - request->begin_ns;
}

static int slower(const void *a, const void *b)
{
    const struct told *first = a, *second = b;
    uint64_t one = took_ns(first->request), other = took_ns(second->request);
    return one < other ? 1 : one > other ? -1 : 0;
}

struct told *told_list(const struct blame *blame, bool slowest_first, size_t *count)
{
    *count = 0;
    while (blame_request(blame, *count) != NULL)
        ++*count;
    struct told *list = calloc(*count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < *count; i++)
        list[i].request = blame_request(blame, i);
    if (list != NULL && slowest_first)
        qsort(list, *count, sizeof *list, slower);
    return list;
}
