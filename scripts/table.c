#include "scripts/table.h"

#include "scripts/say.h"
#include "scripts/show.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CELLS_MAX COLUMNS_MAX

/* ------------------------------------------------------------------ columns */

/* What is no variable: `chosen` is -1 for the first of them, -2 for the second, and so on. */
enum plain_column {
    COLUMN_PID,
    COLUMN_PROGRAM,
    COLUMN_LOCAL,
    COLUMN_REMOTE,
    COLUMN_CONGESTION,
    COLUMN_ID,
};

static const struct {
    const char *name, *text;
} plain_columns[] = {
    {"pid", "process that uses the connection"},
    {"program", "its name"},
    {"local", "our address and port"},
    {"remote", "the peer's"},
    {"congestion", "congestion controller"},
    {"id", "what `daytona set` takes, together with the process"},
};
#define PLAIN_COUNT ((int)(sizeof plain_columns / sizeof plain_columns[0]))

static bool add_column(struct columns *columns, const char *name)
{
    int chosen = daytona_variable_find(name);
    bool found = chosen >= 0;
    for (int i = 0; !found && i < PLAIN_COUNT; i++) {
        found = strcasecmp(name, plain_columns[i].name) == 0;
        chosen = -1 - i;
    }
    if (!found)
        return say("%s is no column; `daytona stat --columns help` lists them", name), false;
    if (columns->count == COLUMNS_MAX)
        return say("too many columns"), false;
    columns->chosen[columns->count++] = chosen;
    return true;
}

bool columns_read(struct columns *columns, const char *list)
{
    char copy[4096];
    char *rest = copy;
    if (strlen(list) >= sizeof copy)
        return say("too many columns"), false;
    memcpy(copy, list, strlen(list) + 1);
    for (char *name; (name = strsep(&rest, ",")) != NULL;) {
        if (strcmp(name, "help") == 0)
            columns->help = true;
        else if (strcmp(name, "all") == 0)
            for (size_t i = 0; i < DAYTONA_VARIABLE_COUNT; i++)
                add_column(columns, daytona_variable_at(i)->member);
        else if (!add_column(columns, name))
            return false;
    }
    return true;
}

void columns_list(FILE *out)
{
    for (int i = 0; i < PLAIN_COUNT; i++)
        fprintf(out, "%-26s %-11s %s\n", plain_columns[i].name, "", plain_columns[i].text);
    for (size_t i = 0; i < DAYTONA_VARIABLE_COUNT; i++) {
        const struct daytona_variable *variable = daytona_variable_at(i);
        fprintf(out, "%-26s %-11s %s\n", variable->member, variable->unit, variable->text);
    }
}

/* ------------------------------------------------------------------ lines */

