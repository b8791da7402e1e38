/*
 * aes.h - AES-128 in one direction (FIPS 197) and its CMAC (RFC 4493), for TCP-AO (RFC 5926).
 */
#ifndef STACK_CRYPTO_AES_H
#define STACK_CRYPTO_AES_H

#include <daytona/types.h>

#define AES_BYTES 16 /* of a key and of a block */

struct aes {
    uint8_t round_keys[11][AES_BYTES];
};

void aes_begin(struct aes *aes, const uint8_t key[AES_BYTES]);

/** Enciphers a block in place. */
void aes_encipher(const struct aes *aes, uint8_t block[AES_BYTES]);

struct cmac {
    struct aes aes;
    uint8_t chain[AES_BYTES];
    uint8_t block[AES_BYTES]; /**< not yet enciphered: the last one is treated differently */
    size_t held;
};

void cmac_begin(struct cmac *cmac, const uint8_t key[AES_BYTES]);
void cmac_add(struct cmac *cmac, const void *bytes, size_t length);
void cmac_end(struct cmac *cmac, uint8_t out[AES_BYTES]);

#endif
