/*
 * daytona-set: changes what can be changed of connections that are there, in running programs of
 * this user (root: of all): bounds of the congestion window, of the retransmission timeout and of
 * delayed acknowledgments, the congestion controller and more. The programs' engines do it.
 */
#include "scripts/json.h"
#include "scripts/option.h"
#include "scripts/say.h"
#include "scripts/show.h"
#include "scripts/sift.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATIENCE_MS 2000
#define CHANGES_MAX 16

/* options.def: MAXIMUM_SEGMENT is at least that. */
#define SEGMENT_MINIMUM 88

static const char usage[] =
    "usage: daytona set [--pid PID,...] [--port PORT,...] [--state STATE,...] [--id "
    "INDEX.GENERATION]\n"
    "                   [--all] [--json] NAME=VALUE...\n\n"
    "Changes connections, and listeners for the connections they will have, in running "
    "programs.\n\n"
    "  cc=NAME              congestion controller\n"
    "  lim_cwnd=BYTES       the most that cwnd may be; none\n"
    "  lim_ssthresh=BYTES   the most that ssthresh may be; none\n"
    "  lim_rwin=BYTES       the most that the receive window may be; none\n"
    "  lim_mss=BYTES        the most that a segment may have; none\n"
    "  lim_rto_min=TIME     what the RTO is above the smoothed RTT at least\n"
    "  lim_rto_max=TIME     the largest RTO\n"
    "  ack_delay=TIME       the longest that an acknowledgment waits\n"
    "  max_pacing_rate=BYTES  a second; none\n"
    "  nagle=on|off\n\n"
    "BYTES may end in k, M or G (1000s); TIME ends in us, ms or s.\n"
    "--json writes an array of objects, one for each change of each connection.\n"
    "Exit status: 0 all was done; 1 something was not, or there is no such connection; 125 wrong "
    "options.\n";

enum form { FORM_BYTES, FORM_TIME, FORM_OFF };

static const struct bounds {
    int64_t minimum, maximum;
} bounds[DAYTONA_OPTION_COUNT] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = {minimum, maximum},
#include <daytona/options.def>
#undef OPTION
};

/* What can be set, beside the controller. */
static const struct setting {
    const char *name;
    enum daytona_option option;
    enum form form;
} settings_known[] = {
    {"lim_cwnd", DAYTONA_OPTION_CWND_MAXIMUM, FORM_BYTES},
    {"lim_ssthresh", DAYTONA_OPTION_SSTHRESH_MAXIMUM, FORM_BYTES},
    {"lim_rwin", DAYTONA_OPTION_WINDOW_CLAMP, FORM_BYTES},
    {"lim_mss", DAYTONA_OPTION_MAXIMUM_SEGMENT, FORM_BYTES},
    {"max_pacing_rate", DAYTONA_OPTION_MAXIMUM_PACING_RATE, FORM_BYTES},
    {"lim_rto_min", DAYTONA_OPTION_RTO_MINIMUM_US, FORM_TIME},
    {"lim_rto_max", DAYTONA_OPTION_RTO_MAXIMUM_US, FORM_TIME},
    {"ack_delay", DAYTONA_OPTION_DELAYED_ACK_US, FORM_TIME},
    {"nagle", DAYTONA_OPTION_NO_DELAY, FORM_OFF},
};
#define KNOWN_COUNT (sizeof settings_known / sizeof settings_known[0])

struct change {
    const char *text; /**< as it was given */
    struct daytona_control_request request;
};

struct order {
    struct sift sift;
    const char *directory;
    bool all, has_id, json;
    struct daytona_socket_id id;
    struct change changes[CHANGES_MAX];
    size_t change_count;
    struct record *record; /* the one being worked on */
    unsigned done, failed;
};

/* ------------------------------------------------------------------ values */

struct unit {
    const char *name;
    double factor;
};

