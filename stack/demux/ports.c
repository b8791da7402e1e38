/*
 * One record for each local port in use, whatever number of sockets shares it: a server's ten
 * thousand connections on port 80 slow down neither the look-up of another port nor that of
 * the listener.
 */
#include "stack/demux/demux.h"

#include <assert.h>
#include <errno.h>

#define BUCKETS_MIN 64u
#define BUCKETS_MAX 65536u /* one for each port there is */

struct demux_port {
    struct demux_port *next; /* in its bucket */
    struct demux_entry *bound, *connected;
    uint16_t port;
};

/* Ports need no keyed hash: they are our own choice, and one bucket is one port at most when
 * there are many. */
static struct demux_port **port_bucket(const struct demux *demux, uint16_t port)
{
    return &demux->ports[port & (demux->port_buckets - 1)];
}

/* Where the record of `port` hangs, or would hang; NULL without a table. */
static struct demux_port **port_find(const struct demux *demux, uint16_t port)
{
    if (demux->ports == NULL)
        return NULL;
    struct demux_port **link = port_bucket(demux, port);
    while (*link != NULL && (*link)->port != port)
        link = &(*link)->next;
    return link;
}

/* As the tuples': short of memory, all stays as it was. */
static bool ports_resize(struct demux *demux, uint32_t buckets)
{
    struct demux_port **table =
        memory_take_zeroed(demux->memory, buckets * sizeof(struct demux_port *));
    if (table == NULL)
        return false;
    struct demux_port **old = demux->ports;
    uint32_t old_buckets = demux->port_buckets;
    demux->ports = table;
    demux->port_buckets = buckets;
    for (uint32_t i = 0; i < old_buckets; i++) {
        while (old[i] != NULL) {
            struct demux_port *record = old[i];
            old[i] = record->next;
            struct demux_port **bucket = port_bucket(demux, record->port);
            record->next = *bucket;
            *bucket = record;
        }
    }
    memory_return(demux->memory, old);
    return true;
}

/* A new record; NULL when memory is short. */
static struct demux_port *port_add(struct demux *demux, uint16_t port)
{
    struct demux_port *record = memory_take(demux->memory, sizeof *record);
    if (record == NULL)
        return NULL;
    if (demux->ports == NULL && !ports_resize(demux, BUCKETS_MIN)) {
        memory_return(demux->memory, record);
        return NULL;
    }
    if (demux->port_count >= demux->port_buckets && demux->port_buckets < BUCKETS_MAX)
        ports_resize(demux, demux->port_buckets * 2);
    struct demux_port **bucket = port_bucket(demux, port);
    *record = (struct demux_port){.port = port, .next = *bucket};
    *bucket = record;
    demux->port_count++;
    return record;
}

static void port_remove(struct demux *demux, struct demux_port **link)
{
    struct demux_port *record = *link;
    *link = record->next;
    memory_return(demux->memory, record);
    demux->port_count--;
    if (demux->port_count == 0) {
        memory_return(demux->memory, demux->ports);
        demux->ports = NULL;
        demux->port_buckets = 0;
    } else if (demux->port_buckets > BUCKETS_MIN && demux->port_count < demux->port_buckets / 8) {
        ports_resize(demux, demux->port_buckets / 2);
    }
}

int demux_insert_port(struct demux *demux, struct demux_entry *entry)
{
    assert(!entry->in_ports);
    struct demux_port **found = port_find(demux, entry->local.port);
    struct demux_port *record =
        found != NULL && *found != NULL ? *found : port_add(demux, entry->local.port);
    if (record == NULL)
        return -ENOMEM;
    entry->bound_only = entry->remote.port == 0;
    struct demux_entry **head = entry->bound_only ? &record->bound : &record->connected;
    entry->port_next = *head;
    entry->port_link = head;
    if (*head != NULL)
        (*head)->port_link = &entry->port_next;
    *head = entry;
    entry->in_ports = true;
    return 0;
}

void demux_remove_port(struct demux *demux, struct demux_entry *entry)
{
    if (!entry->in_ports)
        return;
    *entry->port_link = entry->port_next;
    if (entry->port_next != NULL)
        entry->port_next->port_link = entry->port_link;
    entry->port_next = NULL;
    entry->port_link = NULL;
    entry->in_ports = false;
    struct demux_port **link = port_find(demux, entry->local.port);
    assert(link != NULL && *link != NULL);
    if ((*link)->bound == NULL && (*link)->connected == NULL)
        port_remove(demux, link);
}

struct demux_entry *demux_next_bound_on_port(const struct demux *demux, uint16_t port,
                                             const struct demux_entry *previous)
{
    if (previous != NULL)
        return previous->bound_only ? previous->port_next : NULL;
    struct demux_port **link = port_find(demux, port);
    return link == NULL || *link == NULL ? NULL : (*link)->bound;
}

struct demux_entry *demux_next_on_port(const struct demux *demux, uint16_t port,
                                       const struct demux_entry *previous)
{
    if (previous != NULL && (previous->port_next != NULL || !previous->bound_only))
        return previous->port_next;
    if (previous == NULL) {
        struct demux_entry *bound = demux_next_bound_on_port(demux, port, NULL);
        if (bound != NULL)
            return bound;
    }
    struct demux_port **link = port_find(demux, port);
    return link == NULL || *link == NULL ? NULL : (*link)->connected;
}
