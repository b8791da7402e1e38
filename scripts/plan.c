#include "scripts/plan.h"

#include "preload/settings.h"
#include "scripts/locate.h"
#include "scripts/program.h"
#include "scripts/say.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GO_ON = -1, NAME_MAX_LENGTH = 64 };

/* Options that are not settings of the library. */
static const struct own_option {
    const char *name, *value, *text;
    size_t member; /**< of struct plan: a char[PATH_MAX] */
} own_options[] = {
    {"--iptables", "NAME", "iptables (default), iptables-nft, iptables-legacy, or a path",
     offsetof(struct plan, iptables)},
    {"--state", "DIRECTORY", "where claims on ports are kept (default /run/daytona)",
     offsetof(struct plan, state_directory)},
    {"--library", "FILE", "another libdaytona.so than the one that belongs to this program",
     offsetof(struct plan, library)},
};
static const struct flag {
    const char *name, *text;
    bool alone;
} flags[] = {
    {"--server",
     "the stack runs in a process of its own, which the program and its children share:\n"
     "      they need no privileges",
     false},
    {"--serve", NULL, true}, /* as `daytona server` says it */
};
#define FLAG_COUNT       (sizeof flags / sizeof flags[0])
#define OWN_OPTION_COUNT (sizeof own_options / sizeof own_options[0])

/* ------------------------------------------------------------------ options */

/** DAYTONA_PORT_RANGE is --port-range. */
static void name_option(const struct settings_row *row, char name[NAME_MAX_LENGTH])
{
    const char *from = row->name + strlen("DAYTONA_");
    size_t length = (size_t)snprintf(name, NAME_MAX_LENGTH, "--");
    for (; *from != '\0' && length < NAME_MAX_LENGTH - 1; from++)
        name[length++] = *from == '_' ? '-' : (char)tolower((unsigned char)*from);
    name[length] = '\0';
}

static int help(void)
{
    char name[NAME_MAX_LENGTH];
    const struct settings_row *row;
    printf(
        "usage: daytona run [OPTION VALUE]... [--] PROGRAM [ARGUMENT]...\n\n"
        "Runs a program with its TCP on Daytona. Options (each sets a variable, in brackets):\n");
    for (size_t i = 0; (row = settings_row(i)) != NULL; i++) {
        name_option(row, name);
        printf("\n  %s VALUE   for example %s   [%s]\n      %s\n", name, row->example, row->name,
               row->text);
        if (row->standard[0] != '\0')
            printf("      Default: %s\n", row->standard);
    }
    putchar('\n');
    for (size_t i = 0; i < FLAG_COUNT; i++)
        if (flags[i].text != NULL)
            printf("  %s\n      %s\n", flags[i].name, flags[i].text);
    for (size_t i = 0; i < OWN_OPTION_COUNT; i++)
        printf("  %s %s\n      %s\n", own_options[i].name, own_options[i].value,
               own_options[i].text);
    printf(
        "\nExit status: the program's; it dies by the signal the program died by. %d when it was\n"
        "not started, %d when it is not executable, %d when it was not found.\n",
        EXIT_REFUSED, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND);
    return 0;
}

/** Whether `argument` is the option, alone or with "=value"; *value then is that value or NULL. */
static bool is_option(const char *argument, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return false;
    *value = argument[length] == '=' ? argument + length + 1 : NULL;
    return argument[length] == '=' || argument[length] == '\0';
}

static int unknown_option(const char *argument)
{
    say("run: there is no option %s; `daytona run --help` lists them", argument);
    return EXIT_REFUSED;
}

