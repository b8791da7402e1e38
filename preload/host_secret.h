/*
 * host_secret.h - the secret that all Daytona programs of this host share.
 */
#ifndef DAYTONA_PRELOAD_HOST_SECRET_H
#define DAYTONA_PRELOAD_HOST_SECRET_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_SECRET_BYTES 16

/** Reads it from `path`. False, and `out` is all zero, when there is none that nobody else can have
 *  read or written: it must be a file of its full length, owned by this user and closed to others.
 */
bool host_secret_read(const char *path, uint8_t out[HOST_SECRET_BYTES]);

#endif
