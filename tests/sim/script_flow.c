/* Lines of a scenario file about what applications do: "flow NAME from HOST to HOST ...". */
#include "tests/sim/script.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ENDLESS 2000000000u /* bytes: what a stream may have, and more than a run moves */

/* What the words of the line add up to. */
struct flow_line {
    struct sim_script *script;
    int to;
    uint64_t bytes, start_us, stop_us, count, every_us;
    bool random_gaps; /* from 0 to twice `every_us` */
    bool pulled;      /* the receiver connects */
    uint64_t gap_us, burst, request, reply, times;
    struct sim_side_plan side; /* options and controller of both ends */
    struct sim_random random;
};

static const char *const option_names[DAYTONA_OPTION_COUNT] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = #name,
#include <daytona/options.def>
#undef OPTION
};

/* As in options.def, in any case, with '-' for '_'. */
static bool is_option(const char *name, const char *word)
{
    while (*name != '\0' &&
           (*name == toupper((unsigned char)*word) || (*name == '_' && *word == '-'))) {
        name++;
        word++;
    }
    return *name == '\0' && *word == '\0';
}

static void read_option(struct flow_line *line, struct sim_words *words)
{
    const char *word = sim_words_take(words, "an option's name");
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        if (is_option(option_names[option], word)) {
            line->side.options[option] = (int64_t)sim_words_number(words, SIM_VALUE_COUNT);
            return;
        }
    sim_words_complain(words, "no option is called \"%s\"; see include/daytona/options.def", word);
}

static void read_controller(struct flow_line *line, struct sim_words *words)
{
    const char *word = sim_words_take(words, "a controller's name");
    for (size_t i = 0; daytona_stack_congestion_name(i) != NULL; i++)
        if (strcmp(daytona_stack_congestion_name(i), word) == 0)
            line->side.congestion = daytona_stack_congestion_name(i);
    if (line->side.congestion == NULL)
        sim_words_complain(words, "the stack has no congestion controller \"%s\"", word);
}

static bool read_number(struct flow_line *line, const char *word, struct sim_words *words)
{
    const struct {
        const char *name;
        enum sim_value_kind kind;
        uint64_t *value;
    } numbers[] = {
        {"bytes", SIM_VALUE_BYTES, &line->bytes},   {"start", SIM_VALUE_TIME, &line->start_us},
        {"stop", SIM_VALUE_TIME, &line->stop_us},   {"count", SIM_VALUE_COUNT, &line->count},
        {"every", SIM_VALUE_TIME, &line->every_us}, {"gap", SIM_VALUE_TIME, &line->gap_us},
        {"burst", SIM_VALUE_BYTES, &line->burst},   {"request", SIM_VALUE_BYTES, &line->request},
        {"reply", SIM_VALUE_BYTES, &line->reply},   {"times", SIM_VALUE_COUNT, &line->times},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(numbers[i].name, word) == 0) {
            *numbers[i].value = sim_words_number(words, numbers[i].kind);
            return true;
        }
    return false;
}

static void read_setting(struct flow_line *line, struct sim_words *words)
{
    const char *word = sim_words_take(words, "a setting");
    if (read_number(line, word, words))
        return;
    if (strcmp(word, "controller") == 0)
        read_controller(line, words);
    else if (strcmp(word, "set") == 0)
        read_option(line, words);
    else if (strcmp(word, "pulled") == 0)
        line->pulled = true;
    else if (strcmp(word, "at-random") == 0)
        line->random_gaps = true;
    else
        sim_words_complain(words, "a flow has no setting \"%s\"", word);
}

