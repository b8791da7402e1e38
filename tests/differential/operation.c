#include "tests/differential/operation.h"

#include <ctype.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/differential/bad_calls.h"
#include "tests/differential/options.h"

static const struct {
    const char *verb, *parameters;
} operations[] = {
#define OPERATION(verb, parameters) {#verb, parameters},
#include "tests/differential/operations.def"
#undef OPERATION
};

static const struct {
    char parameter;
    const char *text;
    int value;
} words[] = {
#define WORD(parameter, text, value) {parameter, text, value},
#include "tests/differential/words.def"
#undef WORD
};
#define WORD_COUNT (sizeof words / sizeof words[0])

static const char manners[] = {
    [MANNER_PLAIN] = ' ', [MANNER_RESTART] = '^', [MANNER_BEGIN] = '&', [MANNER_PATIENT] = ':'};

const char *operation_parameters(enum verb verb)
{
    return operations[verb].parameters;
}

const char *operation_verb(enum verb verb)
{
    return operations[verb].verb;
}

int operation_place(char class, int number)
{
    return class * 10 + number;
}

/* ------------------------------------------------------------------ printing */

static void append(char *text, size_t size, const char *what)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", what);
}

/* Flags are bits; what epoll_ctl() does, and the like, are numbers. */
static bool is_flags(char parameter)
{
    return strchr("tme", parameter) != NULL;
}

static bool is_meant(size_t word, char parameter, int value)
{
    if (words[word].parameter != parameter)
        return false;
    return is_flags(parameter) && value != 0
               ? words[word].value != 0 && (value & words[word].value) == words[word].value
               : words[word].value == value;
}

void words_print(char parameter, int value, char *text, size_t size)
{
    const char *joint = "";
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (!is_meant(i, parameter, value))
            continue;
        append(text, size, joint);
        append(text, size, words[i].text);
        joint = "|";
    }
    if (*joint == '\0')
        append(text, size, "?");
}

static void print_word(char parameter, int word, char *text, size_t size)
{
    char one[24] = "";
    switch (parameter) {
    case 'n':
    case 'f':
        snprintf(one, sizeof one, "%c", word < 0 ? '-' : word < 26 ? 'a' + word : 'A' + word - 26);
        break;
    case 'p':
        snprintf(one, sizeof one, "%c%d", word / 10, word % 10);
        break;
    case 'a':
    case 'i':
        snprintf(one, sizeof one, "%d", word);
        break;
    case 'o':
        append(text, size, option_name(word));
        return;
    default:
        words_print(parameter, word, text, size);
        return;
    }
    append(text, size, one);
}

void operation_print(const struct operation *operation, char text[static OPERATION_TEXT_MAX])
{
    const char *parameters = operations[operation->verb].parameters;
    char manner = manners[operation->manner];
    snprintf(text, OPERATION_TEXT_MAX, "%d%s%s%s", operation->actor,
             manner == ' ' ? "" : (char[]){manner, '\0'}, " ", operations[operation->verb].verb);
    for (size_t i = 0; parameters[i] != '\0'; i++) {
        append(text, OPERATION_TEXT_MAX, " ");
        print_word(parameters[i], operation->words[i], text, OPERATION_TEXT_MAX);
    }
}

void program_print(const struct program *program, FILE *out)
{
    char text[OPERATION_TEXT_MAX];
    fprintf(out, "program %s\n", program->name);
    for (unsigned i = 0; i < program->count; i++) {
        operation_print(&program->steps[i], text);
        fprintf(out, "%s\n", text);
    }
}

/* ------------------------------------------------------------------ reading */

static bool read_number(const char *text, int *word)
{
    char *end;
    *word = (int)strtol(text, &end, 0);
    return end != text && *end == '\0';
}

static bool read_slot(const char *text, int *word)
{
    *word = islower((unsigned char)text[0]) ? text[0] - 'a' : text[0] - 'A' + 26;
    if (text[0] == '-')
        *word = -1;
    return (isalpha((unsigned char)text[0]) || text[0] == '-') && text[1] == '\0';
}

static bool read_place(const char *text, int *word)
{
    *word = operation_place(text[0], text[1] - '0');
    return strchr("ABCK", text[0]) != NULL && isdigit((unsigned char)text[1]) && text[2] == '\0';
}

static bool read_words(char parameter, char *text, int *word)
{
    char *rest, *one = strtok_r(text, "|", &rest);
    *word = 0;
    for (; one != NULL; one = strtok_r(NULL, "|", &rest)) {
        size_t i = 0;
        while (i < WORD_COUNT &&
               (words[i].parameter != parameter || strcmp(words[i].text, one) != 0))
            i++;
        if (i == WORD_COUNT)
            return false;
        *word |= words[i].value;
    }
    return true;
}

static bool read_word(char parameter, char *text, int *word)
{
    switch (parameter) {
    case 'n':
    case 'f':
        return read_slot(text, word);
    case 'p':
        return read_place(text, word);
    case 'a':
    case 'i':
        return read_number(text, word);
    case 'o':
        return option_find(text, word);
    default:
        return read_words(parameter, text, word);
    }
}

static bool read_actor(const char *text, struct operation *operation)
{
    char manner = text[0] != '\0' && text[1] != '\0' ? text[1] : ' ';
    operation->actor = (uint8_t)(text[0] - '0');
    for (size_t i = 0; i < sizeof manners; i++) {
        if (manners[i] == manner) {
            operation->manner = (uint8_t)i;
            return operation->actor < ACTORS_MAX;
        }
    }
    return false;
}

static bool read_verb(const char *text, struct operation *operation)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(operations[i].verb, text) == 0) {
            operation->verb = (uint8_t)i;
            return true;
        }
    }
    return false;
}

bool operation_parse(struct operation *operation, const char *line)
{
    char text[OPERATION_TEXT_MAX], *rest;
    snprintf(text, sizeof text, "%s", line);
    memset(operation, 0, sizeof *operation);
    char *actor = strtok_r(text, " ", &rest), *verb = strtok_r(NULL, " ", &rest);
    if (actor == NULL || verb == NULL || !read_actor(actor, operation) ||
        !read_verb(verb, operation))
        return false;
    const char *parameters = operations[operation->verb].parameters;
    for (size_t i = 0; parameters[i] != '\0'; i++) {
        char *word = strtok_r(NULL, " ", &rest);
        if (word == NULL || !read_word(parameters[i], word, &operation->words[i]))
            return false;
    }
    return strtok_r(NULL, " ", &rest) == NULL;
}

static void add_line(struct program *program, const char *line)
{
    if (program->count < PROGRAM_STEPS_MAX &&
        operation_parse(&program->steps[program->count], line)) {
        program->count++;
        return;
    }
    fprintf(stderr, "program %s: this is no step: %s\n", program->name, line);
    exit(2);
}

void program_add(struct program *program, const char *format, ...)
{
    char line[OPERATION_TEXT_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    add_line(program, line);
}

size_t program_read(const char *path, struct program *programs, size_t max)
{
    char line[256];
    size_t count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        size_t length = strcspn(line, "#\n");
        while (length > 0 && line[length - 1] == ' ')
            length--;
        line[length] = '\0';
        if (length == 0)
            continue;
        if (strncmp(line, "program ", 8) != 0 && count > 0) {
            add_line(&programs[count - 1], line);
            continue;
        }
        if (count == max) {
            fprintf(stderr, "%s: too many programs\n", path);
            exit(2);
        }
        memset(&programs[count], 0, sizeof programs[count]);
        snprintf(programs[count++].name, sizeof programs[0].name, "%.79s", line + 8);
    }
    fclose(file);
    return count;
}
