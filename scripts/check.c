/*
 * daytona-check: says in plain words whether a program would talk through Daytona, and if not,
 * why. Asks the parts themselves: opens a capture, a raw socket and the firewall's list, and
 * closes them again. Nothing is run and nothing is changed.
 */
#include "preload/settings.h"
#include "scripts/locate.h"
#include "scripts/option.h"
#include "scripts/ports_in_use.h"
#include "scripts/program.h"
#include "scripts/say.h"

#include <daytona/capture.h>
#include <daytona/rawtx.h>
#include <daytona/rules.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: daytona check [--listen PORTS] [--connect PORTS] [--port-range A-B] [--rules on|off]\n"
    "                     [--iptables NAME] [--state DIRECTORY] PROGRAM\n\n"
    "Says what would happen if `daytona run` were to run the program with these options.\n"
    "Exit status: 0 it would work, 1 it would not.\n";

struct checkup {
    struct settings settings;
    struct daytona_rules_config rules;
    const char *program;
    bool failed;
    unsigned long cut_off; /**< connections of the kernel with a local port in our range */
};

static void print_finding(const char *mark, const char *format, va_list arguments)
{
    printf("%-4s", mark);
    vprintf(format, arguments);
    putchar('\n');
}

static void good(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_finding("ok", format, arguments);
    va_end(arguments);
}

static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_finding("!", format, arguments);
    va_end(arguments);
}

static void bad(struct checkup *checkup, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_finding("NO", format, arguments);
    va_end(arguments);
    checkup->failed = true;
}

/* ------------------------------------------------------------------ the parts */

static void check_program(struct checkup *checkup)
{
    struct program program;
    char text[2 * PATH_MAX + 512];
    program_inspect(checkup->program, &program);
    program_describe(&program, text, sizeof text);
    if (program_works(&program))
        good("%s", text);
    else
        bad(checkup, "%s", text);
}

static void check_library(struct checkup *checkup)
{
    char path[PATH_MAX];
    if (locate_library(path) == 0)
        good("%s is there", path);
    else
        bad(checkup, "libdaytona.so was not found beside this program; `make` builds it");
}

static void check_capture(struct checkup *checkup)
{
    char words[1024] = "";
    struct daytona_capture *capture = NULL;
    const struct daytona_capture_config config = {.ring_bytes = 1 << 20};
    if (daytona_capture_open(&config, &capture, words, sizeof words) < 0) {
        bad(checkup, "packets cannot be received: %s", words);
        return;
    }
    daytona_capture_close(capture);
    good("packets can be received (libpcap)");
}

static void check_sending(struct checkup *checkup)
{
    char words[1024] = "";
    struct daytona_rawtx *sink = NULL;
    if (daytona_rawtx_open(DAYTONA_RAWTX_RAW, &sink, words, sizeof words) < 0) {
        bad(checkup, "packets cannot be sent: %s", words);
        return;
    }
    daytona_rawtx_close(sink);
    good("packets can be sent (raw socket)");
}

static void ignore_claim(void *context, const struct daytona_rule_claim *claim)
{
    (void)context;
    (void)claim;
}

static void check_rules(struct checkup *checkup)
{
    char words[1024];
    if (checkup->settings.rules == SETTINGS_RULES_OFF) {
        good("no firewall rules are wanted");
        return;
    }
    if (!daytona_rules_permitted()) {
        bad(checkup, "firewall rules need root (CAP_NET_ADMIN); --rules off does without");
        return;
    }
    if (daytona_rules_list(&checkup->rules, ignore_claim, NULL, words, sizeof words) < 0) {
        bad(checkup, "firewall rules cannot be installed: %s", words);
        return;
    }
    good("firewall rules can be installed (iptables)");
}

/* ------------------------------------------------------------------ the ports */

static void judge_socket(void *context, const struct kernel_socket *socket)
{
    struct checkup *checkup = context;
    char name[32];
    const struct settings *wanted = &checkup->settings;
    if (socket->listening && ports_match_port(&wanted->listen, socket->port)) {
        int pid = ports_find_owner(socket, name);
        if (pid > 0)
            bad(checkup, "port %u is taken: %s (pid %d) listens on it%s", socket->port, name, pid,
                socket->ipv6 ? ", on IPv6" : "");
        else
            bad(checkup, "port %u is taken: another process listens on it", socket->port);
    }
    if (wanted->connect.count > 0 && wanted->port_range.low <= socket->port &&
        socket->port <= wanted->port_range.high)
        checkup->cut_off++;
}

static void check_ports(struct checkup *checkup)
{
    bool failed_before = checkup->failed;
    const struct settings *wanted = &checkup->settings;
    checkup->failed = false;
    if (wanted->listen.count + wanted->connect.count == 0)
        note("without --listen and --connect every socket stays on the kernel's TCP");
    else if (ports_in_use(judge_socket, checkup) < 0)
        note("whether ports are taken is not known: /proc/net/tcp cannot be read");
    else if (!checkup->failed)
        good("no port is taken");
    if (checkup->cut_off > 0)
        note("%lu sockets of the kernel use local ports of %u-%u and would be cut off; another "
             "--port-range helps",
             checkup->cut_off, wanted->port_range.low, wanted->port_range.high);
    checkup->failed |= failed_before;
}

/* ------------------------------------------------------------------ options */

static bool take_option(struct checkup *checkup, char **arguments, int *index)
{
    static const char *const variables[][2] = {{"--listen", "DAYTONA_LISTEN"},
                                               {"--connect", "DAYTONA_CONNECT"},
                                               {"--port-range", "DAYTONA_PORT_RANGE"},
                                               {"--rules", "DAYTONA_RULES"}};
    const char *value = NULL;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        value = option_value(variables[i][0], arguments, index);
        if (value != NULL)
            return setenv(variables[i][1], value, 1) == 0;
    }
    if ((value = option_value("--iptables", arguments, index)) != NULL)
        checkup->rules.command = value;
    else if ((value = option_value("--state", arguments, index)) != NULL)
        checkup->rules.state_directory = value;
    return value != NULL;
}

static bool take_arguments(struct checkup *checkup, int count, char **arguments)
{
    int index = 1;
    while (index < count && arguments[index][0] == '-' && strcmp(arguments[index], "--") != 0) {
        if (!take_option(checkup, arguments, &index))
            return false;
        index++;
    }
    index += index < count && strcmp(arguments[index], "--") == 0;
    checkup->program = index < count ? arguments[index] : NULL;
    return checkup->program != NULL;
}

/** What the environment and the options say; false when a value cannot be read. */
static bool read_settings(struct checkup *checkup)
{
    struct settings_messages messages;
    settings_read(environ, &checkup->settings, &messages);
    for (size_t i = 0; i < messages.count; i++)
        say("%s", messages.messages[i].line);
    return !checkup->settings.fault;
}

int main(int count, char **arguments)
{
    static struct checkup checkup;
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        printf("%s", usage);
        return 0;
    }
    if (!take_arguments(&checkup, count, arguments)) {
        fprintf(stderr, "%s", usage);
        return 2;
    }
    if (!read_settings(&checkup))
        return 1;
    check_program(&checkup);
    check_library(&checkup);
    check_capture(&checkup);
    check_sending(&checkup);
    check_rules(&checkup);
    check_ports(&checkup);
    printf("%s\n", checkup.failed ? "It would not work." : "It would work.");
    return checkup.failed ? 1 : 0;
}
