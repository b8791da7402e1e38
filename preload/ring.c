#include "preload/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define SLOT_WORDS   (DAYTONA_RING_SLOT_BYTES / sizeof(uint64_t))
#define PORTS_BYTES  4u  /* what a TCP header begins with, and an event has already */
#define HEADER_FIRST 28u /* bytes behind them that an event has room for */

#define LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

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
    memcpy(room, text, length); /* NOLINT(bugprone-not-null-terminated-result): zeros follow */
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

/* Slots [head, head + count) are about to change: known before one of their words is, for those are
 * released. */
static void reserve(const struct ring *ring, uint64_t count)
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

static _Atomic uint64_t *slot_at(const struct ring *ring, uint64_t position)
{
    return (_Atomic uint64_t *)((uint8_t *)ring->header + DAYTONA_RING_SLOTS_AT) +
           (position & (ring->slot_count - 1)) * SLOT_WORDS;
}

/* A word that a reader may see come: words are written one by one, from registers. (A slot put
 * together in memory and copied costs three times as much.) */
static void put(_Atomic uint64_t *place, uint64_t word)
{
    atomic_store_explicit(place, word, memory_order_release);
}

static uint64_t load_word(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Two members of 32 bits, four of 16, as they lie in memory. */
static uint64_t pair(uint32_t first, uint32_t second)
{
    return LITTLE ? (uint64_t)second << 32 | first : (uint64_t)first << 32 | second;
}

static uint32_t halves(uint16_t first, uint16_t second)
{
    return LITTLE ? (uint32_t)second << 16 | first : (uint32_t)first << 16 | second;
}

static uint32_t quarters(unsigned a, unsigned b, unsigned c, unsigned d)
{
    return LITTLE ? d << 24 | c << 16 | b << 8 | a : a << 24 | b << 16 | c << 8 | d;
}

static void put_address(_Atomic uint64_t *place, const struct daytona_endpoint *end)
{
    put(place, end == NULL ? 0 : load_word(end->address.bytes));
    put(place + 1, end == NULL ? 0 : load_word(end->address.bytes + 8));
}

#define WORD_OF(member) (offsetof(struct daytona_ring_event, member) / sizeof(uint64_t))
_Static_assert(WORD_OF(una) == 3 && WORD_OF(call) == 6 && WORD_OF(local) == 7 &&
                   WORD_OF(local_port) == 11 && WORD_OF(numbers) == 12,
               "put_event() and put_segment() know where the members are");

/* What each event has: the first eleven words. */
static void put_event(struct ring *ring, _Atomic uint64_t *place, const struct daytona_event *event,
                      unsigned more)
{
    put(place, ring->events);
    put(place + 1, event->at.ns);
    put(place + 2, pair(event->socket_index, event->socket_generation));
    put(place + 3, pair(event->una, event->nxt));
    put(place + 4, pair(event->cwnd_bytes, event->ssthresh_bytes));
    put(place + 5, pair(event->srtt_us, event->in_flight_bytes));
    put(place + 6, pair(event->call, quarters((unsigned)event->type, event->state,
                                              word_number(ring, event->reason), more)));
    put_address(place + 7, event->local);
    put_address(place + 9, event->remote);
}

static uint32_t ports_of(const struct daytona_event *event)
{
    return halves(event->local == NULL ? 0 : event->local->port,
                  event->remote == NULL ? 0 : event->remote->port);
}

static void put_numbers(_Atomic uint64_t *place, const struct daytona_event *event)
{
    put(place + 11, pair(ports_of(event), 0));
    put(place + 12, event->a);
    put(place + 13, event->b);
    put(place + 14, event->c);
    put(place + 15, event->d);
}

/* The first 28 bytes of the header behind the ports, and what does not stand in it. */
static void put_segment(_Atomic uint64_t *place, const struct daytona_event *event)
{
    const struct daytona_segment_view *segment = event->segment;
    size_t length = segment->header.length - PORTS_BYTES;
    const uint8_t *header = segment->header.data + PORTS_BYTES;
    uint8_t room[HEADER_FIRST] = {0};
    uint32_t first;
    if (length < HEADER_FIRST) {
        memcpy(room, header, length);
        header = room;
    }
    memcpy(&first, header, sizeof first);
    put(place + 11, pair(ports_of(event),
                         quarters((unsigned)segment->header.length & 0xff, segment->time_to_live,
                                  segment->type_of_service, segment->window_scale)));
    put(place + 12, pair(halves((uint16_t)segment->payload_bytes, segment->segment_bytes), first));
    put(place + 13, load_word(header + 4));
    put(place + 14, load_word(header + 12));
    put(place + 15, load_word(header + 20));
}

static void put_rest(_Atomic uint64_t *place, const struct ring *ring,
                     const struct daytona_segment_view *segment)
{
    const size_t done = PORTS_BYTES + HEADER_FIRST;
    union {
        struct daytona_ring_rest rest;
        uint64_t words[SLOT_WORDS];
    } slot = {.rest = {.number = ring->events, .more = UINT8_MAX}};
    memcpy(slot.rest.header, segment->header.data + done, segment->header.length - done);
    for (size_t i = 0; i < SLOT_WORDS; i++)
        put(place + i, slot.words[i]);
}

void ring_write(struct ring *ring, const struct daytona_event *event)
{
    if (ring->header == NULL)
        return;
    bool more =
        event->segment != NULL && event->segment->header.length > PORTS_BYTES + HEADER_FIRST;
    _Atomic uint64_t *place = slot_at(ring, ring->head);
    ring->events++;
    reserve(ring, 1u + more);
    put_event(ring, place, event, more);
    if (event->segment == NULL)
        put_numbers(place, event);
    else
        put_segment(place, event);
    if (more)
        put_rest(slot_at(ring, ring->head + 1), ring, event->segment);
    publish(ring, 1u + more);
}
