#include "stack/buffer/pages.h"

#include <assert.h>
#include <string.h>

#define TABLE_MIN 4u

static uint64_t page_number(uint64_t offset)
{
    return offset / PAGE_BYTES;
}

static uint8_t **page_slot(const struct pages *pages, uint64_t number)
{
    return &pages->table[number & (pages->table_size - 1)];
}

/* Bytes from `offset` to the end of its page, `length` at most. */
static size_t page_share(uint64_t offset, size_t length)
{
    size_t share = PAGE_BYTES - (size_t)(offset % PAGE_BYTES);
    return share < length ? share : length;
}

/* Makes the table cover the pages of [start, end). Growing by doubling keeps each page's
 * number, so that only its slot changes. */
static bool table_cover(struct pages *pages, struct memory *memory, uint64_t end)
{
    uint64_t needed = page_number(end - 1) - page_number(pages->start) + 1;
    if (needed <= pages->table_size)
        return true;
    if (needed > MEMORY_BLOCK_MAX / sizeof(uint8_t *))
        return false;
    uint32_t size = TABLE_MIN;
    while (size < needed)
        size *= 2;
    uint8_t **table = memory_take_zeroed(memory, size * sizeof *table);
    if (table == NULL)
        return false;
    uint64_t first = page_number(pages->start);
    for (uint32_t i = 0; i < pages->table_size; i++)
        table[(first + i) & (size - 1)] = *page_slot(pages, first + i);
    memory_return(memory, pages->table);
    pages->table = table;
    pages->table_size = size;
    return true;
}

/* The page of that number, made when it is not there; NULL when memory is short. */
static uint8_t *page_get(struct pages *pages, struct memory *memory, uint64_t number)
{
    uint8_t **slot = page_slot(pages, number);
    if (*slot == NULL) {
        *slot = memory_take(memory, PAGE_BYTES);
        pages->page_count += *slot != NULL;
    }
    return *slot;
}

size_t pages_write(struct pages *pages, struct memory *memory, uint64_t offset,
                   struct daytona_span bytes)
{
    assert(offset >= pages->start);
    if (bytes.length == 0 || !table_cover(pages, memory, offset + bytes.length))
        return 0;
    size_t written = 0;
    while (written < bytes.length) {
        uint8_t *page = page_get(pages, memory, page_number(offset));
        if (page == NULL)
            break;
        size_t share = page_share(offset, bytes.length - written);
        memcpy(page + offset % PAGE_BYTES, bytes.data + written, share);
        written += share;
        offset += share;
    }
    if (written > 0 && pages->end < offset)
        pages->end = offset;
    return written;
}

/* The bytes at `offset`, which were written. */
static const uint8_t *written_bytes(const struct pages *pages, uint64_t offset)
{
    assert(offset >= pages->start && offset < pages->end);
    const uint8_t *page = *page_slot(pages, page_number(offset));
    assert(page != NULL);
    return page + offset % PAGE_BYTES;
}

void pages_read(const struct pages *pages, uint64_t offset, struct daytona_room out)
{
    assert(offset + out.length <= pages->end);
    for (size_t done = 0; done < out.length;) {
        size_t share = page_share(offset, out.length - done);
        memcpy(out.data + done, written_bytes(pages, offset), share);
        done += share;
        offset += share;
    }
}

size_t pages_borrow(const struct pages *pages, uint64_t offset, size_t length,
                    struct daytona_span *spans, size_t span_max)
{
    assert(offset + length <= pages->end);
    size_t count = 0;
    for (; length > 0 && count < span_max; count++) {
        size_t share = page_share(offset, length);
        spans[count] = (struct daytona_span){written_bytes(pages, offset), share};
        offset += share;
        length -= share;
    }
    return count;
}

void pages_drop(struct pages *pages, struct memory *memory, uint64_t offset)
{
    if (offset <= pages->start)
        return;
    /* With nothing kept beyond `offset`, its own page is dropped too. */
    uint64_t first = page_number(pages->start);
    uint64_t last = page_number(offset) + (offset >= pages->end ? 1 : 0);
    for (uint32_t i = 0; first + i < last && i < pages->table_size; i++) {
        uint8_t **slot = page_slot(pages, first + i);
        pages->page_count -= *slot != NULL;
        memory_return(memory, *slot);
        *slot = NULL;
    }
    pages->start = offset;
    if (pages->end < offset)
        pages->end = offset;
    if (pages->page_count == 0 && pages->table_size > TABLE_MIN)
        pages_release(pages, memory);
}

void pages_cut(struct pages *pages, struct memory *memory, uint64_t offset)
{
    assert(offset >= pages->start);
    uint64_t first = page_number(offset) + (offset % PAGE_BYTES != 0);
    for (uint64_t number = first; pages->end > offset && number <= page_number(pages->end - 1);
         number++) {
        uint8_t **slot = page_slot(pages, number);
        pages->page_count -= *slot != NULL;
        memory_return(memory, *slot);
        *slot = NULL;
    }
    if (pages->end > offset)
        pages->end = offset;
}

void pages_release(struct pages *pages, struct memory *memory)
{
    for (uint32_t i = 0; i < pages->table_size && pages->page_count > 0; i++) {
        pages->page_count -= pages->table[i] != NULL;
        memory_return(memory, pages->table[i]);
    }
    memory_return(memory, pages->table);
    pages->table = NULL;
    pages->table_size = 0;
}
