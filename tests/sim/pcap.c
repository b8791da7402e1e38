#include "tests/sim/pcap.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

/* pcap's file header and record header, native byte order as the magic number tells. */
struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    int32_t zone;
    uint32_t accuracy, snapshot_length, link_type;
};

struct record_header {
    uint32_t seconds, nanoseconds, captured, length;
};

#define MAGIC_NANOSECONDS 0xa1b23c4du
#define LINK_TYPE_RAW     101u

int sim_pcap_open(const char *path)
{
    int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return -errno;
    struct file_header header = {.magic = MAGIC_NANOSECONDS,
                                 .major = 2,
                                 .minor = 4,
                                 .snapshot_length = 65535,
                                 .link_type = LINK_TYPE_RAW};
    if (write(descriptor, &header, sizeof header) == (ssize_t)sizeof header)
        return descriptor;
    close(descriptor);
    return -EIO;
}

void sim_pcap_write(int descriptor, struct daytona_instant now, const struct sim_packet *packet)
{
    if (descriptor < 0)
        return;
    struct record_header header = {.seconds = (uint32_t)(now.ns / 1000000000),
                                   .nanoseconds = (uint32_t)(now.ns % 1000000000),
                                   .captured = packet->length,
                                   .length = packet->length};
    struct iovec parts[2] = {{&header, sizeof header},
                             {(void *)(uintptr_t)packet->bytes, packet->length}};
    /* A full disk only shortens the file: the run itself decides about pass and fail. */
    if (writev(descriptor, parts, 2) < 0)
        return;
}

void sim_pcap_close(int descriptor)
{
    if (descriptor >= 0)
        close(descriptor);
}
