/*
 * record.h - the record that a process with connections keeps of them in shared memory: a file of
 * its own, mapped, which outlives a crash. `daytona stat` reads it; so may any program of the same
 * user.
 *
 *     DIRECTORY/daytona.PID.NONCE            the record, mode 0600
 *     DIRECTORY/daytona.PID.NONCE.control    a socket, control.h's; gone or deaf when the process
 * is
 *
 * DIRECTORY is DAYTONA_RECORD, /dev/shm unless set. PID is that of the process in which it began,
 * NONCE 16 hexadecimal digits. The writer holds a write lock of its open file (F_OFD_SETLK) on the
 * first byte as long as it lives; a record without is that of a process that has crashed or was
 * killed.
 *
 * The file is a header and rows, by the index of the socket. Numbers are in the host's order. A row
 * is written when something has happened to its socket: it is as of state.at, and until `updated`
 * of the header only time has gone by (daytona_state_later()). A row's words are consistent when
 * its `sequence` is even and the same before and after they were read; the same holds for the
 * header's. Who reads by mmap() may be stopped by SIGBUS if the writer's owner cuts the file short;
 * read() and pread() are safe. They copy in any order, so it takes three of them: for the sequence,
 * for the words, and for the sequence again.
 */
#ifndef DAYTONA_RECORD_H
#define DAYTONA_RECORD_H

#include <daytona/state.h>

#define DAYTONA_RECORD_DIRECTORY "/dev/shm"
#define DAYTONA_RECORD_PREFIX    "daytona."
#define DAYTONA_RECORD_MAGIC     UINT64_C(0x0a616e6f74796164) /* "daytona", newline */

/** Another one when what an old reader knows has moved. New variables and new members at the ends
 *  are no reason. */
#define DAYTONA_RECORD_VERSION 1

/** Rows of a record; sockets with a higher index are left out, and counted. */
#define DAYTONA_RECORD_ROWS_MAX ((uint32_t)1 << 18)

/** How old a row may be while its connection is active and nobody has asked for news. */
#define DAYTONA_RECORD_PERIOD_US ((uint64_t)1000 * 1000)

/** What a sequence guards is an array of words, so that it can be copied in one way. */
struct daytona_record_header {
    uint64_t magic;     /**< written last of what never changes */
    uint32_t version;   /**< DAYTONA_RECORD_VERSION */
    uint32_t rows_at;   /**< offset of the first row */
    uint32_t row_bytes; /**< distance of rows */
    uint32_t variable_count;
    uint32_t counter_count;
    int32_t pid;                  /**< of the process that keeps it; another one once it lingers */
    struct daytona_instant began; /**< CLOCK_MONOTONIC */
    char program[16];             /**< cut */

    uint64_t sequence;
    uint32_t row_end;               /**< rows from here on are free */
    uint32_t left_out;              /**< sockets without a row */
    struct daytona_instant updated; /**< when all rows were looked at last */
    uint64_t lingers; /**< 1: the program has ended, and its connections are being finished */
    uint64_t dropped_by_capture;      /**< packets lost because the capture ring was full */
    struct daytona_counters counters; /**< of the stack (counters.def, verdicts.def) */
};

/** `state.id.generation` 0: the row is free. The index in state.id is the row's number. */
struct daytona_record_row {
    uint64_t sequence;
    uint32_t pid; /**< of a process that uses the connection; 0 not known */
    uint32_t reserved;
    struct daytona_connection_state state;
};

#endif
