/* Profiles for people, as JSON and as folded stacks. */
#include "scripts/json.h"
#include "scripts/profile_view.h"
#include "scripts/show.h"

#include <inttypes.h>
#include <string.h>

/* What is shown of one activity. */
struct part {
    const struct daytona_activity_row *activity;
    uint64_t calls, cycles;
};

static void add_part(struct part *parts, const struct daytona_profile_table *table,
                     uint32_t activity, const struct daytona_profile_count *count)
{
    parts[activity].calls += count->calls;
    parts[activity].cycles += daytona_profile_net(table, count);
}

static void name_parts(struct part *parts)
{
    for (size_t i = 0; i < DAYTONA_ACTIVITY_COUNT; i++)
        parts[i] = (struct part){.activity = daytona_activity_at(i)};
}

static void parts_of_all(const struct profile_view *view, struct part *parts)
{
    name_parts(parts);
    for (uint32_t i = 1; i < view->table.place_count; i++)
        add_part(parts, &view->table, view->table.places[i].activity, &view->table.places[i].count);
}

static void parts_of_row(const struct profile_view *view, const struct daytona_profile_row *row,
                         struct part *parts)
{
    name_parts(parts);
    for (uint32_t i = 0; i < DAYTONA_ACTIVITY_COUNT; i++)
        add_part(parts, &view->table, i, &row->activities[i]);
}

static uint64_t sum_of(const struct part *parts)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < DAYTONA_ACTIVITY_COUNT; i++)
        sum += parts[i].cycles;
    return sum;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100 * (double)part / (double)whole;
}

static double each(uint64_t cycles, uint64_t count)
{
    return count == 0 ? 0 : (double)cycles / (double)count;
}

static uint64_t segments_of(const struct daytona_profile_traffic *traffic)
{
    return traffic->packets_in + traffic->segments_out;
}

static uint64_t bytes_of(const struct daytona_profile_traffic *traffic)
{
    return traffic->bytes_in + traffic->bytes_out;
}

/* ------------------------------------------------------------------ for people */

/* The largest part not yet shown; NULL: the rest is nothing. */
static struct part *largest(struct part *parts)
{
    struct part *best = NULL;
    for (size_t i = 0; i < DAYTONA_ACTIVITY_COUNT; i++)
        if (parts[i].calls > 0 && (best == NULL || parts[i].cycles > best->cycles))
            best = &parts[i];
    return best;
}

static void print_parts(struct part *parts, const struct daytona_profile_traffic *traffic,
                        FILE *out)
{
    uint64_t whole = sum_of(parts);
    struct part *part;
    fprintf(out, "  %-26s %12s %16s %7s %10s %9s\n", "activity", "calls", "cycles", "%", "/segment",
            "/byte");
    while ((part = largest(parts)) != NULL) {
        fprintf(out, "  %-26s %12" PRIu64 " %16" PRIu64 " %6.1f%% %10.0f %9.2f\n",
                part->activity->name, part->calls, part->cycles, percent(part->cycles, whole),
                each(part->cycles, segments_of(traffic)), each(part->cycles, bytes_of(traffic)));
        part->calls = 0;
    }
    fprintf(out, "  %-26s %12s %16" PRIu64 " %6.1f%% %10.0f %9.2f\n", "all", "", whole, 100.0,
            each(whole, segments_of(traffic)), each(whole, bytes_of(traffic)));
}

static void print_traffic(const struct daytona_profile_traffic *traffic, FILE *out)
{
    char in[SHOWN_MAX], sent[SHOWN_MAX];
    show_bytes(in, traffic->bytes_in);
    show_bytes(sent, traffic->bytes_out);
    fprintf(out, "%" PRIu64 " packets in (%s), %" PRIu64 " segments out (%s)\n",
            traffic->packets_in, in, traffic->segments_out, sent);
}

/* Processor time of the process is shared by the program and the profile's activities. */
static void print_time(const struct daytona_profile_table *table, const struct profile_sum *sum,
                       FILE *out)
{
    double cycles = (double)table->program_ns * (double)table->hertz / 1e9;
    double pair = (double)(table->cost_inside + table->cost_around) / 1000;
    fprintf(out, "%.3f s, %.3f s of processor time; the counter runs at %.3f GHz\n",
            (double)table->on_ns / 1e9, (double)table->program_ns / 1e9,
            (double)table->hertz / 1e9);
    fprintf(out, "subtracted as the cost of counting: %.0f cycles a time, %.1f %% in all\n", pair,
            percent(sum->cost, sum->net + sum->cost));
    if (table->disturbed > 0)
        fprintf(out, "left out, as other programs had the processor: %.3f s\n",
                (double)table->disturbed / (double)table->hertz);
    if (table->program_ns > 0)
        fprintf(out, "of the processor time, Daytona's activities %.1f %%, counting %.1f %%\n",
                100 * (double)sum->net / cycles, 100 * (double)sum->cost / cycles);
}

static void print_connection(const struct profile_view *view, const struct daytona_profile_row *row,
                             FILE *out)
{
    struct part parts[DAYTONA_ACTIVITY_COUNT];
    char local[SHOWN_MAX], remote[SHOWN_MAX];
    parts_of_row(view, row, parts);
    show_endpoint(local, &row->local);
    show_endpoint(remote, &row->remote);
    if (sum_of(parts) == 0)
        return;
    fprintf(out, "\n%s  %s: ", local, remote);
    print_traffic(&row->traffic, out);
    print_parts(parts, &row->traffic, out);
}

