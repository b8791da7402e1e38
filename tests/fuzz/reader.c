#include "tests/fuzz/reader.h"

uint32_t fuzz_take(struct fuzz_reader *reader, unsigned bytes)
{
    uint32_t value = 0;
    for (; bytes > 0; bytes--) {
        value = value << 8 | (reader->left > 0 ? *reader->at : 0);
        if (reader->left > 0) {
            reader->at++;
            reader->left--;
        }
    }
    return value;
}

uint32_t fuzz_take_distance(struct fuzz_reader *reader)
{
    static const uint32_t units[8] = {0, 0, 0, 1, 1, 1460, 65536, 0x20000000};
    uint32_t unit = units[fuzz_take(reader, 1) % 8];
    uint32_t count = fuzz_take(reader, 1);
    return count < 128 ? unit * count : 0u - unit * (256 - count);
}

const uint8_t *fuzz_borrow(struct fuzz_reader *reader, size_t *length)
{
    const uint8_t *at = reader->at;
    if (*length > reader->left)
        *length = reader->left;
    reader->at += *length;
    reader->left -= *length;
    return at;
}
