#include "iptables_rules/port_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS = 65536, WORDS = PORTS / 64 };

static bool has(const struct port_set *set, uint32_t port)
{
    return set->words[port / 64] >> (port % 64) & 1;
}

void port_set_add(struct port_set *set, struct daytona_port_span span)
{
    for (uint32_t port = span.low; port <= span.high; port++)
        set->words[port / 64] |= UINT64_C(1) << (port % 64);
}

void port_set_unite(struct port_set *set, const struct port_set *other)
{
    for (size_t i = 0; i < WORDS; i++)
        set->words[i] |= other->words[i];
}

void port_set_subtract(struct port_set *set, const struct port_set *other)
{
    for (size_t i = 0; i < WORDS; i++)
        set->words[i] &= ~other->words[i];
}

bool port_set_equal(const struct port_set *a, const struct port_set *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool port_set_next(const struct port_set *set, uint32_t from, struct daytona_port_span *out)
{
    uint32_t low = from;
    while (low < PORTS && !has(set, low))
        low = set->words[low / 64] == 0 ? (low / 64 + 1) * 64 : low + 1;
    if (low >= PORTS)
        return false;
    uint32_t high = low;
    while (high + 1 < PORTS && has(set, high + 1))
        high++;
    *out = (struct daytona_port_span){(uint16_t)low, (uint16_t)high};
    return true;
}

int port_spans_merge(const struct daytona_port_span *spans, size_t count,
                     struct daytona_port_span *out, size_t max)
{
    struct port_set set = {0};
    for (size_t i = 0; i < count; i++) {
        if (spans[i].low == 0 || spans[i].low > spans[i].high)
            return -EINVAL;
        port_set_add(&set, spans[i]);
    }
    size_t merged = 0;
    struct daytona_port_span span;
    for (uint32_t from = 0; port_set_next(&set, from, &span); from = span.high + 1U) {
        if (merged == max)
            return -E2BIG;
        out[merged++] = span;
    }
    return (int)merged;
}

int port_set_format(const struct port_set *set, char *text, size_t size)
{
    size_t length = 0;
    struct daytona_port_span span;
    if (size == 0)
        return -E2BIG;
    text[0] = '\0';
    for (uint32_t from = 0; port_set_next(set, from, &span); from = span.high + 1U) {
        const char *comma = length > 0 ? "," : "";
        int wrote =
            span.low == span.high
                ? snprintf(text + length, size - length, "%s%u", comma, span.low)
                : snprintf(text + length, size - length, "%s%u-%u", comma, span.low, span.high);
        if (wrote < 0 || (size_t)wrote >= size - length)
            return -E2BIG;
        length += (size_t)wrote;
    }
    return (int)length;
}

/** A decimal port at *at, which moves behind it; -1 when there is none. */
static long parse_port(const char **at)
{
    if (**at < '0' || **at > '9')
        return -1;
    char *end = NULL;
    long port = strtol(*at, &end, 10);
    *at = end;
    return port < PORTS ? port : -1;
}

int port_set_parse(const char *text, struct port_set *out)
{
    *out = (struct port_set){0};
    const char *at = text + strspn(text, " \t\n");
    while (*at != '\0' && *at != '\n') {
        long low = parse_port(&at);
        long high = low;
        if (*at == '-') {
            at++;
            high = parse_port(&at);
        }
        if (low < 0 || high < low)
            return -EINVAL;
        port_set_add(out, (struct daytona_port_span){(uint16_t)low, (uint16_t)high});
        if (*at == ',')
            at++;
        else
            break;
    }
    at += strspn(at, " \t\n");
    return *at == '\0' ? 0 : -EINVAL;
}
