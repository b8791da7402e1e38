/*
 * daytona-profile: where the cycles of running programs go, by activity. Switches the counting on
 * and off, and shows what was counted: of programs that run, and of those that have crashed or were
 * killed, as they were then.
 */
#include "scripts/option.h"
#include "scripts/profile_view.h"
#include "scripts/records.h"
#include "scripts/say.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 2000
#define TARGETS_MAX 64

static const char usage[] =
    "usage: daytona profile [PID] [on|off] [OPTION]...\n\n"
    "Cycles by activity, of one process or of all of this user (root: of all) that count them.\n\n"
    "  on                begins to count, from 0 on\n"
    "  off               stops; what was counted can still be read\n"
    "  --seconds N       what was counted in the next N seconds; switches on for that, if it is "
    "not\n"
    "  -c, --connections one table for each connection, too\n"
    "  --json            an array of objects\n"
    "  --folded          folded stacks, for flame graphs\n"
    "  --activities      lists the activities\n"
    "  --directory DIRECTORY   where records are (DAYTONA_RECORD, /dev/shm)\n\n"
    "Exit status: 0; 1 there is no such process, or it counts nothing; 125 wrong options.\n";

enum form { FORM_TABLE, FORM_JSON, FORM_FOLDED };
enum order { ORDER_SHOW, ORDER_ON, ORDER_OFF };

/* A process whose profile is wanted. */
struct target {
    struct record record; /* its path, and whether it lives */
    char path[RECORD_PATH_MAX + sizeof DAYTONA_PROFILE_SUFFIX];
    bool switched; /* on by this program */
    struct profile_view before, view;
};

static struct wish {
    const char *directory;
    uint64_t pid, seconds;
    enum form form;
    enum order order;
    bool connections;
} wish;

static struct target targets[TARGETS_MAX];
static size_t target_count;

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* ------------------------------------------------------------------ which processes */

/* A server's rows say whom they are for. */
static void look_for_user(void *context, const struct daytona_record_row *row)
{
    bool *found = context;
    *found |= row->pid == wish.pid;
}

static bool is_wanted(struct record *record)
{
    bool found = wish.pid == 0 || record->header.pid == (int32_t)wish.pid;
    if (!found)
        record_rows(record, look_for_user, &found);
    return found;
}

static void take_record(void *context, struct record *record)
{
    (void)context;
    if (target_count == TARGETS_MAX || !is_wanted(record) || (wish.pid == 0 && !record->alive))
        return;
    struct target *target = &targets[target_count++];
    target->record = *record; /* whose file is closed now: its path is what counts */
    snprintf(target->path, sizeof target->path, "%s%s", record->path, DAYTONA_PROFILE_SUFFIX);
}

/* ------------------------------------------------------------------ what to do with one */

static int command(const struct target *target, bool on)
{
    const struct daytona_control_request request = {.verb = DAYTONA_CONTROL_PROFILE, .value = on};
    int result = record_ask(&target->record, &request, PATIENCE_MS);
    if (result < 0)
        say("profile: %s,%d: %s", target->record.header.program, target->record.header.pid,
            result == -EOPNOTSUPP ? "it runs a Daytona that cannot count cycles"
                                  : strerror(-result));
    return result;
}

/* Its own clocks are brought up to date first. */
static int look(const struct target *target, struct profile_view *view)
{
    const struct daytona_control_request request = {.verb = DAYTONA_CONTROL_REFRESH};
    if (target->record.alive)
        record_ask(&target->record, &request, PATIENCE_MS);
    return profile_view_read(view, target->path, wish.connections);
}

static void begin(struct target *target)
{
    bool on = look(target, &target->before) == 0 && target->before.table.on != 0;
    if (!on && target->record.alive && command(target, true) == 0) {
        target->switched = true;
        look(target, &target->before);
    }
}

static void end(struct target *target)
{
    int status = look(target, &target->view);
    if (target->switched)
        command(target, false);
    if (status == 0)
        profile_view_since(&target->view, &target->before);
    profile_view_release(&target->before);
}

