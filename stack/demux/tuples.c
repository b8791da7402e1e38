#include "stack/demux/demux.h"

#include "stack/base/tuple_hash.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

#define BUCKETS_MIN 64u
#define BUCKETS_MAX ((uint32_t)(MEMORY_BLOCK_MAX / sizeof(struct demux_entry *)))

int demux_init(struct demux *demux, struct memory *memory, const uint8_t key[16])
{
    *demux = (struct demux){.memory = memory};
    memcpy(demux->key, key, sizeof demux->key);
    return 0;
}

/* daytona_endpoint_equal(), two words at a time: this is done for every packet. */
static bool same(const struct daytona_endpoint *a, const struct daytona_endpoint *b)
{
    return a->port == b->port && memcmp(a->address.bytes, b->address.bytes, 16) == 0;
}

/* The hash is keyed: nobody outside can choose four-tuples that fall into one bucket. */
static struct demux_entry **tuple_bucket(const struct demux *demux,
                                         const struct daytona_endpoint *local,
                                         const struct daytona_endpoint *remote)
{
    uint64_t hash = tuple_hash(demux->key, TUPLE_FOR_TABLE, local, remote);
    return &demux->tuples[hash & (demux->tuple_buckets - 1)];
}

static void tuple_push(struct demux *demux, struct demux_entry *entry)
{
    struct demux_entry **bucket = tuple_bucket(demux, &entry->local, &entry->remote);
    entry->tuple_next = *bucket;
    *bucket = entry;
}

/* Moves all connections into `buckets` new buckets. Short of memory, all stays as it was. */
static bool tuples_resize(struct demux *demux, uint32_t buckets)
{
    struct demux_entry **table =
        memory_take_zeroed(demux->memory, buckets * sizeof(struct demux_entry *));
    if (table == NULL)
        return false;
    struct demux_entry **old = demux->tuples;
    uint32_t old_buckets = demux->tuple_buckets;
    demux->tuples = table;
    demux->tuple_buckets = buckets;
    for (uint32_t i = 0; i < old_buckets; i++) {
        while (old[i] != NULL) {
            struct demux_entry *entry = old[i];
            old[i] = entry->tuple_next;
            tuple_push(demux, entry);
        }
    }
    memory_return(demux->memory, old);
    return true;
}

int demux_insert_tuple(struct demux *demux, struct demux_entry *entry)
{
    assert(!entry->in_tuples);
    if (demux_find_tuple(demux, &entry->local, &entry->remote) != NULL)
        return -EADDRINUSE;
    if (demux->tuples == NULL && !tuples_resize(demux, BUCKETS_MIN))
        return -ENOMEM;
    if (demux->tuple_count >= demux->tuple_buckets && demux->tuple_buckets < BUCKETS_MAX)
        tuples_resize(demux, demux->tuple_buckets * 2);
    tuple_push(demux, entry);
    entry->in_tuples = true;
    demux->tuple_count++;
    return 0;
}

void demux_replace_tuple(struct demux *demux, struct demux_entry *old, struct demux_entry *entry)
{
    assert(old->in_tuples && !entry->in_tuples);
    struct demux_entry **link = tuple_bucket(demux, &old->local, &old->remote);
    while (*link != old)
        link = &(*link)->tuple_next;
    *link = entry;
    entry->tuple_next = old->tuple_next;
    entry->in_tuples = true;
    old->tuple_next = NULL;
    old->in_tuples = false;
}

void demux_remove_tuple(struct demux *demux, struct demux_entry *entry)
{
    if (!entry->in_tuples)
        return;
    struct demux_entry **link = tuple_bucket(demux, &entry->local, &entry->remote);
    while (*link != entry) {
        assert(*link != NULL);
        link = &(*link)->tuple_next;
    }
    *link = entry->tuple_next;
    entry->tuple_next = NULL;
    entry->in_tuples = false;
    demux->tuple_count--;
    if (demux->tuple_count == 0) {
        memory_return(demux->memory, demux->tuples);
        demux->tuples = NULL;
        demux->tuple_buckets = 0;
    } else if (demux->tuple_buckets > BUCKETS_MIN &&
               demux->tuple_count < demux->tuple_buckets / 8) {
        tuples_resize(demux, demux->tuple_buckets / 2);
    }
}

struct demux_entry *demux_find_tuple(const struct demux *demux,
                                     const struct daytona_endpoint *local,
                                     const struct daytona_endpoint *remote)
{
    if (demux->tuples == NULL)
        return NULL;
    struct demux_entry *entry = *tuple_bucket(demux, local, remote);
    while (entry != NULL && !(same(&entry->remote, remote) && same(&entry->local, local)))
        entry = entry->tuple_next;
    return entry;
}
