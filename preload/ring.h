/*
 * ring.h - writes events into a ring in memory (daytona/ring.h). It knows no engine and no file:
 * event_ring.h has those.
 */
#ifndef DAYTONA_PRELOAD_RING_H
#define DAYTONA_PRELOAD_RING_H

#include <daytona/ring.h>

/** Words that the writer has given numbers to, by the address of the text. */
#define RING_WORD_PLACES 1024

struct ring {
    struct daytona_ring_header *header; /**< NULL: there is no ring, and nothing is written */
    uint64_t head;                      /**< nobody else's word counts */
    uint64_t events;                    /**< that were written */
    uint32_t slot_count;
    uint32_t word_count;
    struct ring_word {
        const char *text;
        uint8_t number;
    } words[RING_WORD_PLACES];
};

/** Bytes of memory for a ring of so many slots. */
size_t ring_bytes(uint32_t slot_count);

/** Makes an empty ring in zeroed `memory`, aligned to 64 bytes and borrowed. `slot_count` is a
 *  power of two, 4 at least. What describes the process is filled in by the caller, who then calls
 *  ring_publish(). */
void ring_init(struct ring *ring, void *memory, uint32_t slot_count);
void ring_publish(struct ring *ring);

/** Writes an event. One thread at a time. */
void ring_write(struct ring *ring, const struct daytona_event *event);

#endif
