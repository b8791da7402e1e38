#include "stack/tcp/sent.h"

#include "stack/base/owner.h"

#include <assert.h>

static struct sent *by_order(struct list_node *node)
{
    return node == NULL ? NULL : OWNER_OF(node, struct sent, order);
}

static struct sent *by_turn(struct list_node *node)
{
    return node == NULL ? NULL : OWNER_OF(node, struct sent, turn);
}

void sent_init(struct sent_queue *queue)
{
    list_init(&queue->order);
    list_init(&queue->flying);
    list_init(&queue->lost);
}

static void insert_after(struct list_node *node, struct list_node *place)
{
    node->previous = place;
    node->next = place->next;
    place->next->previous = node;
    place->next = node;
}

static struct list_node *after(const struct list *list, const struct list_node *node)
{
    return node->next == &list->ends ? NULL : node->next;
}

static struct list_node *before(const struct list *list, const struct list_node *node)
{
    return node->previous == &list->ends ? NULL : node->previous;
}

struct sent *sent_first(const struct sent_queue *queue)
{
    return by_order(after(&queue->order, &queue->order.ends));
}

struct sent *sent_last(const struct sent_queue *queue)
{
    return by_order(before(&queue->order, &queue->order.ends));
}

struct sent *sent_next(const struct sent_queue *queue, const struct sent *record)
{
    return by_order(after(&queue->order, &record->order));
}

struct sent *sent_previous(const struct sent_queue *queue, const struct sent *record)
{
    return by_order(before(&queue->order, &record->order));
}

struct sent *sent_oldest(const struct sent_queue *queue)
{
    return by_turn(after(&queue->flying, &queue->flying.ends));
}

struct sent *sent_younger(const struct sent_queue *queue, const struct sent *record)
{
    return by_turn(after(&queue->flying, &record->turn));
}

struct sent *sent_first_lost(const struct sent_queue *queue)
{
    return by_turn(after(&queue->lost, &queue->lost.ends));
}

struct sent *sent_last_lost(const struct sent_queue *queue)
{
    return by_turn(before(&queue->lost, &queue->lost.ends));
}

struct sent *sent_lost_before(const struct sent_queue *queue, const struct sent *record)
{
    return by_turn(before(&queue->lost, &record->turn));
}

/* The sum that the record's bytes are part of, NULL none. */
static uint32_t *sum_of(struct sent_queue *queue, const struct sent *record)
{
    switch ((enum sent_fate)record->fate) {
    case SENT_IN_FLIGHT:
        return record->retransmissions > 0 ? &queue->again_bytes : NULL;
    case SENT_LOST:
        return &queue->lost_bytes;
    case SENT_SACKED:
        return &queue->sacked_bytes;
    }
    return NULL;
}

static void count_in(struct sent_queue *queue, const struct sent *record)
{
    uint32_t *sum = sum_of(queue, record);
    if (sum != NULL)
        *sum += record->length;
    queue->sacked_count += record->fate == SENT_SACKED;
}

static void count_out(struct sent_queue *queue, const struct sent *record, uint32_t bytes)
{
    uint32_t *sum = sum_of(queue, record);
    assert(sum == NULL || *sum >= bytes);
    if (sum != NULL)
        *sum -= bytes;
    queue->sacked_count -= record->fate == SENT_SACKED && bytes == record->length;
}

static struct sent *record_take(const struct sent_queue *queue, struct sent_store *store)
{
    struct sent *record = memory_take(store->memory, sizeof *record);
    bool spare = record == NULL;
    if (spare) {
        if (store->spare_taken || sent_first(queue) != NULL)
            return NULL;
        store->spare_taken = true;
        record = &store->spare;
    }
    *record = (struct sent){.spare = spare};
    return record;
}

struct sent *sent_append(struct sent_queue *queue, struct sent_store *store, uint64_t start,
                         uint32_t length)
{
    assert(length > 0);
    struct sent *record = record_take(queue, store);
    if (record == NULL)
        return NULL;
    record->start = start;
    record->length = length;
    list_append(&queue->order, &record->order);
    list_append(&queue->flying, &record->turn);
    return record;
}

bool sent_split(struct sent_queue *queue, struct sent_store *store, struct sent *record,
                uint32_t bytes)
{
    assert(bytes > 0 && bytes < record->length);
    struct sent *rest = record_take(queue, store);
    if (rest == NULL)
        return false;
    bool spare = rest->spare;
    *rest = *record;
    rest->spare = spare;
    rest->start += bytes;
    rest->length -= bytes;
    record->length = bytes;
    insert_after(&rest->order, &record->order);
    queue->sacked_count += record->fate == SENT_SACKED;
    if (list_holds(&record->turn))
        insert_after(&rest->turn, &record->turn);
    return true;
}

void sent_join(struct sent_queue *queue, struct sent_store *store, struct sent *record)
{
    struct sent *next = sent_next(queue, record);
    assert(record->fate == SENT_LOST && next->fate == SENT_LOST);
    assert(next->start == sent_end(record));
    uint32_t bytes = next->length;
    sent_drop(queue, store, next);
    record->length += bytes;
    queue->lost_bytes += bytes;
}

