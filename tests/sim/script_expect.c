/* Lines of a scenario file about its outcome: "expect goodput of bulk >= 80 % of bottleneck". */
#include "tests/sim/result.h"
#include <stdio.h>
#include <string.h>

static void keep_text(struct sim_expectation *expectation, const struct sim_words *words)
{
    size_t length = 0;
    for (unsigned i = 1; i < words->count && length < sizeof expectation->text; i++)
        length += (size_t)snprintf(expectation->text + length, sizeof expectation->text - length,
                                   "%s%s", i == 1 ? "" : " ", words->words[i]);
}

static void read_metric(struct sim_expectation *expectation, struct sim_words *words)
{
    const char *word = sim_words_take(words, "what is measured");
    int metric = sim_result_find_metric(word);
    if (metric < 0) {
        char all[512];
        sim_result_list_metrics(all, sizeof all);
        sim_words_complain(words, "\"%s\" is not measured; these are: %s", word, all);
        metric = 0;
    }
    expectation->metric = (unsigned)metric;
}

/* "of NAME"; without, it is about all flows. */
static void read_subject(const struct sim_script *script, struct sim_expectation *expectation,
                         struct sim_words *words)
{
    bool link = sim_result_metric_is_of_link((int)expectation->metric);
    expectation->subject = -1;
    if (sim_words_take_if(words, "of")) {
        const char *name = sim_words_take(words, "a name");
        expectation->subject =
            link ? sim_script_find_link(script, name) : sim_script_find_group(script, name);
        if (expectation->subject < 0)
            sim_words_complain(words, "no %s is called \"%s\"", link ? "link" : "flow", name);
    } else if (link) {
        sim_words_complain(words, "of which link?");
    }
}

static void read_comparison(struct sim_expectation *expectation, struct sim_words *words)
{
    static const char *const comparisons[] = {"<", "<=", "==", ">=", ">"};
    const char *word = sim_words_take(words, "a comparison");
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
        if (strcmp(word, comparisons[i]) == 0)
            snprintf(expectation->comparison, sizeof expectation->comparison, "%s", word);
    if (expectation->comparison[0] == '\0')
        sim_words_complain(words, "\"%s\" is no comparison; these are: < <= == >= >", word);
}

/* A value with its unit, or a share or multiple of what another flow or a link's rate is. */
static void read_bound(const struct sim_script *script, struct sim_expectation *expectation,
                       struct sim_words *words)
{
    bool relative = words->count >= 2 && strcmp(words->words[words->count - 2], "of") == 0 &&
                    words->count - 2 > words->at;
    expectation->of_group = expectation->of_link = -1;
    if (!relative) {
        expectation->bound =
            sim_words_value(words, sim_result_metric_kind((int)expectation->metric));
        return;
    }
    bool percent = words->count - 2 > words->at + 1 || strchr(words->words[words->at], '%');
    expectation->bound = percent ? sim_words_value(words, SIM_VALUE_SHARE) / 1e6
                                 : sim_words_value(words, SIM_VALUE_COUNT);
    sim_words_take_if(words, "of");
    const char *name = sim_words_take(words, "a name");
    expectation->of_group = sim_script_find_group(script, name);
    if (expectation->of_group < 0)
        expectation->of_link = sim_script_find_link(script, name);
    if (expectation->of_group < 0 && expectation->of_link < 0)
        sim_words_complain(words, "no flow or link is called \"%s\"", name);
}

void sim_script_read_expectation(struct sim_script *script, struct sim_words *words)
{
    struct sim_expectation *expectation = &script->expectations[script->expectation_count];
    if (script->expectation_count == SIM_EXPECTATIONS_MAX) {
        sim_words_complain(words, "there are at most %d expectations", SIM_EXPECTATIONS_MAX);
        return;
    }
    *expectation = (struct sim_expectation){.line = words->line};
    keep_text(expectation, words);
    read_metric(expectation, words);
    read_subject(script, expectation, words);
    read_comparison(expectation, words);
    read_bound(script, expectation, words);
    script->expectation_count++;
}
