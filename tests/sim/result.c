#include "tests/sim/result.h"
#include <string.h>

/* ---------------------------------------------------------------- of a group of connections */

static const struct sim_connection *connection_at(const struct sim_result *result,
                                                  const struct sim_group *group, unsigned i)
{
    return &result->world->connections[group->first + i];
}

static const struct sim_side_meter *side_at(const struct sim_result *result,
                                            const struct sim_group *group, unsigned i)
{
    return &result->meter->sides[2 * (group->first + i / 2) + i % 2];
}

/* Of all together: from the first start to the last end. */
static double goodput(const struct sim_result *result, const struct sim_group *group)
{
    struct sim_delivery all = {.start = DAYTONA_NEVER};
    for (unsigned i = 0; i < group->count; i++) {
        struct sim_delivery one =
            sim_meter_delivery(result->meter, connection_at(result, group, i));
        all.bytes += one.bytes;
        if (daytona_instant_before(one.start, all.start))
            all.start = one.start;
        if (daytona_instant_before(all.end, one.end))
            all.end = one.end;
    }
    return sim_delivery_rate(&all);
}

#define SUM_OF(member)                                                                             \
    static double sum_of_##member(const struct sim_result *result, const struct sim_group *group)  \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        for (unsigned i = 0; i < 2 * group->count; i++)                                            \
            sum += side_at(result, group, i)->member;                                              \
        return (double)sum;                                                                        \
    }
SUM_OF(retransmitted_segments)
SUM_OF(timeouts)
SUM_OF(recoveries)
#undef SUM_OF

/* Of the side that has the more samples: the one that sends. */
static struct sim_samples join_rtt(const struct sim_result *result, const struct sim_group *group)
{
    struct sim_samples all = {0};
    for (unsigned i = 0; i < group->count; i++) {
        const struct sim_samples *one = &side_at(result, group, 2 * i)->rtt;
        const struct sim_samples *other = &side_at(result, group, 2 * i + 1)->rtt;
        sim_samples_join(&all, one->count >= other->count ? one : other);
    }
    return all;
}

static struct sim_samples join_response(const struct sim_result *result,
                                        const struct sim_group *group)
{
    struct sim_samples all = {0};
    for (unsigned i = 0; i < 2 * group->count; i++)
        sim_samples_join(&all, &side_at(result, group, i)->response);
    return all;
}

/* From the start of a connection to the end of its later stream; those that came that far. */
static struct sim_samples join_completion(const struct sim_result *result,
                                          const struct sim_group *group)
{
    struct sim_samples all = {0};
    uint64_t origin_ns = result->script->scenario.origin.ns;
    for (unsigned i = 0; i < group->count; i++) {
        const struct sim_connection *connection = connection_at(result, group, i);
        const struct sim_side *sides = connection->sides;
        if (sides[0].ended_at.ns == 0 || sides[1].ended_at.ns == 0)
            continue;
        struct daytona_instant start = {origin_ns + connection->plan->start.ns};
        struct daytona_instant end = sides[0].ended_at;
        if (daytona_instant_before(end, sides[1].ended_at))
            end = sides[1].ended_at;
        sim_samples_add(&all, daytona_instant_since_us(end, start));
    }
    return all;
}

static double failed(const struct sim_result *result, const struct sim_group *group)
{
    unsigned count = 0;
    for (unsigned i = 0; i < group->count; i++) {
        const struct sim_side *sides = connection_at(result, group, i)->sides;
        count += sides[0].error != 0 || sides[1].error != 0;
    }
    return count;
}

#define SAMPLED(name)                                                                              \
    static double name##_mean(const struct sim_result *result, const struct sim_group *group)      \
    {                                                                                              \
        struct sim_samples all = join_##name(result, group);                                       \
        double mean = sim_samples_mean(&all);                                                      \
        sim_samples_release(&all);                                                                 \
        return mean;                                                                               \
    }                                                                                              \
    static double name##_p95(const struct sim_result *result, const struct sim_group *group)       \
    {                                                                                              \
        struct sim_samples all = join_##name(result, group);                                       \
        double value = sim_samples_percentile(&all, 95);                                           \
        sim_samples_release(&all);                                                                 \
        return value;                                                                              \
    }                                                                                              \
    static double name##_max(const struct sim_result *result, const struct sim_group *group)       \
    {                                                                                              \
        struct sim_samples all = join_##name(result, group);                                       \
        double most = all.most;                                                                    \
        sim_samples_release(&all);                                                                 \
        return most;                                                                               \
    }
SAMPLED(rtt)
SAMPLED(response)
SAMPLED(completion)
#undef SAMPLED

