#include "stack/base/memory.h"

#include "stack/base/poison.h"
#include <assert.h>
#include <string.h>

#define SLAB_BYTES  ((size_t)32768)
#define SLAB_NONE   UINT32_MAX
#define BLOCK_NONE  UINT16_MAX
#define ALIGNMENT   ((size_t)64)
#define BASE_ALIGN  ((size_t)4096)
#define CLASS_MAX   ((size_t)16384)
#define CLASS_COUNT (sizeof class_bytes / sizeof class_bytes[0])

static const uint16_t class_bytes[] = {32,  48,   64,   96,   128,  192,  256,  352,  384,      512,
                                       768, 1024, 1280, 1536, 1600, 2048, 4096, 8192, CLASS_MAX};

enum slab_kind {
    SLAB_FREE,     /* on the free list */
    SLAB_BLOCKS,   /* cut into blocks of one class */
    SLAB_RUN,      /* first of `run` neighbours that are one block */
    SLAB_RUN_REST, /* the others of them */
};

struct slab {
    uint32_t next, previous; /* neighbours on the list it is on */
    uint32_t run;            /* of a SLAB_RUN: its length in slabs */
    uint16_t returned;       /* the returned block taken next; BLOCK_NONE */
    uint16_t carved;         /* blocks handed out at least once; those above were never touched */
    uint16_t used;           /* blocks taken now */
    uint8_t size_class;
    uint8_t kind; /* enum slab_kind */
};

/* What stands in a block while nobody has it. */
struct returned_block {
    uint16_t next; /* number of another one in the same slab */
};

struct memory {
    uint8_t *base; /* of slab 0 */
    size_t region_bytes, used_bytes, peak_bytes;
    uint32_t slab_count;
    uint32_t fresh;                  /* slabs from here on were never used, nor their descriptors */
    uint32_t free;                   /* list of free slabs below fresh */
    uint32_t partial[CLASS_COUNT];   /* list of slabs with blocks taken and blocks left */
    uint32_t empty_one[CLASS_COUNT]; /* a slab kept although empty, so that a connection that
                                        opens and closes does not move slabs about */
    struct slab slabs[];
};

static size_t class_of(size_t bytes)
{
    size_t size_class = 0;
    while (class_bytes[size_class] < bytes)
        size_class++;
    return size_class;
}

static uint16_t class_blocks(size_t size_class)
{
    return (uint16_t)(SLAB_BYTES / class_bytes[size_class]);
}

static uint32_t slabs_for(size_t bytes)
{
    return (uint32_t)((bytes + SLAB_BYTES - 1) / SLAB_BYTES);
}

static uint8_t *slab_start(const struct memory *memory, uint32_t index)
{
    return memory->base + (size_t)index * SLAB_BYTES;
}

static void list_push(struct memory *memory, uint32_t *head, uint32_t index)
{
    memory->slabs[index].previous = SLAB_NONE;
    memory->slabs[index].next = *head;
    if (*head != SLAB_NONE)
        memory->slabs[*head].previous = index;
    *head = index;
}

static void list_remove(struct memory *memory, uint32_t *head, uint32_t index)
{
    const struct slab *slab = &memory->slabs[index];
    if (slab->previous == SLAB_NONE)
        *head = slab->next;
    else
        memory->slabs[slab->previous].next = slab->next;
    if (slab->next != SLAB_NONE)
        memory->slabs[slab->next].previous = slab->previous;
}

struct memory *memory_init(struct daytona_room region)
{
    assert((uintptr_t)region.data % ALIGNMENT == 0);
    /* Each slab costs its bytes and a descriptor; one alignment gap is lost between them. */
    size_t fixed = sizeof(struct memory) + BASE_ALIGN;
    if (region.length < fixed + SLAB_BYTES + sizeof(struct slab))
        return NULL;
    size_t slab_count = (region.length - fixed) / (SLAB_BYTES + sizeof(struct slab));
    unpoison_bytes(region.data, region.length);

