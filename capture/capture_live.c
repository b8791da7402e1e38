/*
 * Live capture. All interfaces: one handle on libpcap's device "any", which also sees devices
 * that come up later and tells the interface of each packet. Named interfaces: one handle each,
 * behind one epoll descriptor when there are several.
 *
 * The packet sockets are bound to the protocol IPv4 rather than to all protocols. The kernel
 * then gives them what it gives its own IPv4 and nothing else: no packet that this host sends,
 * no second copy from a port of a bridge or a member of a bond, VLANs only on their own device.
 */
#include "capture/filter.h"
#include "capture/link_layer.h"
#include "capture/local_addresses.h"
#include "capture/pcap_library.h"
#include "capture/source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERNET_PROTOCOL_IPV4 0x0800
#define RING_BYTES_DEFAULT     (64u << 20)
#define RING_BYTES_MIN         (4u << 20)
#define SNAPSHOT_BYTES_DEFAULT 65568u
#define IPV4_DESTINATION       16 /* offset in the IP header */
#define ALL_INTERFACES         "any"

/* Packets that one call looks at beyond those it hands over, so that a flood of unwanted ones
 * cannot hold it. */
#define UNWANTED_MAX 1024

struct live_handle {
    pcap_t *pcap;
    int descriptor;
    int datalink;
    int interface_index; /* 0: the link header tells it */
    bool down;           /* reported as such */
};

struct live_capture {
    struct daytona_capture base;
    const struct pcap_library *library;
    uint32_t snapshot_bytes;
    struct filter_ports ports;
    struct local_addresses local_addresses;
    uint8_t *kept; /* snapshot_bytes of the packet that next() has returned */
    size_t turn;   /* the handle to begin with, so that none is starved */
    size_t handle_count;
    struct live_handle handles[];
};

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

/* Why a handle has no packets: 0 there are just none, -ENETDOWN once when its interface goes
 * down, -ENODEV when it no longer exists. */
