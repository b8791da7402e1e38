/*
 * flow.h - one connection as its peer sees it: turns a script's relative numbers into those of
 * the wire and back. Relative numbers count from the initial sequence numbers: 0 is the SYN.
 */
#ifndef TESTS_CONFORMANCE_FLOW_H
#define TESTS_CONFORMANCE_FLOW_H

#include "tests/conformance/script.h"

struct flow {
    int socket; /**< the host's end; -1: none yet */
    uint16_t host_port, peer_port;
    uint32_t peer_isn, host_isn;
    uint32_t peer_next;   /**< relative: one past all that the peer has said in order */
    uint32_t host_next;   /**< relative: one past all that the host has said */
    uint32_t host_edge;   /**< relative: right edge of the window that the host offers, unscaled */
    uint32_t sent, read;  /**< relative: where the host's next send() and recv() begin */
    bool urgent;          /**< what recv() brings is no longer the plain stream */
    uint16_t window;      /**< of the peer's segments: as it was last said */
    bool host_timestamps; /**< offered by the host; and by the peer */
    bool peer_timestamps;
    uint32_t peer_timestamp, host_timestamp; /**< last ones said */
    uint32_t peer_timestamp_ms;              /**< the script's clock when the peer's was said */
    uint8_t cookie[WIRE_OPTIONS_MAX];        /**< of TCP Fast Open, as the host gave it */
    size_t cookie_length;
};

/** What the words mean on this flow, as a segment of the peer; moves the flow on. `clock_ms` is
 *  the script's clock: timestamps that are not said go on with it from the last one. */
void flow_say(struct flow *flow, const struct segment_words *words, uint32_t clock_ms,
              struct wire_segment *out);

/** Compares a segment of the host with the words and moves the flow on. `why` gets what differs,
 *  "" when nothing does. */
void flow_hear(struct flow *flow, const struct segment_words *words,
               const struct wire_segment *heard, char *why, size_t why_size);

/** Moves the flow on for a segment of the host that nobody compares. */
void flow_note(struct flow *flow, const struct wire_segment *heard);

/** Writes a segment in the words of the language. */
void flow_describe(const struct flow *flow, const struct wire_segment *segment, bool from_peer,
                   char *out, size_t size);

#endif