static void plan_sides(const struct flow_line *line, struct sim_connection_plan *plan)
{
    struct sim_side_plan *from = &plan->sides[line->pulled ? SIM_SERVER : SIM_CLIENT];
    struct sim_side_plan *to = &plan->sides[line->pulled ? SIM_CLIENT : SIM_SERVER];
    *from = *to = line->side;
    from->write_max = to->write_max = 65536;
    from->bytes = line->bytes == 0 ? ENDLESS : line->bytes;
    from->burst = line->burst;
    from->gap_us = line->gap_us;
    if (line->request == 0)
        return;
    from->pace = to->pace = SIM_PACE_REQUEST;
    from->request = to->request = line->request;
    from->reply = to->reply = line->reply;
    uint64_t times = ENDLESS / (line->request > line->reply ? line->request : line->reply);
    if (line->times != 0 && line->times < times)
        times = line->times;
    from->bytes = times * line->request;
    to->bytes = times * line->reply;
}

/* Until the next connection of the flow begins. */
static uint64_t draw_gap_us(struct flow_line *line)
{
    if (!line->random_gaps)
        return line->every_us;
    return sim_random_between(&line->random, 0, 2 * line->every_us);
}

static void add_connections(void *context, struct sim_words *words, const char *name)
{
    struct flow_line *line = context;
    struct sim_script *script = line->script;
    int from = sim_script_find_node(script, name);
    if (from < 0 || from >= (int)script->scenario.host_count || from == line->to) {
        sim_words_complain(words, "\"%s\" is no host, or the one at the other end", name);
        return;
    }
    uint64_t start_us = line->start_us;
    for (uint64_t i = 0; i < line->count && start_us < script->run_us; i++) {
        unsigned client = (unsigned)(line->pulled ? line->to : from);
        unsigned server = (unsigned)(line->pulled ? from : line->to);
        struct sim_connection_plan *plan = sim_scenario_add(&script->scenario, client, server);
        plan->group = script->group_count;
        plan->start.ns = start_us * 1000;
        plan->stop.ns = line->stop_us * 1000;
        plan_sides(line, plan);
        start_us += draw_gap_us(line);
    }
}

static void check(const struct flow_line *line, struct sim_words *words)
{
    const struct sim_script *script = line->script;
    if (script->run_us == 0)
        sim_words_complain(words, "how long? put a line before: run 30 s");
    if (script->group_count == SIM_GROUPS_MAX)
        sim_words_complain(words, "there are at most %d flows; use count or ranges",
                           SIM_GROUPS_MAX);
    if (line->to < 0 || line->to >= (int)script->scenario.host_count)
        sim_words_complain(words, "a flow goes to a host; write: flow NAME from HOST to HOST");
    if ((line->request == 0) != (line->reply == 0) || (line->request != 0 && line->pulled))
        sim_words_complain(words, "request and reply go together, and are never pulled");
    if (line->gap_us > 0 && line->burst == 0 && line->request == 0)
        sim_words_complain(words,
                           "a gap follows a burst or a request; write: burst 100 kB gap 1 s");
    if (line->bytes > ENDLESS)
        sim_words_complain(words, "a flow has 2 GB at most");
}

void sim_script_read_flow(struct sim_script *script, struct sim_words *words)
{
    struct flow_line line = {.script = script,
                             .count = 1,
                             .stop_us = script->run_us,
                             .side = sim_side_plan_plain(0),
                             .random = sim_random_from(script->scenario.seed, 30000 + words->line)};
    const char *name = sim_words_take(words, "the flow's name");
    const char *from = "", *to = "";
    if (sim_words_take_if(words, "from"))
        from = sim_words_take(words, "a host");
    if (sim_words_take_if(words, "to"))
        to = sim_words_take(words, "a host");
    line.to = sim_script_find_node(script, to);
    if (line.to >= 0)
        while (sim_words_peek(words) != NULL)
            read_setting(&line, words);
    if (sim_script_find_group(script, name) >= 0)
        sim_words_complain(words, "there is a flow \"%s\" already; choose another name", name);
    check(&line, words);
    if (words->failed)
        return;
    struct sim_group *group = &script->groups[script->group_count];
    *group = (struct sim_group){.first = script->scenario.connection_count,
                                .controller = line.side.congestion};
    snprintf(group->name, sizeof group->name, "%s", name);
    sim_script_each_name(words, from, add_connections, &line);
    group->count = script->scenario.connection_count - group->first;
    script->group_count++;
}