static int live_handle_state(struct live_capture *capture, struct live_handle *handle, int got)
{
    if (got < 0) {
        struct sockaddr_ll name = {0};
        socklen_t length = sizeof name;
        bool bound = getsockname(handle->descriptor, (struct sockaddr *)&name, &length) == 0 &&
                     name.sll_ifindex >= 0;
        return bound ? -EIO : -ENODEV;
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
    return (int)pass.taken;
}

static int live_drain(struct daytona_capture *base, size_t max, daytona_capture_take *take,
                      void *context)
{
    struct live_capture *capture = (struct live_capture *)base;
    size_t taken = 0;
    int error = 0;
    for (size_t i = 0; i < capture->handle_count && taken < max; i++) {
        struct live_handle *handle = &capture->handles[(capture->turn + i) % capture->handle_count];
        int got = live_drain_handle(capture, handle, max - taken, take, context);
        if (got < 0)
            error = got;
        else
            taken += (size_t)got;
    }
    capture->turn = (capture->turn + 1) % capture->handle_count;
    return taken > 0 ? (int)taken : error;
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

static int live_attach_filter(const struct live_capture *capture, const struct live_handle *handle)
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

static const struct capture_operations live_operations = {
    .drain = live_drain,
    .next = live_next,
    .set_ports = live_set_ports,
    .descriptors = live_descriptors,
    .update_counters = live_update_counters,
    .close = live_close,
};

/* ------------------------------------------------------------------ opening */

/* Where the words of a failure go. */
struct explanation {
    char *text;
    size_t size;
};

/* "eth0 lo tap1": what there is, for who asked for something else. */
static void list_interfaces(char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    struct if_nameindex *all = if_nameindex();
    for (struct if_nameindex *one = all; one != NULL && one->if_index != 0; one++) {
        int more = snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", one->if_name);
        if (more < 0 || (size_t)more >= size - used)
            break;
        used += (size_t)more;
    }
    if (all != NULL)
        if_freenameindex(all);
}

static int refuse_interface(const char *name, struct explanation why)
{
    char existing[256];
    list_interfaces(existing, sizeof existing);
    snprintf(why.text, why.size, "there is no interface %s; there are: %s", name, existing);
    return -ENOENT;
}

/* Turns a failed pcap_activate() into -errno and a sentence. */
static int refuse_activation(const struct pcap_library *library, pcap_t *pcap, const char *name,
                             int status, struct explanation why)
{
    if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
        snprintf(why.text, why.size,
                 "capturing packets needs the privilege CAP_NET_RAW: run as root, or give it with "
                 "setcap cap_net_raw,cap_net_admin+ep");
        return -EPERM;
    }
    if (status == PCAP_ERROR_NO_SUCH_DEVICE)
        return refuse_interface(name, why);
    if (status == PCAP_ERROR_IFACE_NOT_UP) {
        snprintf(why.text, why.size, "interface %s is down: ip link set %s up", name, name);
        return -ENETDOWN;
    }
    const char *words = status == PCAP_ERROR ? library->geterr(pcap) : library->statustostr(status);
    snprintf(why.text, why.size, "cannot capture on %s: %s", name, words);
    return -EIO;
}

/* A handle that is configured but not yet active. */
static pcap_t *create_handle(const struct pcap_library *library, const char *name,
                             uint32_t snapshot_bytes, uint32_t ring_bytes, struct explanation why)
{
    char words[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = library->create(name, words);
    if (pcap == NULL) {
        snprintf(why.text, why.size, "cannot capture on %s: %s", name, words);
        return NULL;
    }
    library->set_snaplen(pcap, (int)snapshot_bytes);
    library->set_promisc(pcap, 0);
    library->set_immediate_mode(pcap, 1);
    library->set_buffer_size(pcap, (int)ring_bytes);
    library->set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
    library->set_protocol_linux(pcap, ETHERNET_PROTOCOL_IPV4);
    return pcap;
}

/* An active handle, with a ring as large as the kernel grants. NULL and *error otherwise. */
static pcap_t *activate_handle(const struct pcap_library *library, const char *name,
                               uint32_t snapshot_bytes, uint32_t ring_bytes, int *error,
                               struct explanation why)
{
    for (;;) {
        pcap_t *pcap = create_handle(library, name, snapshot_bytes, ring_bytes, why);
        *error = -EIO;
        if (pcap == NULL)
            return NULL;
        int status = library->activate(pcap);
        if (status >= 0)
            return pcap;
        *error = refuse_activation(library, pcap, name, status, why);
        library->close(pcap);
        if (*error != -EIO || ring_bytes / 2 < RING_BYTES_MIN)
            return NULL;
        ring_bytes /= 2;
    }
}

/* Brings an active handle into the form that the rest relies on. */
static int settle_handle(struct live_capture *capture, struct live_handle *handle, const char *name,
                         struct explanation why)
{
    const struct pcap_library *library = capture->library;
    char words[PCAP_ERRBUF_SIZE] = "";
    bool all = strcmp(name, ALL_INTERFACES) == 0;
    if (all && library->set_datalink(handle->pcap, DLT_LINUX_SLL2) != 0) {
        snprintf(why.text, why.size, "cannot capture on all interfaces: %s",
                 library->geterr(handle->pcap));
        return -EOPNOTSUPP;
    }
    handle->datalink = library->datalink(handle->pcap);
    if (link_layer_filter_offset(handle->datalink) < 0) {
        snprintf(why.text, why.size, "interface %s has a link type (%d) that carries no IPv4", name,
                 handle->datalink);
        return -EOPNOTSUPP;
    }
    handle->interface_index = all ? 0 : (int)if_nametoindex(name);
    handle->descriptor = library->get_selectable_fd(handle->pcap);
    int error = live_attach_filter(capture, handle);
    if (error == 0 && (library->setnonblock(handle->pcap, 1, words) != 0 ||
                       library->setdirection(handle->pcap, PCAP_D_IN) != 0 ||
                       fcntl(handle->descriptor, F_SETFD, FD_CLOEXEC) != 0))
        error = -EIO;
    if (error != 0)
        snprintf(why.text, why.size, "cannot filter on %s: %s", name, strerror(-error));
    return error;
}

static int open_handle(struct live_capture *capture, const char *name, uint32_t ring_bytes,
                       struct explanation why)
{
    struct live_handle *handle = &capture->handles[capture->handle_count];
    int error = 0;
    handle->pcap =
        activate_handle(capture->library, name, capture->snapshot_bytes, ring_bytes, &error, why);
    if (handle->pcap == NULL)
        return error;
    capture->handle_count++;
    return settle_handle(capture, handle, name, why);
}

/* The descriptor to poll: the only handle's own, or one over all of them. */
static int gather_descriptors(struct live_capture *capture)
{
    if (capture->handle_count == 1) {
        capture->base.descriptor = capture->handles[0].descriptor;
        return 0;
    }
    capture->base.descriptor = epoll_create1(EPOLL_CLOEXEC);
    if (capture->base.descriptor < 0)
        return -errno;
    for (size_t i = 0; i < capture->handle_count; i++) {
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll_ctl(capture->base.descriptor, EPOLL_CTL_ADD, capture->handles[i].descriptor,
                      &event) != 0)
            return -errno;
    }
    return 0;
}

static int open_handles(struct live_capture *capture, const struct daytona_capture_config *config,
                        struct explanation why)
{
    static const char *const all[] = {ALL_INTERFACES};
    const char *const *names = config->interface_count > 0 ? config->interfaces : all;
    size_t count = config->interface_count > 0 ? config->interface_count : 1;
    uint32_t ring_bytes = config->ring_bytes > 0 ? config->ring_bytes : RING_BYTES_DEFAULT;

    int error = 0;
    for (size_t i = 0; error == 0 && i < count; i++)
        error = open_handle(capture, names[i], ring_bytes, why);
    if (error != 0)
        return error;
    error = local_addresses_init(&capture->local_addresses);
    if (error == 0)
        error = gather_descriptors(capture);
    if (error != 0)
        snprintf(why.text, why.size, "cannot wait for packets: %s", strerror(-error));
    return error;
}

static struct live_capture *live_allocate(const struct daytona_capture_config *config)
{
    size_t handles_max = config->interface_count > 0 ? config->interface_count : 1;
    struct live_capture *capture =
        calloc(1, sizeof *capture + handles_max * sizeof capture->handles[0]);
    if (capture == NULL)
        return NULL;
    capture->base.operations = &live_operations;
    capture->base.descriptor = -1;
    capture->local_addresses.descriptor = -1;
    capture->snapshot_bytes =
        config->snapshot_bytes > 0 ? config->snapshot_bytes : SNAPSHOT_BYTES_DEFAULT;
    capture->kept = malloc(capture->snapshot_bytes);
    if (capture->kept == NULL) {
        free(capture);
        return NULL;
    }
    return capture;
}

int daytona_capture_open(const struct daytona_capture_config *config, struct daytona_capture **out,
                         char *message, size_t message_size)
{
    struct explanation why = {message, message_size};
    const struct pcap_library *library = pcap_library_load(message, message_size);
    if (library == NULL)
        return -ENOENT;
    struct live_capture *capture = live_allocate(config);
    if (capture == NULL) {
        snprintf(message, message_size, "no memory for capturing");
        return -ENOMEM;
    }
    capture->library = library;
    int error = filter_ports_set(&capture->ports, config->ports, config->port_count);
    if (error != 0)
        snprintf(message, message_size, "a range of ports ends before it begins");
    else
        error = open_handles(capture, config, why);
    if (error != 0) {
        live_close(&capture->base);
        return error;
    }
    *out = &capture->base;
    return 0;
}
