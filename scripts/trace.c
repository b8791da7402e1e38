/*
 * daytona-trace: the events of running programs, or of a recorded trace, as text or as lines of
 * JSON; or records them to a file.
 */
#include "scripts/command.h"
#include "scripts/live.h"
#include "scripts/option.h"
#include "scripts/say.h"
#include "scripts/seen_print.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: daytona trace [OPTION]... [FILE]\n"
    "       daytona trace [OPTION]... -- PROGRAM [ARGUMENT]...\n\n"
    "Events of all programs on Daytona of this user (root: of all), as they happen; or those of "
    "FILE,\n"
    "a recorded trace; or those of PROGRAM, from the first one on.\n\n"
    "  --pid PID        only of this process; of one that has crashed, what it left\n"
    "  --port PORT      only of connections with this port at either end\n"
    "  --events NAMES   all; ack: all but segments (the default on a screen); rare; or names of\n"
    "                   events, separated by commas\n"
    "  --json           a line of JSON each\n"
    "  -o FILE          record them (all, unless --events says otherwise) for `daytona explain`,\n"
    "                   `pcap` and this command\n"
    "  --seconds N      stop after so long\n"
    "  --limit MB       stop when the file is so large\n"
    "  --history        begin with what happened before, as far as it is still there\n"
    "  --directory DIR  where programs leave their records (DAYTONA_RECORD, /dev/shm)\n"
    "  --names          lists the events, and what their numbers mean\n\n"
    "Exit status: 0, or PROGRAM's; 1 when it could not be done; 125 wrong options.\n";

struct wish {
    struct live live;
    const char *from, *to;
    uint64_t limit_bytes, port;
    bool json;
    int file, file_error;
    struct trace_writer *writer;
    char **program;         /**< to be started; NULL none */
    struct command command; /**< that was */
    uint32_t recorded;      /**< process, 0 none yet */
};

/* ------------------------------------------------------------------ events */

static bool is_wanted(const struct wish *wish, const struct seen *seen)
{
    return (wish->live.mask & DAYTONA_EVENT_BIT(seen->type)) != 0 &&
           (wish->port == 0 || seen->event.local_port == wish->port ||
            seen->event.remote_port == wish->port);
}

static int show(struct wish *wish, const struct trace_about *about, const struct seen *seen)
{
    if (!is_wanted(wish, seen))
        return 0;
    if (wish->json)
        seen_json(stdout, about, seen);
    else
        seen_print(stdout, about, seen);
    return ferror(stdout) ? -EPIPE : 0;
}

/* Of a program and what it starts, the first process with a connection: a trace is of one. */
static bool is_recorded(struct wish *wish, const struct trace_about *about, const struct seen *seen)
{
    if (wish->recorded == 0 && (wish->program == NULL || seen->event.remote_port != 0))
        wish->recorded = about->pid;
    return wish->recorded == about->pid;
}

/* The file begins with the first event: only then is it known whose they are. */
static int record(struct wish *wish, const struct trace_about *about, const struct seen *seen)
{
    int status = 0;
    if (!is_wanted(wish, seen) || !is_recorded(wish, about, seen))
        return 0;
    if (wish->writer == NULL) {
        wish->writer = malloc(sizeof *wish->writer);
        status =
            wish->writer == NULL ? -ENOMEM : trace_writer_begin(wish->writer, wish->file, about);
    }
    if (status == 0)
        status = trace_writer_add(wish->writer, seen);
    if (status == 0 && wish->limit_bytes != 0 && wish->writer->written >= wish->limit_bytes)
        status = -EFBIG;
    return status;
}

static int take(void *context, const struct trace_about *about, const struct seen *seen)
{
    struct wish *wish = context;
    return wish->to != NULL ? record(wish, about, seen) : show(wish, about, seen);
}

/* ------------------------------------------------------------------ doing it */

static int show_file(struct wish *wish)
{
    static struct trace_reader reader;
    struct seen seen;
    int status = trace_reader_open(&reader, wish->from);
    if (status < 0) {
        say("trace: %s: %s", wish->from,
            status == -EINVAL ? "this is no trace" : strerror(-status));
        return 1;
    }
    while (status >= 0 && trace_reader_next(&reader, &seen))
        status = take(wish, &reader.about, &seen);
    if (reader.torn)
        say("trace: %s ends within an event: it was cut short", wish->from);
    trace_reader_close(&reader);
    return 0;
}

static int say_failure(const struct wish *wish, int status)
{
    if (status == -ESRCH && wish->live.pid != 0)
        say("trace: process %d has no events that you may read", (int)wish->live.pid);
    else if (status == -ESRCH)
        say("trace: no program is on Daytona, or none of yours");
    else if (status == -E2BIG)
        say("trace: there are several processes; --pid says which is to be recorded");
    else
        say("trace: %s", strerror(-status));
    return 1;
}