static struct line *new_line(struct table *table, const char *const *cells, size_t count)
{
    if (table->line_count == table->line_max) {
        size_t more = table->line_max == 0 ? 256 : table->line_max * 2;
        struct line *larger = realloc(table->lines, more * sizeof *larger);
        if (larger == NULL)
            abort();
        table->lines = larger;
        table->line_max = more;
    }
    struct line *line = &table->lines[table->line_count++];
    *line = (struct line){.cells = calloc(count + 1, sizeof *line->cells), .cell_count = count};
    if (line->cells == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        if ((line->cells[i] = strdup(cells[i])) == NULL)
            abort();
    return line;
}

static void show_user(char out[SHOWN_MAX], const char *program, uint64_t pid, const char *remark)
{
    snprintf(out, SHOWN_MAX, "%.16s,%" PRIu64 "%s", program, pid, remark);
}

/* ------------------------------------------------------------------ the usual view */

static void add_detail(char *out, size_t size, const char *label, const char *value)
{
    size_t length = strlen(out);
    snprintf(out + length, size - length, "%s%s %s", length > 0 ? "   " : "", label, value);
}

static void add_variable(char *out, size_t size, const struct daytona_variables *variables,
                         const char *label, size_t index, bool even_zero)
{
    char value[SHOWN_MAX];
    uint64_t number = daytona_variable(variables, index);
    if (number == DAYTONA_VARIABLE_NONE || (number == 0 && !even_zero))
        return;
    show_value(value, daytona_variable_at(index), number);
    add_detail(out, size, label, value);
}

/* What share of the connection's life sending was limited by what. */
static void add_limits(char *out, size_t size, const struct daytona_variables *v)
{
    char text[SHOWN_MAX];
    uint64_t total = v->snd_lim_time_rwin + v->snd_lim_time_cwnd + v->snd_lim_time_snd;
    if (v->snd_lim_time_snd == DAYTONA_VARIABLE_NONE || total == 0 || v->data_segs_out == 0)
        return;
    snprintf(text, sizeof text, "cwnd %.0f%% rwnd %.0f%% sender %.0f%%",
             100.0 * (double)v->snd_lim_time_cwnd / (double)total,
             100.0 * (double)v->snd_lim_time_rwin / (double)total,
             100.0 * (double)v->snd_lim_time_snd / (double)total);
    add_detail(out, size, "limited by", text);
}

static void add_round_trip(char *out, size_t size, const struct daytona_variables *v)
{
    char mean[SHOWN_MAX], least[SHOWN_MAX], text[3 * SHOWN_MAX];
    if (v->smoothed_rtt == DAYTONA_VARIABLE_NONE)
        return;
    show_time(mean, v->smoothed_rtt);
    show_time(least, v->min_rtt);
    snprintf(text, sizeof text, "%s (least %s)", mean, least);
    add_detail(out, size, "rtt", text);
}

static void describe_connection(char *out, size_t size, const struct daytona_record_row *row)
{
    const struct daytona_variables *v = &row->state.variables;
#define DETAIL(label, member, even_zero)                                                           \
    add_variable(out, size, v, label, DAYTONA_VARIABLE_##member, even_zero)
    add_detail(out, size, row->state.congestion, "");
    out[strlen(out) - 1] = '\0';
    if (v->ca_state != DAYTONA_RECOVERY_OPEN)
        DETAIL("in", ca_state, true);
    add_round_trip(out, size, v);
    DETAIL("rto", cur_rto, true);
    DETAIL("cwnd", cur_cwnd, true);
    DETAIL("ssthresh", cur_ssthresh, true);
    DETAIL("in flight", pipe_size, false);
    DETAIL("peer's window", cur_rwin_rcvd, true);
    DETAIL("mss", cur_mss, true);
    DETAIL("sent", data_octets_out, false);
    DETAIL("received", thru_octets_received, false);
    DETAIL("sent again", octets_retrans, false);
    DETAIL("timeouts", total_timeouts, false);
    DETAIL("marked", delivered_ce, false);
    DETAIL("pacing", pacing_rate, false);
    DETAIL("delivery", delivery_rate, false);
    DETAIL("out of order", out_of_order_in, false);
#undef DETAIL
    add_limits(out, size, v);
}

static void describe_listener(char *out, size_t size, const struct daytona_variables *v)
{
    char text[SHOWN_MAX];
    snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64, v->cur_estab_backlog, v->max_backlog);
    add_detail(out, size, "waiting to be accepted", text);
    snprintf(text, sizeof text, "%" PRIu64, v->cur_backlog - v->cur_estab_backlog);
    add_detail(out, size, "half open", text);
    snprintf(text, sizeof text, "%" PRIu64, v->syn_rcvd);
    add_detail(out, size, "SYNs", text);
    snprintf(text, sizeof text, "%" PRIu64, v->accepted);
    add_detail(out, size, "accepted", text);
    add_variable(out, size, v, "refused for want of room", DAYTONA_VARIABLE_exceed_backlog, false);
}

static void heading(struct table *table)
{
    static const char *const names[] = {"State", "Recv-Q", "Send-Q", "Local", "Peer", "Process"};
    new_line(table, names, sizeof names / sizeof names[0]);
}

static void show_queue(char out[SHOWN_MAX], uint64_t bytes)
{
    if (bytes == DAYTONA_VARIABLE_NONE)
        snprintf(out, SHOWN_MAX, "0");
    else
        snprintf(out, SHOWN_MAX, "%" PRIu64, bytes);
}

void table_add(struct table *table, const struct record *record,
               const struct daytona_record_row *row, bool brief)
{
    const struct daytona_variables *v = &row->state.variables;
    bool listens = v->state == DAYTONA_TCP_LISTEN;
    char receive[SHOWN_MAX], send[SHOWN_MAX], local[SHOWN_MAX], peer[SHOWN_MAX];
    char user[SHOWN_MAX], program[SHOWN_MAX];
    char details[1024] = "";
    if (table->line_count == 0)
        heading(table);
    show_queue(receive, listens ? v->cur_estab_backlog : v->cur_app_r_queue);
    show_queue(send, listens ? v->max_backlog
                     : v->cur_app_w_queue == DAYTONA_VARIABLE_NONE
                         ? 0
                         : v->cur_app_w_queue + v->cur_retx_queue);
    show_endpoint(local, &row->state.local);
    show_endpoint(peer, &row->state.remote);
    show_program(program, record, row);
    show_user(user, program, row->pid,
              !record->alive                ? " (dead: as it was)"
              : record->header.lingers != 0 ? " (ended: being finished)"
                                            : "");
    const char *const cells[] = {
        daytona_tcp_state_name((enum daytona_tcp_state)v->state), receive, send, local, peer, user};
    struct line *line = new_line(table, cells, sizeof cells / sizeof cells[0]);
    if (brief || v->state == DAYTONA_TCP_TIME_WAIT)
        return;
    if (listens)
        describe_listener(details, sizeof details, v);
    else if (v->cur_cwnd != DAYTONA_VARIABLE_NONE)
        describe_connection(details, sizeof details, row);
    line->text = details[0] == '\0' ? NULL : strdup(details);
}

/* ------------------------------------------------------------------ chosen columns */

static void show_plain_column(char out[SHOWN_MAX], enum plain_column column,
                              const struct record *record, const struct daytona_record_row *row)
{
    const struct daytona_connection_state *state = &row->state;
    switch (column) {
    case COLUMN_PID:
        snprintf(out, SHOWN_MAX, "%u", row->pid);
        break;
    case COLUMN_PROGRAM:
        show_program(out, record, row);
        break;
    case COLUMN_LOCAL:
        show_endpoint(out, &state->local);
        break;
    case COLUMN_REMOTE:
        show_endpoint(out, &state->remote);
        break;
    case COLUMN_CONGESTION:
        snprintf(out, SHOWN_MAX, "%s", state->congestion);
        break;
    case COLUMN_ID:
        snprintf(out, SHOWN_MAX, "%u.%u", state->id.index, state->id.generation);
        break;
    }
}

static void head_columns(struct table *table, const struct columns *columns)
{
    const char *names[CELLS_MAX];
    for (size_t i = 0; i < columns->count; i++) {
        int column = columns->chosen[i];
        names[i] = column < 0 ? plain_columns[-1 - column].name
                              : daytona_variable_at((size_t)column)->member;
    }
    new_line(table, names, columns->count);
}

void table_add_columns(struct table *table, const struct columns *columns,
                       const struct record *record, const struct daytona_record_row *row)
{
    static char values[CELLS_MAX][SHOWN_MAX];
    const char *cells[CELLS_MAX];
    if (table->line_count == 0)
        head_columns(table, columns);
    for (size_t i = 0; i < columns->count; i++) {
        int column = columns->chosen[i];
        cells[i] = values[i];
        if (column < 0)
            show_plain_column(values[i], (enum plain_column)(-1 - column), record, row);
        else
            show_plain(values[i], daytona_variable_at((size_t)column),
                       daytona_variable(&row->state.variables, (size_t)column));
    }
    new_line(table, cells, columns->count);
}

/* ------------------------------------------------------------------ the kernel's */

void table_add_elsewhere(struct table *table, const struct elsewhere *socket)
{
    char local[SHOWN_MAX], peer[SHOWN_MAX], user[SHOWN_MAX], reason[200];
    bool udp = strcmp(socket->protocol, "udp") == 0;
    if (!table->with_kernel && table->line_count == 0)
        heading(table);
    table->with_kernel = true;
    show_endpoint(local, &socket->local);
    show_endpoint(peer, &socket->remote);
    show_user(user, socket->program, (uint64_t)socket->pid, "");
    const char *const cells[] = {
        udp ? "UDP" : daytona_tcp_state_name((enum daytona_tcp_state)socket->state),
        "-",
        "-",
        local,
        peer,
        user};
    struct line *line = new_line(table, cells, sizeof cells / sizeof cells[0]);
    snprintf(reason, sizeof reason, "not on Daytona: %s", socket->reason);
    line->text = strdup(reason);
}

/* ------------------------------------------------------------------ printing */

static bool is_number(const char *text)
{
    for (; *text != '\0'; text++)
        if (!isdigit((unsigned char)*text))
            return false;
    return true;
}

static void print_line(const struct line *line, const size_t *widths, bool head, FILE *out)
{
    for (size_t i = 0; i < line->cell_count; i++) {
        bool last = i + 1 == line->cell_count;
        int width = last ? 0 : (int)widths[i];
        bool right = !last && !head && is_number(line->cells[i]);
        fprintf(out, right ? "%*s%s" : "%-*s%s", width, line->cells[i], last ? "\n" : "  ");
    }
    if (line->text != NULL)
        fprintf(out, "    %s\n", line->text);
}

void table_print(struct table *table, FILE *out)
{
    static size_t widths[CELLS_MAX];
    for (size_t l = 0; l < table->line_count; l++)
        for (size_t i = 0; i < table->lines[l].cell_count; i++)
            if (strlen(table->lines[l].cells[i]) > widths[i])
                widths[i] = strlen(table->lines[l].cells[i]);
    for (size_t l = 0; l < table->line_count; l++) {
        struct line *line = &table->lines[l];
        print_line(line, widths, l == 0, out);
        for (size_t i = 0; i < line->cell_count; i++)
            free(line->cells[i]);
        free(line->cells);
        free(line->text);
    }
    free(table->lines);
}
