/*
 * series.h - what a trace says of each connection, as tables of numbers: what pictures are drawn
 * from. series.def names the tables and their columns.
 */
#ifndef DAYTONA_SCRIPTS_SERIES_H
#define DAYTONA_SCRIPTS_SERIES_H

#include "scripts/seen.h"

enum series_table {
#define SERIES(name, ...) SERIES_##name,
#include "scripts/series.def"
#undef SERIES
    SERIES_COUNT
};

#define SERIES_COLUMNS_MAX 8
#define SERIES_WORDS_MAX   256

/** What a segment with data was: `kind` of SENT and RECEIVED. */
enum series_kind {
    SERIES_FIRST,   /**< it carries what was not seen before */
    SERIES_FAST,    /**< sent again, by fast retransmission */
    SERIES_TIMEOUT, /**< ... by the retransmission timer */
    SERIES_PROBE,   /**< ... as a tail loss probe */
    SERIES_AGAIN,   /**< ... for another reason; received: late, it fills a gap or repeats */
    SERIES_BEYOND,  /**< received: it lies beyond a gap */
};

/** Names of a table and its columns; a column past the last is NULL. */
const char *series_name(enum series_table table);
const char *series_column(enum series_table table, unsigned column);
unsigned series_columns(enum series_table table);

/** One direction's sequence numbers. */
struct series_stream {
    bool begun;
    uint32_t last; /**< the number that was seen last, ... */
    int64_t wide;  /**< ... and how far it is from the first one */
    int64_t end;   /**< behind the data seen */
};

struct series_connection {
    struct daytona_ring_event first; /**< its first event: who, between whom */
    struct daytona_ring_event last;  /**< ... and its last one */
    bool server;                     /**< the other end opened it */
    uint64_t bytes_out,
        bytes_in; /**< text, what was repeated not counted; gaps of what came, too */
    uint32_t segments_out, segments_in;
    uint32_t retransmissions, losses, timeouts;
    uint32_t rtt_min_us; /**< 0: none was measured */
    struct series_stream out, in;
    uint32_t again_sequence; /**< of the last retransmission, ... */
    uint8_t again_kind;      /**< ... and enum series_kind */
    uint32_t rto_us;
    size_t window_row; /**< the last one of WINDOW, counted from 1 */
    uint32_t next;     /**< in its chain of the hash, counted from 1 */
};

/** Rows of a table: of each, the number of its connection and its columns. */
struct series_rows {
    int64_t *cells;
    size_t count, room; /**< rows */
};

struct series {
    struct series_connection *connections;
    size_t count, room;
    struct series_rows rows[SERIES_COUNT];
    uint64_t first_ns, last_ns; /**< of the trace's events */
    uint64_t events, missed;
    bool segments;                       /**< there were any */
    const char *words[SERIES_WORDS_MAX]; /**< reasons; owned; 0 is none */
    unsigned word_count;
    uint32_t *hash;
};

/** An empty one; NULL without memory. */
struct series *series_begin(void);
void series_end(struct series *series);

/** Takes the next event of a trace. False without memory. */
bool series_event(struct series *series, const struct seen *seen);

/** The connection of this socket; SIZE_MAX: it is unknown. */
size_t series_find(const struct series *series, uint32_t index, uint32_t generation);

/** After the last event: brings the rows of each connection together, in their order. `starts` has
 *  room for series->count + 1 numbers and gets where each connection's rows begin. False without
 *  memory. */
bool series_sort(struct series *series, enum series_table table, size_t *starts);

/** One cell of a table. */
int64_t series_cell(const struct series *series, enum series_table table, size_t row,
                    unsigned column);

#endif
