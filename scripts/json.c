#include "scripts/json.h"

#include <inttypes.h>

void json_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < ' ')
            fprintf(out, "\\u%04x", byte);
        else
            putc(byte, out);
    }
    putc('"', out);
}

static void name_it(FILE *out, bool *first, const char *name)
{
    if (!*first)
        fputs(", ", out);
    *first = false;
    json_string(out, name);
    fputs(": ", out);
}

void json_text(FILE *out, bool *first, const char *name, const char *text)
{
    name_it(out, first, name);
    json_string(out, text);
}

void json_number(FILE *out, bool *first, const char *name, uint64_t value)
{
    name_it(out, first, name);
    fprintf(out, "%" PRIu64, value);
}

void json_word(FILE *out, bool *first, const char *name, const char *word)
{
    name_it(out, first, name);
    fputs(word, out);
}
