#include "scripts/page_column.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What waits for a group of three bytes to be full. */
struct encoder {
    FILE *out;
    uint8_t bytes[3];
    unsigned count;
};

static void flush(struct encoder *encoder)
{
    const uint8_t *bytes = encoder->bytes;
    uint32_t group = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
    char text[4];
    for (unsigned i = 0; i < 4; i++)
        text[i] = i <= encoder->count ? digits[group >> (18 - 6 * i) & 63] : '=';
    fwrite(text, sizeof text, 1, encoder->out);
    memset(encoder->bytes, 0, sizeof encoder->bytes);
    encoder->count = 0;
}

static void put(struct encoder *encoder, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++) {
        encoder->bytes[encoder->count++] = (uint8_t)(value >> (8 * i));
        if (encoder->count == sizeof encoder->bytes)
            flush(encoder);
    }
}

/* Bytes of each number; 8 is a double. */
static unsigned width_of(const struct series *series, enum series_table table, unsigned column)
{
    int64_t most = 0;
    for (size_t i = 0; i < series->rows[table].count; i++) {
        int64_t value = series_cell(series, table, i, column);
        if (value < 0)
            return 8;
        most = value > most ? value : most;
    }
    return most <= UINT8_MAX ? 1 : most <= UINT16_MAX ? 2 : most <= UINT32_MAX ? 4 : 8;
}

const char *column_form(const struct series *series, enum series_table table, unsigned column)
{
    static const char *const forms[] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "f64"};
    return forms[width_of(series, table, column)];
}

static uint64_t bits_of(int64_t value)
{
    double number = (double)value;
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

void column_write(FILE *out, const struct series *series, enum series_table table, unsigned column)
{
    struct encoder encoder = {.out = out};
    unsigned width = width_of(series, table, column);
    fprintf(out, "<script type=\"text/plain\" id=\"%s.%s\">", series_name(table),
            series_column(table, column));
    for (size_t i = 0; i < series->rows[table].count; i++) {
        int64_t value = series_cell(series, table, i, column);
        put(&encoder, width == 8 ? bits_of(value) : (uint64_t)value, width);
    }
    if (encoder.count > 0)
        flush(&encoder);
    fputs("</script>\n", out);
}
