/*
 * server_returns.h - kernel sockets of attempts to connect that have failed while nobody waited for
 * them. Who calls connect() again, with the twin, gets his back, and may try once more as with
 * the kernel's TCP. A few are kept, for who never asks; and none that its program had bound, for
 * its port would be taken as long.
 *
 * The engine's thread alone.
 */
#ifndef DAYTONA_PRELOAD_SERVER_RETURNS_H
#define DAYTONA_PRELOAD_SERVER_RETURNS_H

#include "preload/twin.h"

/** Keeps the descriptor for who shows the twin of that name. The oldest goes when there are many.
 */
void server_returns_keep(struct twin_name name, int fd);

/** The descriptor, which is the caller's then; -1: none is kept. */
int server_returns_take(struct twin_name name);

#endif
