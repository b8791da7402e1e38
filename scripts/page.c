#include "scripts/page.h"

#include "scripts/json.h"
#include "scripts/page_column.h"
#include "scripts/seen_print.h"
#include "scripts/told.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what numbers mean */

static const char *unit_name(enum daytona_unit unit)
{
    static const char *const names[] = {
        [DAYTONA_UNIT_NONE] = "",
        [DAYTONA_UNIT_COUNT] = "count",
        [DAYTONA_UNIT_BYTES] = "bytes",
        [DAYTONA_UNIT_SEQUENCE] = "sequence",
        [DAYTONA_UNIT_MICROSECONDS] = "microseconds",
        [DAYTONA_UNIT_NANOSECONDS] = "nanoseconds",
        [DAYTONA_UNIT_SIGNED] = "signed",
        [DAYTONA_UNIT_CODE] = "",
        [DAYTONA_UNIT_STATE] = "state",
        [DAYTONA_UNIT_VERDICT] = "verdict",
        [DAYTONA_UNIT_LIMIT] = "limit",
        [DAYTONA_UNIT_FLAGS] = "flags",
        [DAYTONA_UNIT_ICMP] = "icmp",
        [DAYTONA_UNIT_IPV4] = "address",
    };
    return names[unit];
}

static void add_kinds(FILE *out)
{
    fputs(",\n\"kinds\": [", out);
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++) {
        const struct daytona_event_kind *kind = daytona_event_kind((enum daytona_event_type)type);
        bool first = true;
        fputs(type == 0 ? "\n{" : ",\n{", out);
        json_text(out, &first, "name", kind->name);
        json_text(out, &first, "description", kind->description);
        json_text(out, &first, "source", kind->source);
        fputs(", \"fields\": [", out);
        for (unsigned i = 0; i < 4; i++) {
            fputs(i == 0 ? "[" : ", [", out);
            json_string(out, kind->fields[i].name);
            fputs(", ", out);
            json_string(out, unit_name(kind->fields[i].unit));
            putc(']', out);
        }
        fputs("]}", out);
    }
    putc(']', out);
}

typedef const char *namer(unsigned number);

static const char *name_limit(unsigned number)
{
    return daytona_limit_name((enum daytona_limit)number);
}

static const char *name_state(unsigned number)
{
    return number == 0 ? "" : daytona_tcp_state_name((enum daytona_tcp_state)number);
}

static const char *name_verdict(unsigned number)
{
    return daytona_verdict_name((enum daytona_verdict)number);
}

static const char *name_cause(unsigned number)
{
    return cause_word((enum cause)number);
}

static const char *describe_cause(unsigned number)
{
    return cause_description((enum cause)number);
}

static void add_names(FILE *out, const char *name, namer *of, unsigned count)
{
    fprintf(out, ",\n\"%s\": [", name);
    for (unsigned i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        json_string(out, of(i));
    }
    putc(']', out);
}

static void add_words(FILE *out, const struct series *series)
{
    fputs(",\n\"words\": [\"\"", out);
    for (unsigned i = 1; i < series->word_count; i++) {
        fputs(", ", out);
        json_string(out, series->words[i]);
    }
    putc(']', out);
}

/* ------------------------------------------------------------------ connections and requests */

static void add_connection(FILE *out, const struct series *series,
                           const struct series_connection *connection)
{
    const struct daytona_ring_event *who = &connection->first;
    char end[SEEN_END_BYTES];
    bool first = true;
    bool nobody = who->socket_generation == 0;
    json_text(out, &first, "local",
              nobody || who->local_port == 0 ? "" : seen_end(who->local, who->local_port, end));
    json_text(out, &first, "remote",
              nobody || who->remote_port == 0 ? "" : seen_end(who->remote, who->remote_port, end));
    json_text(out, &first, "role", connection->server ? "server" : "client");
    json_text(out, &first, "state", name_state(connection->last.state));
    json_number(out, &first, "begin", (who->at_ns - series->first_ns) / 1000);
    json_number(out, &first, "end", (connection->last.at_ns - series->first_ns) / 1000);
    json_number(out, &first, "bytes_out", connection->bytes_out);
    json_number(out, &first, "bytes_in", connection->bytes_in);
    json_number(out, &first, "segments_out", connection->segments_out);
    json_number(out, &first, "segments_in", connection->segments_in);
    json_number(out, &first, "retransmissions", connection->retransmissions);
    json_number(out, &first, "lost", connection->losses);
    json_number(out, &first, "timeouts", connection->timeouts);
    json_number(out, &first, "rtt_min_us", connection->rtt_min_us);
}

