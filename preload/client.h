/*
 * client.h - a program whose engine is in another process (server.h): its kernel sockets are shown
 * to the server, whose twins take their places.
 */
#ifndef DAYTONA_PRELOAD_CLIENT_H
#define DAYTONA_PRELOAD_CLIENT_H

#include "preload/candidate.h"
#include "preload/twin.h"

/** listen(2) and connect(2) by the server. 0, -errno, or CLIENT_REFUSED: the socket cannot be
 *  Daytona's, for a reason that has been logged. */
int client_listen(struct candidate *candidate, int backlog);
int client_connect(struct candidate *candidate, const struct daytona_endpoint *remote, bool fast);
#define CLIENT_REFUSED 1

/** connect(2) on `fd`, if that is a served connection: true, and 0 or -errno in *result. One whose
 *  attempt has failed is a kernel socket again from then on, if it may try once more. */
bool client_connect_again(int fd, int *result);

/** Whether `fd` is a listener that the server has made for this process, whose end it should hear
 *  of at once; its name. */
bool client_has_listener(int fd, struct twin_name *name);

/** That listener's descriptor has been closed: waits until its port is free again if it was the
 *  last. */
void client_closed_listener(const struct twin_name *name);

#endif
