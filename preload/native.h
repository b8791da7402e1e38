/*
 * native.h - bridged sockets in the hands of wrappers: the kernel carries a call out on the twin,
 * and what AF_UNIX says of it becomes what TCP says. It knows one error for readers and one for
 * writers, whatever ended the connection; TCP tells each error once, to whoever calls first.
 *
 * Sockets of this process's engine are known by their records, and a parent's too. Those of a
 * server, or of whoever has sent one, are noted when a wrapper first meets them.
 */
#ifndef DAYTONA_PRELOAD_NATIVE_H
#define DAYTONA_PRELOAD_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** `fd` is the twin of another process's engine's socket; `copy`, from dup(2) of `fd`, is if that
 * is one; `fd` is something else now. */
void native_note(int fd);
void native_note_copy(int fd, int copy);
void native_forget(int fd);
void native_forget_range(unsigned first, unsigned last);

/** Whether `fd` is known to be a twin that is used natively. Makes no system call. */
bool native_is_known(int fd);

/** Before a receive on any descriptor: whether TCP gives 0 and keeps the error for a writer, where
 * AF_UNIX would tell it: after a reset behind the end of the stream. */
bool native_at_end(int fd);

/** The flags for sending on `fd`: without a signal where native_told_writer() is going to raise it.
 */
int native_flags(int fd, int flags);

/** Whether the twin, known to be one, has nobody at its other end: AF_UNIX does not tell who writes
 *  nothing. */
bool native_has_ended(int fd);

/** For errno, after AF_UNIX said ECONNRESET to a reader: what TCP says. */
int native_told_reader(int fd);

/** The same after it said EPIPE to a writer; raises SIGPIPE if that is it, unless `flags` has
 *  MSG_NOSIGNAL. */
int native_told_writer(int fd, int flags);

#endif