double sim_result_fairness(const struct sim_result *result, unsigned first, unsigned count)
{
    double sum = 0, squares = 0;
    for (unsigned i = first; i < first + count; i++) {
        struct sim_delivery delivery =
            sim_meter_delivery(result->meter, &result->world->connections[i]);
        double rate = sim_delivery_rate(&delivery);
        sum += rate;
        squares += rate * rate;
    }
    return squares == 0 ? 0 : sum * sum / (count * squares);
}

static double fairness(const struct sim_result *result, const struct sim_group *group)
{
    return sim_result_fairness(result, group->first, group->count);
}

/* ---------------------------------------------------------------- of a link */

static double queue_mean(const struct sim_result *result, unsigned link)
{
    return sim_samples_mean(&result->meter->sojourns[link]);
}

static double queue_p95(const struct sim_result *result, unsigned link)
{
    return sim_samples_percentile(&result->meter->sojourns[link], 95);
}

static double queue_max(const struct sim_result *result, unsigned link)
{
    return result->meter->sojourns[link].most;
}

static double drops(const struct sim_result *result, unsigned link)
{
    const struct sim_link_counters *counters = &result->world->links[link].counters;
    return (double)(counters->queue_full + counters->codel_dropped);
}

static double marks(const struct sim_result *result, unsigned link)
{
    return (double)result->world->links[link].counters.marked;
}

static double losses(const struct sim_result *result, unsigned link)
{
    const struct sim_link_counters *counters = &result->world->links[link].counters;
    return (double)(counters->lost + counters->lost_in_outage);
}

/* ---------------------------------------------------------------- the table of metrics */

static const struct metric {
    const char *name;
    enum sim_value_kind kind;
    double (*of_group)(const struct sim_result *, const struct sim_group *); /* or */
    double (*of_link)(const struct sim_result *, unsigned);
} metrics[] = {
    {"goodput", SIM_VALUE_RATE, goodput, NULL},
    {"fairness", SIM_VALUE_COUNT, fairness, NULL},
    {"retransmissions", SIM_VALUE_COUNT, sum_of_retransmitted_segments, NULL},
    {"timeouts", SIM_VALUE_COUNT, sum_of_timeouts, NULL},
    {"recoveries", SIM_VALUE_COUNT, sum_of_recoveries, NULL},
    {"failures", SIM_VALUE_COUNT, failed, NULL},
    {"rtt-mean", SIM_VALUE_TIME, rtt_mean, NULL},
    {"rtt-p95", SIM_VALUE_TIME, rtt_p95, NULL},
    {"rtt-max", SIM_VALUE_TIME, rtt_max, NULL},
    {"response-mean", SIM_VALUE_TIME, response_mean, NULL},
    {"response-p95", SIM_VALUE_TIME, response_p95, NULL},
    {"response-max", SIM_VALUE_TIME, response_max, NULL},
    {"completion-mean", SIM_VALUE_TIME, completion_mean, NULL},
    {"completion-p95", SIM_VALUE_TIME, completion_p95, NULL},
    {"completion-max", SIM_VALUE_TIME, completion_max, NULL},
    {"queue-mean", SIM_VALUE_TIME, NULL, queue_mean},
    {"queue-p95", SIM_VALUE_TIME, NULL, queue_p95},
    {"queue-max", SIM_VALUE_TIME, NULL, queue_max},
    {"drops", SIM_VALUE_COUNT, NULL, drops},
    {"marks", SIM_VALUE_COUNT, NULL, marks},
    {"losses", SIM_VALUE_COUNT, NULL, losses},
};

#define METRIC_COUNT (sizeof metrics / sizeof metrics[0])

int sim_result_find_metric(const char *name)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return (int)i;
    return -1;
}

enum sim_value_kind sim_result_metric_kind(int metric)
{
    return metrics[metric].kind;
}

bool sim_result_metric_is_of_link(int metric)
{
    return metrics[metric].of_link != NULL;
}

void sim_result_list_metrics(char *out, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < METRIC_COUNT && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%s", i == 0 ? "" : ", ",
                                   metrics[i].name);
}

/* ---------------------------------------------------------------- for people */

static void print_group(const struct sim_result *result, const struct sim_group *group, FILE *out)
{
    const char *controller = group->controller;
    if (controller == NULL && group->count > 0)
        controller = connection_at(result, group, 0)->sides[0].host->plan->config.congestion;
    fprintf(out, "%-14s %-9s %5u %10.3f %7.0f %7.0f %8.2f %8.2f %8.2f %9.3f\n", group->name,
            controller == NULL ? "default" : controller, group->count,
            goodput(result, group) * 8 / 1e6, sum_of_retransmitted_segments(result, group),
            sum_of_timeouts(result, group), rtt_mean(result, group) / 1e3,
            rtt_p95(result, group) / 1e3, rtt_max(result, group) / 1e3,
            group->count > 1 ? fairness(result, group) : 1);
}

