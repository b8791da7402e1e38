#include "scripts/blame.h"

#include "scripts/blame_flow.h"

#include <stdlib.h>

#define HASH_SIZE 4096u

struct blame {
    struct flow *flows[HASH_SIZE];
    struct requests requests;
    uint64_t missed;
};

const char *cause_word(enum cause cause)
{
    static const char *const words[] = {
#define CAUSE(name, word, description) [CAUSE_##name] = word,
#include "scripts/causes.def"
#undef CAUSE
    };
    return words[cause];
}

const char *cause_description(enum cause cause)
{
    static const char *const descriptions[] = {
#define CAUSE(name, word, description) [CAUSE_##name] = description,
#include "scripts/causes.def"
#undef CAUSE
    };
    return descriptions[cause];
}

enum cause request_blame(const struct request_told *request)
{
    enum cause most = CAUSE_ROUND_TRIP;
    uint64_t charged = 0;
    for (unsigned cause = CAUSE_ROUND_TRIP + 1; cause < CAUSE_COUNT; cause++) {
        if (request->charged[cause] <= charged)
            continue;
        most = (enum cause)cause;
        charged = request->charged[cause];
    }
    /* Less than a tenth of what there must be does not make a request slow. */
    return charged * 10 < request->charged[CAUSE_ROUND_TRIP] ? CAUSE_ROUND_TRIP : most;
}

struct blame *blame_begin(void)
{
    return calloc(1, sizeof(struct blame));
}

void blame_end(struct blame *blame)
{
    for (unsigned i = 0; i < HASH_SIZE; i++)
        for (struct flow *flow = blame->flows[i], *next; flow != NULL; flow = next) {
            next = flow->next;
            free(flow);
        }
    free(blame->requests.list);
    free(blame);
}

static struct flow *flow_of(struct blame *blame, const struct daytona_ring_event *event)
{
    struct flow **place = &blame->flows[event->socket_index % HASH_SIZE];
    for (struct flow *flow = *place; flow != NULL; flow = flow->next)
        if (flow->index == event->socket_index && flow->generation == event->socket_generation)
            return flow;
    struct flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL)
        return NULL;
    flow->index = event->socket_index;
    flow->generation = event->socket_generation;
    flow->requests = &blame->requests;
    flow->next = *place;
    *place = flow;
    return flow;
}

void blame_event(struct blame *blame, const struct seen *seen)
{
    blame->missed += seen->missed;
    if (seen->event.socket_generation == 0)
        return;
    struct flow *flow = flow_of(blame, &seen->event);
    if (flow != NULL)
        flow_event(flow, seen);
}

const struct request_told *blame_request(const struct blame *blame, size_t index)
{
    return index < blame->requests.count ? &blame->requests.list[index] : NULL;
}

uint64_t blame_missed(const struct blame *blame)
{
    return blame->missed;
}
