#include "stack/buffer/ranges.h"

#include <errno.h>

static uint64_t range_bytes(const struct range *range)
{
    return range->end - range->start;
}

/* Unlinks and returns the node that `*link` points to. */
static void range_remove(struct ranges *ranges, struct memory *memory, struct range **link)
{
    struct range *range = *link;
    ranges->bytes -= range_bytes(range);
    ranges->count--;
    *link = range->next;
    memory_return(memory, range);
}

static int range_insert(struct ranges *ranges, struct memory *memory, struct range **link,
                        uint64_t start, uint64_t end, uint32_t count_max)
{
    if (ranges->count >= count_max)
        return -ENOSPC;
    struct range *range = memory_take(memory, sizeof *range);
    if (range == NULL)
        return -ENOMEM;
    *range = (struct range){.start = start, .end = end, .next = *link};
    *link = range;
    ranges->count++;
    ranges->bytes += end - start;
    return 0;
}

/* Widens `range` to cover [start, end) and swallows what it then touches. */
static void range_widen(struct ranges *ranges, struct memory *memory, struct range *range,
                        uint64_t start, uint64_t end)
{
    ranges->bytes -= range_bytes(range);
    if (range->start > start)
        range->start = start;
    if (range->end < end)
        range->end = end;
    while (range->next != NULL && range->next->start <= range->end) {
        if (range->end < range->next->end)
            range->end = range->next->end;
        range_remove(ranges, memory, &range->next);
    }
    ranges->bytes += range_bytes(range);
}

int64_t ranges_add(struct ranges *ranges, struct memory *memory, uint64_t start, uint64_t end,
                   uint32_t count_max)
{
    if (start >= end)
        return 0;
    struct range **link = &ranges->first;
    while (*link != NULL && (*link)->end < start)
        link = &(*link)->next;
    uint64_t before = ranges->bytes;
    if (*link == NULL || (*link)->start > end) {
        int error = range_insert(ranges, memory, link, start, end, count_max);
        if (error < 0)
            return error;
    } else {
        range_widen(ranges, memory, *link, start, end);
    }
    return (int64_t)(ranges->bytes - before);
}

uint64_t ranges_drop_before(struct ranges *ranges, struct memory *memory, uint64_t offset)
{
    uint64_t before = ranges->bytes;
    while (ranges->first != NULL && ranges->first->end <= offset)
        range_remove(ranges, memory, &ranges->first);
    if (ranges->first != NULL && ranges->first->start < offset) {
        ranges->bytes -= offset - ranges->first->start;
        ranges->first->start = offset;
    }
    return before - ranges->bytes;
}

void ranges_drop_from(struct ranges *ranges, struct memory *memory, uint64_t offset)
{
    struct range **link = &ranges->first;
    while (*link != NULL && (*link)->end <= offset)
        link = &(*link)->next;
    if (*link != NULL && (*link)->start < offset) {
        ranges->bytes -= (*link)->end - offset;
        (*link)->end = offset;
        link = &(*link)->next;
    }
    while (*link != NULL)
        range_remove(ranges, memory, link);
}

const struct range *ranges_last(const struct ranges *ranges)
{
    const struct range *last = ranges->first;
    while (last != NULL && last->next != NULL)
        last = last->next;
    return last;
}

const struct range *ranges_find(const struct ranges *ranges, uint64_t offset)
{
    const struct range *range = ranges->first;
    while (range != NULL && range->end <= offset)
        range = range->next;
    return range != NULL && range->start <= offset ? range : NULL;
}

uint64_t ranges_covered(const struct ranges *ranges, uint64_t start, uint64_t end)
{
    uint64_t covered = 0;
    for (const struct range *range = ranges->first; range != NULL && range->start < end;
         range = range->next) {
        uint64_t from = range->start > start ? range->start : start;
        uint64_t to = range->end < end ? range->end : end;
        covered += to > from ? to - from : 0;
    }
    return covered;
}

void ranges_release(struct ranges *ranges, struct memory *memory)
{
    while (ranges->first != NULL)
        range_remove(ranges, memory, &ranges->first);
}
