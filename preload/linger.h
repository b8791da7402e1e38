/*
 * linger.h - what is left of a program that has exited: a process that has the engine's
 * descriptors and nothing else, and goes on until everything written is delivered and closed.
 */
#ifndef DAYTONA_PRELOAD_LINGER_H
#define DAYTONA_PRELOAD_LINGER_H

struct file;

/** The engine's thread, engine locked: leaves the child behind if a connection is not finished,
 *  tells who waits on engine.exit_done, and does not return: the process is about to end. */
_Noreturn void linger_fork(void);

/** The same when the application's threads have all ended without a word, and with them its
 *  descriptors: this thread is all that keeps the process. Returns when one of them lives. */
void linger_if_alone(void);

/** The process was not about to end after all: that thread gives back what it holds, and ends. */
void linger_desert(void);

/** The same in this very process, a server's, which ends when nothing is left to do. */
_Noreturn void linger_here(void);

/** Ends `file` if it is a listener that nobody holds any more. Engine locked. */
void linger_end_deserted(struct file *file);

#endif
