#include "scripts/seen_print.h"

#include "scripts/json.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)

uint64_t seen_realtime_ns(const struct trace_about *about, uint64_t at_ns)
{
    return about->began_realtime_ns + (at_ns - about->began_ns);
}

const char *seen_end(const uint8_t *address, uint16_t port, char *room)
{
    struct daytona_address value;
    char text[INET6_ADDRSTRLEN];
    memcpy(value.bytes, address, sizeof value.bytes);
    bool ipv4 = daytona_address_is_ipv4(&value);
    if (ipv4)
        inet_ntop(AF_INET, address + 12, text, sizeof text);
    else
        inet_ntop(AF_INET6, address, text, sizeof text);
    snprintf(room, SEEN_END_BYTES, ipv4 ? "%s:%u" : "[%s]:%u", text, (unsigned)port);
    return room;
}

const char *seen_flags(uint64_t flags, char *room)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    char *end = room;
    for (unsigned i = 0; i < 8; i++)
        if ((flags >> i & 1) != 0) {
            if (end != room)
                *end++ = ',';
            end = stpcpy(end, names[i]);
        }
    if (end == room)
        memcpy(room, "none", sizeof "none");
    return room;
}

/* ------------------------------------------------------------------ values */

#define VALUE_BYTES 64

/* What a number says, as text; NULL: it is best told as a number. */
static const char *value_name(enum daytona_unit unit, uint64_t value, char *room)
{
    int64_t result = (int64_t)value;
    struct in_addr address = {htonl((uint32_t)value)};
    switch (unit) {
    case DAYTONA_UNIT_STATE:
        return daytona_tcp_state_name((enum daytona_tcp_state)value);
    case DAYTONA_UNIT_VERDICT:
        return daytona_verdict_name((enum daytona_verdict)value);
    case DAYTONA_UNIT_LIMIT:
        return daytona_limit_name((enum daytona_limit)value);
    case DAYTONA_UNIT_FLAGS:
        return seen_flags(value, room);
    case DAYTONA_UNIT_ICMP:
        snprintf(room, VALUE_BYTES, "%u/%u", (unsigned)(value >> 8), (unsigned)(value & 0xff));
        return room;
    case DAYTONA_UNIT_IPV4:
        return inet_ntop(AF_INET, &address, room, VALUE_BYTES);
    case DAYTONA_UNIT_SIGNED:
        return result < 0 ? strerrorname_np((int)-result) : NULL;
    case DAYTONA_UNIT_NONE:
    case DAYTONA_UNIT_COUNT:
    case DAYTONA_UNIT_BYTES:
    case DAYTONA_UNIT_SEQUENCE:
    case DAYTONA_UNIT_MICROSECONDS:
    case DAYTONA_UNIT_NANOSECONDS:
    case DAYTONA_UNIT_CODE:
        break;
    }
    return NULL;
}

static void print_value(FILE *out, const char *name, enum daytona_unit unit, uint64_t value)
{
    char room[VALUE_BYTES];
    const char *text = value_name(unit, value, room);
    if (text != NULL)
        fprintf(out, " %s %s", name, text);
    else if (unit == DAYTONA_UNIT_MICROSECONDS)
        fprintf(out, " %s %.3f ms", name, (double)value / 1e3);
    else if (unit == DAYTONA_UNIT_NANOSECONDS)
        fprintf(out, " %s %.3f ms", name, (double)value / 1e6);
    else if (unit == DAYTONA_UNIT_BYTES && value == UINT32_MAX)
        fprintf(out, " %s none", name);
    else
        fprintf(out, " %s %" PRIu64, name, value);
}

/* ------------------------------------------------------------------ a line of text */

static void print_time(FILE *out, uint64_t realtime_ns)
{
    time_t seconds = (time_t)(realtime_ns / SECOND_NS);
    struct tm local;
    localtime_r(&seconds, &local);
    fprintf(out, "%02d:%02d:%02d.%06u", local.tm_hour, local.tm_min, local.tm_sec,
            (unsigned)(realtime_ns % SECOND_NS / 1000));
}

static void print_sender(FILE *out, const struct daytona_ring_event *event)
{
    if (event->cwnd_bytes == 0)
        return;
    fprintf(out, "  [cwnd %u", event->cwnd_bytes);
    if (event->ssthresh_bytes != UINT32_MAX)
        fprintf(out, " ssthresh %u", event->ssthresh_bytes);
    fprintf(out, " srtt %.3f ms flight %u]", event->srtt_us / 1e3, event->in_flight_bytes);
}

