#include "stack/crypto/md5.h"

#include <string.h>

/* RFC 1321 section 3.4: 2^32 times the sine of 1 to 64 radians, without sign and fraction. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

/* How far each step rotates: four steps in turn, another four in each round. */
static const uint8_t rotations[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static uint32_t load_little(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* RFC 1321's functions F, G, H and I, and which word of the block a step takes. */
static uint32_t mix(unsigned step, const uint32_t state[4], unsigned *word)
{
    uint32_t x = state[1], y = state[2], z = state[3];
    switch (step / 16) {
    case 0:
        *word = step;
        return (x & y) | (~x & z);
    case 1:
        *word = (5 * step + 1) % 16;
        return (x & z) | (y & ~z);
    case 2:
        *word = (3 * step + 5) % 16;
        return x ^ y ^ z;
    default:
        *word = 7 * step % 16;
        return y ^ (x | ~z);
    }
}

static void take_block(struct md5 *md5, const uint8_t *block)
{
    uint32_t state[4];
    memcpy(state, md5->state, sizeof state);
    for (unsigned step = 0; step < 64; step++) {
        unsigned word;
        uint32_t mixed = mix(step, state, &word);
        uint32_t sum = state[0] + mixed + sines[step] + load_little(block + (size_t)4 * word);
        state[0] = state[3];
        state[3] = state[2];
        state[2] = state[1];
        state[1] += rotate(sum, rotations[step / 16][step % 4]);
    }
    for (unsigned i = 0; i < 4; i++)
        md5->state[i] += state[i];
}

void md5_begin(struct md5 *md5)
{
    *md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(struct md5 *md5, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        size_t held = md5->length % MD5_BLOCK, part = MD5_BLOCK - held;
        part = part < length ? part : length;
        memcpy(md5->block + held, at, part);
        md5->length += part;
        at += part;
        length -= part;
        if (held + part == MD5_BLOCK)
            take_block(md5, md5->block);
    }
}

void md5_end(struct md5 *md5, uint8_t out[MD5_BYTES])
{
    static const uint8_t padding[MD5_BLOCK] = {0x80};
    uint64_t bits = md5->length * 8;
    size_t held = md5->length % MD5_BLOCK;
    md5_add(md5, padding, (held < MD5_BLOCK - 8 ? MD5_BLOCK - 8 : 2 * MD5_BLOCK - 8) - held);
    uint8_t length[8];
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (8 * i));
    md5_add(md5, length, sizeof length);
    for (unsigned i = 0; i < MD5_BYTES; i++)
        out[i] = (uint8_t)(md5->state[i / 4] >> (8 * (i % 4)));
}
