/*
 * words.h - the lines of a scenario file as words and values with units, and complaints that name
 * file and line and say what would be right.
 */
#ifndef SIM_WORDS_H
#define SIM_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_WORDS_MAX 64
#define SIM_LINE_MAX  512

/** What a value means; it is written with a unit of its kind. */
enum sim_value_kind {
    SIM_VALUE_COUNT,   /**< no unit */
    SIM_VALUE_RATE,    /**< bit/s kbit/s Mbit/s Gbit/s; in bytes per second */
    SIM_VALUE_TIME,    /**< us ms s min; in microseconds */
    SIM_VALUE_BYTES,   /**< B kB MB GB */
    SIM_VALUE_PACKETS, /**< packets of 1500 bytes, or a unit of BYTES; in bytes */
    SIM_VALUE_SHARE,   /**< %; in parts per million */
};

/** The present line of a file. */
struct sim_words {
    const char *path; /**< borrowed */
    unsigned line;    /**< from 1 on */
    char text[SIM_LINE_MAX];
    char *words[SIM_WORDS_MAX]; /**< into `text` */
    unsigned count, at;         /**< `at`: the next one */
    bool failed;                /**< something was wrong: says so once, reads on as if at the end */
};

/** Splits a line at white space; what follows a '#' is a comment. */
void sim_words_split(struct sim_words *words, const char *line);

/** "FILE:LINE: ..." on standard error; the first complaint about a file only. */
__attribute__((format(printf, 2, 3))) void sim_words_complain(struct sim_words *words,
                                                              const char *format, ...);

/** The next word without taking it; NULL at the end. */
const char *sim_words_peek(const struct sim_words *words);

/** Takes the next word; "" and a complaint that `what` is missing at the end. */
const char *sim_words_take(struct sim_words *words, const char *what);

/** Takes the next word if it is this one. */
bool sim_words_take_if(struct sim_words *words, const char *word);

/** Takes a number with its unit, which may stand apart; 0 and a complaint when it is none. */
double sim_words_value(struct sim_words *words, enum sim_value_kind kind);

/** The same as a whole number, rounded. */
uint64_t sim_words_number(struct sim_words *words, enum sim_value_kind kind);

/** Complains when words are left over. */
void sim_words_end(struct sim_words *words);

#endif
