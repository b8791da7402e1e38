/*
 * daytona-stat: all connections and listeners that are on Daytona, of every process of this user
 * (root: of all), with what their records say of them; and the sockets of such processes that are
 * on the kernel's TCP, with the reason. Asks each process for news first; of one that has crashed,
 * the record is shown as it was left.
 */
#include "scripts/elsewhere.h"
#include "scripts/json.h"
#include "scripts/option.h"
#include "scripts/say.h"
#include "scripts/show.h"
#include "scripts/sift.h"
#include "scripts/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 300

static const char usage[] =
    "usage: daytona stat [OPTION]...\n\n"
    "Connections and listeners on Daytona, of all processes of this user (root: of all).\n\n"
    "  --state STATE[,STATE]   only those: established, listen, time-wait ...; `connected` is all "
    "but\n"
    "                          listen, closed and time-wait\n"
    "  --port PORT[,PORT]      only those with such a port at either end\n"
    "  --pid PID[,PID]         only those of these processes\n"
    "  --columns NAME,...      these columns, whole numbers: pid, program, local, remote, "
    "congestion and\n"
    "                          variables by name (cur_cwnd or CurCwnd); `all` is every variable\n"
    "  --columns help          lists them\n"
    "  --brief                 one line a connection\n"
    "  --json                  an array of objects with all variables\n"
    "  --dead                  also what is left of processes that have crashed or were killed; so "
    "is it\n"
    "                          when --pid names one\n"
    "  --no-kernel             without the sockets that are on the kernel's TCP\n"
    "  --directory DIRECTORY   where records are (DAYTONA_RECORD, /dev/shm)\n\n"
    "Exit status: 0; 1 when records cannot be looked for; 125 wrong options.\n";

struct request {
    struct sift sift;
    struct columns columns; /* count 0: the usual view */
    const char *directory;
    bool json, brief, kernel, dead;
};

/* ------------------------------------------------------------------ collecting */

/* What the views are made of. */
struct found {
    const struct request *request;
    struct table table;
    struct record *record; /* the one being read */
    unsigned dead;         /* records left out */
    size_t shown;          /* as JSON */
};

static void take_row(void *context, const struct daytona_record_row *row)
{
    struct found *found = context;
    if (!sift_takes(&found->request->sift, row))
        return;
    if (found->request->json) {
        fputs(found->shown++ == 0 ? "\n" : ",\n", stdout);
        show_json(stdout, found->record, row);
    } else if (found->request->columns.count > 0) {
        table_add_columns(&found->table, &found->request->columns, found->record, row);
    } else {
        table_add(&found->table, found->record, row, found->request->brief);
    }
}

static void take_record(void *context, struct record *record)
{
    struct found *found = context;
    if (!record->alive && !found->request->dead && found->request->sift.process_count == 0) {
        found->dead++;
        return;
    }
    if (record->alive)
        record_refresh(record, PATIENCE_MS); /* else as it was within the last second */
    found->record = record;
    record_rows(record, take_row, found);
}

static void take_elsewhere(void *context, const struct elsewhere *socket)
{
    struct found *found = context;
    if (!sift_takes_elsewhere(&found->request->sift, socket))
        return;
    if (found->request->json) {
        fputs(found->shown++ == 0 ? "\n" : ",\n", stdout);
        elsewhere_json(stdout, socket);
    } else {
        table_add_elsewhere(&found->table, socket);
    }
}

/* ------------------------------------------------------------------ options */

static bool take_option(struct request *request, char **arguments, int *index)
{
    const char *value;
    char *word = arguments[*index];
    if ((value = option_value("--state", arguments, index)) != NULL)
        return sift_states(&request->sift, value);
    if ((value = option_value("--port", arguments, index)) != NULL)
        return sift_ports(&request->sift, value);
    if ((value = option_value("--pid", arguments, index)) != NULL)
        return sift_processes(&request->sift, value);
    if ((value = option_value("--columns", arguments, index)) != NULL)
        return columns_read(&request->columns, value);
    if ((value = option_value("--directory", arguments, index)) != NULL)
        request->directory = value;
    else if (strcmp(word, "--json") == 0)
        request->json = true;
    else if (strcmp(word, "--brief") == 0)
        request->brief = true;
    else if (strcmp(word, "--dead") == 0)
        request->dead = true;
    else if (strcmp(word, "--no-kernel") == 0)
        request->kernel = false;
    else
        return say("stat: %s is no option, or lacks its value; `daytona stat --help` lists them",
                   word),
               false;
    return true;
}

static bool read_options(struct request *request, char **arguments)
{
    *request = (struct request){.directory = records_directory(), .kernel = true};
    for (int i = 1; arguments[i] != NULL; i++)
        if (!take_option(request, arguments, &i))
            return false;
    return true;
}

static void tell_left_out(const struct records_met *met, unsigned dead)
{
    if (dead > 0)
        say("stat: %u process%s left a record and died; --dead shows %s", dead,
            dead == 1 ? "" : "es", dead == 1 ? "it" : "them");
    if (met->refused > 0)
        say("stat: %u process%s of other users not shown", met->refused,
            met->refused == 1 ? "" : "es");
    if (met->strange > 0)
        say("stat: %u record%s of another version of Daytona not shown", met->strange,
            met->strange == 1 ? "" : "s");
}

int main(int count, char **arguments)
{
    struct request request;
    struct records_met met;
    (void)count;
    for (int i = 1; arguments[i] != NULL; i++)
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0)
            return fputs(usage, stdout), 0;
    if (!read_options(&request, arguments))
        return EXIT_REFUSED;
    if (request.columns.help)
        return columns_list(stdout), 0;

    static char output[1 << 16];
    setvbuf(stdout, output, _IOFBF, sizeof output);
    struct found found = {.request = &request};
    if (request.json)
        putchar('[');
    int visited = records_visit(request.directory, take_record, &found, &met);
    if (visited < 0) {
        say("stat: %s: %s", request.directory, strerror(-visited));
        return 1;
    }
    if (request.kernel && request.columns.count == 0)
        elsewhere_visit(take_elsewhere, &found);
    if (request.json)
        fputs(found.shown > 0 ? "\n]\n" : "]\n", stdout);
    else
        table_print(&found.table, stdout);
    fflush(stdout);
    tell_left_out(&met, found.dead);
    return 0;
}
