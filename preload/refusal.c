#include "preload/refusal.h"

#include "preload/engine.h"
#include "preload/leftover.h"
#include "preload/real.h"
#include "preload/server.h"
#include "preload/server_listeners.h"
#include "preload/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the kernel's tables cost to read is bounded; who is not answered asks again in a second. */
#define LOOKS_PER_SECOND 100
#define LOOKS_AT_ONCE    100

static bool may_look(void)
{
    static struct daytona_instant since;
    static uint64_t left = LOOKS_AT_ONCE;
    struct daytona_instant now = engine_now();
    uint64_t earned = daytona_instant_since_us(now, since) * LOOKS_PER_SECOND / 1000000;
    if (earned > 0) {
        left = left + earned < LOOKS_AT_ONCE ? left + earned : LOOKS_AT_ONCE;
        since = now;
    }
    if (left == 0)
        return false;
    left--;
    return true;
}

/* ------------------------------------------------------------------ the kernel's listeners */

#define STATE_LISTEN 0x0a
#define WORD_DIGITS  8

/* Addresses are written as words of the host's order. */
static bool read_address(const char *digits, size_t length, struct daytona_address *out)
{
    uint32_t words[4] = {0};
    char word[WORD_DIGITS + 1] = "";
    size_t count = length / WORD_DIGITS;
    if (count != 1 && count != 4)
        return false;
    for (size_t i = 0; i < count; i++) {
        memcpy(word, digits + i * WORD_DIGITS, WORD_DIGITS);
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    if (count == 1)
        *out = daytona_address_from_ipv4(ntohl(words[0]));
    else
        memcpy(out->bytes, words, sizeof words);
    return true;
}

enum line { LINE_OF_THE_LISTENER, LINE_OF_ANOTHER, LINE_BEHIND_LISTENERS };

/* "  0: 0100007F:1F90 00000000:0000 0A ...". The line of titles has no colon. */
static enum line read_line(const char *line, const struct daytona_endpoint *local)
{
    const char *digits = strchr(line, ':');
    struct daytona_address address;
    unsigned port, state;
    if (digits == NULL)
        return LINE_OF_ANOTHER;
    digits += strspn(digits, ": ");
    size_t length = strspn(digits, "0123456789ABCDEF");
    if (!read_address(digits, length, &address) ||
        sscanf(digits + length, ":%x %*[0-9A-F]:%*x %x", &port, &state) != 2)
        return LINE_OF_ANOTHER;
    if (state != STATE_LISTEN)
        return LINE_BEHIND_LISTENERS;
    bool here = daytona_address_is_unspecified(&address) ||
                memcmp(&address, &local->address, sizeof address) == 0;
    return port == local->port && here ? LINE_OF_THE_LISTENER : LINE_OF_ANOTHER;
}

/* 1, 0 or -errno. The table begins with the listeners. */
static int listens_in(const char *path, const struct daytona_endpoint *local)
{
    char room[8192], *line, *end;
    size_t kept = 0;
    ssize_t got;
    enum line last = LINE_OF_ANOTHER;
    int table = open(path, O_RDONLY | O_CLOEXEC);
    if (table < 0)
        return -errno;
    while (last == LINE_OF_ANOTHER &&
           (got = real.read(table, room + kept, sizeof room - 1 - kept)) > 0) {
        room[kept + (size_t)got] = '\0';
        line = room;
        while (last == LINE_OF_ANOTHER && (end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            last = read_line(line, local);
            line = end + 1;
        }
        kept = strlen(line);
        memmove(room, line, kept);
    }
    real.close(table);
    return last == LINE_OF_THE_LISTENER;
}

/* Every listener has a listening socket of the kernel: the kernel's own, which rules keep out of
 * reach, and those of whichever engine, which have one that reserves the port. */
static int somebody_listens(const struct daytona_endpoint *local)
{
    int found = listens_in("/proc/self/net/tcp", local);
    return found == 0 && listens_in("/proc/self/net/tcp6", local) > 0 ? 1 : found;
}

/* ------------------------------------------------------------------ the answer */

static bool in_range(uint16_t port)
{
    return settings.connect.count > 0 && port >= settings.port_range.low &&
           port <= settings.port_range.high;
}

/* A server that has just begun is about to listen again where its predecessor did. */
static bool is_ours(uint16_t port)
{
    if (settings.rules != SETTINGS_RULES_ON)
        return false;
    if (engine.server != NULL)
        return server_has_ports((struct daytona_port_span){port, port}) &&
               !server_listeners_have(engine.server->listeners, port);
    return settings_listens(port) || in_range(port);
}

/* A connection's segments come by the thousand. */
#define FORGOTTEN_AFTER_US ((uint64_t)100 * 1000)

static bool is_leftover(uint16_t port)
{
    static struct daytona_instant looked;
    static uint16_t looked_for; /* 0: none */
    static bool found;
    struct daytona_instant now = engine_now();
    if (port != looked_for || daytona_instant_since_us(now, looked) > FORGOTTEN_AFTER_US) {
        found = !may_look() || leftover_is(port);
        looked_for = port;
        looked = now;
    }
    return found;
}

bool refusal_answers(void *context, const struct daytona_endpoint *local, bool opens, bool used)
{
    (void)context;
    if (used && in_range(local->port))
        return true;
    if (!opens)
        return used && (settings.rules != SETTINGS_RULES_ON || !is_leftover(local->port));
    if (settings.rules != SETTINGS_RULES_ON || (!used && !is_ours(local->port)))
        return used;
    if (!may_look())
        return false;
    int found = somebody_listens(local);
    return found < 0 ? used : found == 0;
}
