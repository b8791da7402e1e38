/* Lines of a scenario file about links: "link A B ..." and "at TIME link NAME ...". */
#include "tests/sim/script.h"
#include <stdio.h>
#include <string.h>

#define CODEL_TARGET_US   5000   /* RFC 8289 section 4.2 */
#define CODEL_INTERVAL_US 100000 /* the same */

/* Settings with a value, each a uint64_t of struct sim_link_config. */
static const struct link_setting {
    const char *name;
    enum sim_value_kind kind;
    size_t offset;
} settings[] = {
#define SETTING(name, kind, member)                                                                \
    {                                                                                              \
        name, SIM_VALUE_##kind, offsetof(struct sim_link_config, member)                           \
    }
    SETTING("rate", RATE, bytes_per_second),
    SETTING("delay", TIME, delay_us),
    SETTING("jitter", TIME, jitter_us),
    SETTING("queue", PACKETS, queue_bytes),
    SETTING("mark-above", PACKETS, mark_bytes),
    SETTING("codel-target", TIME, codel_target_us),
    SETTING("codel-interval", TIME, codel_interval_us),
    SETTING("mtu", BYTES, mtu),
    SETTING("loss", SHARE, loss),
    SETTING("burst-enter", SHARE, burst_enter),
    SETTING("burst-leave", SHARE, burst_leave),
    SETTING("burst-loss", SHARE, burst_loss),
    SETTING("reorder", SHARE, reorder),
    SETTING("reorder-by", TIME, reorder_us),
    SETTING("duplicate", SHARE, duplicate),
    SETTING("corrupt", SHARE, corrupt),
    SETTING("fragment", SHARE, fragment),
#undef SETTING
};

/* Words that stand for themselves. */
static const struct link_switch {
    const char *name;
    bool value;
    size_t offset;
} switches[] = {
#define SWITCH(name, value, member)                                                                \
    {                                                                                              \
        name, value, offsetof(struct sim_link_config, member)                                      \
    }
    SWITCH("ecn", true, codel_marks),
    SWITCH("silent", true, refuses_silently),
    SWITCH("jitter-reorders", true, jitter_reorders),
    SWITCH("told", true, outage_is_told),
    SWITCH("down", true, down),
    SWITCH("up", false, down),
    SWITCH("held", true, held),
    SWITCH("released", false, held),
#undef SWITCH
};

/* Bit 0 of `ways`: the way forth, bit 1: back. */
static void store(struct sim_link_config *configs[2], unsigned ways, size_t offset,
                  const void *value, size_t size)
{
    for (unsigned way = 0; way < 2; way++)
        if ((ways >> way & 1) != 0)
            memcpy((uint8_t *)configs[way] + offset, value, size);
}

static bool read_switch(struct sim_link_config *configs[2], unsigned ways, const char *word)
{
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(switches[i].name, word) == 0) {
            store(configs, ways, switches[i].offset, &switches[i].value, sizeof(bool));
            return true;
        }
    if (strcmp(word, "codel") != 0)
        return false;
    uint64_t target = CODEL_TARGET_US, interval = CODEL_INTERVAL_US;
    store(configs, ways, offsetof(struct sim_link_config, codel_target_us), &target, sizeof target);
    store(configs, ways, offsetof(struct sim_link_config, codel_interval_us), &interval,
          sizeof interval);
    return true;
}

static bool read_setting(struct sim_link_config *configs[2], unsigned ways, const char *word,
                         struct sim_words *words)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].name, word) == 0) {
            uint64_t value = sim_words_number(words, settings[i].kind);
            store(configs, ways, settings[i].offset, &value, sizeof value);
            return true;
        }
    return false;
}

/* Settings until the end of the line. After "forth" or "back" they are for one way only. */
static void read_settings(struct sim_link_config *configs[2], unsigned ways,
                          struct sim_words *words)
{
    while (sim_words_peek(words) != NULL) {
        const char *word = sim_words_take(words, "a setting");
        if (strcmp(word, "forth") == 0)
            ways = 1;
        else if (strcmp(word, "back") == 0)
            ways = 2;
        else if (!read_switch(configs, ways, word) && !read_setting(configs, ways, word, words))
            sim_words_complain(words, "a link has no setting \"%s\"", word);
    }
}

