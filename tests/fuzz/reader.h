/*
 * reader.h - an input read from the front, as the numbers and bytes that a target asks for. Beyond
 * its end there are zeros, so that every input means something.
 */
#ifndef FUZZ_READER_H
#define FUZZ_READER_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_reader {
    const uint8_t *at; /**< borrowed from the fuzzer */
    size_t left;
};

/** The entry point of a target: runs one input and returns 0. Ends the process when a promise is
 *  broken. Each *_target.c has its own; libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** The next `bytes` (at most 4) as a big-endian number. */
uint32_t fuzz_take(struct fuzz_reader *reader, unsigned bytes);

/** A distance that is mostly small: around a right number, a window or half the space away. */
uint32_t fuzz_take_distance(struct fuzz_reader *reader);

/** Up to `*length` bytes of the input itself; `*length` becomes what there was. */
const uint8_t *fuzz_borrow(struct fuzz_reader *reader, size_t *length);

#endif
