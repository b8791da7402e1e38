#include "tests/sim/words.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    enum sim_value_kind kind;
    const char *name;
    double factor;
};

static const struct unit units[] = {
    {SIM_VALUE_RATE, "bit/s", 0.125},
    {SIM_VALUE_RATE, "kbit/s", 125},
    {SIM_VALUE_RATE, "Mbit/s", 125e3},
    {SIM_VALUE_RATE, "Gbit/s", 125e6},
    {SIM_VALUE_TIME, "us", 1},
    {SIM_VALUE_TIME, "ms", 1e3},
    {SIM_VALUE_TIME, "s", 1e6},
    {SIM_VALUE_TIME, "min", 60e6},
    {SIM_VALUE_BYTES, "B", 1},
    {SIM_VALUE_BYTES, "kB", 1e3},
    {SIM_VALUE_BYTES, "MB", 1e6},
    {SIM_VALUE_BYTES, "GB", 1e9},
    {SIM_VALUE_PACKETS, "packets", 1500},
    {SIM_VALUE_PACKETS, "B", 1},
    {SIM_VALUE_PACKETS, "kB", 1e3},
    {SIM_VALUE_PACKETS, "MB", 1e6},
    {SIM_VALUE_SHARE, "%", 1e4},
};

static const char *const unit_names[] = {
    [SIM_VALUE_COUNT] = "no unit",
    [SIM_VALUE_RATE] = "bit/s, kbit/s, Mbit/s or Gbit/s",
    [SIM_VALUE_TIME] = "us, ms, s or min",
    [SIM_VALUE_BYTES] = "B, kB, MB or GB",
    [SIM_VALUE_PACKETS] = "packets, B, kB or MB",
    [SIM_VALUE_SHARE] = "%",
};

void sim_words_split(struct sim_words *words, const char *line)
{
    snprintf(words->text, sizeof words->text, "%s", line);
    words->text[strcspn(words->text, "#\n")] = '\0';
    words->count = words->at = 0;
    char *rest = NULL;
    for (char *word = strtok_r(words->text, " \t\r", &rest);
         word != NULL && words->count < SIM_WORDS_MAX; word = strtok_r(NULL, " \t\r", &rest))
        words->words[words->count++] = word;
}

void sim_words_complain(struct sim_words *words, const char *format, ...)
{
    words->at = words->count;
    if (words->failed)
        return;
    words->failed = true;
    fprintf(stderr, "%s:%u: ", words->path, words->line);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

const char *sim_words_peek(const struct sim_words *words)
{
    return words->at < words->count ? words->words[words->at] : NULL;
}

const char *sim_words_take(struct sim_words *words, const char *what)
{
    if (words->at < words->count)
        return words->words[words->at++];
    sim_words_complain(words, "the line ends where %s should follow", what);
    return "";
}

bool sim_words_take_if(struct sim_words *words, const char *word)
{
    const char *next = sim_words_peek(words);
    if (next == NULL || strcmp(next, word) != 0)
        return false;
    words->at++;
    return true;
}

static const struct unit *find_unit(enum sim_value_kind kind, const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].kind == kind && strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

double sim_words_value(struct sim_words *words, enum sim_value_kind kind)
{
    char *rest;
    const char *word = sim_words_take(words, "a number");
    double number = strtod(word, &rest);
    if (rest == word || number < 0) {
        sim_words_complain(words, "\"%s\" is no number; write for example 10 and a unit (%s)", word,
                           unit_names[kind]);
        return 0;
    }
    if (kind == SIM_VALUE_COUNT && *rest == '\0')
        return number;
    const char *name = *rest != '\0' ? rest : sim_words_peek(words);
    const struct unit *unit = name == NULL ? NULL : find_unit(kind, name);
    if (unit == NULL) {
        sim_words_complain(words, "%s needs a unit: %s", word, unit_names[kind]);
        return 0;
    }
    if (*rest == '\0')
        words->at++;
    return number * unit->factor;
}

uint64_t sim_words_number(struct sim_words *words, enum sim_value_kind kind)
{
    return (uint64_t)(sim_words_value(words, kind) + 0.5);
}

void sim_words_end(struct sim_words *words)
{
    const char *word = sim_words_peek(words);
    if (word != NULL)
        sim_words_complain(words, "\"%s\" has no meaning here; leave it out", word);
}
