#include "stack/crypto/aes.h"

#include <string.h>

#define ROUNDS     10
#define REDUCTION  0x1b /* of the field's polynomial, FIPS 197 section 4.2 */
#define SUBKEY_XOR 0x87 /* RFC 4493 section 2.3 */

/* FIPS 197 figure 7. */
static const uint8_t substitution[256] = {
    0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
    0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
    0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
    0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
    0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
    0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
    0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
    0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
    0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
    0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
    0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
    0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
    0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
    0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
    0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
    0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};

static uint8_t times_two(uint8_t value)
{
    return (uint8_t)(value << 1 ^ (value >> 7) * REDUCTION);
}

/* FIPS 197 section 5.2. */
void aes_begin(struct aes *aes, const uint8_t key[AES_BYTES])
{
    uint8_t constant = 1;
    memcpy(aes->round_keys[0], key, AES_BYTES);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        const uint8_t *old = aes->round_keys[round - 1];
        uint8_t *now = aes->round_keys[round];
        for (unsigned i = 0; i < 4; i++)
            now[i] = old[i] ^ substitution[old[12 + (i + 1) % 4]];
        now[0] ^= constant;
        for (unsigned i = 4; i < AES_BYTES; i++)
            now[i] = old[i] ^ now[i - 4];
        constant = times_two(constant);
    }
}

static void add_round_key(uint8_t block[AES_BYTES], const uint8_t key[AES_BYTES])
{
    for (unsigned i = 0; i < AES_BYTES; i++)
        block[i] ^= key[i];
}

/* SubBytes and ShiftRows: FIPS 197 sections 5.1.1 and 5.1.2. */
static void substitute_and_shift(uint8_t block[AES_BYTES])
{
    uint8_t old[AES_BYTES];
    memcpy(old, block, sizeof old);
    for (unsigned column = 0; column < 4; column++)
        for (unsigned row = 0; row < 4; row++)
            block[4 * column + row] = substitution[old[4 * ((column + row) % 4) + row]];
}

/* FIPS 197 section 5.1.3. */
static void mix_columns(uint8_t block[AES_BYTES])
{
    for (unsigned column = 0; column < 4; column++) {
        uint8_t *at = block + (size_t)4 * column;
        uint8_t all = at[0] ^ at[1] ^ at[2] ^ at[3], first = at[0];
        for (unsigned row = 0; row < 4; row++) {
            uint8_t next = row == 3 ? first : at[row + 1];
            at[row] = (uint8_t)(at[row] ^ all ^ times_two(at[row] ^ next));
        }
    }
}

void aes_encipher(const struct aes *aes, uint8_t block[AES_BYTES])
{
    add_round_key(block, aes->round_keys[0]);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        substitute_and_shift(block);
        if (round < ROUNDS)
            mix_columns(block);
        add_round_key(block, aes->round_keys[round]);
    }
}

/* ------------------------------------------------------------------ CMAC */

void cmac_begin(struct cmac *cmac, const uint8_t key[AES_BYTES])
{
    *cmac = (struct cmac){.held = 0};
    aes_begin(&cmac->aes, key);
}

static void take_block(struct cmac *cmac)
{
    add_round_key(cmac->chain, cmac->block);
    aes_encipher(&cmac->aes, cmac->chain);
    cmac->held = 0;
}

void cmac_add(struct cmac *cmac, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (; length > 0; at++, length--) {
        if (cmac->held == AES_BYTES)
            take_block(cmac);
        cmac->block[cmac->held++] = *at;
    }
}

/* RFC 4493 section 2.3: twice the key in the field. */
static void double_subkey(uint8_t key[AES_BYTES])
{
    uint8_t carry = key[0] >> 7;
    for (unsigned i = 0; i < AES_BYTES - 1; i++)
        key[i] = (uint8_t)(key[i] << 1 | key[i + 1] >> 7);
    key[AES_BYTES - 1] = (uint8_t)(key[AES_BYTES - 1] << 1 ^ carry * SUBKEY_XOR);
}

/* RFC 4493 section 2.4. */
void cmac_end(struct cmac *cmac, uint8_t out[AES_BYTES])
{
    uint8_t subkey[AES_BYTES] = {0};
    aes_encipher(&cmac->aes, subkey);
    double_subkey(subkey);
    if (cmac->held < AES_BYTES) {
        double_subkey(subkey);
        cmac->block[cmac->held] = 0x80;
        memset(cmac->block + cmac->held + 1, 0, AES_BYTES - 1 - cmac->held);
    }
    add_round_key(cmac->block, subkey);
    take_block(cmac);
    memcpy(out, cmac->chain, AES_BYTES);
}
