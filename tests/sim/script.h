/*
 * script.h - a scenario file: what it says of hosts, links, flows and time, and what it expects of
 * the outcome. The format is described in docs/simulator.md.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "tests/sim/scenario.h"
#include "tests/sim/words.h"

#define SIM_NAME_MAX         32
#define SIM_GROUPS_MAX       32
#define SIM_EXPECTATIONS_MAX 48

/** The connections of one "flow" line. */
struct sim_group {
    char name[SIM_NAME_MAX];
    unsigned first, count;  /**< in the scenario's connections */
    const char *controller; /**< NULL: the hosts' */
};

/** One "expect" line: measured value, comparison, bound. */
struct sim_expectation {
    unsigned line;
    char text[160];        /**< as written, for the report */
    unsigned metric;       /**< row of the table in result.c */
    int subject;           /**< group or link number; -1: all groups */
    char comparison[3];    /**< one of < <= == >= > */
    double bound;          /**< in the metric's unit, or a factor of what follows */
    int of_group, of_link; /**< -1: the bound is absolute */
};

struct sim_script {
    const char *path; /**< borrowed */
    char title[SIM_LINE_MAX];
    struct sim_scenario scenario; /**< routed */
    char nodes[SIM_NODES_MAX][SIM_NAME_MAX];
    char links[SIM_LINKS_MAX][SIM_NAME_MAX]; /**< of the way back: "" */
    bool named[SIM_LINKS_MAX];               /**< by the file, so it is of interest */
    struct sim_group groups[SIM_GROUPS_MAX];
    unsigned group_count;
    struct sim_expectation expectations[SIM_EXPECTATIONS_MAX];
    unsigned expectation_count;
    uint64_t run_us, from_us, to_us;
};

/** Reads a scenario file; `seed` 0: the file's own. False after a complaint. To be released. */
bool sim_script_read(struct sim_script *script, const char *path, uint64_t seed);
void sim_script_release(struct sim_script *script);

/** -1 when there is none of that name. A link's number is that of its way forth, or back when the
 *  name ends with ".back". */
int sim_script_find_node(const struct sim_script *script, const char *name);
int sim_script_find_link(const struct sim_script *script, const char *name);
int sim_script_find_group(const struct sim_script *script, const char *name);

/* Lines, by their first word; each reads the rest of it. */
void sim_script_read_link(struct sim_script *script, struct sim_words *words);
void sim_script_read_change(struct sim_script *script, struct sim_words *words);
void sim_script_read_flow(struct sim_script *script, struct sim_words *words);
void sim_script_read_expectation(struct sim_script *script, struct sim_words *words);

/** One name, or several: "s1..8" is s1 to s8. Calls `each` with every one. */
void sim_script_each_name(struct sim_words *words, const char *pattern,
                          void (*each)(void *context, struct sim_words *words, const char *name),
                          void *context);

#endif
