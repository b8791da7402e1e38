#include "tests/sim/stream.h"
#include "tests/sim/random.h"
#include <string.h>

/* Eight bytes at a time; the word at offset o is a scrambling of key and o. */
static uint64_t word_at(uint64_t key, uint64_t offset)
{
    return sim_mix(key ^ offset / 8 * 0x9e3779b97f4a7c15u);
}

static uint8_t byte_at(uint64_t key, uint64_t offset)
{
    return (uint8_t)(word_at(key, offset) >> offset % 8 * 8);
}

static void word_bytes(uint64_t word, uint8_t out[8])
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(word >> i * 8);
}

void sim_stream_fill(uint64_t key, uint64_t offset, uint8_t *out, size_t length)
{
    size_t done = 0;
    while (done < length)
        if ((offset + done) % 8 == 0 && length - done >= 8) {
            word_bytes(word_at(key, offset + done), out + done);
            done += 8;
        } else {
            out[done] = byte_at(key, offset + done);
            done++;
        }
}

size_t sim_stream_match(uint64_t key, uint64_t offset, const uint8_t *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        uint8_t word[8];
        if ((offset + done) % 8 == 0 && length - done >= 8) {
            word_bytes(word_at(key, offset + done), word);
            if (memcmp(word, bytes + done, 8) == 0) {
                done += 8;
                continue;
            }
        }
        if (bytes[done] != byte_at(key, offset + done))
            return done;
        done++;
    }
    return done;
}
