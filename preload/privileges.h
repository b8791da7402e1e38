/*
 * privileges.h - a server gives up what it does not need.
 */
#ifndef DAYTONA_PRELOAD_PRIVILEGES_H
#define DAYTONA_PRELOAD_PRIVILEGES_H

#include <stddef.h>
#include <sys/types.h>

/** Becomes that user and group and keeps CAP_NET_RAW alone, for this process and any it may ever
 *  execute. While the process has one thread only. 0, or -errno and a sentence. */
int privileges_drop(uid_t user, gid_t group, char *message, size_t size);

/** Forbids every system call that a server does not make (seccomp(2)), for all threads. 0, or
 *  -errno and a sentence. */
int privileges_forbid_calls(char *message, size_t size);

#endif
