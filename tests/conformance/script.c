#include "tests/conformance/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verb_words[VERB_COUNT] = {
#define VERB(name, word, text) [VERB_##name] = (word),
#include "tests/conformance/verbs.def"
#undef VERB
};

static const struct {
    const char *word, *initial;
} setting_rows[SETTING_COUNT] = {
#define SETTING(name, word, initial, text) [SETTING_##name] = {word, initial},
#include "tests/conformance/settings.def"
#undef SETTING
};

struct reader {
    struct script *script;
    const char *path;
    unsigned line;
    const char *text;
};

static bool complain(const struct reader *reader, const char *what, const char *word)
{
    printf("%s:%u: %s: %s\n    %s\n", reader->path, reader->line, what, word, reader->text);
    return false;
}

uint8_t script_byte(uint32_t seq)
{
    return (uint8_t)('a' + seq % 23);
}

bool word_number(const char *word, const char *name, int64_t *value)
{
    size_t length = strlen(name);
    char *end;
    if (strncmp(word, name, length) != 0 || word[length] != '=')
        return false;
    *value = strtoll(word + length + 1, &end, 10);
    return end != word + length + 1 && *end == '\0';
}

bool word_time(const char *word, uint64_t *us)
{
    static const struct {
        const char *unit;
        double us;
    } units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}};
    char *end;
    double value = strtod(word, &end);
    for (size_t i = 0; end != word && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *us = (uint64_t)(value * units[i].us + 0.5);
            return true;
        }
    }
    return false;
}

/* "after=200ms" or "after=200ms..250ms" */
static bool timing_word(struct step *step, const char *word)
{
    char from[32];
    if (strncmp(word, "after=", 6) != 0)
        return false;
    const char *dots = strstr(word, "..");
    size_t length = dots != NULL ? (size_t)(dots - word) - 6 : strlen(word) - 6;
    if (length >= sizeof from)
        return false;
    memcpy(from, word + 6, length);
    from[length] = '\0';
    step->timed = true;
    return word_time(from, &step->from_us) &&
           word_time(dots != NULL ? dots + 2 : from, &step->to_us);
}

static bool verb_find(const char *word, size_t length, enum verb *out)
{
    for (int i = 0; i < VERB_COUNT; i++) {
        if (strlen(verb_words[i]) == length && strncmp(word, verb_words[i], length) == 0) {
            *out = (enum verb)i;
            return true;
        }
    }
    return false;
}

/* "VERB", "VERB:2", "VERB:listener" */
static bool read_verb(struct step *step, const char *word)
{
    const char *colon = strchr(word, ':');
    size_t length = colon != NULL ? (size_t)(colon - word) : strlen(word);
    if (!verb_find(word, length, &step->verb))
        return false;
    step->flow = step->verb == VERB_LISTEN ? 0 : 1;
    if (colon == NULL)
        return true;
    if (strcmp(colon, ":listener") == 0)
        step->flow = 0;
    else
        step->flow = (unsigned)strtoul(colon + 1, NULL, 10);
    return step->flow < SCRIPT_FLOWS_MAX && (step->flow > 0 || strcmp(colon, ":listener") == 0);
}

/* "linux(key)" and "daytona(key)": the key is a heading of docs/linux-differences.md. */
static bool read_side(const char *word, enum side *side)
{
    size_t length = strlen(word);
    if (length < 3 || word[length - 1] != ')')
        return false;
    if (strncmp(word, "linux(", 6) == 0)
        *side = SIDE_LINUX;
    else if (strncmp(word, "daytona(", 8) == 0)
        *side = SIDE_DAYTONA;
    else
        return false;
    return true;
}

static bool has_segment(enum verb verb)
{
    return verb == VERB_PEER || verb == VERB_HOST || verb == VERB_ICMP;
}

static bool read_word(const struct reader *reader, struct step *step, const char *word)
{
    if (timing_word(step, word))
        return true;
    if (has_segment(step->verb) && segment_word(&step->segment, word, step->verb == VERB_HOST))
        return true;
    if (step->verb == VERB_PEER || step->verb == VERB_HOST)
        return complain(reader, "a segment has no such word", word);
    if (step->word_count == SCRIPT_WORDS_MAX || strlen(word) >= sizeof step->words[0])
        return complain(reader, "too many or too long", word);
    strcpy(step->words[step->word_count++], word);
    return true;
}

static bool add_line(struct reader *reader, char *line);

static bool add_text(struct reader *reader, const char *format, const char *words, unsigned flow)
{
    char line[256], suffix[16] = "";
    if (flow > 1)
        snprintf(suffix, sizeof suffix, ":%u", flow);
    snprintf(line, sizeof line, format, suffix, words);
    return add_line(reader, line);
}