    struct memory *memory = (struct memory *)(void *)region.data;
    size_t head = sizeof *memory + slab_count * sizeof(struct slab);
    size_t misaligned = ((uintptr_t)region.data + head) % BASE_ALIGN;
    size_t gap = misaligned == 0 ? 0 : BASE_ALIGN - misaligned;
    *memory = (struct memory){
        .base = region.data + head + gap,
        .region_bytes = region.length,
        .slab_count = slab_count < SLAB_NONE ? (uint32_t)slab_count : SLAB_NONE - 1,
        .free = SLAB_NONE,
    };
    for (size_t size_class = 0; size_class < CLASS_COUNT; size_class++)
        memory->partial[size_class] = memory->empty_one[size_class] = SLAB_NONE;
    return memory;
}

static void slab_free(struct memory *memory, uint32_t index)
{
    memory->slabs[index].kind = SLAB_FREE;
    list_push(memory, &memory->free, index);
}

/* Frees the empty slabs that are kept for their classes; false when there was none. */
static bool reclaim_empty(struct memory *memory)
{
    bool any = false;
    for (size_t size_class = 0; size_class < CLASS_COUNT; size_class++) {
        if (memory->empty_one[size_class] == SLAB_NONE)
            continue;
        slab_free(memory, memory->empty_one[size_class]);
        memory->empty_one[size_class] = SLAB_NONE;
        any = true;
    }
    return any;
}

/* One free slab, off every list. */
static uint32_t slab_take(struct memory *memory)
{
    if (memory->free == SLAB_NONE && memory->fresh < memory->slab_count)
        return memory->fresh++;
    if (memory->free == SLAB_NONE && !reclaim_empty(memory))
        return SLAB_NONE;
    uint32_t index = memory->free;
    list_remove(memory, &memory->free, index);
    return index;
}

/* A slab of the class with a block left, on its partial list; SLAB_NONE. */
static uint32_t slab_with_room(struct memory *memory, size_t size_class)
{
    if (memory->partial[size_class] != SLAB_NONE)
        return memory->partial[size_class];
    uint32_t index = memory->empty_one[size_class];
    if (index != SLAB_NONE) {
        memory->empty_one[size_class] = SLAB_NONE;
    } else {
        index = slab_take(memory);
        if (index == SLAB_NONE)
            return SLAB_NONE;
        memory->slabs[index] = (struct slab){
            .returned = BLOCK_NONE, .size_class = (uint8_t)size_class, .kind = SLAB_BLOCKS};
        poison_bytes(slab_start(memory, index), SLAB_BYTES);
    }
    list_push(memory, &memory->partial[size_class], index);
    return index;
}

static void *block_take(struct memory *memory, size_t size_class)
{
    uint32_t index = slab_with_room(memory, size_class);
    if (index == SLAB_NONE)
        return NULL;
    struct slab *slab = &memory->slabs[index];
    uint16_t number = slab->returned != BLOCK_NONE ? slab->returned : slab->carved;
    uint8_t *block = slab_start(memory, index) + (size_t)number * class_bytes[size_class];
    unpoison_bytes(block, class_bytes[size_class]);
    if (number == slab->carved)
        slab->carved++;
    else
        slab->returned = ((const struct returned_block *)(const void *)block)->next;
    slab->used++;
    if (slab->used == class_blocks(size_class))
        list_remove(memory, &memory->partial[size_class], index);
    return block;
}

/* The first of `length` neighbouring free slabs; SLAB_NONE. The last of them may be fresh. */
static uint32_t run_find(const struct memory *memory, uint32_t length)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < memory->fresh; i++) {
        found = memory->slabs[i].kind == SLAB_FREE ? found + 1 : 0;
        if (found == length)
            return i + 1 - length;
    }
    uint32_t first = memory->fresh - found;
    return memory->slab_count - first >= length ? first : SLAB_NONE;
}

