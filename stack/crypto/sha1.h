/*
 * sha1.h - SHA-1 (FIPS 180-4) and HMAC-SHA-1 (RFC 2104), for TCP-AO (RFC 5926).
 */
#ifndef STACK_CRYPTO_SHA1_H
#define STACK_CRYPTO_SHA1_H

#include <daytona/types.h>

#define SHA1_BYTES 20
#define SHA1_BLOCK 64

struct sha1 {
    uint32_t state[5];
    uint64_t length; /**< bytes so far */
    uint8_t block[SHA1_BLOCK];
};

void sha1_begin(struct sha1 *sha1);
void sha1_add(struct sha1 *sha1, const void *bytes, size_t length);
void sha1_end(struct sha1 *sha1, uint8_t out[SHA1_BYTES]);

struct hmac_sha1 {
    struct sha1 inner, outer;
};

void hmac_sha1_begin(struct hmac_sha1 *hmac, const void *key, size_t length);
void hmac_sha1_add(struct hmac_sha1 *hmac, const void *bytes, size_t length);
void hmac_sha1_end(struct hmac_sha1 *hmac, uint8_t out[SHA1_BYTES]);

#endif
