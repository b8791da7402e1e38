/*
 * md5.h - the MD5 digest (RFC 1321), which TCP signatures of RFC 2385 are made of. It is here and
 * not in a library because the stack needs nothing but memory; it protects nothing else.
 */
#ifndef STACK_CRYPTO_MD5_H
#define STACK_CRYPTO_MD5_H

#include <daytona/types.h>

#define MD5_BYTES 16
#define MD5_BLOCK 64

struct md5 {
    uint32_t state[4];
    uint64_t length; /**< bytes so far */
    uint8_t block[MD5_BLOCK];
};

void md5_begin(struct md5 *md5);
void md5_add(struct md5 *md5, const void *bytes, size_t length);
void md5_end(struct md5 *md5, uint8_t out[MD5_BYTES]);

#endif
