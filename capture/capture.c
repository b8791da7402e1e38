#include "capture/source.h"

#include <limits.h>

int daytona_capture_drain(struct daytona_capture *capture, size_t max, daytona_capture_take *take,
                          void *context)
{
    return capture->operations->drain(capture, max < INT_MAX ? max : INT_MAX, take, context);
}

int daytona_capture_next(struct daytona_capture *capture, struct daytona_captured *out)
{
    return capture->operations->next(capture, out);
}

int daytona_capture_set_ports(struct daytona_capture *capture,
                              const struct daytona_port_span *ports, size_t count)
{
    return capture->operations->set_ports(capture, ports, count);
}

int daytona_capture_descriptor(const struct daytona_capture *capture)
{
    return capture->descriptor;
}

size_t daytona_capture_descriptors(const struct daytona_capture *capture, int *out, size_t max)
{
    return capture->operations->descriptors(capture, out, max);
}

void daytona_capture_counters(struct daytona_capture *capture, struct daytona_capture_counters *out)
{
    capture->operations->update_counters(capture);
    *out = capture->counters;
}

void daytona_capture_pass_on(struct daytona_capture *capture, bool on)
{
    capture->operations->pass_on(capture, on);
}

void daytona_capture_close(struct daytona_capture *capture)
{
    if (capture != NULL)
        capture->operations->close(capture);
}
