/*
 * seen_print.h - events for people, a line each, and for programs, a line of JSON each.
 */
#ifndef DAYTONA_SCRIPTS_SEEN_PRINT_H
#define DAYTONA_SCRIPTS_SEEN_PRINT_H

#include "scripts/trace_file.h"
#include <stdio.h>

/** "12:00:00.000001 curl[77] 10.0.0.1:5000 - 10.0.0.2:80 RETRANSMIT ...", in local time. Events
 * that were missed before it are told in a line of their own. */
void seen_print(FILE *out, const struct trace_about *about, const struct seen *seen);

/** An object in a line: what docs/events.md describes. */
void seen_json(FILE *out, const struct trace_about *about, const struct seen *seen);

/** "10.0.0.1:80" or "[2001:db8::1]:80". */
#define SEEN_END_BYTES 64
const char *seen_end(const uint8_t *address, uint16_t port, char *room);

/** When it was, in nanoseconds since 1970. */
uint64_t seen_realtime_ns(const struct trace_about *about, uint64_t at_ns);

/** "SYN,ACK"; "none" */
#define SEEN_FLAGS_BYTES 48
const char *seen_flags(uint64_t flags, char *room);

#endif
