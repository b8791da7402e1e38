/*
 * operation.h - operations: what one actor does in one step of a program, as numbers and as a line
 * of text.
 *
 *     0 connect b A1        actor 0 connects the descriptor in slot b to place A1
 *     1& read c 10          actor 1 begins to read; `1 finish` waits for the end
 *     0^ accept d a block   if it blocks, it is interrupted by a handler with SA_RESTART
 *     0: accept d a block   it may take its time, and ends by itself
 *
 * A place is a class and a number: A is Daytona's for listeners and for those who connect, B for
 * listeners, C for those who connect, K for nobody. Nobody ever listens at number 3.
 */
#ifndef TESTS_DIFFERENTIAL_OPERATION_H
#define TESTS_DIFFERENTIAL_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPERATION_WORDS_MAX 4
#define OPERATION_TEXT_MAX  120
#define PROGRAM_STEPS_MAX   128
#define SLOTS_MAX           52 /* a to z, A to Z */
#define ACTORS_MAX          8

enum verb {
#define OPERATION(verb, parameters) VERB_##verb,
#include "tests/differential/operations.def"
#undef OPERATION
    VERB_COUNT
};

enum manner {
    MANNER_PLAIN,   /**< what blocks is recorded as that, and interrupted */
    MANNER_RESTART, /**< the same, after a signal whose handler has SA_RESTART */
    MANNER_BEGIN,   /**< the program goes on meanwhile */
    MANNER_PATIENT, /**< waited for, however long it takes */
};

struct operation {
    uint8_t actor;
    uint8_t manner; /**< enum manner */
    uint8_t verb;   /**< enum verb */
    int words[OPERATION_WORDS_MAX];
};

/** A list of operations with a name; what it came to, on some TCP, is a record (record.h). */
struct program {
    char name[80];
    unsigned count;
    struct operation steps[PROGRAM_STEPS_MAX];
};

/** The parameters of a verb, as in operations.def, and its name. */
const char *operation_parameters(enum verb verb);
const char *operation_verb(enum verb verb);

/** The place of that class ('A' ...) and number as a word. */
int operation_place(char class, int number);

/** The line for an operation, in `text`. */
void operation_print(const struct operation *operation, char text[static OPERATION_TEXT_MAX]);

/** Reads a line; false when it is none. */
bool operation_parse(struct operation *operation, const char *line);

/** Appends a step, given as its line, made by `format`; ends the process when it is none, or when
 * the program is full. */
void program_add(struct program *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Reads programs from a file: a line `program NAME`, then the steps; `#` begins a comment. Returns
 *  how many there were; ends the process when something is wrong. */
size_t program_read(const char *path, struct program *programs, size_t max);

void program_print(const struct program *program, FILE *out);

/** Appends the words for the bits of `value` to the text of size `size`, joined with `|`. */
void words_print(char parameter, int value, char *text, size_t size);

#endif