static void wait_for(uint64_t seconds)
{
    const struct sigaction action = {.sa_handler = stop};
    struct timespec left = {.tv_sec = (time_t)seconds};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!stopped && nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static void show(const struct target *target, size_t *shown)
{
    if (target->view.table.magic == 0)
        return;
    size_t before = (*shown)++;
    switch (wish.form) {
    case FORM_TABLE:
        fputs(before == 0 ? "" : "\n", stdout);
        profile_view_table(&target->view, wish.connections, stdout);
        break;
    case FORM_JSON:
        fputs(before == 0 ? "\n" : ",\n", stdout);
        profile_view_json(&target->view, wish.connections, stdout);
        break;
    case FORM_FOLDED:
        profile_view_folded(&target->view, stdout);
        break;
    }
}

static int show_all(void)
{
    size_t shown = 0;
    for (size_t i = 0; wish.seconds > 0 && i < target_count; i++)
        begin(&targets[i]);
    if (wish.seconds > 0 && target_count > 0)
        wait_for(wish.seconds);
    for (size_t i = 0; i < target_count; i++)
        if (wish.seconds > 0)
            end(&targets[i]);
        else
            look(&targets[i], &targets[i].view);
    fputs(wish.form == FORM_JSON ? "[" : "", stdout);
    for (size_t i = 0; i < target_count; i++) {
        show(&targets[i], &shown);
        profile_view_release(&targets[i].view);
    }
    if (wish.form == FORM_JSON)
        fputs(shown > 0 ? "\n]\n" : "]\n", stdout);
    if (shown == 0)
        say("profile: nothing was counted; `daytona profile PID on` begins");
    return shown == 0;
}

static int command_all(void)
{
    bool failed = false;
    for (size_t i = 0; i < target_count; i++)
        failed |= targets[i].record.alive && command(&targets[i], wish.order == ORDER_ON) < 0;
    return failed;
}

/* ------------------------------------------------------------------ options */

static void list_activities(void)
{
    const struct daytona_activity_row *row;
    for (size_t i = 0; (row = daytona_activity_at(i)) != NULL; i++)
        printf("%-9s %-24s %s\n", row->member, row->name, row->text);
}

static uint64_t number_of(const char *text)
{
    char *rest;
    unsigned long long value = strtoull(text, &rest, 10);
    return *rest == '\0' && text[0] >= '0' && text[0] <= '9' ? value : 0;
}

static bool take_argument(char **arguments, int *index)
{
    const char *value, *word = arguments[*index];
    if ((value = option_value("--seconds", arguments, index)) != NULL)
        return (wish.seconds = number_of(value)) > 0;
    if ((value = option_value("--pid", arguments, index)) != NULL)
        return (wish.pid = number_of(value)) > 0;
    if ((value = option_value("--directory", arguments, index)) != NULL)
        return (wish.directory = value) != NULL;
    if (strcmp(word, "--json") == 0)
        wish.form = FORM_JSON;
    else if (strcmp(word, "--folded") == 0)
        wish.form = FORM_FOLDED;
    else if (strcmp(word, "-c") == 0 || strcmp(word, "--connections") == 0)
        wish.connections = true;
    else if (strcmp(word, "on") == 0)
        wish.order = ORDER_ON;
    else if (strcmp(word, "off") == 0)
        wish.order = ORDER_OFF;
    else
        return wish.pid == 0 && (wish.pid = number_of(word)) > 0;
    return true;
}

int main(int count, char **arguments)
{
    struct records_met met;
    wish.directory = records_directory();
    for (int i = 1; i < count; i++) {
        const char *word = arguments[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            return fputs(usage, stdout), 0;
        if (strcmp(word, "--activities") == 0)
            return list_activities(), 0;
        if (!take_argument(arguments, &i))
            return say("profile: %s is not understood; `daytona profile --help` tells all", word),
                   EXIT_REFUSED;
    }
    int visited = records_visit(wish.directory, take_record, NULL, &met);
    if (visited < 0 || (wish.pid != 0 && target_count == 0)) {
        say("profile: %s", visited < 0 ? strerror(-visited) : "there is no such process");
        return 1;
    }
    return wish.order == ORDER_SHOW ? show_all() : command_all();
}
