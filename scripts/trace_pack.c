#include "scripts/trace_pack.h"

#include <string.h>

enum { WORDS = 16, KEY_BYTES = 5 };

_Static_assert(sizeof(struct daytona_ring_event) == WORDS * sizeof(uint64_t), "an event is words");

/* Where the event before it of the same socket and type is, or one that is as good. */
static uint64_t *place_of(struct trace_packer *packer, uint32_t socket, uint8_t type)
{
    uint32_t hash = (socket * 64u + type) * UINT32_C(2654435761) >> 20;
    return packer->before[hash % TRACE_PLACES];
}

static uint8_t *put_word(uint8_t *out, uint64_t word)
{
    uint8_t *mask = out++;
    *mask = 0;
    for (unsigned i = 0; i < 8; i++, word >>= 8)
        if ((word & 0xff) != 0) {
            *mask |= (uint8_t)(1u << i);
            *out++ = (uint8_t)word;
        }
    return out;
}

/* The key, socket and type, goes first: the reader must know which event it is packed against. */
size_t trace_pack(struct trace_packer *packer, const struct daytona_ring_event *event, uint8_t *out)
{
    uint64_t words[WORDS];
    uint64_t *before = place_of(packer, event->socket_index, event->type);
    uint8_t *end = out + KEY_BYTES + 2;
    unsigned differ = 0;
    memcpy(words, event, sizeof words);
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(event->socket_index >> 8 * i);
    out[4] = event->type;
    for (unsigned i = 0; i < WORDS; i++) {
        if (words[i] == before[i])
            continue;
        differ |= 1u << i;
        end = put_word(end, words[i] ^ before[i]);
    }
    out[KEY_BYTES] = (uint8_t)differ;
    out[KEY_BYTES + 1] = (uint8_t)(differ >> 8);
    memcpy(before, words, sizeof words);
    return (size_t)(end - out);
}

/* Reads a word; false when there are too few bytes. */
static bool get_word(struct daytona_span bytes, size_t *at, uint64_t *word)
{
    *word = 0;
    if (*at >= bytes.length)
        return false;
    unsigned mask = bytes.data[(*at)++];
    for (unsigned i = 0; i < 8; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        if (*at >= bytes.length)
            return false;
        *word |= (uint64_t)bytes.data[(*at)++] << 8 * i;
    }
    return true;
}

size_t trace_unpack(struct trace_packer *packer, struct daytona_span bytes,
                    struct daytona_ring_event *out)
{
    size_t at = KEY_BYTES + 2;
    uint64_t words[WORDS];
    if (bytes.length < at)
        return 0;
    uint32_t socket = 0;
    for (unsigned i = 0; i < 4; i++)
        socket |= (uint32_t)bytes.data[i] << 8 * i;
    uint64_t *before = place_of(packer, socket, bytes.data[4]);
    unsigned differ = bytes.data[KEY_BYTES] | (unsigned)bytes.data[KEY_BYTES + 1] << 8;
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t change = 0;
        if ((differ >> i & 1) != 0 && !get_word(bytes, &at, &change))
            return 0;
        words[i] = before[i] ^ change;
    }
    memcpy(before, words, sizeof words);
    memcpy(out, words, sizeof words);
    return at;
}
