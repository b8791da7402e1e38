/*
 * agent.h - actors: the processes and threads that make the calls of a program, one at a time, as
 * the stage (stage.h) tells them through a channel, an AF_UNIX socket at a high number that no
 * program has to do with. The first one is this very executable, started with "agent" as its
 * argument; the others are what it forks.
 */
#ifndef TESTS_DIFFERENTIAL_AGENT_H
#define TESTS_DIFFERENTIAL_AGENT_H

#include "tests/differential/operation.h"

#include <sys/types.h>

#define AGENT_CHANNEL   500 /* of actor 0; that of actor n is n more */
#define AGENT_GIVING    510 /* the two ends of the queue of descriptors */
#define AGENT_TAKING    511
#define AGENT_KEPT      520 /* 0, 1 and 2 as they were */
#define AGENT_FIRST     3   /* descriptors of programs */
#define AGENT_LAST      480
#define AGENT_LOOKS_MAX 48

enum request_kind {
    REQUEST_DO,    /**< perform the operation */
    REQUEST_LOOK,  /**< say how the descriptors are */
    REQUEST_REAP,  /**< wait for children that have ended */
    REQUEST_RESET, /**< close all there is */
    REQUEST_END,   /**< _exit() */
};

struct request {
    enum request_kind kind;
    struct operation operation; /**< descriptors and ports in place of slots and places */
    unsigned step;              /**< from which the bytes follow that are written */
    int first_port;             /**< number 0 of class A; other classes follow at PORT_CLASS_STEP */
    unsigned look_count;
    int looks[AGENT_LOOKS_MAX];
};

struct answer {
    long result;
    int error;       /**< errno of a call that failed */
    bool touched;    /**< errno was changed by a call that did not fail */
    pid_t pid, tid;  /**< who answers */
    char text[1024]; /**< what came with the result */
};

#define PORT_CLASS_STEP 10000 /* between the same numbers of places A, B, C and K */

/** Runs actor `number`; does not return. */
_Noreturn void agent_run(int number);

/** Becomes another actor of the same process or of a new one; the return value of the call that
 * made it. */
long agent_fork(int number);
long agent_thread(int number);

/** Executes this program anew as the same actor; -1 when that fails. */
long agent_exec(void);

/** Appends to what came with the result. */
void answer_say(struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
