/*
 * event_ring.h - this process's ring of events (daytona/ring.h), in a file beside its record.
 * Events that are rare are always written, so that the last of them survive a crash; others when a
 * reader wants them. When the ring cannot be made, there is none.
 */
#ifndef DAYTONA_PRELOAD_EVENT_RING_H
#define DAYTONA_PRELOAD_EVENT_RING_H

#include <daytona/events.h>

/** The engine's thread, at its start and after record_begin(): makes the ring, in place of that of
 * a process it was forked from. */
void event_ring_begin(void);

/** Removes it: the connections are finished. */
void event_ring_end(void);

/** Engine locked. */
void event_ring_write(const struct daytona_event *event);

/** The pump has run: heeds what readers want now. Engine locked. */
void event_ring_look(void);

/** The engine's thread, now and then: forgets readers that have died. Engine locked. */
void event_ring_check(void);

#endif
