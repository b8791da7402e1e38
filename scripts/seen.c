#include "scripts/seen.h"

#include "stack/wire/bytes.h"

#include <string.h>

#define HEADER_MIN 20u
#define PORTS      4u

static void read_header(struct seen *seen)
{
    seen->numbers[0] = load_32(seen->header + 4);
    seen->numbers[1] = seen->payload_bytes;
    seen->numbers[2] = load_32(seen->header + 8);
    seen->numbers[3] = seen->header[13];
}

bool seen_complete(struct seen *seen, const uint8_t *rest)
{
    const struct daytona_ring_event *event = &seen->event;
    seen->type = (enum daytona_event_type)event->type;
    if (event->type >= DAYTONA_EVENT_COUNT)
        return false;
    if (event->header_bytes == 0) {
        memcpy(seen->numbers, event->numbers, sizeof seen->numbers);
        return true;
    }
    if (event->header_bytes < HEADER_MIN || event->header_bytes > SEEN_HEADER_MAX)
        return false;
    bool in = seen->type == DAYTONA_EVENT_SEGMENT_IN;
    store_16(seen->header, in ? event->remote_port : event->local_port);
    store_16(seen->header + 2, in ? event->local_port : event->remote_port);
    size_t first = sizeof event->header, length = event->header_bytes - PORTS;
    memcpy(seen->header + PORTS, event->header, length < first ? length : first);
    if (length > first)
        memcpy(seen->header + PORTS + first, rest, length - first);
    seen->payload_bytes = event->payload_bytes;
    read_header(seen);
    return true;
}

uint16_t seen_window(const struct seen *seen)
{
    return load_16(seen->header + 14);
}

uint32_t seen_window_bytes(const struct seen *seen)
{
    unsigned scale = seen->event.window_scale > 0 ? seen->event.window_scale - 1u : 0;
    return (uint32_t)seen_window(seen) << (scale > 14 ? 14 : scale);
}

enum { OPTION_END = 0, OPTION_NONE = 1 };

const uint8_t *seen_option(const struct seen *seen, uint8_t wanted)
{
    size_t end = seen->event.header_bytes;
    for (size_t at = HEADER_MIN; at + 1 < end && seen->header[at] != OPTION_END;) {
        uint8_t kind = seen->header[at], length = kind == OPTION_NONE ? 1 : seen->header[at + 1];
        if (length == 0 || at + length > end || (kind != OPTION_NONE && length < 2))
            return NULL;
        if (kind == wanted)
            return seen->header + at + 2;
        at += length;
    }
    return NULL;
}