void profile_view_table(const struct profile_view *view, bool connections, FILE *out)
{
    const struct daytona_profile_table *table = &view->table;
    const struct profile_sum sum = profile_view_sum(view);
    struct part parts[DAYTONA_ACTIVITY_COUNT];
    parts_of_all(view, parts);
    fprintf(out, "%s,%d: ", table->program, table->pid);
    print_traffic(&table->traffic, out);
    print_time(table, &sum, out);
    print_parts(parts, &table->traffic, out);
    for (size_t i = 0; connections && i < view->row_count; i++)
        print_connection(view, &view->rows[i], out);
}

/* ------------------------------------------------------------------ for programs */

static void json_traffic(const struct daytona_profile_traffic *traffic, bool *first, FILE *out)
{
    json_number(out, first, "packets_in", traffic->packets_in);
    json_number(out, first, "segments_out", traffic->segments_out);
    json_number(out, first, "bytes_in", traffic->bytes_in);
    json_number(out, first, "bytes_out", traffic->bytes_out);
}

static void json_parts(const struct part *parts, FILE *out)
{
    fputs(", \"activities\": [", out);
    for (size_t i = 0; i < DAYTONA_ACTIVITY_COUNT; i++) {
        bool first = true;
        fputs(i == 0 ? "{" : ", {", out);
        json_text(out, &first, "activity", parts[i].activity->member);
        json_text(out, &first, "name", parts[i].activity->name);
        json_number(out, &first, "calls", parts[i].calls);
        json_number(out, &first, "cycles", parts[i].cycles);
        putc('}', out);
    }
    putc(']', out);
}

static void json_connection(const struct profile_view *view, const struct daytona_profile_row *row,
                            FILE *out)
{
    struct part parts[DAYTONA_ACTIVITY_COUNT];
    char end[SHOWN_MAX];
    bool first = true;
    parts_of_row(view, row, parts);
    putc('{', out);
    json_number(out, &first, "index", row->id.index);
    json_number(out, &first, "generation", row->id.generation);
    show_endpoint(end, &row->local);
    json_text(out, &first, "local", end);
    show_endpoint(end, &row->remote);
    json_text(out, &first, "remote", end);
    json_traffic(&row->traffic, &first, out);
    json_number(out, &first, "cycles", sum_of(parts));
    json_parts(parts, out);
    putc('}', out);
}

/* The members of activities from the outermost on, with `between` in between. */
static void print_path(const struct daytona_profile_table *table, uint32_t place, bool json,
                       FILE *out)
{
    uint32_t outer = table->places[place].outer;
    const struct daytona_activity_row *row = daytona_activity_at(table->places[place].activity);
    if (outer != 0)
        print_path(table, outer, json, out);
    if (json) {
        fputs(outer != 0 ? ", " : "", out);
        json_string(out, row->member);
    } else {
        fprintf(out, ";%s", row->name);
    }
}

static void json_places(const struct daytona_profile_table *table, FILE *out)
{
    fputs(", \"places\": [", out);
    for (uint32_t i = 1; i < table->place_count; i++) {
        const struct daytona_profile_count *count = &table->places[i].count;
        fputs(i == 1 ? "{\"stack\": [" : ", {\"stack\": [", out);
        print_path(table, i, true, out);
        fprintf(out, "], \"calls\": %" PRIu64 ", \"cycles\": %" PRIu64 "}", count->calls,
                daytona_profile_net(table, count));
    }
    putc(']', out);
}

void profile_view_json(const struct profile_view *view, bool connections, FILE *out)
{
    const struct daytona_profile_table *table = &view->table;
    const struct profile_sum sum = profile_view_sum(view);
    struct part parts[DAYTONA_ACTIVITY_COUNT];
    bool first = true;
    parts_of_all(view, parts);
    putc('{', out);
    json_number(out, &first, "pid", (uint64_t)table->pid);
    json_text(out, &first, "program", table->program);
    json_word(out, &first, "on", table->on != 0 ? "true" : "false");
    json_number(out, &first, "on_ns", table->on_ns);
    json_number(out, &first, "program_ns", table->program_ns);
    json_number(out, &first, "hertz", table->hertz);
    json_number(out, &first, "cycles", sum.net);
    json_number(out, &first, "cost_cycles", sum.cost);
    json_number(out, &first, "disturbed_cycles", table->disturbed);
    json_number(out, &first, "cost_inside_per_1000", table->cost_inside);
    json_number(out, &first, "cost_around_per_1000", table->cost_around);
    json_traffic(&table->traffic, &first, out);
    json_parts(parts, out);
    json_places(table, out);
    if (connections) {
        fputs(", \"connections\": [", out);
        for (size_t i = 0; i < view->row_count; i++) {
            fputs(i == 0 ? "" : ", ", out);
            json_connection(view, &view->rows[i], out);
        }
        putc(']', out);
    }
    putc('}', out);
}

void profile_view_folded(const struct profile_view *view, FILE *out)
{
    const struct daytona_profile_table *table = &view->table;
    for (uint32_t i = 1; i < table->place_count; i++) {
        uint64_t net = daytona_profile_net(table, &table->places[i].count);
        if (net == 0)
            continue;
        fputs(table->program, out);
        print_path(table, i, false, out);
        fprintf(out, " %" PRIu64 "\n", net);
    }
}
