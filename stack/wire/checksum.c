/*
 * The sum is taken in the machine's own byte order, which RFC 1071 section 2 (B) allows: swapping
 * the bytes of the result equals swapping those of every addend. `sum` holds it so, and only
 * checksum_fold() turns it into host order.
 */
#include "stack/wire/checksum.h"

#include "stack/wire/bytes.h"
#include <string.h>

static uint64_t load_word(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* The sum of `length` bytes, a multiple of 32. The low and high halves of the words are summed
 * apart, so that 64 bits hold every carry; four sums keep the processor's adders busy. */
static uint64_t sum_blocks(const uint8_t *bytes, size_t length)
{
    uint64_t low_a = 0, high_a = 0, low_b = 0, high_b = 0;
    for (const uint8_t *end = bytes + length; bytes != end; bytes += 32) {
        uint64_t a = load_word(bytes), b = load_word(bytes + 8);
        uint64_t c = load_word(bytes + 16), d = load_word(bytes + 24);
        low_a += (uint32_t)a;
        high_a += a >> 32;
        low_b += (uint32_t)b;
        high_b += b >> 32;
        low_a += (uint32_t)c;
        high_a += c >> 32;
        low_b += (uint32_t)d;
        high_b += d >> 32;
    }
    /* A half's place does not matter modulo 2^16 - 1. */
    return low_a + high_a + low_b + high_b;
}

static uint64_t sum_bytes(const uint8_t *bytes, size_t length)
{
    uint64_t sum = 0;
    if (length >= 32) {
        size_t blocks = length & ~(size_t)31;
        sum = sum_blocks(bytes, blocks);
        bytes += blocks;
        length -= blocks;
    }
    for (; length >= 8; bytes += 8, length -= 8)
        sum += (load_word(bytes) >> 32) + (uint32_t)load_word(bytes);
    /* By fixed lengths, which the compiler turns into loads: headers are short, and end here. */
    if ((length & 4) != 0) {
        uint32_t four;
        memcpy(&four, bytes, sizeof four);
        sum += four;
        bytes += 4;
    }
    if ((length & 2) != 0) {
        uint16_t two;
        memcpy(&two, bytes, sizeof two);
        sum += two;
        bytes += 2;
    }
    if ((length & 1) != 0) {
        const uint8_t last[2] = {*bytes, 0};
        uint16_t two;
        memcpy(&two, last, sizeof two);
        sum += two;
    }
    return sum;
}

void checksum_add(struct checksum *checksum, struct daytona_span bytes)
{
    uint16_t sum = fold(sum_bytes(bytes.data, bytes.length));
    if (checksum->odd) /* every byte stands in the other half of its 16-bit word */
        sum = (uint16_t)(sum >> 8 | sum << 8);
    checksum->sum += sum;
    checksum->odd ^= bytes.length % 2 == 1;
}

void checksum_add_pseudo(struct checksum *checksum, const struct daytona_address *source,
                         const struct daytona_address *destination, uint8_t protocol,
                         uint32_t transport_length)
{
    /* Length and protocol as 32-bit fields, as in IPv6: the zero bytes do not change the sum,
     * so that only the addresses differ between the families. */
    uint8_t tail[8];
    store_32(tail, transport_length);
    store_32(tail + 4, protocol);
    size_t skip = daytona_address_is_ipv4(source) ? 12 : 0;
    checksum_add(checksum, (struct daytona_span){source->bytes + skip, 16 - skip});
    checksum_add(checksum, (struct daytona_span){destination->bytes + skip, 16 - skip});
    checksum_add(checksum, (struct daytona_span){tail, sizeof tail});
}

uint16_t checksum_fold(const struct checksum *checksum)
{
    uint16_t folded = fold(checksum->sum);
    uint8_t bytes[2];
    memcpy(bytes, &folded, sizeof bytes);
    return load_16(bytes);
}