static bool read_amount(const char *text, const struct unit *units, size_t count, int64_t *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || value < 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) == 0 && value * units[i].factor < 9e18) {
            *out = (int64_t)(value * units[i].factor + 0.5);
            return true;
        }
    }
    return false;
}

static bool read_value(enum form form, const char *text, int64_t *out)
{
    static const struct unit bytes[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
    static const struct unit times[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}};
    *out = 0;
    switch (form) {
    case FORM_BYTES:
        return strcmp(text, "none") == 0 ||
               read_amount(text, bytes, sizeof bytes / sizeof bytes[0], out);
    case FORM_TIME:
        return read_amount(text, times, sizeof times / sizeof times[0], out);
    case FORM_OFF:
        *out = strcmp(text, "off") == 0;
        return *out || strcmp(text, "on") == 0;
    }
    return false;
}

/** A bound of 0 bytes would be none, for which there is a word. */
static bool in_bounds(const struct setting *setting, const char *text, const char *value,
                      int64_t amount)
{
    struct bounds allowed = bounds[setting->option];
    bool or_none = setting->form == FORM_BYTES;
    if (or_none && strcmp(value, "none") == 0)
        return true;
    if (or_none && allowed.minimum == 0)
        allowed.minimum = setting->option == DAYTONA_OPTION_MAXIMUM_SEGMENT ? SEGMENT_MINIMUM : 1;
    if (amount >= allowed.minimum && amount <= allowed.maximum)
        return true;
    say("set: %s: from %" PRId64 " to %" PRId64 " %s%s", text, allowed.minimum, allowed.maximum,
        or_none ? "bytes" : "us", or_none ? ", or none" : "");
    return false;
}

static bool is_controller(const char *text, const char *wanted)
{
    char list[256] = "";
    const char *name;
    for (size_t i = 0, length = 0; (name = daytona_stack_congestion_name(i)) != NULL; i++) {
        if (strcmp(name, wanted) == 0)
            return true;
        if (length < sizeof list)
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%s",
                                       i == 0 ? "" : ", ", name);
    }
    say("set: %s: there is no such controller; there are %s", text, list);
    return false;
}

static bool add_change(struct order *order, const char *text)
{
    char name[32];
    const char *value = strchr(text, '=');
    struct change *change = &order->changes[order->change_count];
    size_t length = value == NULL ? 0 : (size_t)(value - text);
    if (length == 0 || length >= sizeof name || order->change_count == CHANGES_MAX)
        return say("set: %s: expected NAME=VALUE, as in lim_cwnd=100k", text), false;
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    value++;
    *change = (struct change){.text = text};
    if (strcmp(name, "cc") == 0 || strcmp(name, "congestion") == 0) {
        if (!is_controller(text, value))
            return false;
        change->request.verb = DAYTONA_CONTROL_SET_CONGESTION;
        snprintf(change->request.name, sizeof change->request.name, "%s", value);
        order->change_count++;
        return true;
    }
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (strcasecmp(name, settings_known[i].name) != 0)
            continue;
        change->request.verb = DAYTONA_CONTROL_SET_OPTION;
        change->request.option = settings_known[i].option;
        if (!read_value(settings_known[i].form, value, &change->request.value))
            return say("set: %s: %s cannot be read; `daytona set --help` tells how", text, value),
                   false;
        if (!in_bounds(&settings_known[i], text, value, change->request.value))
            return false;
        order->change_count++;
        return true;
    }
    return say("set: %s cannot be set; `daytona set --help` lists what can", name), false;
}

/* ------------------------------------------------------------------ the work */