static void print_times(const struct sim_result *result, const struct sim_group *group, FILE *out)
{
    struct sim_samples responses = join_response(result, group);
    struct sim_samples completions = join_completion(result, group);
    if (responses.count > 0)
        fprintf(out, "%-14s %zu answers after %.2f ms in the mean, 95 %% within %.2f, all %.2f\n",
                group->name, responses.count, sim_samples_mean(&responses) / 1e3,
                sim_samples_percentile(&responses, 95) / 1e3, responses.most / 1e3);
    else if (group->count > 1 && completions.count > 0)
        fprintf(out, "%-14s %zu complete after %.2f ms in the mean, 95 %% within %.2f, all %.2f\n",
                group->name, completions.count, sim_samples_mean(&completions) / 1e3,
                sim_samples_percentile(&completions, 95) / 1e3, completions.most / 1e3);
    sim_samples_release(&responses);
    sim_samples_release(&completions);
}

static void print_link(const struct sim_result *result, unsigned link, FILE *out)
{
    const struct sim_link_counters *counters = &result->world->links[link].counters;
    fprintf(out, "%-24s %9llu %7.0f %7.0f %7.0f %8.2f %8.2f %8.2f\n", result->script->links[link],
            (unsigned long long)counters->offered, drops(result, link), marks(result, link),
            losses(result, link), queue_mean(result, link) / 1e3, queue_p95(result, link) / 1e3,
            queue_max(result, link) / 1e3);
}

void sim_result_print(const struct sim_result *result, FILE *out)
{
    const struct sim_script *script = result->script;
    fprintf(out, "%s\n\n%-14s %-9s %5s %10s %7s %7s %8s %8s %8s %9s\n", script->title, "flow",
            "control", "conns", "Mbit/s", "resent", "rto", "rtt ms", "95 %", "max", "fairness");
    for (unsigned i = 0; i < script->group_count; i++)
        print_group(result, &script->groups[i], out);
    for (unsigned i = 0; i < script->group_count; i++)
        print_times(result, &script->groups[i], out);
    fprintf(out, "\n%-24s %9s %7s %7s %7s %8s %8s %8s\n", "link, way forth", "packets", "dropped",
            "marked", "lost", "queue ms", "95 %", "max");
    for (unsigned link = 0; link < script->scenario.link_count; link += 2)
        if (script->named[link])
            print_link(result, link, out);
    fprintf(out, "\nfairness of all connections (Jain): %.3f\n\n",
            sim_result_fairness(result, 0, script->scenario.connection_count));
}

/* ---------------------------------------------------------------- expectations */

static double measure(const struct sim_result *result, const struct metric *metric, int subject)
{
    struct sim_group all = {.count = result->script->scenario.connection_count};
    if (metric->of_link != NULL)
        return metric->of_link(result, (unsigned)subject);
    return metric->of_group(result, subject < 0 ? &all : &result->script->groups[subject]);
}

static bool holds(double value, const char *comparison, double bound)
{
    if (strcmp(comparison, "<") == 0)
        return value < bound;
    if (strcmp(comparison, "<=") == 0)
        return value <= bound;
    if (strcmp(comparison, ">") == 0)
        return value > bound;
    if (strcmp(comparison, ">=") == 0)
        return value >= bound;
    return value == bound;
}

static void print_value(enum sim_value_kind kind, double value, FILE *out)
{
    if (kind == SIM_VALUE_RATE)
        fprintf(out, "%.3f Mbit/s", value * 8 / 1e6);
    else if (kind == SIM_VALUE_TIME)
        fprintf(out, "%.2f ms", value / 1e3);
    else
        fprintf(out, "%g", value);
}

static bool judge_one(const struct sim_result *result, const struct sim_expectation *expectation,
                      FILE *out)
{
    const struct metric *metric = &metrics[expectation->metric];
    double value = measure(result, metric, expectation->subject);
    double bound = expectation->bound;
    if (expectation->of_group >= 0)
        bound *= measure(result, metric, expectation->of_group);
    if (expectation->of_link >= 0)
        bound *= (double)result->script->scenario.links[expectation->of_link].bytes_per_second;
    bool met = holds(value, expectation->comparison, bound);
    if (met)
        fprintf(out, "met: %s (it is ", expectation->text);
    else
        fprintf(out, "%s:%u: NOT MET: %s (it is ", result->script->path, expectation->line,
                expectation->text);
    print_value(metric->kind, value, out);
    fprintf(out, ")\n");
    return met;
}

unsigned sim_result_judge(const struct sim_result *result, FILE *out)
{
    unsigned broken = 0;
    for (unsigned i = 0; i < result->script->expectation_count; i++)
        broken += !judge_one(result, &result->script->expectations[i], out);
    return broken;
}