void seen_print(FILE *out, const struct trace_about *about, const struct seen *seen)
{
    const struct daytona_event_kind *kind = daytona_event_kind(seen->type);
    const struct daytona_ring_event *event = &seen->event;
    char local[SEEN_END_BYTES], remote[SEEN_END_BYTES];
    if (seen->missed > 0)
        fprintf(out, "... %" PRIu64 " events were overwritten before they could be read\n",
                seen->missed);
    print_time(out, seen_realtime_ns(about, event->at_ns));
    fprintf(out, " %s[%u]", about->program, about->pid);
    if (event->local_port != 0)
        fprintf(out, " %s - %s", seen_end(event->local, event->local_port, local),
                event->remote_port == 0 ? "*"
                                        : seen_end(event->remote, event->remote_port, remote));
    fprintf(out, " %s", kind->name);
    if (seen->reason != NULL)
        fprintf(out, " %s", seen->reason);
    for (unsigned i = 0; i < 4; i++)
        if (kind->fields[i].unit != DAYTONA_UNIT_NONE && kind->fields[i].unit != DAYTONA_UNIT_CODE)
            print_value(out, kind->fields[i].name, kind->fields[i].unit, seen->numbers[i]);
    if (event->header_bytes > 0)
        fprintf(out, " window %u", (unsigned)seen_window(seen));
    if (event->header_bytes > 0 && event->segment_bytes > 0)
        fprintf(out, " in segments of %u", (unsigned)event->segment_bytes);
    if (event->call != 0)
        fprintf(out, " call %u", event->call);
    print_sender(out, event);
    putc('\n', out);
}

/* ------------------------------------------------------------------ a line of JSON */

static void json_value(FILE *out, bool *first, const char *name, enum daytona_unit unit,
                       uint64_t value)
{
    char room[VALUE_BYTES];
    const char *text = value_name(unit, value, room);
    if (unit == DAYTONA_UNIT_SIGNED) {
        snprintf(room, sizeof room, "%" PRId64, (int64_t)value);
        json_word(out, first, name, room);
    } else if (text != NULL) {
        json_text(out, first, name, text);
    } else if (unit == DAYTONA_UNIT_BYTES && value == UINT32_MAX) {
        json_word(out, first, name, "null");
    } else {
        json_number(out, first, name, value);
    }
}

static void json_lower(FILE *out, bool *first, const char *name, const char *text)
{
    char lower[VALUE_BYTES];
    size_t length = 0;
    for (; text[length] != '\0' && length + 1 < sizeof lower; length++)
        lower[length] = (char)tolower((unsigned char)text[length]);
    lower[length] = '\0';
    json_text(out, first, name, lower);
}

static void json_who(FILE *out, bool *first, const struct daytona_ring_event *event)
{
    char end[SEEN_END_BYTES];
    if (event->local_port != 0)
        json_text(out, first, "local", seen_end(event->local, event->local_port, end));
    if (event->remote_port != 0)
        json_text(out, first, "remote", seen_end(event->remote, event->remote_port, end));
    if (event->socket_generation == 0)
        return;
    json_number(out, first, "socket",
                (uint64_t)event->socket_generation << 32 | event->socket_index);
    if (event->state != 0)
        json_text(out, first, "state",
                  daytona_tcp_state_name((enum daytona_tcp_state)event->state));
    json_number(out, first, "call", event->call);
    json_number(out, first, "una", event->una);
    json_number(out, first, "nxt", event->nxt);
    json_number(out, first, "cwnd", event->cwnd_bytes);
    json_value(out, first, "ssthresh", DAYTONA_UNIT_BYTES, event->ssthresh_bytes);
    json_number(out, first, "srtt_us", event->srtt_us);
    json_number(out, first, "in_flight", event->in_flight_bytes);
}

void seen_json(FILE *out, const struct trace_about *about, const struct seen *seen)
{
    const struct daytona_event_kind *kind = daytona_event_kind(seen->type);
    uint64_t at = seen_realtime_ns(about, seen->event.at_ns);
    char time[32];
    bool first = true;
    putc('{', out);
    snprintf(time, sizeof time, "%" PRIu64 ".%09" PRIu64, at / SECOND_NS, at % SECOND_NS);
    json_word(out, &first, "time", time);
    json_number(out, &first, "number", seen->event.number);
    json_number(out, &first, "pid", about->pid);
    json_text(out, &first, "program", about->program);
    json_lower(out, &first, "event", kind->name);
    if (seen->reason != NULL)
        json_text(out, &first, "reason", seen->reason);
    for (unsigned i = 0; i < 4; i++)
        if (kind->fields[i].unit != DAYTONA_UNIT_NONE)
            json_value(out, &first, kind->fields[i].name, kind->fields[i].unit, seen->numbers[i]);
    if (seen->event.header_bytes > 0)
        json_number(out, &first, "window", seen_window(seen));
    if (seen->event.header_bytes > 0 && seen->event.segment_bytes > 0)
        json_number(out, &first, "segment_bytes", seen->event.segment_bytes);
    json_who(out, &first, &seen->event);
    if (seen->missed > 0)
        json_number(out, &first, "missed", seen->missed);
    fputs("}\n", out);
}
