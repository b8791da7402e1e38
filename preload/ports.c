#include "preload/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Reads a value from left to right; `at` stays where something else was expected. */
struct cursor {
    const char *value;
    size_t at;
    const char *expected;
};

static char next(const struct cursor *cursor)
{
    return cursor->value[cursor->at];
}

static bool fail(struct cursor *cursor, const char *expected)
{
    cursor->expected = expected;
    return false;
}

static bool fail_at(struct cursor *cursor, size_t at, const char *expected)
{
    cursor->at = at;
    return fail(cursor, expected);
}

static bool take(struct cursor *cursor, char character)
{
    if (next(cursor) != character)
        return false;
    cursor->at++;
    return true;
}

static bool take_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(cursor->value + cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* A decimal number up to `maximum`. `digit` and `range` say what was expected otherwise. */
static bool read_number(struct cursor *cursor, unsigned maximum, const char *digit,
                        const char *range, unsigned *out)
{
    size_t start = cursor->at;
    unsigned value = 0;
    if (!is_digit(next(cursor)))
        return fail(cursor, digit);
    for (; is_digit(next(cursor)); cursor->at++) {
        value = value * 10 + (unsigned)(next(cursor) - '0');
        if (value > maximum)
            return fail_at(cursor, start, range);
    }
    *out = value;
    return true;
}

static bool read_port(struct cursor *cursor, uint16_t *out)
{
    static const char range[] = "a port from 1 to 65535";
    size_t start = cursor->at;
    unsigned value;
    if (!read_number(cursor, UINT16_MAX, "a digit, as in 80 or 8000-8099", range, &value))
        return false;
    if (value == 0)
        return fail_at(cursor, start, range);
    *out = (uint16_t)value;
    return true;
}

static bool read_span(struct cursor *cursor, struct daytona_port_span *out)
{
    if (!read_port(cursor, &out->low))
        return false;
    out->high = out->low;
    if (!take(cursor, '-'))
        return true;
    size_t second = cursor->at;
    if (!read_port(cursor, &out->high))
        return false;
    return out->high >= out->low ||
           fail_at(cursor, second, "a port not below the first, as in 8000-8099");
}

static bool read_ports(struct cursor *cursor, struct daytona_port_span *out)
{
    *out = (struct daytona_port_span){1, UINT16_MAX};
    return take_word(cursor, "all") || read_span(cursor, out);
}

static bool read_ipv4(struct cursor *cursor, struct port_rule *rule)
{
    uint32_t address = 0;
    unsigned part, bits = 32;
    for (int i = 0; i < 4; i++) {
        if (i > 0 && !take(cursor, '.'))
            return fail(cursor, "'.', as in 10.0.0.0/8:443");
        if (!read_number(cursor, 255, "a number from 0 to 255, as in 10.0.0.0/8:443",
                         "a number from 0 to 255, as in 10.0.0.0/8:443", &part))
            return false;
        address = address << 8 | part;
    }
    if (take(cursor, '/') && !read_number(cursor, 32, "a prefix length from 0 to 32",
                                          "a prefix length from 0 to 32", &bits))
        return false;
    rule->network = daytona_address_from_ipv4(address);
    rule->prefix_bits = (uint8_t)(96 + bits);
    return true;
}

/* The part in brackets, the opening one taken. */
static bool read_ipv6(struct cursor *cursor, struct port_rule *rule)
{
    static const char expected[] = "an IPv6 network, as in [2001:db8::/32]:443";
    char text[INET6_ADDRSTRLEN];
    unsigned bits = 128;
    size_t start = cursor->at;
    size_t length = strcspn(cursor->value + start, "/],");
    if (length >= sizeof text)
        return fail(cursor, expected);
    memcpy(text, cursor->value + start, length);
    text[length] = '\0';
    if (inet_pton(AF_INET6, text, rule->network.bytes) != 1)
        return fail(cursor, expected);
    cursor->at += length;
    if (take(cursor, '/') && !read_number(cursor, 128, "a prefix length from 0 to 128",
                                          "a prefix length from 0 to 128", &bits))
        return false;
    rule->prefix_bits = (uint8_t)bits;
    return take(cursor, ']') || fail(cursor, "']', as in [2001:db8::/32]:443");
}

/* An item begins with a network when it has a bracket, a dot or a colon in it. */
static bool read_network(struct cursor *cursor, struct port_rule *rule)
{
    const char *item = cursor->value + cursor->at;
    size_t length = strcspn(item, ",");
    if (strcspn(item, "[.:") >= length)
        return true;
    if (take(cursor, '[') ? !read_ipv6(cursor, rule) : !read_ipv4(cursor, rule))
        return false;
    return take(cursor, ':') || fail(cursor, "':' and a port, as in 10.0.0.0/8:443");
}

static bool read_rules(struct cursor *cursor, bool with_networks, struct port_rules *out)
{
    out->count = 0;
    do {
        struct port_rule rule = {.prefix_bits = 0};
        if (out->count == PORT_RULES_MAX)
            return fail(cursor, "at most 64 items");
        if (with_networks && !read_network(cursor, &rule))
            return false;
        if (!read_ports(cursor, &rule.ports))
            return false;
        out->rules[out->count++] = rule;
    } while (take(cursor, ','));
    return true;
}

/* Nothing may follow what was read. */
static int finish(const struct cursor *cursor, bool good, struct value_fault *fault)
{
    if (good && next(cursor) == '\0')
        return 0;
    *fault = (struct value_fault){cursor->at,
                                  good ? "a digit, as in 80 or 8000-8099" : cursor->expected};
    return -EINVAL;
}

int ports_read_listen(const char *value, struct port_rules *out, struct value_fault *fault)
{
    struct cursor cursor = {.value = value};
    return finish(&cursor, read_rules(&cursor, false, out), fault);
}

int ports_read_connect(const char *value, struct port_rules *out, struct value_fault *fault)
{
    struct cursor cursor = {.value = value};
    return finish(&cursor, read_rules(&cursor, true, out), fault);
}

int ports_read_span(const char *value, struct daytona_port_span *out, struct value_fault *fault)
{
    struct cursor cursor = {.value = value};
    return finish(&cursor, read_span(&cursor, out), fault);
}

static bool in_network(const struct port_rule *rule, const struct daytona_address *address)
{
    size_t whole = rule->prefix_bits / 8;
    unsigned rest = rule->prefix_bits % 8u;
    if (memcmp(rule->network.bytes, address->bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned difference = rule->network.bytes[whole] ^ address->bytes[whole];
    return difference >> (8 - rest) == 0;
}

static bool in_span(const struct port_rule *rule, uint16_t port)
{
    return rule->ports.low <= port && port <= rule->ports.high;
}

bool ports_match(const struct port_rules *rules, const struct daytona_endpoint *endpoint)
{
    for (size_t i = 0; i < rules->count; i++)
        if (in_span(&rules->rules[i], endpoint->port) &&
            in_network(&rules->rules[i], &endpoint->address))
            return true;
    return false;
}

bool ports_match_port(const struct port_rules *rules, uint16_t port)
{
    for (size_t i = 0; i < rules->count; i++)
        if (rules->rules[i].prefix_bits == 0 && in_span(&rules->rules[i], port))
            return true;
    return false;
}
