#include "preload/port_claims.h"

#include "preload/engine.h"
#include "preload/server.h"
#include "preload/settings.h"

#include <string.h>

/* Beyond so many different ports the filter takes all of them: the stack sorts out the rest. */
#define CLAIMS_MAX 64

static struct daytona_port_span spans[CLAIMS_MAX + 1]; /* the range of connections first */
static size_t span_count, range_count;
static uint16_t users[UINT16_MAX + 1];
static unsigned different;

void port_claims_begin(void)
{
    memset(users, 0, sizeof users);
    different = 0;
    range_count = settings.connect.count > 0 ? 1 : 0;
    spans[0] = settings.port_range;
    span_count = range_count;
}

static void collect(void)
{
    span_count = range_count;
    if (different > CLAIMS_MAX - range_count) {
        spans[0] = (struct daytona_port_span){0, UINT16_MAX};
        span_count = 1;
        return;
    }
    spans[0] = settings.port_range;
    for (unsigned port = 0; port <= UINT16_MAX && span_count < range_count + different; port++)
        if (users[port] > 0)
            spans[span_count++] = (struct daytona_port_span){(uint16_t)port, (uint16_t)port};
}

static bool in_range(uint16_t port)
{
    return range_count > 0 && port >= settings.port_range.low && port <= settings.port_range.high;
}

const struct daytona_port_span *port_claims(size_t *count)
{
    if (engine.server != NULL) {
        *count = engine.server->port_count;
        return engine.server->ports;
    }
    *count = span_count;
    return spans;
}

/* A server captures all that it was started for. */
size_t port_claims_ruled(struct daytona_port_span *out)
{
    if (engine.server != NULL || settings.rules != SETTINGS_RULES_ON)
        return 0;
    for (size_t i = 0; i < settings.listen.count; i++)
        out[i] = settings.listen.rules[i].ports;
    return settings.listen.count;
}

static int tell_capture(void)
{
    collect();
    return daytona_capture_set_ports(engine.capture, spans, span_count);
}

/* A server's were settled when it began. */
int port_claims_add(uint16_t port)
{
    if (engine.server != NULL)
        return 0;
    if (in_range(port) || users[port]++ > 0)
        return 0;
    different++;
    return tell_capture();
}

void port_claims_remove(uint16_t port)
{
    if (engine.server != NULL || in_range(port) || users[port] == 0 || --users[port] > 0)
        return;
    different--;
    tell_capture();
}
