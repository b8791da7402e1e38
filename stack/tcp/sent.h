/*
 * sent.h - the retransmission queue: one record for each piece of the stream that was sent at once
 * and is not acknowledged cumulatively. Records lie in the order of the stream; those in flight
 * also in the order in which they were last sent, which is what RACK looks at (RFC 8985 section
 * 5.2), and those to be sent again in the order in which that is to happen.
 *
 *      una                                                       nxt
 *   ----|=========|====|======|==========|=====|=====|============|--->
 *        lost      SACKed  sent again     in flight
 *
 * A record has one fate at a time, so that what is in flight is known from three sums. Records
 * come from the stack's memory while something is unacknowledged. One more is lent to a sender that
 * has none when memory is short, so that the senders can always go on, one after the other.
 */
#ifndef STACK_TCP_SENT_H
#define STACK_TCP_SENT_H

#include "stack/base/memory.h"
#include "stack/tcp/list.h"

enum sent_fate {
    SENT_IN_FLIGHT, /**< thought to be in the network */
    SENT_LOST,      /**< thought lost, not sent again yet */
    SENT_SACKED,    /**< the peer has it (RFC 2018) */
};

/** [start, start + length) of the stream; FIN takes the last offset. */
struct sent {
    struct list_node order; /**< of the stream */
    struct list_node turn;  /**< in sent_queue.flying or sent_queue.lost; in none when SACKed */
    uint64_t start;
    uint32_t length;
    uint8_t fate;            /**< enum sent_fate; written by sent.c alone */
    uint8_t retransmissions; /**< saturates */
    bool app_limited;        /**< of the sample below */
    bool spare;              /**< the one that lies in the store */
    struct daytona_instant at;
    /* What the connection had delivered when this was sent last, for delivery rate samples
     * (draft-ietf-ccwg-bbr section 4.1.2.2). */
    uint64_t delivered, lost;
    struct daytona_instant delivered_at, first_sent_at;
    uint32_t in_flight; /**< bytes, these included */
};

_Static_assert(sizeof(struct sent) <= 96, "a record of the queue is one block of 96 bytes");

/** Where records come from; shared by all queues. */
struct sent_store {
    struct memory *memory;
    struct sent spare;
    bool spare_taken;
};

/** Zeroed, then sent_init(). */
struct sent_queue {
    struct list order, flying, lost;
    struct sent *found;    /**< where the last search ended, NULL: nowhere */
    uint32_t sacked_bytes; /**< of records SENT_SACKED */
    uint32_t sacked_count; /**< how many those are */
    uint32_t lost_bytes;   /**< of records SENT_LOST */
    uint32_t again_bytes;  /**< of records in flight that were sent more than once */
};

void sent_init(struct sent_queue *queue);

/** A record in flight behind all others, with nothing but its place filled in; NULL: no memory. */
struct sent *sent_append(struct sent_queue *queue, struct sent_store *store, uint64_t start,
                         uint32_t length);

/** Cuts a record after its first `bytes` (0 < bytes < length): the rest becomes the next record,
 *  like it in all else. False: no memory, nothing has changed. */
bool sent_split(struct sent_queue *queue, struct sent_store *store, struct sent *record,
                uint32_t bytes);

/** A lost record takes in the next one, which is lost, too. */
void sent_join(struct sent_queue *queue, struct sent_store *store, struct sent *record);

/** Forgets the first `bytes` of a record (< its length). */
void sent_trim(struct sent_queue *queue, struct sent *record, uint32_t bytes);

/** Takes a record out and gives it back. */
void sent_drop(struct sent_queue *queue, struct sent_store *store, struct sent *record);

/** Gives all back. */
void sent_release(struct sent_queue *queue, struct sent_store *store);

/** What has become of it. A lost record is sent again after those that were lost before. */
void sent_mark_sacked(struct sent_queue *queue, struct sent *record);
void sent_mark_lost(struct sent_queue *queue, struct sent *record);

/** It is sent again now. */
void sent_mark_again(struct sent_queue *queue, struct sent *record);

/** It is not lost after all, and was sent before whatever is in flight. */
void sent_unmark_lost(struct sent_queue *queue, struct sent *record);

/** A SACKed record counts as in flight again: the peer may have thrown it away. */
void sent_unmark_sacked(struct sent_queue *queue, struct sent *record);

/** A lost record is the next to be sent again. */
void sent_hasten(struct sent_queue *queue, struct sent *record);

/** The record that holds `offset`, or the first one after it; NULL: none. Looks from the nearest
 *  of the first, the last, and the one found before; takes a step off *steps for each record it
 *  passes, and gives up (NULL) when there are none left. */
struct sent *sent_find(struct sent_queue *queue, uint64_t offset, uint32_t *steps);

/** First, last and neighbours in the order of the stream; NULL: none. */
struct sent *sent_first(const struct sent_queue *queue);
struct sent *sent_last(const struct sent_queue *queue);
struct sent *sent_next(const struct sent_queue *queue, const struct sent *record);
struct sent *sent_previous(const struct sent_queue *queue, const struct sent *record);

/** The record in flight that was sent longest ago, and the one sent after it; NULL: none. */
struct sent *sent_oldest(const struct sent_queue *queue);
struct sent *sent_younger(const struct sent_queue *queue, const struct sent *record);

/** The record to be sent again first; NULL: none. */
struct sent *sent_first_lost(const struct sent_queue *queue);

/** The one to be sent again last, and the one before it; NULL: none. */
struct sent *sent_last_lost(const struct sent_queue *queue);
struct sent *sent_lost_before(const struct sent_queue *queue, const struct sent *record);

static inline uint64_t sent_end(const struct sent *record)
{
    return record->start + record->length;
}

/** Whether lists and sums agree: a walk over everything, for tests. */
bool sent_is_sound(const struct sent_queue *queue);

#endif
