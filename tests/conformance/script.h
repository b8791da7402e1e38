/*
 * script.h - packet scripts as values. The language: docs/packet-scripts.md.
 */
#ifndef TESTS_CONFORMANCE_SCRIPT_H
#define TESTS_CONFORMANCE_SCRIPT_H

#include "tests/conformance/subject.h"

#define SCRIPT_WORDS_MAX   20
#define SCRIPT_OPTIONS_MAX 12
#define SCRIPT_STEPS_MAX   400
#define SCRIPT_FLOWS_MAX   16 /* flow 0 is the listener */

/** Whom a line is for. */
enum side { SIDE_BOTH, SIDE_DAYTONA, SIDE_LINUX };

enum verb {
#define VERB(name, word, text) VERB_##name,
#include "tests/conformance/verbs.def"
#undef VERB
    VERB_COUNT
};

/** A number that may have been left out. */
struct amount {
    bool said;
    int64_t value;
};

/** One TCP option as a script says it. */
struct option_words {
    uint8_t kind;
    bool raw;                  /**< `bytes` are the whole option */
    struct amount value, echo; /**< MSS, scale; timestamp, its echo */
    uint32_t pairs[8];         /**< SACK blocks, relative */
    size_t pair_count;
    uint8_t bytes[WIRE_OPTIONS_MAX]; /**< a cookie, or raw */
    size_t byte_count;
};

/** A segment as a script says it; what is left out follows from the flow or does not matter. */
struct segment_words {
    uint16_t flags;
    uint16_t flags_maybe; /**< may be set or not */
    struct amount seq, ack, len, win, urg, ecn, tos, ttl;
    bool damaged;
    struct option_words options[SCRIPT_OPTIONS_MAX];
    size_t option_count;
    uint8_t absent[SCRIPT_OPTIONS_MAX]; /**< kinds that must not be there */
    size_t absent_count;
    char layout[80]; /**< "": does not matter */
};

struct step {
    unsigned line;
    enum side side;
    enum verb verb;
    unsigned flow;
    const char *text;             /**< the line, borrowed from the script */
    bool timed;                   /**< `after` was said, or it is a wait */
    uint64_t from_us, to_us;      /**< after the step before */
    struct segment_words segment; /**< of peer, host and icmp */
    char words[SCRIPT_WORDS_MAX][48];
    size_t word_count;
    char result[96]; /**< behind `=`; "": the verb's usual one */
};

struct script {
    const char *name;
    enum side only;
    struct settings settings;
    struct step steps[SCRIPT_STEPS_MAX];
    size_t step_count;
    bool listening; /**< while parsing: `establish` needs no second listener */
};

/** Reads a script; false with a message on standard output when it is malformed. */
bool script_read(const char *path, struct script *out);

/** The same from memory; `text` is changed and borrowed. Nothing to do is no mistake here. */
bool script_parse(const char *name, char *text, struct script *out);

/** Reads one word of a segment. False: it is none. */
bool segment_word(struct segment_words *segment, const char *word, bool expected);

/** "WORD=NUMBER"; NUMBER may be negative. False: not this word, or no number. */
bool word_number(const char *word, const char *name, int64_t *value);

/** "40ms", "1.5s", "100us". */
bool word_time(const char *word, uint64_t *us);

/** The byte at a relative sequence number of every stream. */
uint8_t script_byte(uint32_t seq);

#endif
