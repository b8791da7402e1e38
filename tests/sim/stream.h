/*
 * stream.h - the contents of a byte stream as a function of its key and the offset, so that
 * neither end has to keep what was sent in order to check what arrives.
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include <stddef.h>
#include <stdint.h>

/** Writes the stream's bytes [offset, offset + length). */
void sim_stream_fill(uint64_t key, uint64_t offset, uint8_t *out, size_t length);

/** How many of `length` bytes are the stream's bytes from `offset` on (== length: all). */
size_t sim_stream_match(uint64_t key, uint64_t offset, const uint8_t *bytes, size_t length);

#endif
