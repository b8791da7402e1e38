#include "scripts/metrics.h"

#include "scripts/say.h"
#include "scripts/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 300

bool metrics_choose(struct metrics_choice *choice, const char *list)
{
    char copy[4096];
    char *rest = copy;
    *choice = (struct metrics_choice){0};
    if (strlen(list) >= sizeof copy)
        return say("export: too many variables"), false;
    memcpy(copy, list, strlen(list) + 1);
    for (char *name; (name = strsep(&rest, ",")) != NULL;) {
        int index = daytona_variable_find(name);
        if (index >= 0)
            choice->wanted[index] = true;
        else if (strcmp(name, "all") == 0)
            memset(choice->wanted, true, sizeof choice->wanted);
        else if (strcmp(name, "none") != 0)
            return say("export: there is no variable %s; `daytona stat --columns help` lists them",
                       name),
                   false;
    }
    return true;
}

/* ------------------------------------------------------------------ collecting */

/* Families are written one after the other, so all rows have to be there. */
struct collection {
    struct process {
        struct daytona_record_header header;
    } * processes;
    struct sample {
        size_t process;
        struct daytona_record_row row;
    } * samples;
    size_t process_count, process_max, sample_count, sample_max;
    bool short_of_memory;
};

static bool grow(void **array, size_t count, size_t *max, size_t bytes)
{
    if (count < *max)
        return true;
    size_t more = *max == 0 ? 16 : *max * 2;
    void *larger = realloc(*array, more * bytes);
    if (larger == NULL)
        return false;
    *array = larger;
    *max = more;
    return true;
}

static void add_row(void *context, const struct daytona_record_row *row)
{
    struct collection *all = context;
    if (!grow((void **)&all->samples, all->sample_count, &all->sample_max, sizeof *all->samples)) {
        all->short_of_memory = true;
        return;
    }
    all->samples[all->sample_count++] = (struct sample){all->process_count - 1, *row};
}

static void add_record(void *context, struct record *record)
{
    struct collection *all = context;
    if (!record->alive)
        return;
    record_refresh(record, PATIENCE_MS); /* else as it was within the last second */
    if (!grow((void **)&all->processes, all->process_count, &all->process_max,
              sizeof *all->processes)) {
        all->short_of_memory = true;
        return;
    }
    all->processes[all->process_count++] = (struct process){record->header};
    record_rows(record, add_row, all);
}

/* ------------------------------------------------------------------ writing */

/* Backslash, quotation mark and line feed are escaped in a label's value. */
static void write_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            putc('\\', out);
        if (*value == '\n')
            fputs("\\n", out);
        else
            putc(*value, out);
    }
    putc('"', out);
}

static void write_process(FILE *out, const struct daytona_record_header *header, uint32_t pid)
{
    fprintf(out, "{pid=\"%u\",", pid);
    write_label(out, "program", header->program);
}

static void write_head(FILE *out, const char *name, const char *suffix, const char *text,
                       const char *unit, const char *type)
{
    fprintf(out, "# HELP daytona_%s%s %s%s%s%s\n# TYPE daytona_%s%s %s\n", name, suffix, text,
            unit[0] != '\0' ? " (" : "", unit, unit[0] != '\0' ? ")" : "", name, suffix, type);
}

static void write_connection(FILE *out, const struct collection *all, const struct sample *sample)
{
    char local[SHOWN_MAX], remote[SHOWN_MAX];
    const struct daytona_connection_state *state = &sample->row.state;
    show_endpoint(local, &state->local);
    show_endpoint(remote, &state->remote);
    write_process(out, &all->processes[sample->process].header, sample->row.pid);
    fprintf(out, ",id=\"%u.%u\",local=\"%s\",remote=\"%s\",congestion=\"%s\"}", state->id.index,
            state->id.generation, local, remote, state->congestion);
}