static void tell(const struct order *order, const struct daytona_record_row *row,
                 const struct change *change, int result)
{
    char local[SHOWN_MAX], remote[SHOWN_MAX];
    show_endpoint(local, &row->state.local);
    show_endpoint(remote, &row->state.remote);
    if (order->json) {
        bool first = true;
        fputs(order->done + order->failed == 0 ? "\n{" : ",\n{", stdout);
        json_number(stdout, &first, "pid", row->pid);
        json_text(stdout, &first, "program", order->record->header.program);
        json_text(stdout, &first, "local", local);
        json_text(stdout, &first, "remote", remote);
        json_text(stdout, &first, "change", change->text);
        json_word(stdout, &first, "done", result == 0 ? "true" : "false");
        json_text(stdout, &first, "error", result == 0 ? "" : strerrorname_np(-result));
        putchar('}');
    }
    if (result == 0 && !order->json)
        printf("%s,%u  %s  %s  %s\n", order->record->header.program, row->pid, local, remote,
               change->text);
    else if (result != 0)
        say("set: %s,%u %s %s: %s: %s", order->record->header.program, row->pid, local, remote,
            change->text, result == -EBADF ? "the connection is gone" : strerror(-result));
}

static void change_row(void *context, const struct daytona_record_row *row)
{
    struct order *order = context;
    const struct daytona_socket_id *id = &row->state.id;
    if (!sift_takes(&order->sift, row) ||
        (order->has_id && (id->index != order->id.index || id->generation != order->id.generation)))
        return;
    for (size_t i = 0; i < order->change_count; i++) {
        struct change *change = &order->changes[i];
        change->request.id = *id;
        int result = record_ask(order->record, &change->request, PATIENCE_MS);
        tell(order, row, change, result);
        order->done += result == 0;
        order->failed += result != 0;
    }
}

static void change_record(void *context, struct record *record)
{
    struct order *order = context;
    if (!record->alive)
        return;
    order->record = record;
    record_refresh(record, PATIENCE_MS);
    record_rows(record, change_row, order);
}

static bool take_option(struct order *order, char **arguments, int *index)
{
    const char *value;
    if ((value = option_value("--state", arguments, index)) != NULL)
        return sift_states(&order->sift, value);
    if ((value = option_value("--port", arguments, index)) != NULL)
        return sift_ports(&order->sift, value);
    if ((value = option_value("--pid", arguments, index)) != NULL)
        return sift_processes(&order->sift, value);
    if ((value = option_value("--directory", arguments, index)) != NULL) {
        order->directory = value;
        return true;
    }
    if ((value = option_value("--id", arguments, index)) != NULL) {
        order->has_id = sscanf(value, "%u.%u", &order->id.index, &order->id.generation) == 2;
        return order->has_id || (say("set: --id: expected INDEX.GENERATION, as in 0.2"), false);
    }
    if (strcmp(arguments[*index], "--all") == 0 || strcmp(arguments[*index], "--json") == 0) {
        order->all = order->all || arguments[*index][2] == 'a';
        order->json = order->json || arguments[*index][2] == 'j';
        return true;
    }
    return add_change(order, arguments[*index]);
}

int main(int count, char **arguments)
{
    struct records_met met;
    static struct order order;
    order.directory = records_directory();
    if (count < 2 || strcmp(arguments[1], "--help") == 0)
        return fputs(usage, count < 2 ? stderr : stdout), count < 2 ? EXIT_REFUSED : 0;
    for (int i = 1; arguments[i] != NULL; i++)
        if (!take_option(&order, arguments, &i))
            return EXIT_REFUSED;
    bool chosen = order.all || order.has_id || order.sift.states != 0 ||
                  order.sift.port_count > 0 || order.sift.process_count > 0;
    if (order.change_count == 0 || !chosen) {
        say("set: %s", order.change_count == 0 ? "nothing is to be set"
                                               : "which connections? --all is for all of them");
        return EXIT_REFUSED;
    }
    if (order.json)
        putchar('[');
    int visited = records_visit(order.directory, change_record, &order, &met);
    if (order.json)
        fputs(order.done + order.failed > 0 ? "\n]\n" : "]\n", stdout);
    if (visited < 0)
        say("set: %s: %s", order.directory, strerror(-visited));
    else if (order.done + order.failed == 0)
        say("set: there is no such connection%s",
            met.refused > 0 ? " among those of this user" : "");
    return order.done == 0 || order.failed > 0;
}
