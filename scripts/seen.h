/*
 * seen.h - an event as tools have it: from a ring or from a recorded trace.
 */
#ifndef DAYTONA_SCRIPTS_SEEN_H
#define DAYTONA_SCRIPTS_SEEN_H

#include <daytona/ring.h>
#include <daytona/stack.h>

#define SEEN_HEADER_MAX 60 /* RFC 9293 section 3.1: a TCP header with options */

struct seen {
    struct daytona_ring_event event;
    enum daytona_event_type type;
    uint64_t numbers[4];             /**< a to d, of segments too */
    uint8_t header[SEEN_HEADER_MAX]; /**< of a segment, event.header_bytes of it */
    uint32_t payload_bytes;          /**< of a segment */
    const char *reason;              /**< NULL when there is none; as long as where it came from */
    uint64_t missed;                 /**< events between the one before and this, never seen */
};

/** Fills what follows from seen->event and the rest of its header (SEEN_HEADER_MAX bytes, of which
 *  what a long header needs is read). False: it makes no sense. */
bool seen_complete(struct seen *seen, const uint8_t *rest);

/** The window field of a segment's header. */
uint16_t seen_window(const struct seen *seen);
/** ... in bytes; the field itself when its scale is not known (RFC 7323 section 2.2). */
uint32_t seen_window_bytes(const struct seen *seen);

/** The contents of a segment's option of that kind, behind its kind and length (RFC 9293 section
 *  3.2); NULL when the segment has it not. */
const uint8_t *seen_option(const struct seen *seen, uint8_t wanted);

#endif
