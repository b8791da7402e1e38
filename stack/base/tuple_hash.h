/*
 * tuple_hash.h - a keyed hash of a four-tuple, for all that follows from one and must not be
 * guessed from outside. The uses share a key and nothing else: who learns what one of them yields
 * (a sequence number, a port) learns nothing about the others.
 */
#ifndef STACK_BASE_TUPLE_HASH_H
#define STACK_BASE_TUPLE_HASH_H

#include <daytona/types.h>

enum tuple_use {
    TUPLE_FOR_TABLE,        /**< buckets of the connection table */
    TUPLE_FOR_ISN,          /**< RFC 6528 */
    TUPLE_FOR_TIMESTAMP,    /**< RFC 7323 section 7.1 */
    TUPLE_FOR_PORT,         /**< RFC 6056 section 3.3.3; the local port is left 0 */
    TUPLE_FOR_LISTENER,     /**< which of several SO_REUSEPORT listeners */
    TUPLE_FOR_COOKIE,       /**< SYN cookies (RFC 4987): added to the peer's ISN */
    TUPLE_FOR_COOKIE_VALUE, /**< and to what a cookie says, with the minute */
};

uint64_t tuple_hash(const uint8_t key[16], enum tuple_use use, const struct daytona_endpoint *local,
                    const struct daytona_endpoint *remote);

#endif
