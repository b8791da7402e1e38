/*
 * decide.h - the moment at which a kernel socket becomes Daytona's: listen() or connect() whose
 * port the settings name. Until then nothing is recorded about it; all there is to know is read
 * back from the kernel socket, so that inherited and dup'ed ones are decided alike.
 */
#ifndef DAYTONA_PRELOAD_DECIDE_H
#define DAYTONA_PRELOAD_DECIDE_H

#include <stdbool.h>
#include <sys/socket.h>

/** Returned when the socket stays the kernel's: make the real call. */
#define DECIDE_KERNEL 1

/** listen(2) on a descriptor that is not Daytona's yet. `always`: whatever the port rules say
 *  (the library's daytona_listen). 0, -errno or DECIDE_KERNEL. */
int decide_listen(int fd, int backlog, bool always);

/** connect(2) on a descriptor that is not Daytona's yet. `always`: whatever the port rules say
 *  (the library's daytona_connect). 0, -errno or DECIDE_KERNEL. */
int decide_connect(int fd, const struct sockaddr *address, socklen_t length, bool always);

/** The connect(2) in a sendto(2) with MSG_FASTOPEN, by the port rules. 0: connected, or the SYN
 * waits for the data; else as above. */
int decide_connect_fast(int fd, const struct sockaddr *address, socklen_t length);

#endif
