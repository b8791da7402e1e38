/*
 * observe.h - a program sees the events of its own connections (events.h) as they happen. For
 * programs that use sockets.h, and for those on which Daytona is preloaded, where the functions can
 * be found with dlsym(); what other processes see is ring.h's and `daytona trace`'s.
 */
#ifndef DAYTONA_OBSERVE_H
#define DAYTONA_OBSERVE_H

#include <daytona/events.h>

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * From now on `event` is called with `context` for the events of this process's connections whose
 * types are in `mask` (DAYTONA_EVENT_BIT()s or DAYTONA_EVENTS_ALL; 0: only those that
 * daytona_observe_socket() asks for). NULL ends it. A process has one such function: the last one
 * given counts.
 *
 * It is called synchronously, in whatever thread the event happens in: in the program's, inside one
 * of its calls, or in Daytona's own, where the program's descriptors mean nothing. It must return
 * soon, and neither block nor use a Daytona socket (EDEADLK); to hand a copy of the event to
 * another thread by memory is fine. A process that is forked keeps it.
 *
 * Connections that are in another process, a Daytona server, have no events here. Returns 0.
 */
int daytona_observe(void (*event)(void *context, const struct daytona_event *event), void *context,
                    uint64_t mask);

/** For the connection or listener `descriptor`, these events besides; what a listener accepts
 *  inherits them. 0, or -1 and errno: EBADF it is no socket of Daytona's. */
int daytona_observe_socket(int descriptor, uint64_t mask);

#if defined(__cplusplus)
}
#endif

#endif