static void write_variable(FILE *out, const struct collection *all, size_t index)
{
    const struct daytona_variable *variable = daytona_variable_at(index);
    bool counter = variable->kind == DAYTONA_KIND_COUNTER;
    const char *suffix = counter ? "_total" : "";
    write_head(out, variable->member, suffix, variable->text, variable->unit,
               counter ? "counter" : "gauge");
    for (size_t i = 0; i < all->sample_count; i++) {
        uint64_t value = daytona_variable(&all->samples[i].row.state.variables, index);
        if (value == DAYTONA_VARIABLE_NONE)
            continue;
        fprintf(out, "daytona_%s%s", variable->member, suffix);
        write_connection(out, all, &all->samples[i]);
        fprintf(out, " %" PRIu64 "\n", value);
    }
}

static void write_counter(FILE *out, const struct collection *all, const char *name,
                          const char *text, size_t index)
{
    fprintf(out, "# HELP daytona_stack_%s_total %s\n# TYPE daytona_stack_%s_total counter\n", name,
            text, name);
    for (size_t i = 0; i < all->process_count; i++) {
        const struct daytona_record_header *header = &all->processes[i].header;
        const uint64_t *counters = (const uint64_t *)(const void *)&header->counters;
        fprintf(out, "daytona_stack_%s_total", name);
        write_process(out, header, (uint32_t)header->pid);
        fprintf(out, "} %" PRIu64 "\n", counters[index]);
    }
}

static void write_counters(FILE *out, const struct collection *all)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
#define COUNTER(name, description) {#name, description},
#include <daytona/counters.def>
#undef COUNTER
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        write_counter(out, all, rows[i].name, rows[i].text, i);
}

static void write_verdicts(FILE *out, const struct collection *all)
{
    write_head(out, "packets_in", "_total", "packets, by what became of them", "", "counter");
    for (size_t i = 0; i < all->process_count; i++) {
        const struct daytona_record_header *header = &all->processes[i].header;
        for (unsigned verdict = 0; verdict < DAYTONA_VERDICT_COUNT; verdict++) {
            fputs("daytona_packets_in_total", out);
            write_process(out, header, (uint32_t)header->pid);
            fprintf(out, ",verdict=\"%s\"} %" PRIu64 "\n",
                    daytona_verdict_name((enum daytona_verdict)verdict),
                    header->counters.verdicts[verdict]);
        }
    }
}

/* How many connections there are in each state, which needs no family for each of them. */
static void write_states(FILE *out, const struct collection *all)
{
    write_head(out, "connections", "", "connections and listeners by state", "", "gauge");
    for (size_t process = 0; process < all->process_count; process++) {
        unsigned counts[DAYTONA_TCP_CLOSING + 1] = {0};
        for (size_t i = 0; i < all->sample_count; i++) {
            uint64_t state = all->samples[i].row.state.variables.state;
            if (all->samples[i].process == process && state <= DAYTONA_TCP_CLOSING)
                counts[state]++;
        }
        const struct daytona_record_header *header = &all->processes[process].header;
        for (unsigned state = DAYTONA_TCP_ESTABLISHED; state <= DAYTONA_TCP_CLOSING; state++) {
            fputs("daytona_connections", out);
            write_process(out, header, (uint32_t)header->pid);
            fprintf(out, ",state=\"%s\"} %u\n",
                    daytona_tcp_state_name((enum daytona_tcp_state)state), counts[state]);
        }
    }
}

int metrics_write(FILE *out, const char *directory, const struct metrics_choice *choice)
{
    struct collection all = {0};
    struct records_met met;
    int status = records_visit(directory, add_record, &all, &met);
    if (status >= 0 && all.short_of_memory)
        status = -ENOMEM;
    if (status >= 0) {
        write_states(out, &all);
        write_verdicts(out, &all);
        write_counters(out, &all);
        for (size_t i = 0; i < DAYTONA_VARIABLE_COUNT; i++)
            if (choice->wanted[i])
                write_variable(out, &all, i);
    }
    free(all.processes);
    free(all.samples);
    return status;
}
