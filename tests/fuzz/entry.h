/*
 * entry.h - the entry point that libFuzzer and main.c share.
 */
#ifndef FUZZ_ENTRY_H
#define FUZZ_ENTRY_H

#include <stddef.h>
#include <stdint.h>

/** Runs one input; 0. Ends the process when the stack breaks a promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