/* "establish passive WORDS...": the lines of a handshake; the words are the peer's offer. */
static bool establish(struct reader *reader, char *words, unsigned flow)
{
    char *kind = strtok_r(NULL, " \t", &words);
    while (words != NULL && *words == ' ')
        words++;
    const char *offer = words != NULL && *words != '\0' ? words : "mss=1460 sackok ts nop scale=7";
    if (kind != NULL && strcmp(kind, "passive") == 0)
        return (reader->script->listening || add_text(reader, "listen%.0s%.0s", "", 1)) &&
               add_text(reader, "peer%s SYN seq=0 %s", offer, flow) &&
               add_text(reader, "host%s SYN ACK seq=0 ack=1%.0s", "", flow) &&
               add_text(reader, "peer%s ACK%.0s", "", flow) &&
               add_text(reader, "accept%s%.0s", "", flow);
    if (kind != NULL && strcmp(kind, "active") == 0)
        return add_text(reader, "connect%s%.0s", "", flow) &&
               add_text(reader, "host%s SYN seq=0%.0s", "", flow) &&
               add_text(reader, "peer%s SYN ACK seq=0 ack=1 %s", offer, flow) &&
               add_text(reader, "host%s ACK seq=1 ack=1%.0s", "", flow);
    return complain(reader, "establish wants passive or active", kind == NULL ? "" : kind);
}

static bool set(struct reader *reader, char *words)
{
    struct settings *settings = &reader->script->settings;
    for (char *word; (word = strtok_r(NULL, " \t", &words)) != NULL;) {
        char *value = strchr(word, '=');
        bool found = false;
        for (int i = 0; value != NULL && i < SETTING_COUNT && !found; i++) {
            size_t length = strlen(setting_rows[i].word);
            found = length == (size_t)(value - word) &&
                    strncmp(word, setting_rows[i].word, length) == 0;
            if (found)
                snprintf(settings->values[i], sizeof settings->values[i], "%s", value + 1);
        }
        if (!found)
            return complain(reader, "no such setting", word);
    }
    return true;
}

static bool add_step(struct reader *reader, enum side side, const char *verb, char *words)
{
    struct script *script = reader->script;
    if (script->step_count == SCRIPT_STEPS_MAX)
        return complain(reader, "too many lines", "");
    struct step *step = &script->steps[script->step_count];
    *step = (struct step){.line = reader->line, .side = side, .text = reader->text};
    if (!read_verb(step, verb))
        return complain(reader, "no such verb", verb);
    char *result = words == NULL ? NULL : strstr(words, "= ");
    if (result != NULL && (result == words || result[-1] == ' ')) {
        snprintf(step->result, sizeof step->result, "%s", result + 2);
        *result = '\0';
    }
    for (char *word; words != NULL && (word = strtok_r(NULL, " \t", &words)) != NULL;)
        if (!read_word(reader, step, word))
            return false;
    if (step->verb == VERB_LISTEN)
        script->listening = true;
    script->step_count++;
    return true;
}

static bool add_line(struct reader *reader, char *line)
{
    char *words = line;
    enum side side = SIDE_BOTH;
    char *word = strtok_r(line, " \t", &words);
    if (word == NULL || word[0] == '#')
        return true;
    if (strcmp(word, "only") == 0) {
        word = strtok_r(NULL, " \t", &words);
        return (word != NULL && read_side(word, &reader->script->only)) ||
               complain(reader, "only wants linux(key) or daytona(key)", "");
    }
    if (strcmp(word, "config") == 0)
        return set(reader, words);
    if (read_side(word, &side))
        word = strtok_r(NULL, " \t", &words);
    if (word == NULL)
        return complain(reader, "a verb is missing", "");
    if (strncmp(word, "establish", 9) == 0 && side == SIDE_BOTH) {
        unsigned flow = word[9] == ':' ? (unsigned)strtoul(word + 10, NULL, 10) : 1;
        return flow > 0 && flow < SCRIPT_FLOWS_MAX ? establish(reader, words, flow)
                                                   : complain(reader, "no such flow", word);
    }
    return add_step(reader, side, word, words);
}

/* The caller's, for the life of the process: steps borrow their lines. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    static char text[65536];
    size_t length = fread(text, 1, sizeof text - 1, file);
    bool whole = feof(file) != 0;
    fclose(file);
    text[length] = '\0';
    return whole ? strdup(text) : NULL;
}

bool script_parse(const char *name, char *text, struct script *out)
{
    *out = (struct script){.name = name};
    struct reader reader = {.script = out, .path = name, .text = ""};
    for (int i = 0; i < SETTING_COUNT; i++)
        snprintf(out->settings.values[i], sizeof out->settings.values[i], "%s",
                 setting_rows[i].initial);
    while (text != NULL) {
        char line[512];
        reader.text = strsep(&text, "\n");
        reader.line++;
        if (strlen(reader.text) >= sizeof line)
            return complain(&reader, "too long", "");
        strcpy(line, reader.text);
        line[strcspn(line, "#")] = '\0';
        if (!add_line(&reader, line))
            return false;
    }
    return true;
}

bool script_read(const char *path, struct script *out)
{
    char *text = read_file(path);
    if (text == NULL) {
        printf("%s: cannot be read\n", path);
        return false;
    }
    if (!script_parse(path, text, out))
        return false;
    if (out->step_count == 0)
        printf("%s: says nothing\n", path);
    return out->step_count > 0;
}
