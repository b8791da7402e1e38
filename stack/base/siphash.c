/* SipHash-2-4 as in Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#include "stack/base/siphash.h"

/* Little endian. Compilers make one load of it. */
static uint64_t load_word(const uint8_t *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 |
           (uint64_t)at[7] << 56;
}

/* The same of fewer than eight bytes. */
static uint64_t load_rest(const uint8_t *at, size_t count)
{
    uint64_t word = 0;
    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

static uint64_t rotate_left(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[1] = rotate_left(v[1], 13) ^ v[0];
        v[0] = rotate_left(v[0], 32);
        v[2] += v[3];
        v[3] = rotate_left(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate_left(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate_left(v[1], 17) ^ v[2];
        v[2] = rotate_left(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length)
{
    uint64_t k0 = load_word(key);
    uint64_t k1 = load_word(key + 8);
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    const uint8_t *in = bytes;
    size_t whole = length - length % 8;
    for (size_t i = 0; i < whole; i += 8)
        sip_word(v, load_word(in + i));
    sip_word(v, (uint64_t)length << 56 | load_rest(in + whole, length % 8));
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014). */
uint64_t random_next(struct random *random)
{
    random->state += 0x9e3779b97f4a7c15;
    uint64_t z = random->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t bound)
{
    /* The high half of a 32 x 32 bit product; a low half below 2^32 mod bound would make some
     * results more likely than others (Lemire, "Fast random integer generation in an
     * interval", 2019). */
    uint32_t uneven = (uint32_t)(-bound) % bound;
    uint64_t product;
    do
        product = (random_next(random) >> 32) * bound;
    while ((uint32_t)product < uneven);
    return (uint32_t)(product >> 32);
}
