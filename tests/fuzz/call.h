/*
 * call.h - what an application may do to a stack: any call of <daytona/stack.h> on any of its
 * sockets, with arguments that an input draws.
 */
#ifndef FUZZ_CALL_H
#define FUZZ_CALL_H

#include "tests/fuzz/reader.h"
#include <daytona/stack.h>

#define FUZZ_SOCKETS_MAX 16

/** An application: the sockets that it has open on a stack. */
struct fuzz_application {
    struct daytona_stack *stack; /**< borrowed */
    uint32_t here, there;        /**< IPv4 addresses, host byte order */
    unsigned count;
    struct daytona_socket_id ids[FUZZ_SOCKETS_MAX];
};

/** Ends the process when the stack breaks a promise. */
void fuzz_demand(bool holds, const char *promise);

/** Sets what a variant draws beyond the members that its target reads from it: all the same
 *  settings for the same variant. */
void fuzz_draw_settings(uint32_t variant, struct daytona_stack_config *config);

/** Draws one call and makes it. */
void fuzz_step_call(struct fuzz_reader *reader, struct fuzz_application *application,
                    struct daytona_instant now);

/** Draws one of the calls by which data move: accept, send, receive, shutdown, close. */
void fuzz_step_data(struct fuzz_reader *reader, struct fuzz_application *application,
                    struct daytona_instant now);

/** Takes all reports of readiness, and forgets the sockets that are gone. */
void fuzz_take_ready(struct fuzz_application *application);

/** What must be true of every socket between two calls. */
void fuzz_judge_sockets(struct daytona_stack *stack, struct daytona_instant now);

/** daytona_observer.event; the context is the clock, a struct daytona_instant. */
void fuzz_judge_event(void *clock, const struct daytona_event *event);

#endif
