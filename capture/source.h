/*
 * source.h - what the two implementations of a packet source share: a table of operations, the
 * counters, and the descriptors.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <daytona/capture.h>

/** Each as its public namesake in capture.h. */
struct capture_operations {
    int (*drain)(struct daytona_capture *capture, size_t max, daytona_capture_take *take,
                 void *context);
    int (*next)(struct daytona_capture *capture, struct daytona_captured *out);
    int (*set_ports)(struct daytona_capture *capture, const struct daytona_port_span *ports,
                     size_t count);
    size_t (*descriptors)(const struct daytona_capture *capture, int *out, size_t max);
    void (*update_counters)(struct daytona_capture *capture); /**< brings `counters` up to date */
    void (*pass_on)(struct daytona_capture *capture, bool on);
    void (*close)(struct daytona_capture *capture);
};

/** First member of either implementation's own struct. */
struct daytona_capture {
    const struct capture_operations *operations;
    struct daytona_capture_counters counters;
    int descriptor; /**< what the driver polls */
};

/** Counts a packet that is handed over. */
static inline void capture_count_packet(struct daytona_capture *capture,
                                        const struct daytona_captured *packet)
{
    capture->counters.packets++;
    capture->counters.bytes += packet->wire_length;
}

#endif
