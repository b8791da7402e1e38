/*
 * pcapng.h - writes packet captures in the pcapng format (draft-ietf-opsawg-pcapng), with a comment
 * on each packet.
 */
#ifndef DAYTONA_SCRIPTS_PCAPNG_H
#define DAYTONA_SCRIPTS_PCAPNG_H

#include "scripts/trace_file.h"
#include <stdio.h>

/** Begins: section and interface. The link type is raw IP, times are in nanoseconds. */
void pcapng_begin(FILE *out, const struct trace_about *about);

/** The packet of a segment (SEGMENT_IN or SEGMENT_OUT): the IP header is made anew from what is
 *  known of it, TCP's is as it was, and the payload is cut off. One that several left together is
 *  written as several. */
void pcapng_add(FILE *out, const struct trace_about *about, const struct seen *seen);

#endif
