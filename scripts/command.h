/*
 * command.h - a program that is started to be traced: its events, and those of what it starts, are
 * all written from the first one on, and stay until they have been read.
 */
#ifndef DAYTONA_SCRIPTS_COMMAND_H
#define DAYTONA_SCRIPTS_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct command {
    char rings[512]; /**< the directory of their rings (daytona/ring.h) */
    pid_t pid;
    bool ended, told; /**< it has ended; it has been told to */
    int status;       /**< as waitpid() has it, once it has ended */
    long stopped_at;  /**< seconds, 0: it may run on */
};

/** Starts `arguments`, a program and its words, ended by NULL. 0 or -errno; what cannot be executed
 * ends with the status that a shell would give. */
int command_begin(struct command *command, char **arguments);

/** Whether it still runs, and is worth waiting for. `stopped` is the signal that came to end it, 0
 *  none: with SIGINT the terminal has told it, too, and it gets time; else, and after that, it gets
 *  SIGTERM. */
bool command_runs(struct command *command, int stopped);

/** Waits for its end, and removes the rings. The exit status that a shell would give. */
int command_end(struct command *command);

#endif
