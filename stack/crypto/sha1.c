#include "stack/crypto/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* FIPS 180-4 sections 4.1.1 and 4.2.1: function and constant of a step. */
static uint32_t mix(unsigned step, const uint32_t state[5])
{
    uint32_t x = state[1], y = state[2], z = state[3];
    if (step < 20)
        return ((x & y) ^ (~x & z)) + 0x5a827999u;
    if (step < 40)
        return (x ^ y ^ z) + 0x6ed9eba1u;
    if (step < 60)
        return ((x & y) ^ (x & z) ^ (y & z)) + 0x8f1bbcdcu;
    return (x ^ y ^ z) + 0xca62c1d6u;
}

static void take_block(struct sha1 *sha1)
{
    uint32_t words[80], state[5];
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *at = sha1->block + (size_t)4 * i;
        words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (unsigned i = 16; i < 80; i++)
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    memcpy(state, sha1->state, sizeof state);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t sum = rotate(state[0], 5) + mix(i, state) + state[4] + words[i];
        memmove(state + 1, state, 4 * sizeof state[0]);
        state[2] = rotate(state[2], 30);
        state[0] = sum;
    }
    for (unsigned i = 0; i < 5; i++)
        sha1->state[i] += state[i];
}

void sha1_begin(struct sha1 *sha1)
{
    *sha1 = (struct sha1){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
}

void sha1_add(struct sha1 *sha1, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        size_t held = sha1->length % SHA1_BLOCK, part = SHA1_BLOCK - held;
        part = part < length ? part : length;
        memcpy(sha1->block + held, at, part);
        sha1->length += part;
        at += part;
        length -= part;
        if (held + part == SHA1_BLOCK)
            take_block(sha1);
    }
}

void sha1_end(struct sha1 *sha1, uint8_t out[SHA1_BYTES])
{
    static const uint8_t padding[SHA1_BLOCK] = {0x80};
    uint64_t bits = sha1->length * 8;
    size_t held = sha1->length % SHA1_BLOCK;
    sha1_add(sha1, padding, (held < SHA1_BLOCK - 8 ? SHA1_BLOCK - 8 : 2 * SHA1_BLOCK - 8) - held);
    uint8_t length[8];
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha1_add(sha1, length, sizeof length);
    for (unsigned i = 0; i < SHA1_BYTES; i++)
        out[i] = (uint8_t)(sha1->state[i / 4] >> (24 - 8 * (i % 4)));
}

/* ------------------------------------------------------------------ HMAC, RFC 2104 section 2 */

static void begin_with(struct sha1 *sha1, const uint8_t key[SHA1_BLOCK], uint8_t pad)
{
    uint8_t block[SHA1_BLOCK];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = key[i] ^ pad;
    sha1_begin(sha1);
    sha1_add(sha1, block, sizeof block);
}

void hmac_sha1_begin(struct hmac_sha1 *hmac, const void *key, size_t length)
{
    uint8_t block[SHA1_BLOCK] = {0};
    if (length > SHA1_BLOCK) {
        sha1_begin(&hmac->inner);
        sha1_add(&hmac->inner, key, length);
        sha1_end(&hmac->inner, block);
    } else if (length > 0) {
        memcpy(block, key, length);
    }
    begin_with(&hmac->inner, block, 0x36);
    begin_with(&hmac->outer, block, 0x5c);
}

void hmac_sha1_add(struct hmac_sha1 *hmac, const void *bytes, size_t length)
{
    sha1_add(&hmac->inner, bytes, length);
}

void hmac_sha1_end(struct hmac_sha1 *hmac, uint8_t out[SHA1_BYTES])
{
    uint8_t inner[SHA1_BYTES];
    sha1_end(&hmac->inner, inner);
    sha1_add(&hmac->outer, inner, sizeof inner);
    sha1_end(&hmac->outer, out);
}
