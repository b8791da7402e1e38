#include "preload/address.h"

#include "preload/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#define IN6_LENGTH_MIN 24 /* without sin6_scope_id, as RFC 2133 had it; Linux takes it */

static int read_ipv4(const struct sockaddr *address, socklen_t length, struct daytona_endpoint *out)
{
    struct sockaddr_in in;
    if (length < sizeof in)
        return -EINVAL;
    memcpy(&in, address, sizeof in);
    out->address = daytona_address_from_ipv4(ntohl(in.sin_addr.s_addr));
    out->port = ntohs(in.sin_port);
    return 0;
}

static int read_ipv6(const struct sockaddr *address, socklen_t length, struct daytona_endpoint *out)
{
    struct sockaddr_in6 in6;
    if (length < IN6_LENGTH_MIN)
        return -EINVAL;
    memcpy(&in6, address, IN6_LENGTH_MIN);
    memcpy(out->address.bytes, &in6.sin6_addr, sizeof out->address.bytes);
    out->port = ntohs(in6.sin6_port);
    return 0;
}

int address_read(const struct sockaddr *address, socklen_t length, int domain,
                 struct daytona_endpoint *out)
{
    sa_family_t family;
    if (length < sizeof family || length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if (!memory_can_be_read(address, length))
        return -EFAULT;
    memcpy(&family, address, sizeof family);
    if (family == AF_UNSPEC)
        return -EAFNOSUPPORT;
    if (length < (domain == AF_INET ? sizeof(struct sockaddr_in) : IN6_LENGTH_MIN))
        return -EINVAL;
    if (family != domain)
        return -EAFNOSUPPORT;
    return domain == AF_INET ? read_ipv4(address, length, out) : read_ipv6(address, length, out);
}

int address_check_room(struct sockaddr *address, socklen_t *length, bool optional)
{
    if (address == NULL && optional)
        return 0;
    if (!memory_can_be_written(length, sizeof *length))
        return -EFAULT;
    if ((int)*length < 0)
        return -EINVAL;
    socklen_t most = sizeof(struct sockaddr_in6);
    return memory_can_be_written(address, *length < most ? *length : most) ? 0 : -EFAULT;
}

void address_write(const struct daytona_endpoint *endpoint, int domain, struct sockaddr *address,
                   socklen_t *length)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    if (address == NULL)
        return;
    in.sin_addr.s_addr = htonl(daytona_address_to_ipv4(&endpoint->address));
    memcpy(&in6.sin6_addr, endpoint->address.bytes, sizeof in6.sin6_addr);
    socklen_t whole = domain == AF_INET ? sizeof in : sizeof in6;
    const void *bytes = domain == AF_INET ? (const void *)&in : (const void *)&in6;
    memcpy(address, bytes, *length < whole ? *length : whole);
    *length = whole;
}