static void *run_take(struct memory *memory, uint32_t length)
{
    uint32_t first = run_find(memory, length);
    if (first == SLAB_NONE && reclaim_empty(memory))
        first = run_find(memory, length);
    if (first == SLAB_NONE)
        return NULL;
    for (uint32_t i = first; i < first + length; i++) {
        if (i < memory->fresh)
            list_remove(memory, &memory->free, i);
        memory->slabs[i].kind = SLAB_RUN_REST;
    }
    if (memory->fresh < first + length)
        memory->fresh = first + length;
    memory->slabs[first].kind = SLAB_RUN;
    memory->slabs[first].run = length;
    unpoison_bytes(slab_start(memory, first), length * SLAB_BYTES);
    return slab_start(memory, first);
}

size_t memory_block_bytes(size_t bytes)
{
    return bytes <= CLASS_MAX ? class_bytes[class_of(bytes)] : slabs_for(bytes) * SLAB_BYTES;
}

void *memory_take(struct memory *memory, size_t bytes)
{
    if (bytes > MEMORY_BLOCK_MAX)
        return NULL;
    void *block = bytes <= CLASS_MAX ? block_take(memory, class_of(bytes))
                                     : run_take(memory, slabs_for(bytes));
    if (block == NULL)
        return NULL;
    memory->used_bytes += memory_block_bytes(bytes);
    if (memory->peak_bytes < memory->used_bytes)
        memory->peak_bytes = memory->used_bytes;
    return block;
}

void *memory_take_zeroed(struct memory *memory, size_t bytes)
{
    void *block = memory_take(memory, bytes);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

static void block_return(struct memory *memory, uint32_t index, size_t offset)
{
    struct slab *slab = &memory->slabs[index];
    size_t size_class = slab->size_class;
    size_t bytes = class_bytes[size_class];
    uint16_t number = (uint16_t)(offset / bytes);
    assert(offset % bytes == 0 && number < slab->carved);
    assert(slab->used > 0 && number != slab->returned); /* else it was returned before */

    struct returned_block *block = (void *)(slab_start(memory, index) + offset);
    block->next = slab->returned;
    poison_bytes(block, bytes);
    slab->returned = number;
    if (slab->used == class_blocks(size_class))
        list_push(memory, &memory->partial[size_class], index);
    slab->used--;
    memory->used_bytes -= bytes;
    if (slab->used > 0)
        return;
    list_remove(memory, &memory->partial[size_class], index);
    if (memory->empty_one[size_class] == SLAB_NONE)
        memory->empty_one[size_class] = index;
    else
        slab_free(memory, index);
}

static void run_return(struct memory *memory, uint32_t first)
{
    uint32_t length = memory->slabs[first].run;
    memory->used_bytes -= length * SLAB_BYTES;
    poison_bytes(slab_start(memory, first), length * SLAB_BYTES);
    for (uint32_t i = first + length; i > first; i--)
        slab_free(memory, i - 1);
}

void memory_return(struct memory *memory, void *block)
{
    if (block == NULL)
        return;
    assert((uint8_t *)block >= memory->base);
    size_t offset = (size_t)((uint8_t *)block - memory->base);
    size_t index = offset / SLAB_BYTES;
    assert(index < memory->fresh);
    if (memory->slabs[index].kind == SLAB_BLOCKS) {
        block_return(memory, (uint32_t)index, offset % SLAB_BYTES);
    } else {
        assert(memory->slabs[index].kind == SLAB_RUN && offset % SLAB_BYTES == 0);
        run_return(memory, (uint32_t)index);
    }
}

size_t memory_used(const struct memory *memory)
{
    return memory->used_bytes;
}

size_t memory_peak(const struct memory *memory)
{
    return memory->peak_bytes;
}

size_t memory_region(const struct memory *memory)
{
    return memory->region_bytes;
}
