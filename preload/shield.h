/*
 * shield.h - makes a kernel socket hold a port in silence. A firewall rule keeps the kernel's TCP
 * away from Daytona's packets; where there is none, a segment for a port without a socket would
 * be answered with RST. A listener behind a filter that drops everything answers nothing. Where the
 * kernel lets only CAP_NET_ADMIN filter TCP, it drops all that does not come with a TTL of 255.
 */
#ifndef DAYTONA_PRELOAD_SHIELD_H
#define DAYTONA_PRELOAD_SHIELD_H

#include <stdbool.h>

/**
 * Makes `socket`, a kernel TCP socket that is bound and neither connected nor listening, drop
 * every packet and then listen on its port, so that the kernel neither answers a segment for it nor
 * gives the port away. 0, or -errno as setsockopt(2) and listen(2): -EADDRINUSE another
 * listener has the port.
 */
int shield_raise(int socket);

/** Takes that back: the socket neither listens nor drops anything, and keeps its port. */
void shield_lower(int socket);

/** The same for a listener of both address families: only IPv4 packets are dropped, connections by
 *  IPv6 are the kernel's to accept, `backlog` of them. */
int shield_raise_against_ipv4(int socket, int backlog);

struct daytona_endpoint;

/**
 * A kernel socket that drops every packet of that one connection, which is the stack's, and leaves
 * its port to others that reuse addresses, as an accepted connection does; `reuses`: the one it
 * stands for does, too. Close-on-exec. -errno: -EPERM without CAP_NET_ADMIN.
 */
int shield_raise_for(const struct daytona_endpoint *local, const struct daytona_endpoint *remote,
                     bool reuses);

#endif
