/*
 * stage.h - where programs run: a network namespace with nothing but a loopback interface, and the
 * actors in it, on the kernel's TCP or on Daytona's.
 *
 * Nothing is recorded while something is still on its way. On the kernel's TCP the stage looks
 * until nothing changes; on another one it waits, with patience, until all is as it was there. A
 * difference is what does not go away.
 */
#ifndef TESTS_DIFFERENTIAL_STAGE_H
#define TESTS_DIFFERENTIAL_STAGE_H

#include "tests/differential/book.h"
#include "tests/differential/record.h"

struct mode {
    const char *name;
    const char *excluded;    /**< programs that it is not meant for, a pattern */
    const char *settings[4]; /**< of the environment; NULL behind the last */
};

/** The mode of that number, of that name; NULL when there is none. The first one is the kernel's.
 */
const struct mode *mode_at(size_t number);
const struct mode *mode_find(const char *name);

struct actor {
    int channel; /**< our end; the same for all who are this actor */
    int theirs;  /**< the actor's */
    int process; /**< pidfd; -1 when there is none */
    pid_t pid, tid;
    bool busy;     /**< it was told to begin something */
    bool answered; /**< and has done it */
    struct operation doing;
    struct answer answer;
};

struct stage {
    const struct mode *mode;
    pid_t pid;       /**< of actor 0; 0: it has not been started */
    int patience_ms; /**< for what must happen, on a machine with much else to do */
    int queue[2];
    struct actor actors[ACTORS_MAX];
    struct book book;
    int slots[SLOTS_MAX];
    unsigned serial; /**< of programs since the start */
    /** Whether a step that comes to something else need not be waited for. */
    bool (*excuses)(void *context, unsigned step, const struct record_step *wanted,
                    const struct record_step *got);
    void *excuses_context;
};

/** Chooses the next step of a program; false at its end. */
typedef bool (*stage_next)(void *context, const struct stage *stage, struct operation *operation);

void stage_open(struct stage *stage, const struct mode *mode);
void stage_close(struct stage *stage);

/** Runs a program to its end and records it. `expected`, what it came to on the kernel's TCP; NULL:
 *  this is the kernel's. Ends early when it comes to something else. */
void stage_run(struct stage *stage, const struct program *program, const struct record *expected,
               struct record *record);

/** The same for a program that comes to be in `program` as it runs. */
void stage_improvise(struct stage *stage, struct program *program, stage_next next, void *context,
                     struct record *record);

/** What there is will not be used again: the next program gets new processes. */
void stage_restart(struct stage *stage);

#endif
