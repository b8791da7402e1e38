/*
 * A pairing heap: a tree in which no timer is due before its parent. Only due timers pay for
 * order: setting is one comparison, taking one costs O(log n) amortised (Fredman et al., "The
 * pairing heap: a new form of self-adjusting heap", Algorithmica 1986).
 *
 * `child` is the first of a timer's children, `next` the sibling to the right, `previous` the
 * sibling to the left, or the parent for the first child.
 */
#include "stack/base/timer.h"

#include <assert.h>

/* Joins two trees (either may be NULL; both without siblings); the earlier root wins, the left
 * one when they are due together. */
static struct timer *heap_join(struct timer *left, struct timer *right)
{
    if (left == NULL || right == NULL)
        return left == NULL ? right : left;
    if (daytona_instant_before(right->due, left->due)) {
        struct timer *swap = left;
        left = right;
        right = swap;
    }
    right->previous = left;
    right->next = left->child;
    if (left->child != NULL)
        left->child->previous = right;
    left->child = right;
    return left;
}

static struct timer *heap_detach(struct timer *tree)
{
    tree->next = tree->previous = NULL;
    return tree;
}

/* Makes one tree of a list of siblings: joins them in pairs from left to right, then the pairs
 * from right to left. That order is what makes the amortised bound hold. */
static struct timer *heap_join_siblings(struct timer *first)
{
    struct timer *pairs = NULL; /* a list through `next`, the last pair first */
    while (first != NULL) {
        struct timer *left = first;
        struct timer *right = left->next;
        first = right == NULL ? NULL : right->next;
        heap_detach(left);
        if (right != NULL)
            left = heap_join(left, heap_detach(right));
        left->next = pairs;
        pairs = left;
    }
    struct timer *whole = NULL;
    while (pairs != NULL) {
        struct timer *pair = pairs;
        pairs = pair->next;
        whole = heap_join(whole, heap_detach(pair));
    }
    return whole;
}

/* Takes the tree under `timer`, which is not the root, out of the heap. */
static void heap_cut(struct timer *timer)
{
    if (timer->previous->child == timer)
        timer->previous->child = timer->next;
    else
        timer->previous->next = timer->next;
    if (timer->next != NULL)
        timer->next->previous = timer->previous;
    heap_detach(timer);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
    if (!timer->set)
        return;
    struct timer *orphans = heap_join_siblings(timer->child);
    timer->child = NULL;
    if (timers->root == timer) {
        timers->root = orphans;
    } else {
        heap_cut(timer);
        timers->root = heap_join(timers->root, orphans);
    }
    timer->set = false;
}

void timer_set(struct timers *timers, struct timer *timer, struct daytona_instant due)
{
    if (timer->set && !daytona_instant_before(timer->due, due)) {
        /* Not later than before: what hangs below it may stay there. */
        timer->due = due;
        if (timers->root == timer)
            return;
        heap_cut(timer);
    } else {
        timer_cancel(timers, timer);
        timer->due = due;
        timer->set = true;
        assert(timer->child == NULL && timer->next == NULL && timer->previous == NULL);
    }
    timers->root = heap_join(timers->root, timer);
}

struct daytona_instant timers_next(const struct timers *timers)
{
    return timers->root == NULL ? DAYTONA_NEVER : timers->root->due;
}

struct timer *timers_take_due(struct timers *timers, struct daytona_instant now)
{
    struct timer *timer = timers->root;
    if (timer == NULL || daytona_instant_before(now, timer->due))
        return NULL;
    timer_cancel(timers, timer);
    return timer;
}
