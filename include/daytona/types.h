/*
 * types.h - the small values that every floor passes around: an instant, a span of
 * bytes to read, a room of bytes to fill, an address and an endpoint.
 *
 * All of them are plain values; none owns memory.
 */
#ifndef DAYTONA_TYPES_H
#define DAYTONA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A point on a monotonic clock. The origin is the driver's choice (CLOCK_MONOTONIC
 *  in the preloaded library, zero in a simulation). One member, so that `<` on two
 *  instants does not compile: use daytona_instant_before(). */
struct daytona_instant {
    uint64_t ns;
};

/** Later than every instant that can be reached: "no deadline". */
#define DAYTONA_NEVER ((struct daytona_instant){UINT64_MAX})

static inline bool daytona_instant_before(struct daytona_instant a, struct daytona_instant b)
{
    return a.ns < b.ns;
}

/** `at` moved by `us` microseconds; saturates at DAYTONA_NEVER. */
static inline struct daytona_instant daytona_instant_after_us(struct daytona_instant at,
                                                              uint64_t us)
{
    uint64_t ns = us > UINT64_MAX / 1000 ? UINT64_MAX : us * 1000;
    return (struct daytona_instant){at.ns > UINT64_MAX - ns ? UINT64_MAX : at.ns + ns};
}

/** Whole microseconds from `start` to `end`; 0 when `end` is not later. */
static inline uint64_t daytona_instant_since_us(struct daytona_instant end,
                                                struct daytona_instant start)
{
    return end.ns > start.ns ? (end.ns - start.ns) / 1000 : 0;
}

/** Borrowed bytes to read. */
struct daytona_span {
    const uint8_t *data;
    size_t length;
};

/** Borrowed bytes to fill. */
struct daytona_room {
    uint8_t *data;
    size_t length;
};

/** An IP address in network byte order, in IPv6's form. An IPv4 address a.b.c.d is held
 *  as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2); all zero bytes is "unspecified" for both
 *  families, as is ::ffff:0.0.0.0. */
struct daytona_address {
    uint8_t bytes[16];
};

/** One end of a connection. `port` is in host byte order; 0 means "none yet". */
struct daytona_endpoint {
    struct daytona_address address;
    uint16_t port;
};

/** `ipv4` is in host byte order: 0x7f000001 is 127.0.0.1. */
static inline struct daytona_address daytona_address_from_ipv4(uint32_t ipv4)
{
    return (struct daytona_address){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
                                     (uint8_t)(ipv4 >> 24), (uint8_t)(ipv4 >> 16),
                                     (uint8_t)(ipv4 >> 8), (uint8_t)ipv4}};
}

/** The IPv4 address in host byte order. Meaningful when daytona_address_is_ipv4(). */
static inline uint32_t daytona_address_to_ipv4(const struct daytona_address *address)
{
    const uint8_t *b = address->bytes + 12;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline bool daytona_address_is_ipv4(const struct daytona_address *address)
{
    for (int i = 0; i < 10; i++)
        if (address->bytes[i] != 0)
            return false;
    return address->bytes[10] == 0xff && address->bytes[11] == 0xff;
}

static inline bool daytona_address_is_unspecified(const struct daytona_address *address)
{
    uint8_t any = 0;
    for (int i = 0; i < 16; i++)
        any |= i == 10 || i == 11 ? 0 : address->bytes[i];
    return any == 0;
}

static inline bool daytona_address_equal(const struct daytona_address *a,
                                         const struct daytona_address *b)
{
    for (int i = 0; i < 16; i++)
        if (a->bytes[i] != b->bytes[i])
            return false;
    return true;
}

static inline bool daytona_endpoint_equal(const struct daytona_endpoint *a,
                                          const struct daytona_endpoint *b)
{
    return a->port == b->port && daytona_address_equal(&a->address, &b->address);
}

#endif
