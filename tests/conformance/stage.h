/*
 * stage.h - what is going on while a script is played.
 */
#ifndef TESTS_CONFORMANCE_STAGE_H
#define TESTS_CONFORMANCE_STAGE_H

#include "tests/conformance/flow.h"

struct stage {
    const struct script *script;
    struct subject *subject;
    const struct step *step; /**< the one being played */
    struct flow flows[SCRIPT_FLOWS_MAX];
    uint64_t started_us;
    uint64_t began_us, ended_us; /**< when the last thing happened: not before, not after */
    char log[65536];             /**< packets and results until now */
    size_t logged;
    bool failed;
    bool crowded; /**< connections of earlier stages are still there: what they send is ignored */
};

/** Notes a line for a failure to show. */
void stage_log(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The step went wrong: says so; returns false. */
bool stage_fail(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** A new beginning: no flow has said anything yet. */
void stage_prepare(struct stage *stage, struct subject *subject);

/** Plays all lines; false when one failed. */
bool stage_play(struct stage *stage, const struct script *script);

/** Plays a socket call; false when it failed. */
bool play_call(struct stage *stage, const struct step *step, struct flow *flow);

#endif
