/* The words of a segment. */
#include "tests/conformance/script.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    uint16_t flag;
} flags[] = {
    {"FIN", WIRE_FIN}, {"SYN", WIRE_SYN}, {"RST", WIRE_RST}, {"PSH", WIRE_PSH}, {"ACK", WIRE_ACK},
    {"URG", WIRE_URG}, {"ECE", WIRE_ECE}, {"CWR", WIRE_CWR}, {"AE", WIRE_AE},
};

static const struct {
    const char *word;
    uint8_t kind;
} kinds[] = {
    {"eol", WIRE_EOL},     {"nop", WIRE_NOP},       {"mss", WIRE_MSS},
    {"scale", WIRE_SCALE}, {"sackok", WIRE_SACKOK}, {"sack", WIRE_SACK},
    {"ts", WIRE_TS},       {"fo", WIRE_FASTOPEN},   {"md5", WIRE_MD5},
};

static bool flag_word(struct segment_words *segment, const char *word)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        size_t length = strlen(flags[i].word);
        if (strncmp(word, flags[i].word, length) != 0)
            continue;
        if (word[length] == '\0')
            segment->flags |= flags[i].flag;
        else if (strcmp(word + length, "?") == 0)
            segment->flags_maybe |= flags[i].flag;
        else
            continue;
        return true;
    }
    return false;
}

static bool amount_word(const char *word, const char *name, struct amount *out)
{
    int64_t value;
    if (!word_number(word, name, &value))
        return false;
    *out = (struct amount){true, value};
    return true;
}

static bool number_word(struct segment_words *segment, const char *word)
{
    return amount_word(word, "seq", &segment->seq) || amount_word(word, "ack", &segment->ack) ||
           amount_word(word, "len", &segment->len) || amount_word(word, "win", &segment->win) ||
           amount_word(word, "urg", &segment->urg) || amount_word(word, "ecn", &segment->ecn) ||
           amount_word(word, "tos", &segment->tos) || amount_word(word, "ttl", &segment->ttl);
}

static bool read_pairs(struct option_words *option, const char *text)
{
    while (option->pair_count + 2 <= sizeof option->pairs / sizeof option->pairs[0]) {
        char *end;
        option->pairs[option->pair_count++] = (uint32_t)strtoul(text, &end, 10);
        if (end == text || *end != '-')
            return false;
        text = end + 1;
        option->pairs[option->pair_count++] = (uint32_t)strtoul(text, &end, 10);
        if (end == text)
            return false;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        text = end + 1;
    }
    return false;
}

static bool read_hex(struct option_words *option, const char *text)
{
    size_t length = strlen(text);
    if (length % 2 != 0 || length / 2 > sizeof option->bytes ||
        strspn(text, "0123456789abcdef") != length)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        char pair[3] = {text[i], text[i + 1], '\0'};
        option->bytes[option->byte_count++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

static bool read_value(struct option_words *option, const char *text)
{
    char *end;
    if (option->kind == WIRE_SACK)
        return read_pairs(option, text);
    if (option->kind == WIRE_FASTOPEN)
        return read_hex(option, text);
    option->value.value = strtoll(text, &end, 10);
    option->value.said = true;
    return end != text && *end == '\0';
}

static struct option_words *option_add(struct segment_words *segment, uint8_t kind)
{
    if (segment->option_count == SCRIPT_OPTIONS_MAX)
        return NULL;
    struct option_words *option = &segment->options[segment->option_count++];
    option->kind = kind;
    return option;
}

static bool kind_find(const char *word, size_t length, uint8_t *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strlen(kinds[i].word) == length && strncmp(kinds[i].word, word, length) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* "ecr=N": the echo of the timestamp option, which it implies. */
static bool echo_word(struct segment_words *segment, const char *word)
{
    int64_t value;
    if (!word_number(word, "ecr", &value))
        return false;
    struct option_words *option = NULL;
    for (size_t i = 0; i < segment->option_count; i++)
        if (segment->options[i].kind == WIRE_TS)
            option = &segment->options[i];
    if (option == NULL)
        option = option_add(segment, WIRE_TS);
    if (option == NULL)
        return false;
    option->echo = (struct amount){true, value};
    return true;
}

static bool option_word(struct segment_words *segment, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    uint8_t kind = 0;
    bool raw = length == 3 && strncmp(word, "raw", 3) == 0;
    if (!raw && !kind_find(word, length, &kind))
        return false;
    struct option_words *option = option_add(segment, kind);
    if (option == NULL)
        return false;
    option->raw = raw;
    if (raw)
        return equals != NULL && read_hex(option, equals + 1);
    return equals == NULL || read_value(option, equals + 1);
}

static bool absent_word(struct segment_words *segment, const char *word)
{
    if (word[0] != '-' || segment->absent_count == SCRIPT_OPTIONS_MAX)
        return false;
    return kind_find(word + 1, strlen(word + 1), &segment->absent[segment->absent_count++]);
}

bool segment_word(struct segment_words *segment, const char *word, bool expected)
{
    if (strncmp(word, "layout=", 7) == 0 && expected && strlen(word) < sizeof segment->layout) {
        strcpy(segment->layout, word + 7);
        return true;
    }
    if (strcmp(word, "damaged") == 0 && !expected)
        return segment->damaged = true;
    return flag_word(segment, word) || number_word(segment, word) || echo_word(segment, word) ||
           absent_word(segment, word) || option_word(segment, word);
}
