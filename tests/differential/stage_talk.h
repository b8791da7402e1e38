/*
 * stage_talk.h - how a stage talks to its actors.
 */
#ifndef TESTS_DIFFERENTIAL_STAGE_TALK_H
#define TESTS_DIFFERENTIAL_STAGE_TALK_H

#include "tests/differential/stage.h"

#define STAGE_PATIENCE_MS 8000 /* for an actor that comes, and the like */

enum hearing {
    HEARD_ANSWER,  /**< the actor has answered */
    HEARD_ASLEEP,  /**< its call waits for something */
    HEARD_END,     /**< its process has ended */
    HEARD_NOTHING, /**< all this time */
};

/** Starts the processes. */
void stage_start(struct stage *stage);

/** Waits for an actor's first words. */
void stage_greet(struct stage *stage, int actor);

void stage_tell(struct stage *stage, int actor, const struct request *request);

/** Waits for an answer, and takes it into the actor's record; or, with `asleep_ms`, until the actor
 *  has been asleep for so long. */
enum hearing stage_hear(struct stage *stage, int actor, int patience_ms, int asleep_ms);

/** Whether no thread of any actor's process has anything to do. */
bool stage_is_asleep(const struct stage *stage);

/** Sends the actor's thread a signal. */
void stage_signal(const struct stage *stage, int actor, int number);

#endif
