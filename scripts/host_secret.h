/*
 * host_secret.h - the secret from which all Daytona programs of this host derive initial sequence
 * numbers and timestamps (docs/decisions/0011-host-secret.md). It lives as long as the boot.
 */
#ifndef DAYTONA_SCRIPTS_HOST_SECRET_H
#define DAYTONA_SCRIPTS_HOST_SECRET_H

/** Makes the secret in the state directory, unless it is there, and tells the programs where it is.
 *  Without one each has its own. */
void host_secret_offer(const char *state_directory);

#endif