void sent_trim(struct sent_queue *queue, struct sent *record, uint32_t bytes)
{
    assert(bytes < record->length);
    count_out(queue, record, bytes);
    record->start += bytes;
    record->length -= bytes;
}

void sent_drop(struct sent_queue *queue, struct sent_store *store, struct sent *record)
{
    count_out(queue, record, record->length);
    if (queue->found == record)
        queue->found = sent_next(queue, record);
    list_remove(&record->order);
    list_remove(&record->turn);
    if (record->spare)
        store->spare_taken = false;
    else
        memory_return(store->memory, record);
}

void sent_release(struct sent_queue *queue, struct sent_store *store)
{
    for (struct sent *record; (record = sent_first(queue)) != NULL;)
        sent_drop(queue, store, record);
}

static void change(struct sent_queue *queue, struct sent *record, enum sent_fate fate)
{
    count_out(queue, record, record->length);
    list_remove(&record->turn);
    record->fate = (uint8_t)fate;
}

void sent_mark_sacked(struct sent_queue *queue, struct sent *record)
{
    change(queue, record, SENT_SACKED);
    count_in(queue, record);
}

void sent_mark_lost(struct sent_queue *queue, struct sent *record)
{
    assert(record->fate == SENT_IN_FLIGHT);
    change(queue, record, SENT_LOST);
    list_append(&queue->lost, &record->turn);
    count_in(queue, record);
}

void sent_mark_again(struct sent_queue *queue, struct sent *record)
{
    change(queue, record, SENT_IN_FLIGHT);
    if (record->retransmissions < UINT8_MAX)
        record->retransmissions++;
    list_append(&queue->flying, &record->turn);
    count_in(queue, record);
}

void sent_unmark_lost(struct sent_queue *queue, struct sent *record)
{
    assert(record->fate == SENT_LOST);
    change(queue, record, SENT_IN_FLIGHT);
    insert_after(&record->turn, &queue->flying.ends);
    count_in(queue, record);
}

void sent_unmark_sacked(struct sent_queue *queue, struct sent *record)
{
    assert(record->fate == SENT_SACKED);
    change(queue, record, SENT_IN_FLIGHT);
    insert_after(&record->turn, &queue->flying.ends);
    count_in(queue, record);
}

void sent_hasten(struct sent_queue *queue, struct sent *record)
{
    assert(record->fate == SENT_LOST);
    list_remove(&record->turn);
    insert_after(&record->turn, &queue->lost.ends);
}

/* Whichever of `a` and `b` (either may be NULL) lies nearer to `offset`. */
static struct sent *nearer(struct sent *a, struct sent *b, uint64_t offset)
{
    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    uint64_t to_a = a->start > offset ? a->start - offset : offset - a->start;
    uint64_t to_b = b->start > offset ? b->start - offset : offset - b->start;
    return to_b < to_a ? b : a;
}

struct sent *sent_find(struct sent_queue *queue, uint64_t offset, uint32_t *steps)
{
    struct sent *record = nearer(queue->found, sent_last(queue), offset);
    record = nearer(record, sent_first(queue), offset);
    if (record == NULL)
        return NULL;
    struct sent *next;
    for (; *steps > 0; --*steps) {
        if (sent_end(record) <= offset) {
            next = sent_next(queue, record);
            if (next == NULL)
                return NULL;
        } else {
            next = sent_previous(queue, record);
            if (record->start <= offset || next == NULL || sent_end(next) <= offset) {
                queue->found = record;
                return record;
            }
        }
        record = next;
    }
    queue->found = record;
    return NULL;
}

bool sent_is_sound(const struct sent_queue *queue)
{
    uint64_t end = 0;
    uint32_t sums[] = {[SENT_IN_FLIGHT] = 0, [SENT_LOST] = 0, [SENT_SACKED] = 0};
    size_t listed = 0, sacked = 0;
    for (const struct sent *record = sent_first(queue); record != NULL;
         record = sent_next(queue, record)) {
        bool turn = list_holds(&record->turn);
        if (record->length == 0 || record->start < end || turn == (record->fate == SENT_SACKED))
            return false;
        if (record->fate != SENT_IN_FLIGHT || record->retransmissions > 0)
            sums[record->fate] += record->length;
        listed += turn;
        sacked += record->fate == SENT_SACKED;
        end = sent_end(record);
    }
    for (const struct sent *record = sent_oldest(queue); record != NULL;
         record = sent_younger(queue, record))
        listed -= record->fate == SENT_IN_FLIGHT;
    for (const struct list_node *node = queue->lost.ends.next; node != &queue->lost.ends;
         node = node->next)
        listed -= OWNER_OF(node, struct sent, turn)->fate == SENT_LOST;
    return listed == 0 && sacked == queue->sacked_count &&
           sums[SENT_IN_FLIGHT] == queue->again_bytes && sums[SENT_LOST] == queue->lost_bytes &&
           sums[SENT_SACKED] == queue->sacked_bytes;
}
