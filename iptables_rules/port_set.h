/*
 * port_set.h - a set of TCP ports. Ranges that overlap or touch merge by themselves, and the
 * kernel's list of reserved ports is edited with plain set algebra.
 */
#ifndef DAYTONA_IPTABLES_RULES_PORT_SET_H
#define DAYTONA_IPTABLES_RULES_PORT_SET_H

#include <daytona/rules.h>

/** One bit a port. Empty when zeroed; a plain value. */
struct port_set {
    uint64_t words[1024];
};

/** Adds the ports low...high, both included. */
void port_set_add(struct port_set *set, struct daytona_port_span span);

/** Adds all of `other`. */
void port_set_unite(struct port_set *set, const struct port_set *other);

/** Takes all of `other` out. */
void port_set_subtract(struct port_set *set, const struct port_set *other);

bool port_set_equal(const struct port_set *a, const struct port_set *b);

/** The first maximal range that ends at `from` or later; false when there is none. To walk, start
 *  with from 0 and go on with out->high + 1. */
bool port_set_next(const struct port_set *set, uint32_t from, struct daytona_port_span *out);

/** Checks `count` spans (1 <= low <= high: -EINVAL) and stores them merged and ascending in
 *  `out`, room for `max`. Returns how many, -E2BIG when they do not fit. */
int port_spans_merge(const struct daytona_port_span *spans, size_t count,
                     struct daytona_port_span *out, size_t max);

/** Enough text for any set: 32,768 separate ports. */
#define PORT_SET_TEXT_MAX 200000

/** Writes "80,443,8000-8099" (the form of ip_local_reserved_ports), empty for the empty set.
 *  Returns the length without the terminator, -E2BIG when it does not fit. */
int port_set_format(const struct port_set *set, char *text, size_t size);

/** Reads that form; blanks around the list are ignored. -EINVAL for anything else. */
int port_set_parse(const char *text, struct port_set *out);

#endif
