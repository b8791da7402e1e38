#include "capture/link_layer.h"
#include "capture/live.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define IPV4_DESTINATION 16 /* offset in the IP header */

/* Packets that one call looks at beyond those it hands over, so that a flood of unwanted ones
 * cannot hold it. */
#define UNWANTED_MAX 1024

/* ------------------------------------------------------------------ packets */

/* One run of pcap_dispatch(). */
struct live_pass {
    struct live_capture *capture;
    const struct live_handle *handle;
    daytona_capture_take *take;
    void *context;
    size_t taken;
};

/* Some packets come here only to be passed on. */
static bool live_is_for_this_host(struct live_capture *capture,
                                  const struct daytona_captured *packet)
{
    if (packet->ip.length < IPV4_DESTINATION + 4)
        return false;
    const uint8_t *at = packet->ip.data + IPV4_DESTINATION;
    uint32_t destination =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return local_addresses_have(&capture->local_addresses, destination, packet->stamp_ns);
}

static void live_take(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct live_pass *pass = (struct live_pass *)(void *)user;
    struct live_capture *capture = pass->capture;
    struct daytona_captured packet = {
        .interface_index = pass->handle->interface_index,
        /* The stamps are nanoseconds, whatever the member is called. */
        .stamp_ns = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec,
    };
    struct daytona_span frame = {bytes, header->caplen};
    if (!link_layer_find_ipv4(pass->handle->datalink, frame, header->len, &packet) ||
        !live_is_for_this_host(capture, &packet)) {
        capture->base.counters.ignored++;
        return;
    }
    capture_count_packet(&capture->base, &packet);
    pass->taken++;
    pass->take(pass->context, &packet);
}

/* The interface does not exist any more: a packet socket is then bound to interface -1. */
static bool live_handle_is_unbound(const struct live_handle *handle)
{
    struct sockaddr_ll name = {0};
    socklen_t length = sizeof name;
    return getsockname(handle->descriptor, (struct sockaddr *)&name, &length) == 0 &&
           name.sll_ifindex < 0;
}

/* A sandbox may allow a process no descriptors at all. poll(2), which libpcap calls when the ring
 * is empty, is then refused, though nothing is wrong with the handle. */
static bool descriptors_are_forbidden(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 0;
}

/* Why a handle has no packets: 0 there are just none, -ENETDOWN once when its interface goes
 * down, -ENODEV once when it is gone for good. */
static int live_handle_state(struct live_capture *capture, struct live_handle *handle, int got)
{
    if (got < 0) {
        if (!live_handle_is_unbound(handle))
            return descriptors_are_forbidden() ? 0 : -EIO;
        handle->gone = true;
        if (capture->handle_count > 1)
            epoll_ctl(capture->base.descriptor, EPOLL_CTL_DEL, handle->descriptor, NULL);
        return -ENODEV;
    }
    /* libpcap wants to be called again soon exactly while the interface is down. */
    bool down = capture->library->get_required_select_timeout(handle->pcap) != NULL;
    bool news = down && !handle->down;
    handle->down = down;
    return news ? -ENETDOWN : 0;
}

/* Hands over up to `max` packets of one handle: their number, or -errno when there were none. */
static int live_drain_handle(struct live_capture *capture, struct live_handle *handle, size_t max,
                             daytona_capture_take *take, void *context)
{
    struct live_pass pass = {
        .capture = capture, .handle = handle, .take = take, .context = context};
    for (size_t seen = 0; pass.taken < max && seen < max + UNWANTED_MAX;) {
        int wanted = (int)(max - pass.taken);
        int got = capture->library->dispatch(handle->pcap, wanted, live_take, (u_char *)&pass);
        if (got <= 0 && pass.taken == 0)
            return live_handle_state(capture, handle, got);
        if (got < wanted)
            break;
        seen += (size_t)got;
    }
    if (pass.taken > 0)
        handle->down = false;
    return (int)pass.taken;
}

