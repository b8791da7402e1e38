#include "scripts/rates.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ which is which */

static int compare_keys(const void *left, const void *right)
{
    const struct rated *a = left, *b = right;
    if (a->keeper != b->keeper)
        return a->keeper < b->keeper ? -1 : 1;
    if (a->state.id.index != b->state.id.index)
        return a->state.id.index < b->state.id.index ? -1 : 1;
    if (a->state.id.generation != b->state.id.generation)
        return a->state.id.generation < b->state.id.generation ? -1 : 1;
    return 0;
}

static double seconds_between(struct daytona_instant from, struct daytona_instant to)
{
    return to.ns > from.ns ? (double)(to.ns - from.ns) / 1e9 : 0;
}

/* What is not known counts nothing. */
static uint64_t known(uint64_t value)
{
    return value == DAYTONA_VARIABLE_NONE ? 0 : value;
}

static double rate(uint64_t before, uint64_t now, double seconds)
{
    before = known(before);
    now = known(now);
    return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

/* ------------------------------------------------------------------ one look */

void rates_begin(struct rates *rates)
{
    struct rates_memory *memory = &rates->memory;
    struct rated *free_room = memory->before;
    struct keeper_packets *free_keepers = memory->keepers_before;
    memory->before = rates->all;
    memory->before_count = rates->count;
    memory->keepers_before = memory->keepers;
    memory->keeper_before_count = memory->keeper_count;
    if (memory->before_count > 0)
        qsort(memory->before, memory->before_count, sizeof *memory->before, compare_keys);
    free(free_room);
    free(free_keepers);
    rates->all = NULL;
    rates->count = memory->max = 0;
    memory->keepers = NULL;
    memory->keeper_count = 0;
    rates->out_of_memory = false;
    rates->total = (struct rates_total){0};
}

void rates_take_record(struct rates *rates, const struct record *record)
{
    struct rates_memory *memory = &rates->memory;
    struct keeper_packets now = {record->header.pid, record->header.counters.packets_in,
                                 record->header.counters.packets_out, record->header.updated};
    struct keeper_packets *more =
        realloc(memory->keepers, (memory->keeper_count + 1) * sizeof *more);
    rates->total.programs++;
    rates->total.dropped += record->header.dropped_by_capture;
    if (more == NULL) {
        rates->out_of_memory = true;
        return;
    }
    memory->keepers = more;
    more[memory->keeper_count++] = now;
    for (size_t i = 0; i < memory->keeper_before_count; i++) {
        const struct keeper_packets *before = &memory->keepers_before[i];
        double seconds = seconds_between(before->at, now.at);
        if (before->keeper != now.keeper)
            continue;
        rates->total.packets_in_per_s += rate(before->in, now.in, seconds);
        rates->total.packets_out_per_s += rate(before->out, now.out, seconds);
    }
}

static struct rated *room_for_one(struct rates *rates)
{
    struct rates_memory *memory = &rates->memory;
    if (rates->count == memory->max) {
        size_t max = memory->max == 0 ? 64 : 2 * memory->max;
        struct rated *more = realloc(rates->all, max * sizeof *more);
        if (more == NULL)
            return NULL;
        rates->all = more;
        memory->max = max;
    }
    return &rates->all[rates->count++];
}

static void remember(struct rated *one)
{
    const struct daytona_variables *now = &one->state.variables;
    if (one->looks == RATES_HISTORY) {
        one->looks--;
        memmove(one->rtt_us, one->rtt_us + 1, one->looks * sizeof *one->rtt_us);
        memmove(one->cwnd_bytes, one->cwnd_bytes + 1, one->looks * sizeof *one->cwnd_bytes);
        memmove(one->out_history, one->out_history + 1, one->looks * sizeof *one->out_history);
    }
    one->rtt_us[one->looks] = (uint32_t)known(now->smoothed_rtt);
    one->cwnd_bytes[one->looks] = (uint32_t)known(now->cur_cwnd);
    one->out_history[one->looks++] = (float)one->out_bps;
}

static void adopt_history(struct rated *one, const struct rated *before)
{
    one->looks = before->looks;
    memcpy(one->rtt_us, before->rtt_us, sizeof one->rtt_us);
    memcpy(one->cwnd_bytes, before->cwnd_bytes, sizeof one->cwnd_bytes);
    memcpy(one->out_history, before->out_history, sizeof one->out_history);
}

static void find_rates(struct rated *one, const struct rated *before)
{
    static const struct daytona_variables nothing;
    const struct daytona_variables *now = &one->state.variables;
    const struct daytona_variables *then = before != NULL ? &before->state.variables : &nothing;
    double seconds = before != NULL ? seconds_between(before->state.at, one->state.at)
                                    : (double)known(now->elapsed_micro_secs) / 1e6;
    one->out_bps = rate(then->thru_octets_acked, now->thru_octets_acked, seconds);
    one->in_bps = rate(then->thru_octets_received, now->thru_octets_received, seconds);
    one->sent_per_s = rate(then->segs_out, now->segs_out, seconds);
    one->again_per_s = rate(then->segs_retrans, now->segs_retrans, seconds);
}

static void add_to_total(struct rates_total *total, const struct rated *one)
{
    if (one->state.variables.state == DAYTONA_TCP_LISTEN) {
        total->listeners++;
        return;
    }
    total->connections++;
    if (one->state.variables.state == DAYTONA_TCP_ESTABLISHED)
        total->established++;
    total->out_bps += one->out_bps;
    total->in_bps += one->in_bps;
    total->sent_per_s += one->sent_per_s;
    total->again_per_s += one->again_per_s;
}

void rates_take_row(struct rates *rates, const struct record *record,
                    const struct daytona_record_row *row)
{
    const struct rates_memory *memory = &rates->memory;
    struct rated *one = room_for_one(rates), *before = NULL;
    if (one == NULL) {
        rates->out_of_memory = true;
        return;
    }
    memset(one, 0, sizeof *one);
    one->keeper = record->header.pid;
    one->state = row->state;
    one->pid = row->pid != 0 ? row->pid : (uint32_t)record->header.pid;
    one->alive = record->alive;
    if (memory->before_count > 0)
        before = bsearch(one, memory->before, memory->before_count, sizeof *one, compare_keys);
    if (before != NULL) {
        adopt_history(one, before);
        memcpy(one->program, before->program, sizeof one->program);
    } else {
        show_program(one->program, record, row);
    }
    find_rates(one, before);
    remember(one);
    add_to_total(&rates->total, one);
}

void rates_end(struct rates *rates)
{
    rates_sort(rates, RATES_BY_OUT);
}

/* ------------------------------------------------------------------ order */

static double weight(const struct rated *one, enum rates_order order)
{
    switch (order) {
    case RATES_BY_OUT:
        return one->out_bps;
    case RATES_BY_IN:
        return one->in_bps;
    case RATES_BY_AGAIN:
        return one->again_per_s;
    case RATES_BY_RTT:
        return (double)known(one->state.variables.smoothed_rtt);
    case RATES_BY_CWND:
        return (double)known(one->state.variables.cur_cwnd);
    case RATES_BY_PROCESS:
    case RATES_ORDERS:
        break;
    }
    return 0;
}

static int compare_weights(const void *left, const void *right, void *context)
{
    enum rates_order order = *(const enum rates_order *)context;
    double a = weight(left, order), b = weight(right, order);
    return a != b ? (a > b ? -1 : 1) : compare_keys(left, right);
}

void rates_sort(struct rates *rates, enum rates_order order)
{
    if (rates->count > 0)
        qsort_r(rates->all, rates->count, sizeof *rates->all, compare_weights, &order);
}

static const char *const order_names[RATES_ORDERS] = {"out", "in",   "again",
                                                      "rtt", "cwnd", "process"};

const char *rates_order_name(enum rates_order order)
{
    return order_names[order];
}

enum rates_order rates_order_find(const char *name)
{
    enum rates_order order = 0;
    while (order < RATES_ORDERS && strcmp(order_names[order], name) != 0)
        order++;
    return order;
}

void rates_free(struct rates *rates)
{
    free(rates->all);
    free(rates->memory.before);
    free(rates->memory.keepers);
    free(rates->memory.keepers_before);
    *rates = (struct rates){0};
}
