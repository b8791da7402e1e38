/*
 * unix_socket.h - whether an AF_UNIX socket exists, whoever holds it.
 */
#ifndef DAYTONA_PRELOAD_UNIX_SOCKET_H
#define DAYTONA_PRELOAD_UNIX_SOCKET_H

#include <sys/types.h>

/** Asks the kernel for the socket of that inode, as fstat(2) tells it, in this network namespace: 1
 *  or 0; -errno where the kernel cannot say (unix_diag(7) may be missing). For one thread. */
int unix_socket_exists(ino_t inode);

#endif
