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

/* One's complement addition: the carry comes back in at the bottom. */
static uint64_t add_word(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* The halves of two independent chains of additions keep the processor's adders busy. */
static uint64_t sum_bytes(const uint8_t *bytes, size_t length)
{
    uint64_t even = 0, odd = 0;
    while (length >= 32) {
        even = add_word(even, load_word(bytes));
        odd = add_word(odd, load_word(bytes + 8));
        even = add_word(even, load_word(bytes + 16));
        odd = add_word(odd, load_word(bytes + 24));
        bytes += 32;
        length -= 32;
    }
    while (length >= 8) {
        even = add_word(even, load_word(bytes));
        bytes += 8;
        length -= 8;
    }
    uint64_t rest = 0;
    if (length > 0)
        memcpy(&rest, bytes, length);
    return add_word(add_word(even, odd), rest);
}

void checksum_add(struct checksum *checksum, struct daytona_span bytes)
{
    uint64_t sum = sum_bytes(bytes.data, bytes.length);
    if (checksum->odd) {
        /* Every byte stands in the other half of its 16-bit word. */
        uint16_t folded = fold(sum);
        sum = (uint64_t)(folded >> 8 | (folded & 0xff) << 8);
    }
    checksum->sum = add_word(checksum->sum, sum);
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
