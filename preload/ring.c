#include "preload/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define SLOT_WORDS   (DAYTONA_RING_SLOT_BYTES / sizeof(uint64_t))
#define PORTS_BYTES  4u  /* what a TCP header begins with, and an event has already */
#define HEADER_FIRST 28u /* bytes behind them that an event has room for */

/* A slot as it is written: by words, so that a reader who comes in between sees old and new words,
 * and no race. */
union slot {
    struct daytona_ring_event event;
    struct daytona_ring_rest rest;
    uint64_t words[SLOT_WORDS];
};

size_t ring_bytes(uint32_t slot_count)
{
    return DAYTONA_RING_SLOTS_AT + (size_t)slot_count * DAYTONA_RING_SLOT_BYTES;
}

void ring_init(struct ring *ring, void *memory, uint32_t slot_count)
{
    assert(slot_count >= 4 && (slot_count & (slot_count - 1)) == 0);
    *ring = (struct ring){.header = memory, .slot_count = slot_count, .word_count = 1};
    ring->header->version = DAYTONA_RING_VERSION;
    ring->header->slot_bytes = DAYTONA_RING_SLOT_BYTES;
    ring->header->slot_count = slot_count;
    ring->header->slots_at = DAYTONA_RING_SLOTS_AT;
    ring->header->event_count = DAYTONA_EVENT_COUNT;
}

void ring_publish(struct ring *ring)
{
    atomic_store_explicit((_Atomic uint64_t *)&ring->header->magic, DAYTONA_RING_MAGIC,
                          memory_order_release);
}

/* ------------------------------------------------------------------ words */

static uint8_t add_word(struct ring *ring, struct ring_word *place, const char *text)
{
    if (ring->word_count == DAYTONA_RING_WORDS)
        return 0;
    char *room = (char *)ring->header + DAYTONA_RING_WORDS_AT +
                 (size_t)ring->word_count * DAYTONA_RING_WORD_BYTES;
    size_t length = strlen(text);
    if (length >= DAYTONA_RING_WORD_BYTES)
        length = DAYTONA_RING_WORD_BYTES - 1;
    memcpy(room, text, length);
    *place = (struct ring_word){text, (uint8_t)ring->word_count};
    return (uint8_t)ring->word_count++;
}

/* A reason is static: its address says which it is. */
static uint8_t word_number(struct ring *ring, const char *text)
{
    if (text == NULL)
        return 0;
    uint64_t hash = (uint64_t)(uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15) >> 54;
    for (;; hash = (hash + 1) % RING_WORD_PLACES) {
        struct ring_word *place = &ring->words[hash];
        if (place->text == text)
            return place->number;
        if (place->text == NULL)
            return add_word(ring, place, text);
    }
}

/* ------------------------------------------------------------------ slots */

static void store_slot(const struct ring *ring, uint64_t position, const union slot *slot)
{
    _Atomic uint64_t *place =
        (_Atomic uint64_t *)((uint8_t *)ring->header + DAYTONA_RING_SLOTS_AT) +
        (position & (ring->slot_count - 1)) * SLOT_WORDS;
    for (size_t i = 0; i < SLOT_WORDS; i++)
        atomic_store_explicit(&place[i], slot->words[i], memory_order_release);
}

/* Slots [head, head + count) are about to change: known before one of their words is, for those are
 * released. */
static void reserve(struct ring *ring, uint64_t count)
{
    atomic_store_explicit((_Atomic uint64_t *)&ring->header->reserved, ring->head + count,
                          memory_order_relaxed);
}

static void publish(struct ring *ring, uint64_t count)
{
    ring->head += count;
    atomic_store_explicit((_Atomic uint64_t *)&ring->header->head, ring->head,
                          memory_order_release);
}

static void fill_end(const struct daytona_endpoint *end, uint8_t *address, uint16_t *port)
{
    if (end == NULL)
        return;
    memcpy(address, end->address.bytes, sizeof end->address.bytes);
    *port = end->port;
}

/* Bytes of the TCP header that go into the event itself. */
static void fill_segment(struct daytona_ring_event *slot,
                         const struct daytona_segment_view *segment)
{
    size_t length = segment->header.length - PORTS_BYTES;
    slot->header_bytes = (uint8_t)segment->header.length;
    slot->time_to_live = segment->time_to_live;
    slot->type_of_service = segment->type_of_service;
    slot->payload_bytes = (uint16_t)segment->payload_bytes;
    slot->segment_bytes = segment->segment_bytes;
    if (length == HEADER_FIRST) /* the usual one, with timestamps */
        memcpy(slot->header, segment->header.data + PORTS_BYTES, HEADER_FIRST);
    else
        memcpy(slot->header, segment->header.data + PORTS_BYTES,
               length < HEADER_FIRST ? length : HEADER_FIRST);
    slot->more = length > HEADER_FIRST;
}

static void write_rest(const struct ring *ring, const struct daytona_event *event)
{
    const size_t done = PORTS_BYTES + HEADER_FIRST;
    union slot slot = {.rest = {.number = ring->events, .more = UINT8_MAX}};
    memcpy(slot.rest.header, event->segment->header.data + done,
           event->segment->header.length - done);
    store_slot(ring, ring->head + 1, &slot);
}

void ring_write(struct ring *ring, const struct daytona_event *event)
{
    if (ring->header == NULL)
        return;
    union slot slot = {.event = {
                           .number = ++ring->events,
                           .at_ns = event->at.ns,
                           .socket_index = event->socket_index,
                           .socket_generation = event->socket_generation,
                           .una = event->una,
                           .nxt = event->nxt,
                           .cwnd_bytes = event->cwnd_bytes,
                           .ssthresh_bytes = event->ssthresh_bytes,
                           .srtt_us = event->srtt_us,
                           .in_flight_bytes = event->in_flight_bytes,
                           .call = event->call,
                           .type = (uint8_t)event->type,
                           .state = event->state,
                           .reason = word_number(ring, event->reason),
                           .numbers = {event->a, event->b, event->c, event->d},
                       }};
    fill_end(event->local, slot.event.local, &slot.event.local_port);
    fill_end(event->remote, slot.event.remote, &slot.event.remote_port);
    if (event->segment != NULL)
        fill_segment(&slot.event, event->segment);
    uint64_t count = 1u + slot.event.more;
    reserve(ring, count);
    store_slot(ring, ring->head, &slot);
    if (count > 1)
        write_rest(ring, event);
    publish(ring, count);
}
