/*
 * ring_reader.h - reads a ring of events (daytona/ring.h) while its writer goes on, or after its
 * death. Nothing in it is believed that could hurt the reader.
 */
#ifndef DAYTONA_SCRIPTS_RING_READER_H
#define DAYTONA_SCRIPTS_RING_READER_H

#include "scripts/seen.h"
#include <daytona/ring.h>

#define RING_READER_BATCH 2048

/** Where a ring is. */
struct ring_source {
    /** Copies `bytes` from `offset`, in words; false when they are not there. What was copied by an
     *  earlier call was read before what this one copies. */
    bool (*copy)(void *context, uint64_t offset, void *to, size_t bytes);
    void *context;
};

struct ring_reader {
    struct ring_source source;
    int file;                          /**< -1: the source is not ours */
    int place;                         /**< among the ring's readers; -1 not attached */
    struct daytona_ring_header header; /**< as it was at the beginning */
    uint64_t position;                 /**< slots read */
    uint64_t number;                   /**< of the last event */
    size_t next, count;                /**< events copied and not yet handed out */
    char words[DAYTONA_RING_WORDS][DAYTONA_RING_WORD_BYTES];
    union ring_slot {
        struct daytona_ring_event event;
        struct daytona_ring_rest rest;
    } slots[RING_READER_BATCH];
};

/** Begins to read `source` with the oldest event that is there. 0, or -EINVAL: it is no ring, or of
 *  another version. */
int ring_reader_begin(struct ring_reader *reader, const struct ring_source *source);

/** The same with a file. -errno, -EACCES. */
int ring_reader_open(struct ring_reader *reader, const char *path);
void ring_reader_close(struct ring_reader *reader);

/** Asks the writer for the events of this mask. 0, -EBUSY: others have all places; -errno. */
int ring_reader_attach(struct ring_reader *reader, uint64_t mask);

/** Whether the writer lives. */
bool ring_reader_alive(const struct ring_reader *reader);

/** Goes on with what is written from now on. */
void ring_reader_skip(struct ring_reader *reader);

/** The next event; false: there is none yet. seen->missed tells how many were overwritten before it
 *  could be read. seen->reason is the reader's and stays. */
bool ring_reader_next(struct ring_reader *reader, struct seen *seen);

#endif