static void add_connections(FILE *out, const struct series *series)
{
    fputs(",\n\"connections\": [", out);
    for (size_t i = 0; i < series->count; i++) {
        fputs(i == 0 ? "\n{" : ",\n{", out);
        add_connection(out, series, &series->connections[i]);
        putc('}', out);
    }
    putc(']', out);
}

static int add_requests(FILE *out, const struct page *page)
{
    const struct series *series = page->series;
    size_t count;
    struct told *list = told_list(page->blame, true, &count);
    if (list == NULL)
        return -ENOMEM;
    fprintf(out, ",\n\"request_count\": %zu,\n\"requests\": [", count);
    for (size_t i = 0; i < count && i < page->requests_max; i++) {
        const struct daytona_ring_event *who = &list[i].request->first;
        size_t which = series_find(series, who->socket_index, who->socket_generation);
        bool first = true;
        fputs(i == 0 ? "\n{" : ",\n{", out);
        json_number(out, &first, "connection", which);
        told_json(out, &first, list[i].request, series->first_ns);
        putc('}', out);
    }
    putc(']', out);
    free(list);
    return 0;
}

/* ------------------------------------------------------------------ tables */

static void add_table(FILE *out, const struct series *series, enum series_table table,
                      const size_t *starts)
{
    fprintf(out, "%s\n\"%s\": {\"columns\": {", table == 0 ? "" : ",", series_name(table));
    for (unsigned i = 0; i < series_columns(table); i++)
        fprintf(out, "%s\"%s\": \"%s\"", i == 0 ? "" : ", ", series_column(table, i),
                column_form(series, table, i));
    fputs("}, \"starts\": [", out);
    for (size_t i = 0; i <= series->count; i++)
        fprintf(out, "%s%zu", i == 0 ? "" : ",", starts[i]);
    fputs("]}", out);
}

static int add_tables(FILE *out, struct series *series)
{
    size_t *starts = calloc(series->count + 1, sizeof *starts);
    int status = starts == NULL ? -ENOMEM : 0;
    fputs(",\n\"tables\": {", out);
    for (unsigned table = 0; table < SERIES_COUNT && status == 0; table++) {
        if (series_sort(series, (enum series_table)table, starts))
            add_table(out, series, (enum series_table)table, starts);
        else
            status = -ENOMEM;
    }
    putc('}', out);
    free(starts);
    return status;
}

/* ------------------------------------------------------------------ all of it */

int page_json(FILE *out, const struct page *page)
{
    struct series *series = page->series;
    bool first = true;
    char began[32];
    uint64_t began_ns = series->events == 0 ? 0 : seen_realtime_ns(page->about, series->first_ns);
    snprintf(began, sizeof began, "%" PRIu64, began_ns / 1000000);
    putc('{', out);
    json_text(out, &first, "program", page->about->program);
    json_number(out, &first, "pid", page->about->pid);
    json_word(out, &first, "began_ms", began);
    json_number(out, &first, "duration", (series->last_ns - series->first_ns) / 1000);
    json_number(out, &first, "events", series->events);
    json_number(out, &first, "missed", series->missed);
    json_word(out, &first, "segments", series->segments ? "true" : "false");
    add_kinds(out);
    add_names(out, "limits", name_limit, DAYTONA_LIMITED_BY_COUNT);
    add_names(out, "states", name_state, DAYTONA_TCP_CLOSING + 1);
    add_names(out, "verdicts", name_verdict, DAYTONA_VERDICT_COUNT);
    add_names(out, "causes", name_cause, CAUSE_COUNT);
    add_names(out, "cause_texts", describe_cause, CAUSE_COUNT);
    add_words(out, series);
    add_connections(out, series);
    int status = add_requests(out, page);
    if (status == 0)
        status = add_tables(out, series);
    if (page->profile != NULL)
        fprintf(out, ",\n\"profile\": %s", page->profile);
    fputs("}\n", out);
    return status;
}

/* In a page "</script" would end the element, whatever stands around it. */
static void escape(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '<')
            fputs("\\u003c", out);
        else
            putc(text[i], out);
}

int page_write(FILE *out, const struct page *page)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    int status = memory == NULL ? -ENOMEM : page_json(memory, page);
    if (memory != NULL && fclose(memory) != 0)
        status = -ENOMEM;
    if (status == 0) {
        fputs("<script type=\"application/json\" id=\"trace\">\n", out);
        escape(out, text, length);
        fputs("</script>\n", out);
        for (unsigned table = 0; table < SERIES_COUNT; table++)
            for (unsigned i = 0; i < series_columns((enum series_table)table); i++)
                column_write(out, page->series, (enum series_table)table, i);
    }
    free(text);
    return status;
}
