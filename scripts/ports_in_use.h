/*
 * ports_in_use.h - TCP sockets of the kernel in this network namespace, from /proc/net/tcp and
 * /proc/net/tcp6.
 */
#ifndef DAYTONA_SCRIPTS_PORTS_IN_USE_H
#define DAYTONA_SCRIPTS_PORTS_IN_USE_H

#include <stdbool.h>
#include <stdint.h>

struct kernel_socket {
    uint16_t port;  /**< local */
    bool listening; /**< else some other state, TIME-WAIT excepted */
    bool ipv6;
    unsigned long inode;
};

/** Calls `each` for every socket with a local port. -errno when /proc cannot be read. */
int ports_in_use(void (*each)(void *context, const struct kernel_socket *), void *context);

/** A process that has the socket open: its pid and name; 0 when none can be seen. */
int ports_find_owner(const struct kernel_socket *socket, char name[32]);

#endif
