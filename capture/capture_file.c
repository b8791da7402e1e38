/*
 * Replay of a pcap or pcapng file. Every packet to this host counts until
 * daytona_capture_set_ports() narrows the choice; a file does not know its host, so only cooked
 * link types tell directions.
 */
#include "capture/filter.h"
#include "capture/link_layer.h"
#include "capture/pcap_library.h"
#include "capture/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct file_capture {
    struct daytona_capture base;
    const struct pcap_library *library;
    pcap_t *pcap;
    int datalink;
    bool filtered;
    struct filter_ports ports;
};

static bool file_wants(struct file_capture *capture, const struct pcap_pkthdr *header,
                       const u_char *bytes, struct daytona_captured *out)
{
    *out = (struct daytona_captured){
        /* Opened for nanoseconds, whatever the member is called and the file holds. */
        .stamp_ns = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec};
    struct daytona_span frame = {bytes, header->caplen};
    if (!link_layer_find_ipv4(capture->datalink, frame, header->len, out)) {
        capture->base.counters.ignored++;
        return false;
    }
    return !capture->filtered || filter_wants(&capture->ports, out->ip);
}

static int file_next(struct daytona_capture *base, struct daytona_captured *out)
{
    struct file_capture *capture = (struct file_capture *)base;
    for (;;) {
        struct pcap_pkthdr *header;
        const u_char *bytes;
        int got = capture->library->next_ex(capture->pcap, &header, &bytes);
        if (got != 1)
            return got == PCAP_ERROR_BREAK ? -ENODATA : -EBADMSG;
        if (file_wants(capture, header, bytes, out)) {
            capture_count_packet(base, out);
            return 1;
        }
    }
}

static int file_drain(struct daytona_capture *base, size_t max, daytona_capture_take *take,
                      void *context)
{
    for (size_t taken = 0; taken < max; taken++) {
        struct daytona_captured packet;
        int got = file_next(base, &packet);
        if (got < 0)
            return taken > 0 ? (int)taken : got;
        take(context, &packet);
    }
    return (int)max;
}

static int file_set_ports(struct daytona_capture *base, const struct daytona_port_span *ports,
                          size_t count)
{
    struct file_capture *capture = (struct file_capture *)base;
    int error = filter_ports_set(&capture->ports, ports, count);
    if (error == 0)
        capture->filtered = true;
    return error;
}

static size_t file_descriptors(const struct daytona_capture *base, int *out, size_t max)
{
    if (max > 0)
        out[0] = base->descriptor;
    return max > 0 ? 1 : 0;
}

static void file_update_counters(struct daytona_capture *base)
{
    (void)base; /* nothing is dropped on the way from a file */
}

static void file_close(struct daytona_capture *base)
{
    struct file_capture *capture = (struct file_capture *)base;
    if (capture->pcap != NULL)
        capture->library->close(capture->pcap);
    if (base->descriptor >= 0)
        close(base->descriptor);
    free(capture);
}

static void file_pass_on(struct daytona_capture *base, bool on)
{
    (void)base;
    (void)on;
}

static const struct capture_operations file_operations = {
    .drain = file_drain,
    .next = file_next,
    .set_ports = file_set_ports,
    .descriptors = file_descriptors,
    .update_counters = file_update_counters,
    .pass_on = file_pass_on,
    .close = file_close,
};

static int file_open(struct file_capture *capture, const char *path, char *message,
                     size_t message_size)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    capture->pcap = capture->library->open_offline_with_tstamp_precision(
        path, PCAP_TSTAMP_PRECISION_NANO, words);
    if (capture->pcap == NULL) {
        int error = access(path, R_OK) != 0 ? -errno : -EBADMSG;
        snprintf(message, message_size, "cannot replay %s: %s", path, words);
        return error;
    }
    capture->datalink = capture->library->datalink(capture->pcap);
    if (!link_layer_known(capture->datalink)) {
        snprintf(message, message_size, "cannot replay %s: its link type (%d) carries no IPv4",
                 path, capture->datalink);
        return -EOPNOTSUPP;
    }
    /* A regular file cannot be watched with epoll; this can, and is always readable. */
    capture->base.descriptor = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (capture->base.descriptor < 0) {
        int error = -errno;
        snprintf(message, message_size, "cannot replay %s: %s", path, strerror(-error));
        return error;
    }
    return 0;
}

int daytona_capture_open_file(const char *path, struct daytona_capture **out, char *message,
                              size_t message_size)
{
    const struct pcap_library *library = pcap_library_load(message, message_size);
    if (library == NULL)
        return -ENOENT;
    struct file_capture *capture = calloc(1, sizeof *capture);
    if (capture == NULL) {
        snprintf(message, message_size, "no memory for capturing");
        return -ENOMEM;
    }
    capture->base.operations = &file_operations;
    capture->base.descriptor = -1;
    capture->library = library;
    int error = file_open(capture, path, message, message_size);
    if (error != 0) {
        file_close(&capture->base);
        return error;
    }
    *out = &capture->base;
    return 0;
}
