/*
 * refusal.h - who answers for a port. Beside a kernel and other stacks of this host, the engine
 * refuses (RFC 9293 section 3.10.7.1) what comes to a port that it was given by rules, and to which
 * nobody listens: the rules keep the kernel from doing so.
 */
#ifndef DAYTONA_PRELOAD_REFUSAL_H
#define DAYTONA_PRELOAD_REFUSAL_H

#include <daytona/stack.h>

/** Answers the stack's question, see daytona_stack_config. */
bool refusal_answers(void *context, const struct daytona_endpoint *local, bool opens, bool used);

#endif
