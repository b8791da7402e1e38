#include "tests/sim/queue.h"
#include <assert.h>
#include <stdlib.h>

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    if (a->at.ns != b->at.ns)
        return a->at.ns < b->at.ns;
    return a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event third = *a;
    *a = *b;
    *b = third;
}

void sim_queue_add(struct sim_queue *queue, struct sim_event event)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
        queue->events = realloc(queue->events, queue->capacity * sizeof *queue->events);
        assert(queue->events != NULL);
    }
    event.order = queue->added++;
    size_t at = queue->count++;
    queue->events[at] = event;
    while (at > 0 && earlier(&queue->events[at], &queue->events[(at - 1) / 2])) {
        swap(&queue->events[at], &queue->events[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

struct daytona_instant sim_queue_next(const struct sim_queue *queue)
{
    return queue->count == 0 ? DAYTONA_NEVER : queue->events[0].at;
}

struct sim_event sim_queue_take(struct sim_queue *queue)
{
    assert(queue->count > 0);
    struct sim_event first = queue->events[0];
    queue->events[0] = queue->events[--queue->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < queue->count; child++)
            if (earlier(&queue->events[child], &queue->events[least]))
                least = child;
        if (least == at)
            return first;
        swap(&queue->events[at], &queue->events[least]);
        at = least;
    }
}

void sim_queue_release(struct sim_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        if (queue->events[i].kind == SIM_EVENT_PACKET)
            free(queue->events[i].subject);
    free(queue->events);
    *queue = (struct sim_queue){0};
}
