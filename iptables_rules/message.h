/*
 * message.h - the one sentence that goes with a negative errno.
 */
#ifndef DAYTONA_IPTABLES_RULES_MESSAGE_H
#define DAYTONA_IPTABLES_RULES_MESSAGE_H

#include <stddef.h>

/** Where a caller wants the sentence. Borrowed; size 0: nowhere. */
struct message {
    char *text;
    size_t size;
};

/** Writes the sentence as printf does, cut to fit; returns `error`. */
int message_fail(struct message message, int error, const char *format, ...);

#endif
