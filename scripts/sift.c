#include "scripts/sift.h"

#include "scripts/elsewhere.h"
#include "scripts/say.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALL_STATES ((2u << DAYTONA_TCP_CLOSING) - 1)
#define UNCONNECTED                                                                                \
    (1u << DAYTONA_TCP_LISTEN | 1u << DAYTONA_TCP_CLOSED | 1u << DAYTONA_TCP_TIME_WAIT)

/* Calls `take` with each item of a list; it may change the item. */
static bool each_item(const char *list, bool (*take)(struct sift *sift, const char *item),
                      struct sift *sift)
{
    char copy[1024];
    char *rest = copy;
    if (strlen(list) >= sizeof copy)
        return say("a list of over 1023 characters"), false;
    memcpy(copy, list, strlen(list) + 1);
    for (char *item; (item = strsep(&rest, ",")) != NULL;)
        if (!take(sift, item))
            return false;
    return true;
}

static bool take_state(struct sift *sift, const char *item)
{
    if (strcasecmp(item, "connected") == 0) {
        sift->states |= ALL_STATES & ~UNCONNECTED;
        return true;
    }
    for (int state = DAYTONA_TCP_ESTABLISHED; state <= DAYTONA_TCP_CLOSING; state++) {
        if (strcasecmp(item, daytona_tcp_state_name((enum daytona_tcp_state)state)) == 0) {
            sift->states |= 1u << state;
            return true;
        }
    }
    return say("%s is no state; established, syn-sent, time-wait, listen, connected are", item),
           false;
}

/* A whole number of at most `most`; 0: it is none. */
static unsigned long number(const char *item, unsigned long most)
{
    char *end;
    unsigned long value = strtoul(item, &end, 10);
    return *item < '0' || *item > '9' || *end != '\0' || value > most ? 0 : value;
}

static bool take_port(struct sift *sift, const char *item)
{
    unsigned long port = number(item, UINT16_MAX);
    if (port == 0 || sift->port_count == SIFT_MAX)
        return say("%s: expected a port from 1 to 65535, at most %d of them", item, SIFT_MAX),
               false;
    sift->ports[sift->port_count++] = (uint16_t)port;
    return true;
}

static bool take_process(struct sift *sift, const char *item)
{
    unsigned long process = number(item, INT32_MAX);
    if (process == 0 || sift->process_count == SIFT_MAX)
        return say("%s: expected the number of a process, at most %d of them", item, SIFT_MAX),
               false;
    sift->processes[sift->process_count++] = (uint32_t)process;
    return true;
}

bool sift_states(struct sift *sift, const char *list)
{
    return each_item(list, take_state, sift);
}

bool sift_ports(struct sift *sift, const char *list)
{
    return each_item(list, take_port, sift);
}

bool sift_processes(struct sift *sift, const char *list)
{
    return each_item(list, take_process, sift);
}

static bool takes_port(const struct sift *sift, uint16_t local, uint16_t remote)
{
    for (size_t i = 0; i < sift->port_count; i++)
        if (sift->ports[i] == local || sift->ports[i] == remote)
            return true;
    return sift->port_count == 0;
}

static bool takes_process(const struct sift *sift, uint32_t process)
{
    for (size_t i = 0; i < sift->process_count; i++)
        if (sift->processes[i] == process)
            return true;
    return sift->process_count == 0;
}

static bool takes_state(const struct sift *sift, uint64_t state)
{
    return sift->states == 0 || (state < 32 && (sift->states >> state & 1) != 0);
}

bool sift_takes(const struct sift *sift, const struct daytona_record_row *row)
{
    return takes_state(sift, row->state.variables.state) &&
           takes_port(sift, row->state.local.port, row->state.remote.port) &&
           takes_process(sift, row->pid);
}

bool sift_takes_elsewhere(const struct sift *sift, const struct elsewhere *socket)
{
    return takes_state(sift, socket->state) &&
           takes_port(sift, socket->local.port, socket->remote.port) &&
           takes_process(sift, (uint32_t)socket->pid);
}