/* The end of a recording: what was written can be read, whatever came. */
static int finish(struct wish *wish, int status)
{
    const struct trace_writer *writer = wish->writer;
    bool limit = status == -EFBIG && writer != NULL && wish->limit_bytes != 0 &&
                 writer->written >= wish->limit_bytes;
    if (writer != NULL && (status == 0 || limit))
        status = trace_writer_flush(wish->writer);
    if (status < 0)
        say("trace: %s: %s; the events before that can be read", wish->to, strerror(-status));
    say("trace: %" PRIu64 " events in %s, %" PRIu64 " bytes%s", writer == NULL ? 0 : writer->events,
        wish->to, writer == NULL ? 0 : writer->written, limit ? ": the limit" : "");
    if (writer == NULL && wish->program != NULL)
        say("trace: %s had no connection on Daytona", wish->program[0]);
    if (wish->live.missed > 0)
        say("trace: %" PRIu64 " events were overwritten before they could be read",
            wish->live.missed);
    return status < 0;
}

/* Whose events there are is known: before that no file is made, and none emptied. */
static int open_file(void *context)
{
    struct wish *wish = context;
    if (wish->to == NULL)
        return 0;
    wish->file = open(wish->to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    wish->file_error = wish->file < 0 ? errno : 0;
    return -wish->file_error;
}

static bool expects(void *context)
{
    struct wish *wish = context;
    return command_runs(&wish->command, live_stopped());
}

static int begin_program(struct wish *wish)
{
    int status = command_begin(&wish->command, wish->program);
    wish->live.expects = expects;
    wish->live.directory = wish->command.rings;
    return status;
}

static int follow(struct wish *wish)
{
    int status = live_run(&wish->live);
    if (wish->file_error != 0) {
        say("trace: %s: %s", wish->to, strerror(wish->file_error));
        return 1;
    }
    if (status == -ESRCH || status == -E2BIG)
        return say_failure(wish, status);
    if (wish->to != NULL)
        return finish(wish, status);
    return status < 0 && status != -EPIPE ? say_failure(wish, status) : 0;
}

static int run(struct wish *wish)
{
    if (wish->from != NULL)
        return show_file(wish);
    if (wish->to != NULL) {
        wish->live.single = wish->live.pid == 0 && wish->program == NULL;
    } else {
        setvbuf(stdout, NULL, _IOLBF, 0);
    }
    if (wish->program == NULL)
        return follow(wish);
    int status = begin_program(wish);
    if (status < 0)
        return say_failure(wish, status);
    int followed = follow(wish), ended = command_end(&wish->command);
    return ended != 0 ? ended : followed;
}

/* ------------------------------------------------------------------ options */

static void list_names(void)
{
    for (unsigned type = 0; type < DAYTONA_EVENT_COUNT; type++) {
        const struct daytona_event_kind *kind = daytona_event_kind((enum daytona_event_type)type);
        printf("%-16s %s\n", kind->name, kind->description);
        for (unsigned i = 0; i < 4 && kind->fields[i].name[0] != '\0'; i++)
            printf("%16s %s%s", "", kind->fields[i].name,
                   i == 3 || kind->fields[i + 1].name[0] == '\0' ? "\n" : ",");
        if (kind->reason[0] != '\0')
            printf("%16s reason: %s\n", "", kind->reason);
    }
}

/* A number from 1 on; 0: it is none. */
static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    return *end == '\0' && text[0] >= '0' && text[0] <= '9' ? value : 0;
}

static bool take_value(struct wish *wish, char **arguments, int *index)
{
    const char *value;
    uint64_t megabytes;
    if ((value = option_value("--pid", arguments, index)) != NULL)
        return (wish->live.pid = (pid_t)number_of(value)) > 0;
    if ((value = option_value("--port", arguments, index)) != NULL)
        return (wish->port = number_of(value)) > 0 && wish->port < 65536;
    if ((value = option_value("--events", arguments, index)) != NULL)
        return (wish->live.mask = live_mask(value)) != 0;
    if ((value = option_value("--seconds", arguments, index)) != NULL)
        return (wish->live.seconds = number_of(value)) > 0;
    if ((value = option_value("--limit", arguments, index)) != NULL) {
        megabytes = number_of(value);
        wish->limit_bytes = megabytes * 1000000u;
        return megabytes > 0;
    }
    if ((value = option_value("--directory", arguments, index)) != NULL)
        return (wish->live.directory = value) != NULL;
    if ((value = option_value("-o", arguments, index)) != NULL)
        return (wish->to = value) != NULL;
    return false;
}

static bool take_argument(struct wish *wish, char **arguments, int *index)
{
    const char *argument = arguments[*index];
    if (strcmp(argument, "--json") == 0)
        return wish->json = true;
    if (strcmp(argument, "--history") == 0)
        return wish->live.history = true;
    if (argument[0] != '-' && wish->from == NULL)
        return (wish->from = argument) != NULL;
    return take_value(wish, arguments, index);
}

int main(int count, char **arguments)
{
    static struct wish wish;
    wish.live.begin = open_file;
    wish.live.take = take;
    wish.live.context = &wish;
    wish.live.says = true;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(arguments[i], "--names") == 0) {
            list_names();
            return 0;
        }
        const char *argument = arguments[i];
        if (strcmp(argument, "--") == 0 && i + 1 < count && wish.from == NULL) {
            wish.program = arguments + i + 1;
            break;
        }
        if (!take_argument(&wish, arguments, &i)) {
            say("trace: %s is not understood; `daytona trace --help` tells all", argument);
            return EXIT_REFUSED;
        }
    }
    if (wish.live.mask == 0)
        wish.live.mask =
            wish.to != NULL || wish.from != NULL ? DAYTONA_EVENTS_ALL : live_mask("ack");
    return run(&wish);
}
