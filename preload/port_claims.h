/*
 * port_claims.h - the local ports whose packets the capture shall deliver: the range of
 * outgoing connections if there are rules for them, and what is bound besides.
 */
#ifndef DAYTONA_PRELOAD_PORT_CLAIMS_H
#define DAYTONA_PRELOAD_PORT_CLAIMS_H

#include <daytona/capture.h>

/** Starts anew, with what the settings say. */
void port_claims_begin(void);

/** The ports in use; borrowed until the next change. */
const struct daytona_port_span *port_claims(size_t *count);

/** Those that rules keep from the kernel, so that requests for a connection there are ours to
 *  refuse (refusal.h), however few of them are in use; at most PORT_RULES_MAX. Returns how many. */
size_t port_claims_ruled(struct daytona_port_span *out);

/** One more, one less socket bound to `port`; the capture follows. Engine locked. 0 or -errno of
 *  the capture. */
int port_claims_add(uint16_t port);
void port_claims_remove(uint16_t port);

#endif
