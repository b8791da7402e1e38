/*
 * ports.h - port rules: which listeners and which connections are Daytona's.
 *
 *     80,443,8000-8099,all                          DAYTONA_LISTEN
 *     443,10.0.0.0/8:6379,[2001:db8::/32]:80-89     DAYTONA_CONNECT
 */
#ifndef DAYTONA_PRELOAD_PORTS_H
#define DAYTONA_PRELOAD_PORTS_H

#include <daytona/capture.h>

#define PORT_RULES_MAX 64

/** A range of ports of the hosts in a network. */
struct port_rule {
    struct daytona_address network; /**< bits after the prefix are ignored */
    uint8_t prefix_bits;            /**< 0-128, of the IPv6 form; 0: any host */
    struct daytona_port_span ports;
};

struct port_rules {
    size_t count;
    struct port_rule rules[PORT_RULES_MAX];
};

/** Where a value could not be read, and what would have been right there. */
struct value_fault {
    size_t at;            /**< index of the character; the value's length: at its end */
    const char *expected; /**< static; goes on after "expected " */
};

/** Reads a list of ports. 0, or -EINVAL and *fault; *out is then undefined. */
int ports_read_listen(const char *value, struct port_rules *out, struct value_fault *fault);

/** The same, where an item may begin with "NETWORK:". */
int ports_read_connect(const char *value, struct port_rules *out, struct value_fault *fault);

/** Reads "LOW-HIGH" or one port. */
int ports_read_span(const char *value, struct daytona_port_span *out, struct value_fault *fault);

/** Whether some rule names the endpoint. */
bool ports_match(const struct port_rules *rules, const struct daytona_endpoint *endpoint);

/** Whether some rule has ports of any host: what a listener is judged by. */
bool ports_match_port(const struct port_rules *rules, uint16_t port);

#endif
