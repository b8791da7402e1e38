/*
 * address.h - struct sockaddr to and from endpoints, by Linux's rules about lengths.
 */
#ifndef DAYTONA_PRELOAD_ADDRESS_H
#define DAYTONA_PRELOAD_ADDRESS_H

#include <daytona/types.h>
#include <sys/socket.h>

/**
 * Reads the address that connect() or bind() got on a socket of `domain` (AF_INET or AF_INET6).
 * Errors as the kernel's TCP: -EFAULT unreadable, -EINVAL too short or longer than any address
 * can be, -EAFNOSUPPORT another family (also AF_UNSPEC, which asks the kernel to disconnect).
 */
int address_read(const struct sockaddr *address, socklen_t length, int domain,
                 struct daytona_endpoint *out);

/**
 * Whether address_write() may be called with these pointers. 0; -EFAULT, or -EINVAL for a
 * negative *length. An `address` of NULL is good when `optional` (accept, recvfrom): nothing is
 * written then.
 */
int address_check_room(struct sockaddr *address, socklen_t *length, bool optional);

/** Writes `endpoint` as an address of `domain`, cut to *length bytes, and its whole length to
 *  *length (getsockname(2)). Nothing when `address` is NULL. */
void address_write(const struct daytona_endpoint *endpoint, int domain, struct sockaddr *address,
                   socklen_t *length);

#endif
