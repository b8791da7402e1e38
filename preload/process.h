/*
 * process.h - the ends and the splits of the process: what was written is delivered after an
 * exit, and a forked child neither drives nor harms its parent's connections.
 */
#ifndef DAYTONA_PRELOAD_PROCESS_H
#define DAYTONA_PRELOAD_PROCESS_H

#include <stdbool.h>

/** Before the process ends (_exit, _Exit, quick_exit; exit() and the return from main come here
 *  by the library's destructor): hands unfinished connections to a child that finishes them.
 *  Returns soon; may be called more than once. */
void process_exit(void);

/** Before the process executes another program, with which the engine's thread ends: what that
 *  program will inherit goes on in such a child, the rest ends in order. True when there was an
 *  engine to leave; if the execution then fails, process_exec_failed() makes its sockets another
 *  process's. */
bool process_exec(void);
void process_exec_failed(void);

/** Around fork(). The engine registers them with pthread_atfork when it starts, so wrappers of
 *  fork() and vfork() need not; _Fork() and raw clones are noticed by memory that the kernel
 *  wipes in a child. */
void process_fork_prepare(void);
void process_fork_parent(void);
void process_fork_child(void);

/** Before a system call of the program's own that makes a process with a descriptor table of its
 *  own: from then on only the kernel knows the last close. */
void process_clone_prepare(void);

#endif
