#include "tests/sim/script.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION_MAX ((size_t)4 << 30)

/* ---------------------------------------------------------------- names */

static int find_name(const char (*names)[SIM_NAME_MAX], unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

int sim_script_find_node(const struct sim_script *script, const char *name)
{
    const struct sim_scenario *scenario = &script->scenario;
    return find_name(script->nodes, scenario->host_count + scenario->router_count, name);
}

int sim_script_find_link(const struct sim_script *script, const char *name)
{
    char plain[SIM_NAME_MAX];
    snprintf(plain, sizeof plain, "%s", name);
    char *back = strstr(plain, ".back");
    if (back != NULL)
        *back = '\0';
    int forth = find_name(script->links, script->scenario.link_count, plain);
    return forth >= 0 && back != NULL ? forth + 1 : forth;
}

int sim_script_find_group(const struct sim_script *script, const char *name)
{
    for (unsigned i = 0; i < script->group_count; i++)
        if (strcmp(script->groups[i].name, name) == 0)
            return (int)i;
    return -1;
}

void sim_script_each_name(struct sim_words *words, const char *pattern,
                          void (*each)(void *context, struct sim_words *words, const char *name),
                          void *context)
{
    const char *dots = strstr(pattern, "..");
    if (dots == NULL) {
        each(context, words, pattern);
        return;
    }
    size_t prefix = (size_t)(dots - pattern);
    while (prefix > 0 && pattern[prefix - 1] >= '0' && pattern[prefix - 1] <= '9')
        prefix--;
    unsigned long first = strtoul(pattern + prefix, NULL, 10), last = strtoul(dots + 2, NULL, 10);
    if (last < first || last - first >= SIM_HOSTS_MAX)
        sim_words_complain(words, "\"%s\" is no range; write for example s1..8", pattern);
    for (unsigned long number = first; number <= last && !words->failed; number++) {
        char name[SIM_NAME_MAX];
        snprintf(name, sizeof name, "%.*s%lu", (int)(prefix > 20 ? 20 : prefix), pattern, number);
        each(context, words, name);
    }
}

/* ---------------------------------------------------------------- hosts and routers */

/* Settings of a host that are a field of its stack's configuration. */
static const struct host_setting {
    const char *name;
    enum sim_value_kind kind;
    size_t offset; /* of a uint32_t in struct daytona_stack_config */
} host_settings[] = {
#define SETTING(name, kind, member)                                                                \
    {                                                                                              \
        name, SIM_VALUE_##kind, offsetof(struct daytona_stack_config, member)                      \
    }
    SETTING("receive-buffer", BYTES, receive_buffer_bytes),
    SETTING("receive-buffer-max", BYTES, receive_buffer_max),
    SETTING("send-buffer", BYTES, send_buffer_bytes),
    SETTING("send-buffer-max", BYTES, send_buffer_max),
    SETTING("rto-min", TIME, rto_min_us),
    SETTING("time-wait", TIME, time_wait_us),
    SETTING("super-segments", BYTES, super_segment_bytes_max),
#undef SETTING
};

static const char *find_controller(struct sim_words *words)
{
    const char *word = sim_words_take(words, "a controller's name");
    for (size_t i = 0; daytona_stack_congestion_name(i) != NULL; i++)
        if (strcmp(daytona_stack_congestion_name(i), word) == 0)
            return daytona_stack_congestion_name(i);
    sim_words_complain(words, "the stack has no congestion controller \"%s\"", word);
    return NULL;
}

static const char *find_ecn(struct sim_words *words)
{
    const char *word = sim_words_take(words, "an ECN policy");
    for (size_t i = 0; daytona_stack_ecn_name(i) != NULL; i++)
        if (strcmp(daytona_stack_ecn_name(i), word) == 0)
            return daytona_stack_ecn_name(i);
    sim_words_complain(words, "the stack has no ECN policy \"%s\"", word);
    return NULL;
}

static void read_host_setting(struct sim_host_plan *host, struct sim_words *words)
{
    const char *word = sim_words_take(words, "a setting");
    for (size_t i = 0; i < sizeof host_settings / sizeof host_settings[0]; i++)
        if (strcmp(host_settings[i].name, word) == 0) {
            uint32_t value = (uint32_t)sim_words_number(words, host_settings[i].kind);
            memcpy((uint8_t *)&host->config + host_settings[i].offset, &value, sizeof value);
            return;
        }
    if (strcmp(word, "controller") == 0)
        host->config.congestion = find_controller(words);
    else if (strcmp(word, "ecn") == 0)
        host->config.ecn = find_ecn(words);
    else if (strcmp(word, "mtu") == 0)
        host->path_mtu = (uint32_t)sim_words_number(words, SIM_VALUE_BYTES);
    else if (strcmp(word, "memory") == 0)
        host->region_bytes = (size_t)sim_words_number(words, SIM_VALUE_BYTES);
    else if (strcmp(word, "late") == 0)
        host->late_us = (uint32_t)sim_words_number(words, SIM_VALUE_TIME);
    else if (strcmp(word, "backlog") == 0)
        host->backlog = (int)sim_words_number(words, SIM_VALUE_COUNT);
    else
        sim_words_complain(words, "a host has no setting \"%s\"", word);
    if (host->region_bytes > REGION_MAX)
        sim_words_complain(words, "memory is at most 4 GB");
}

static void add_node(struct sim_script *script, struct sim_words *words, const char *name,
                     unsigned number)
{
    if (sim_script_find_node(script, name) >= 0)
        sim_words_complain(words, "there is a \"%s\" already; choose another name", name);
    snprintf(script->nodes[number], SIM_NAME_MAX, "%s", name);
}

static void add_host(void *context, struct sim_words *words, const char *name)
{
    struct sim_script *script = context;
    if (script->scenario.host_count == SIM_HOSTS_MAX || script->scenario.router_count > 0) {
        sim_words_complain(words, "hosts come before routers, at most %d", SIM_HOSTS_MAX);
        return;
    }
    unsigned number = script->scenario.host_count;
    add_node(script, words, name, number);
    sim_scenario_add_host(&script->scenario);
    script->scenario.hosts[number].region_bytes = (size_t)512 << 20;
}

/* "host NAME... [: SETTING...]" */
static void read_host(struct sim_script *script, struct sim_words *words)
{
    unsigned first = script->scenario.host_count;
    while (sim_words_peek(words) != NULL && !sim_words_take_if(words, ":"))
        sim_script_each_name(words, sim_words_take(words, "a name"), add_host, script);
    unsigned settings = words->at;
    for (unsigned host = first; host < script->scenario.host_count && !words->failed; host++) {
        words->at = settings;
        while (sim_words_peek(words) != NULL)
            read_host_setting(&script->scenario.hosts[host], words);
    }
}

static void add_router(void *context, struct sim_words *words, const char *name)
{
    struct sim_script *script = context;
    struct sim_scenario *scenario = &script->scenario;
    if (scenario->router_count == SIM_ROUTERS_MAX) {
        sim_words_complain(words, "there are at most %d routers", SIM_ROUTERS_MAX);
        return;
    }
    unsigned number = scenario->host_count + scenario->router_count;
    add_node(script, words, name, number);
    scenario->router_count++;
}

static void read_router(struct sim_script *script, struct sim_words *words)
{
    while (sim_words_peek(words) != NULL)
        sim_script_each_name(words, sim_words_take(words, "a name"), add_router, script);
}

/* ---------------------------------------------------------------- the file */

static void read_title(struct sim_script *script, struct sim_words *words)
{
    while (sim_words_peek(words) != NULL) {
        size_t length = strlen(script->title);
        snprintf(script->title + length, sizeof script->title - length, "%s%s",
                 length == 0 ? "" : " ", sim_words_take(words, "a word"));
    }
}

static void read_seed(struct sim_script *script, struct sim_words *words)
{
    uint64_t seed = sim_words_number(words, SIM_VALUE_COUNT);
    if (script->scenario.host_count > 0)
        sim_words_complain(words, "the seed comes before the hosts");
    if (script->scenario.seed == 0)
        script->scenario.seed = seed;
}

static void read_run(struct sim_script *script, struct sim_words *words)
{
    script->run_us = sim_words_number(words, SIM_VALUE_TIME);
    script->to_us = script->run_us;
}

/* "measure TIME to TIME" */
static void read_measure(struct sim_script *script, struct sim_words *words)
{
    script->from_us = sim_words_number(words, SIM_VALUE_TIME);
    if (!sim_words_take_if(words, "to"))
        sim_words_complain(words, "write: measure 5 s to 30 s");
    script->to_us = sim_words_number(words, SIM_VALUE_TIME);
    if (script->to_us <= script->from_us || script->to_us > script->run_us)
        sim_words_complain(words, "measuring ends after it begins and within the run");
}

static void read_line(struct sim_script *script, struct sim_words *words)
{
    static const struct {
        const char *word;
        void (*read)(struct sim_script *, struct sim_words *);
    } lines[] = {
        {"title", read_title},
        {"seed", read_seed},
        {"run", read_run},
        {"measure", read_measure},
        {"host", read_host},
        {"router", read_router},
        {"link", sim_script_read_link},
        {"at", sim_script_read_change},
        {"flow", sim_script_read_flow},
        {"expect", sim_script_read_expectation},
    };
    const char *word = sim_words_peek(words);
    if (word == NULL)
        return;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (sim_words_take_if(words, lines[i].word)) {
            lines[i].read(script, words);
            sim_words_end(words);
            return;
        }
    sim_words_complain(words,
                       "no line begins with \"%s\"; these do: title seed run measure host "
                       "router link at flow expect",
                       word);
}

static void check_routes(struct sim_script *script, struct sim_words *words)
{
    const struct sim_scenario *scenario = &script->scenario;
    sim_scenario_route(&script->scenario);
    for (unsigned i = 0; i < scenario->connection_count; i++) {
        const unsigned *hosts = scenario->connections[i].hosts;
        if (sim_scenario_hop(scenario, hosts[0], hosts[1]) == SIM_NO_ROUTE ||
            sim_scenario_hop(scenario, hosts[1], hosts[0]) == SIM_NO_ROUTE)
            sim_words_complain(words, "no links lead from %s to %s; add some",
                               script->nodes[hosts[0]], script->nodes[hosts[1]]);
    }
    if (scenario->connection_count == 0)
        sim_words_complain(words, "there is no flow; write: flow NAME from HOST to HOST");
}

bool sim_script_read(struct sim_script *script, const char *path, uint64_t seed)
{
    static struct sim_words words;
    memset(script, 0, sizeof *script);
    memset(&words, 0, sizeof words);
    sim_scenario_empty(&script->scenario, seed);
    script->path = words.path = path;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    char line[SIM_LINE_MAX];
    while (!words.failed && fgets(line, sizeof line, file) != NULL) {
        words.line++;
        sim_words_split(&words, line);
        read_line(script, &words);
    }
    fclose(file);
    if (!words.failed)
        check_routes(script, &words);
    return !words.failed;
}

void sim_script_release(struct sim_script *script)
{
    sim_scenario_release(&script->scenario);
}