static int live_drain(struct daytona_capture *base, size_t max, daytona_capture_take *take,
                      void *context)
{
    struct live_capture *capture = (struct live_capture *)base;
    size_t taken = 0, gone = 0;
    assert(capture->handle_count > 0);
    for (size_t i = 0; i < capture->handle_count && taken < max; i++) {
        struct live_handle *handle = &capture->handles[(capture->turn + i) % capture->handle_count];
        gone += handle->gone;
        if (handle->gone)
            continue;
        int got = live_drain_handle(capture, handle, max - taken, take, context);
        if (got < 0)
            capture->news = got;
        else
            taken += (size_t)got;
    }
    capture->turn = (capture->turn + 1) % capture->handle_count;
    if (taken > 0)
        return (int)taken;
    int news = gone == capture->handle_count ? -ENODEV : capture->news;
    capture->news = 0;
    return news;
}

/* libpcap gives the ring's slot back as soon as the callback returns: to stay valid until the
 * next call the packet has to be copied. */
struct live_keep {
    uint8_t *room;
    struct daytona_captured *out;
};

static void live_keep_packet(void *context, const struct daytona_captured *packet)
{
    struct live_keep *keep = context;
    *keep->out = *packet;
    memcpy(keep->room, packet->ip.data, packet->ip.length);
    keep->out->ip.data = keep->room;
}

static int live_next(struct daytona_capture *base, struct daytona_captured *out)
{
    struct live_capture *capture = (struct live_capture *)base;
    struct live_keep keep = {.room = capture->kept, .out = out};
    return live_drain(base, 1, live_keep_packet, &keep);
}

/* ------------------------------------------------------------------ the filter */

int live_attach_filter(const struct live_capture *capture, const struct live_handle *handle)
{
    struct sock_filter instructions[FILTER_PROGRAM_MAX];
    uint32_t ip_offset = (uint32_t)link_layer_filter_offset(handle->datalink);
    size_t length =
        filter_program(&capture->ports, ip_offset, capture->snapshot_bytes, instructions);
    struct sock_fprog program = {.len = (unsigned short)length, .filter = instructions};
    return setsockopt(handle->descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ==
                   0
               ? 0
               : -errno;
}

static int live_set_ports(struct daytona_capture *base, const struct daytona_port_span *ports,
                          size_t count)
{
    struct live_capture *capture = (struct live_capture *)base;
    int error = filter_ports_set(&capture->ports, ports, count);
    for (size_t i = 0; error == 0 && i < capture->handle_count; i++)
        error = live_attach_filter(capture, &capture->handles[i]);
    return error;
}

/* ------------------------------------------------------------------ the rest */

static size_t live_descriptors(const struct daytona_capture *base, int *out, size_t max)
{
    const struct live_capture *capture = (const struct live_capture *)base;
    size_t count = 0;
    for (size_t i = 0; i < capture->handle_count && count < max; i++)
        out[count++] = capture->handles[i].descriptor;
    if (count < max)
        out[count++] = capture->local_addresses.descriptor;
    if (capture->handle_count > 1 && count < max)
        out[count++] = base->descriptor;
    return count;
}

static void live_update_counters(struct daytona_capture *base)
{
    struct live_capture *capture = (struct live_capture *)base;
    uint64_t by_ring = 0, by_interface = 0;
    for (size_t i = 0; i < capture->handle_count; i++) {
        struct pcap_stat stat = {0};
        if (capture->library->stats(capture->handles[i].pcap, &stat) == 0) {
            by_ring += stat.ps_drop;
            by_interface += stat.ps_ifdrop;
        }
    }
    base->counters.dropped_by_ring = by_ring;
    base->counters.dropped_by_interface = by_interface;
}

static void live_close(struct daytona_capture *base)
{
    struct live_capture *capture = (struct live_capture *)base;
    for (size_t i = 0; i < capture->handle_count; i++)
        capture->library->close(capture->handles[i].pcap);
    if (capture->handle_count > 1 && base->descriptor >= 0)
        close(base->descriptor);
    local_addresses_release(&capture->local_addresses);
    free(capture->kept);
    free(capture);
}

static void live_pass_on(struct daytona_capture *base, bool on)
{
    struct live_capture *capture = (struct live_capture *)base;
    for (size_t i = 0; i < capture->handle_count; i++) {
        struct daytona_room ring = capture->handles[i].ring;
        if (ring.data != NULL)
            madvise(ring.data, ring.length, on ? MADV_DOFORK : MADV_DONTFORK);
    }
}

const struct capture_operations live_operations = {
    .drain = live_drain,
    .next = live_next,
    .set_ports = live_set_ports,
    .descriptors = live_descriptors,
    .update_counters = live_update_counters,
    .pass_on = live_pass_on,
    .close = live_close,
};
