/*
 * ring.h - the last events of a process with connections, in shared memory beside its record
 * (record.h): other processes of the same user, and root, read them while the program runs, and
 * what is left of them when it has crashed.
 *
 *     DIRECTORY/daytona.PID.NONCE.events     mode 0600
 *
 * The file is a header, a table of words, and a ring of slots; numbers are in the host's order.
 *
 *          head - slot_count                    head       reserved
 *     -----|---- events that can be read -------|----------|------
 *                                               | being written
 *
 * There is one writer, and it never waits. An event takes one slot, or two when its TCP header is
 * long. The writer moves `reserved`, writes the slots, and moves `head`. A reader copies what lies
 * before `head`, then looks at `reserved`: slots before reserved - slot_count may have been
 * overwritten meanwhile, and their copies are void. Event numbers tell how many were missed.
 *
 * A reader says which events it wants in one of `readers`, which it may use as long as it holds a
 * write lock of its open file (F_OFD_SETLK) on the byte of that number, counted from 1; byte 0 is
 * the writer's, who forgets the wishes of readers that hold no lock. It writes those of RARE pace
 * whether there is a reader or not.
 */
#ifndef DAYTONA_RING_H
#define DAYTONA_RING_H

#include <daytona/events.h>

#define DAYTONA_RING_SUFFIX  ".events"
#define DAYTONA_RING_MAGIC   UINT64_C(0x0a73746e65766561) /* "aevents", newline */
#define DAYTONA_RING_VERSION 1

#define DAYTONA_RING_READERS    16
#define DAYTONA_RING_WORDS      256
#define DAYTONA_RING_WORD_BYTES 32
#define DAYTONA_RING_SLOTS_AT   12288

struct daytona_ring_header {
    uint64_t magic; /**< written last of what never changes */
    uint32_t version;
    uint32_t slot_bytes;
    uint32_t slot_count; /**< a power of two */
    uint32_t slots_at;   /**< offset of the first */
    uint32_t event_count;
    int32_t pid;                  /**< of the process that began it */
    struct daytona_instant began; /**< CLOCK_MONOTONIC */
    uint64_t began_realtime_ns;   /**< the same instant on CLOCK_REALTIME */
    char program[16];             /**< cut */
    _Alignas(64) uint64_t head;   /**< slots that were ever written */
    uint64_t reserved;            /**< ... and those that may be half written */
    uint64_t mask;                /**< what is written now */
    _Alignas(64) uint64_t wishes; /**< another number after each change of `readers` */
    struct daytona_ring_reader {
        uint64_t mask;
        uint64_t pid;
    } readers[DAYTONA_RING_READERS];
};

/** Text of a `reason`, ended by a zero byte. Written once, before the first event that has it. The
 *  table follows the header at offset 4096; word 0 is "no reason". */
#define DAYTONA_RING_WORDS_AT 4096

/** One event, in a slot. */
struct daytona_ring_event {
    uint64_t number; /**< counts the events that were written here, from 1 */
    uint64_t at_ns;
    uint32_t socket_index, socket_generation;
    uint32_t una, nxt;
    uint32_t cwnd_bytes, ssthresh_bytes, srtt_us, in_flight_bytes;
    uint32_t call;
    uint8_t type;
    uint8_t state;
    uint8_t reason; /**< number of a word */
    uint8_t more;   /**< slots of this event that follow: 0 or 1; UINT8_MAX: this is one of them */
    uint8_t local[16], remote[16];
    uint16_t local_port, remote_port;
    uint8_t header_bytes; /**< of a segment's TCP header; else 0 */
    uint8_t time_to_live, type_of_service;
    uint8_t window_scale; /**< of a segment's window, counted from 1; 0: it is not known */
    union {
        uint64_t numbers[4]; /**< a to d */
        struct {
            uint16_t payload_bytes, segment_bytes;
            uint8_t header[28]; /**< of a segment, from the sequence number on */
        };
    };
};

#define DAYTONA_RING_SLOT_BYTES 128
_Static_assert(sizeof(struct daytona_ring_event) == DAYTONA_RING_SLOT_BYTES, "an event is a slot");

/** The second slot of an event: the rest of a long TCP header. */
struct daytona_ring_rest {
    uint64_t number;
    uint8_t header[32];
    uint8_t unused[15];
    uint8_t more; /**< UINT8_MAX, where an event has it */
    uint8_t unused_too[72];
};
_Static_assert(sizeof(struct daytona_ring_rest) == DAYTONA_RING_SLOT_BYTES,
               "as is the rest of one");
_Static_assert(offsetof(struct daytona_ring_rest, more) ==
                   offsetof(struct daytona_ring_event, more),
               "a slot says itself what it is");

#endif
