#include "scripts/show.h"

#include "scripts/json.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

/* ------------------------------------------------------------------ for people */

void show_endpoint(char out[SHOWN_MAX], const struct daytona_endpoint *endpoint)
{
    char address[INET6_ADDRSTRLEN] = "*";
    bool ipv4 = daytona_address_is_ipv4(&endpoint->address);
    bool any = daytona_address_is_unspecified(&endpoint->address);
    if (!any)
        inet_ntop(ipv4 ? AF_INET : AF_INET6, endpoint->address.bytes + (ipv4 ? 12 : 0), address,
                  sizeof address);
    if (endpoint->port == 0)
        snprintf(out, SHOWN_MAX, "%s:*", address);
    else if (any || ipv4)
        snprintf(out, SHOWN_MAX, "%s:%u", address, (unsigned)endpoint->port);
    else
        snprintf(out, SHOWN_MAX, "[%s]:%u", address, (unsigned)endpoint->port);
}

void show_program(char out[SHOWN_MAX], const struct record *record,
                  const struct daytona_record_row *row)
{
    char path[64];
    snprintf(out, SHOWN_MAX, "%s", record->header.program);
    if (!record->alive || row->pid == (uint32_t)record->header.pid)
        return;
    snprintf(path, sizeof path, "/proc/%u/comm", row->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fgets(out, SHOWN_MAX, file) != NULL)
        out[strcspn(out, "\n")] = '\0';
    fclose(file);
}

/* Three digits that say something, and the unit. */
static void show_scaled(char out[SHOWN_MAX], double value, const char *unit)
{
    snprintf(out, SHOWN_MAX, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
}

void show_bytes(char out[SHOWN_MAX], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    if (bytes < 1000) {
        snprintf(out, SHOWN_MAX, "%" PRIu64 " B", bytes);
        return;
    }
    size_t unit = 0;
    for (value /= 1000; value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1000;
    show_scaled(out, value, units[unit]);
}

void show_time(char out[SHOWN_MAX], uint64_t us)
{
    if (us < 1000)
        snprintf(out, SHOWN_MAX, "%" PRIu64 " us", us);
    else if (us < 1000000)
        show_scaled(out, (double)us / 1e3, "ms");
    else if (us < 1000000 * UINT64_C(600))
        show_scaled(out, (double)us / 1e6, "s");
    else if (us < 1000000 * UINT64_C(3600) * 48)
        show_scaled(out, (double)us / 6e7, "min");
    else
        show_scaled(out, (double)us / 8.64e10, "days");
}

void show_value(char out[SHOWN_MAX], const struct daytona_variable *variable, uint64_t value)
{
    if (value == DAYTONA_VARIABLE_NONE) {
        snprintf(out, SHOWN_MAX, "-");
    } else if (variable->kind == DAYTONA_KIND_FLAG) {
        snprintf(out, SHOWN_MAX, "%s", value != 0 ? "yes" : "no");
    } else if (strcmp(variable->unit, "bytes") == 0) {
        show_bytes(out, value);
    } else if (strcmp(variable->unit, "bytes/s") == 0) {
        char bytes[SHOWN_MAX];
        show_bytes(bytes, value);
        snprintf(out, SHOWN_MAX, "%.32s/s", bytes);
    } else if (strcmp(variable->unit, "us") == 0) {
        show_time(out, value);
    } else {
        show_plain(out, variable, value);
    }
}

void show_plain(char out[SHOWN_MAX], const struct daytona_variable *variable, uint64_t value)
{
    const char *name = daytona_variable_value_name(variable->kind, value);
    if (value == DAYTONA_VARIABLE_NONE)
        snprintf(out, SHOWN_MAX, "-");
    else if (name != NULL)
        snprintf(out, SHOWN_MAX, "%s", name);
    else
        snprintf(out, SHOWN_MAX, "%" PRIu64, value);
}

/* ------------------------------------------------------------------ for programs */

static void json_end(FILE *out, bool *first, const char *address_name, const char *port_name,
                     const struct daytona_endpoint *end)
{
    char text[INET6_ADDRSTRLEN];
    bool ipv4 = daytona_address_is_ipv4(&end->address);
    inet_ntop(ipv4 ? AF_INET : AF_INET6, end->address.bytes + (ipv4 ? 12 : 0), text, sizeof text);
    json_text(out, first, address_name, text);
    json_number(out, first, port_name, end->port);
}

static void json_variable(FILE *out, bool *first, const struct daytona_variable *variable,
                          uint64_t value)
{
    const char *name = daytona_variable_value_name(variable->kind, value);
    if (value == DAYTONA_VARIABLE_NONE)
        json_word(out, first, variable->member, "null");
    else if (variable->kind == DAYTONA_KIND_FLAG)
        json_word(out, first, variable->member, value != 0 ? "true" : "false");
    else if (name != NULL)
        json_text(out, first, variable->member, name);
    else
        json_number(out, first, variable->member, value);
}

void show_json(FILE *out, const struct record *record, const struct daytona_record_row *row)
{
    bool first = true;
    const struct daytona_connection_state *state = &row->state;
    char id[SHOWN_MAX], program[SHOWN_MAX];
    show_program(program, record, row);
    snprintf(id, sizeof id, "%u.%u", state->id.index, state->id.generation);
    putc('{', out);
    json_number(out, &first, "pid", row->pid);
    json_text(out, &first, "program", program);
    json_number(out, &first, "engine", (uint64_t)record->header.pid);
    json_word(out, &first, "alive", record->alive ? "true" : "false");
    json_text(out, &first, "id", id);
    json_number(out, &first, "at_ns", state->at.ns);
    json_end(out, &first, "local_address", "local_port", &state->local);
    if (state->remote.port != 0)
        json_end(out, &first, "remote_address", "remote_port", &state->remote);
    json_text(out, &first, "congestion", state->congestion);
    for (size_t i = 0; i < DAYTONA_VARIABLE_COUNT; i++)
        json_variable(out, &first, daytona_variable_at(i), daytona_variable(&state->variables, i));
    putc('}', out);
}