/** Takes one option at arguments[*index], which moves to its last word. */
static int take_option(struct plan *plan, char **arguments, int *index)
{
    const char *value = NULL;
    char name[NAME_MAX_LENGTH];
    const char *argument = arguments[*index];
    const struct settings_row *row;
    const struct own_option *own = NULL;
    size_t i = 0;
    for (; (row = settings_row(i)) != NULL; i++) {
        name_option(row, name);
        if (is_option(argument, name, &value))
            break;
    }
    for (i = 0; row == NULL && own == NULL && i < OWN_OPTION_COUNT; i++)
        if (is_option(argument, own_options[i].name, &value))
            own = &own_options[i];
    if (row == NULL && own == NULL)
        return unknown_option(argument);
    if (value == NULL)
        value = arguments[++*index];
    if (value == NULL) {
        say("run: the option %s needs a value", argument);
        return EXIT_REFUSED;
    }
    if (row != NULL)
        setenv(row->name, value, 1);
    else
        snprintf((char *)plan + own->member, PATH_MAX, "%s", value);
    return GO_ON;
}

static bool take_flag(struct plan *plan, const char *argument, bool *alone)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (strcmp(argument, flags[i].name) != 0)
            continue;
        plan->serve = true;
        *alone |= flags[i].alone;
        return true;
    }
    return false;
}

static int take_options(struct plan *plan, int count, char **arguments)
{
    int index = 1;
    bool alone = false;
    for (; index < count && arguments[index][0] == '-'; index++) {
        if (strcmp(arguments[index], "--") == 0) {
            index++;
            break;
        }
        if (strcmp(arguments[index], "--help") == 0 || strcmp(arguments[index], "-h") == 0)
            return help();
        if (take_flag(plan, arguments[index], &alone))
            continue;
        int result = take_option(plan, arguments, &index);
        if (result >= 0)
            return result;
    }
    if (alone && index < count) {
        say("server: what is %s for? A server runs no program", arguments[index]);
        return EXIT_REFUSED;
    }
    if (alone)
        return GO_ON;
    if (index >= count) {
        say("run: no program is given; `daytona run --help` tells how");
        return EXIT_REFUSED;
    }
    plan->program = arguments + index;
    return GO_ON;
}

/* ------------------------------------------------------------------ what settings name */

/** 0, or why no line could be added to the file. It is not opened: that may wake who reads a pipe.
 */