struct link_line {
    struct sim_script *script;
    int other; /* node */
    const char *name;
    struct sim_link_config configs[2];
    bool turned; /* the nodes of the pattern come second */
};

static void add_link(void *context, struct sim_words *words, const char *name)
{
    const struct link_line *line = context;
    struct sim_script *script = line->script;
    struct sim_scenario *scenario = &script->scenario;
    int node = sim_script_find_node(script, name);
    if (node < 0 || scenario->link_count + 2 > SIM_LINKS_MAX) {
        sim_words_complain(words, "no host or router is called \"%s\", or there are too many links",
                           name);
        return;
    }
    unsigned from = (unsigned)(line->turned ? line->other : node);
    unsigned to = (unsigned)(line->turned ? node : line->other);
    unsigned forth = sim_scenario_add_link(scenario, from, to, &line->configs[0]);
    sim_scenario_add_link(scenario, to, from, &line->configs[1]);
    char between[SIM_NAME_MAX * 2 + 2];
    snprintf(between, sizeof between, "%s-%s", script->nodes[from], script->nodes[to]);
    const char *label = line->name != NULL ? line->name : between;
    script->named[forth] = line->name != NULL;
    memcpy(script->links[forth], label, strnlen(label, SIM_NAME_MAX - 1));
}

/* "link A B [as NAME] [SETTING...]"; one of A and B may be a range of names. */
void sim_script_read_link(struct sim_script *script, struct sim_words *words)
{
    const char *a = sim_words_take(words, "a host or router");
    const char *b = sim_words_take(words, "a second host or router");
    struct link_line line = {.script = script,
                             .turned = strstr(b, "..") != NULL,
                             .configs = {{.mtu = 1500}, {.mtu = 1500}}};
    line.other = sim_script_find_node(script, line.turned ? a : b);
    if (line.other < 0)
        sim_words_complain(words, "no host or router is called \"%s\"", line.turned ? a : b);
    if (sim_words_take_if(words, "as"))
        line.name = sim_words_take(words, "the link's name");
    struct sim_link_config *configs[2] = {&line.configs[0], &line.configs[1]};
    read_settings(configs, 3, words);
    if (!words->failed)
        sim_script_each_name(words, line.turned ? b : a, add_link, &line);
}

/* What a link is after the changes that are known so far. */
static struct sim_link_config latest(const struct sim_scenario *scenario, unsigned link)
{
    struct sim_link_config config = scenario->links[link];
    for (unsigned i = 0; i < scenario->change_count; i++)
        if (scenario->changes[i].link == link)
            config = scenario->changes[i].config;
    return config;
}

/* "at TIME link NAME SETTING..."; in the order of time. */
void sim_script_read_change(struct sim_script *script, struct sim_words *words)
{
    struct sim_scenario *scenario = &script->scenario;
    uint64_t at_us = sim_words_number(words, SIM_VALUE_TIME);
    if (!sim_words_take_if(words, "link"))
        sim_words_complain(words, "write: at 10 s link NAME down");
    const char *name = sim_words_take(words, "a link's name");
    int link = sim_script_find_link(script, name);
    if (link < 0)
        sim_words_complain(words, "no link is called \"%s\"", name);
    if (words->failed)
        return;
    unsigned first = scenario->change_count;
    if (first + 2 > SIM_CHANGES_MAX ||
        (first > 0 && scenario->changes[first - 1].at.ns > at_us * 1000)) {
        sim_words_complain(words, "changes come in the order of time, at most %d",
                           SIM_CHANGES_MAX / 2);
        return;
    }
    struct sim_change *changes = &scenario->changes[first];
    for (unsigned way = 0; way < 2; way++) {
        unsigned number = (unsigned)(link & ~1) + way;
        changes[way] = (struct sim_change){
            .at = {at_us * 1000}, .link = number, .config = latest(scenario, number)};
    }
    struct sim_link_config *configs[2] = {&changes[0].config, &changes[1].config};
    read_settings(configs, strstr(name, ".back") != NULL ? 2 : 3, words);
    scenario->change_count += 2;
}
