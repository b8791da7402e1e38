/*
 * trace_file.h - recorded traces: a file of events, compact, that another machine and a later
 * version can read.
 *
 * All numbers are little-endian. The file begins with "DAYTRACE", a u32 version, the u32 length of
 * the rest of the header, and that: u32 pid, u32 reserved, u64 began on CLOCK_MONOTONIC and u64 the
 * same instant on CLOCK_REALTIME, both in nanoseconds, 16 bytes of the program's name, u32 count of
 * event types, and their names in the order of their numbers, each ended by a zero byte.
 *
 * Records follow: u16 length of what comes behind it, u8 kind, and
 *   'W' a word: u8 its number, its text. Before the first event that has it as reason.
 *   'L' losses: u64 events that were overwritten before they could be read.
 *   'E' an event (struct daytona_ring_event as 16 u64), packed: u32 socket and u8 type; against the
 * event before it of the same socket and type (all zero at first) each u64 is XORed; u16 says which
 * differ, and for each of these u8 says which of its bytes are not zero, and they follow. Then come
 * the bytes of a TCP header beyond the 32nd. A record that is not whole is the end: whoever wrote
 * it had no room or was killed.
 */
#ifndef DAYTONA_SCRIPTS_TRACE_FILE_H
#define DAYTONA_SCRIPTS_TRACE_FILE_H

#include "scripts/seen.h"
#include <stdio.h>

#define TRACE_VERSION 1
#define TRACE_PLACES  4096 /* of events that others are packed against */

/** Whose events they are. */
struct trace_about {
    uint32_t pid;
    uint64_t began_ns, began_realtime_ns;
    char program[16];
};

struct trace_packer {
    uint64_t before[TRACE_PLACES][16];
};

struct trace_writer {
    int file;
    uint64_t written; /**< bytes */
    uint64_t events;
    bool known[256]; /**< words */
    size_t waiting;  /**< bytes of buffer */
    struct trace_packer packer;
    uint8_t buffer[65536];
};

/** Begins a trace in an open file, which stays the caller's. 0 or -errno. */
int trace_writer_begin(struct trace_writer *writer, int file, const struct trace_about *about);
/** Adds an event. 0, or -errno of the file: then nothing more is written, and what was can be
 *  read. */
int trace_writer_add(struct trace_writer *writer, const struct seen *seen);
/** Writes what waits. */
int trace_writer_flush(struct trace_writer *writer);

struct trace_reader {
    FILE *file;
    struct trace_about about;
    bool torn;          /**< the end of the last record was missing */
    uint8_t types[256]; /**< the file's number of a type -> ours; UINT8_MAX none */
    uint64_t missed;    /**< events that were lost before the next one */
    char words[256][DAYTONA_RING_WORD_BYTES];
    struct trace_packer packer;
};

/** Opens a trace; "-" is standard input. 0, -EINVAL it is none or of a later version, -errno. */
int trace_reader_open(struct trace_reader *reader, const char *path);
void trace_reader_close(struct trace_reader *reader);
/** The next event; false at the end. Types that this version does not know are left out. */
bool trace_reader_next(struct trace_reader *reader, struct seen *seen);

#endif