static int cannot_append(const char *path)
{
    char directory[PATH_MAX];
    struct stat status;
    if (stat(path, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            return EISDIR;
        return access(path, W_OK) < 0 ? errno : 0;
    }
    if (errno != ENOENT)
        return errno;
    snprintf(directory, sizeof directory, "%s", path);
    return access(dirname(directory), W_OK | X_OK) < 0 ? errno : 0;
}

static int check_summary(const struct settings *read)
{
    int error = read->summary_file[0] == '\0' ? 0 : cannot_append(read->summary_file);
    if (error == 0)
        return GO_ON;
    say("run: --summary (DAYTONA_SUMMARY): cannot write %s: %s", read->summary_file,
        strerror(error));
    return EXIT_REFUSED;
}

/** The interfaces of this network namespace in one line, cut if need be. */
static void list_interfaces(char *line, size_t size)
{
    struct if_nameindex *all = if_nameindex();
    size_t length = 0;
    line[0] = '\0';
    for (struct if_nameindex *one = all; one != NULL && one->if_index != 0; one++) {
        int wrote =
            snprintf(line + length, size - length, "%s%s", length > 0 ? ", " : "", one->if_name);
        if (wrote < 0 || (size_t)wrote >= size - length)
            break;
        length += (size_t)wrote;
    }
    if (all != NULL)
        if_freenameindex(all);
}

static int check_interfaces(const struct settings *read)
{
    char present[1024];
    for (size_t i = 0; i < read->interfaces.count; i++) {
        if (if_nametoindex(read->interfaces.names[i]) != 0)
            continue;
        list_interfaces(present, sizeof present);
        say("run: --interface (DAYTONA_INTERFACE): there is no %s; there are: %s",
            read->interfaces.names[i], present);
        return EXIT_REFUSED;
    }
    return GO_ON;
}

/* ------------------------------------------------------------------ settings */

static void add_ports(struct plan *plan, struct daytona_port_span ports)
{
    if (plan->port_count < DAYTONA_RULES_PORTS_MAX)
        plan->ports[plan->port_count++] = ports;
}

/** A rule for every port would cut off all of this machine's other TCP, the administrator's own
 *  connection first. */
static bool listens_to_all(const struct settings *read)
{
    for (size_t i = 0; i < read->listen.count; i++)
        if (read->listen.rules[i].ports.low == 1 && read->listen.rules[i].ports.high == UINT16_MAX)
            return true;
    return false;
}

/** The rules are the server's business. */
static void choose_server(struct plan *plan, const struct settings *read)
{
    if (plan->serve && plan->program != NULL) {
        const char *state = plan->state_directory[0] != '\0' ? plan->state_directory
                                                             : DAYTONA_RULES_STATE_DIRECTORY;
        snprintf(plan->socket, sizeof plan->socket, "%.*s/server.%d", PATH_MAX - 32, state,
                 (int)getpid());
    } else {
        snprintf(plan->socket, sizeof plan->socket, "%s", read->server_socket);
    }
    setenv("DAYTONA_ENGINE", "process", 1);
    setenv("DAYTONA_SOCKET", plan->socket, 1);
}

static void choose_ports(struct plan *plan, const struct settings *read)
{
    bool all = listens_to_all(read);
    plan->every_port = all;
    plan->rules_wanted = read->rules != SETTINGS_RULES_OFF;
    if (all && plan->rules_wanted)
        say("run: no firewall rule for `all` listening ports, it would cut off every other "
            "connection of this machine; the library's socket filter keeps the kernel silent");
    for (size_t i = 0; !all && i < read->listen.count; i++)
        add_ports(plan, read->listen.rules[i].ports);
    if (read->connect.count > 0) {
        plan->local_ports = read->port_range;
        add_ports(plan, read->port_range);
    }
    setenv("DAYTONA_RULES", plan->rules_wanted && !all ? "on" : "off", 1);
}

/** Reads the settings as the library will. */
static int take_settings(struct plan *plan)
{
    struct settings read;
    struct settings_messages messages;
    settings_read(environ, &read, &messages);
    if (read.fault || read.log >= LOG_LEVEL_ERROR)
        for (size_t i = 0; i < messages.count; i++)
            if (messages.messages[i].level == LOG_LEVEL_ERROR)
                say("%s", messages.messages[i].line); /* the library repeats the warnings */
    if (read.fault)
        return EXIT_REFUSED;
    if (read.listen.count == 0 && read.connect.count == 0 && plan->program == NULL) {
        say("server: neither --listen nor --connect names a port: whose sockets is it to serve? "
            "For "
            "example `daytona server --listen 80,8000-8099 --connect all`; programs then run with "
            "`daytona run --engine process` and the same ports");
        return EXIT_REFUSED;
    }
    if (read.listen.count == 0 && read.connect.count == 0)
        say("run: neither --listen nor --connect names a port, so every socket of the program "
            "stays on the kernel's TCP");
    bool served = read.engine == SETTINGS_ENGINE_PROCESS && !plan->serve;
    if (plan->serve || served)
        choose_server(plan, &read);
    if (!served)
        choose_ports(plan, &read);
    int result = check_summary(&read);
    return result < 0 ? check_interfaces(&read) : result;
}

/* ------------------------------------------------------------------ files */

/** Makes a path absolute: the keeper uses it when the working directory may be another. */
static void make_absolute(char path[PATH_MAX])
{
    char directory[PATH_MAX];
    char whole[2 * PATH_MAX];
    if (path[0] == '/' || getcwd(directory, sizeof directory) == NULL)
        return;
    snprintf(whole, sizeof whole, "%s/%s", directory, path);
    snprintf(path, PATH_MAX, "%.*s", PATH_MAX - 1, whole);
}

static int take_files(struct plan *plan)
{
    if (plan->state_directory[0] != '\0')
        make_absolute(plan->state_directory);
    if (strchr(plan->iptables, '/') != NULL)
        make_absolute(plan->iptables);
    if (plan->library[0] == '\0' && locate_library(plan->library) < 0) {
        say("run: libdaytona.so was not found beside this program; `make` builds it");
        return EXIT_REFUSED;
    }
    make_absolute(plan->library);
    if (access(plan->library, R_OK) < 0) {
        say("run: cannot read %s: %s", plan->library, strerror(errno));
        return EXIT_REFUSED;
    }
    if (strpbrk(plan->library, ": ") != NULL) {
        say("run: the path %s has a blank or a colon, at which LD_PRELOAD would be cut",
            plan->library);
        return EXIT_REFUSED;
    }
    return GO_ON;
}

static int set_preload(const struct plan *plan)
{
    const char *present = getenv("LD_PRELOAD");
    char *value = NULL;
    bool others = present != NULL && present[0] != '\0';
    if (asprintf(&value, "%s%s%s", plan->library, others ? ":" : "", others ? present : "") < 0)
        return EXIT_REFUSED;
    setenv("LD_PRELOAD", value, 1);
    free(value);
    return GO_ON;
}

/* ------------------------------------------------------------------ the program */

static int refusal_of(enum program_kind kind)
{
    switch (kind) {
    case PROGRAM_DYNAMIC:
    case PROGRAM_UNKNOWN: /* the kernel, or the shell, knows what to do with it */
        return GO_ON;
    case PROGRAM_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case PROGRAM_NOT_EXECUTABLE:
        return EXIT_NOT_EXECUTABLE;
    case PROGRAM_STATIC:
    case PROGRAM_GO:
    case PROGRAM_OTHER_ARCHITECTURE:
    case PROGRAM_OTHER_LIBRARY:
    case PROGRAM_PRIVILEGED:
        return EXIT_REFUSED;
    }
    return GO_ON;
}

/** A program that cannot be preloaded would run on the kernel's TCP behind a rule that takes its
 *  packets away: better not at all. */
static int check_program(const struct plan *plan)
{
    struct program program;
    if (plan->program == NULL)
        return GO_ON;
    char text[2 * PATH_MAX + 512];
    program_inspect(plan->program[0], &program);
    int refusal = refusal_of(program.kind);
    if (refusal >= 0) {
        program_describe(&program, text, sizeof text);
        say("run: %s", text);
    }
    return refusal;
}

static int check_privilege(const struct plan *plan)
{
    if (!plan->rules_wanted || plan->port_count == 0 || daytona_rules_permitted())
        return GO_ON;
    say("run: not root: CAP_NET_ADMIN is missing for the firewall rules (--rules off does "
        "without), and Daytona itself needs CAP_NET_RAW for its packets");
    return EXIT_REFUSED;
}

static void describe(struct plan *plan)
{
    size_t length = 0;
    if (plan->program == NULL)
        snprintf(plan->description, sizeof plan->description, "daytona server");
    for (char **word = plan->program;
         word != NULL && *word != NULL && length < sizeof plan->description; word++) {
        int wrote = snprintf(plan->description + length, sizeof plan->description - length, "%s%s",
                             length > 0 ? " " : "", *word);
        length += wrote > 0 ? (size_t)wrote : 0;
    }
}

int plan_read(struct plan *plan, int count, char **arguments)
{
    *plan = (struct plan){.iptables = ""};
    int result = take_options(plan, count, arguments);
    if (result < 0)
        result = take_settings(plan);
    if (result < 0)
        result = take_files(plan);
    if (result < 0)
        result = check_program(plan);
    if (result < 0)
        result = check_privilege(plan);
    if (result < 0)
        result = set_preload(plan);
    if (result >= 0)
        return result;
    describe(plan);
    plan->rules.command = plan->iptables[0] != '\0' ? plan->iptables : NULL;
    plan->rules.state_directory = plan->state_directory[0] != '\0' ? plan->state_directory : NULL;
    plan->rules.program = plan->description;
    return GO_ON;
}
