#include "capture/link_layer.h"
#include "capture/live.h"
#include "capture/ring_mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ETHERNET_PROTOCOL_IPV4 0x0800
#define RING_BYTES_DEFAULT     (64u << 20)
#define RING_BYTES_MIN         (4u << 20)
#define SNAPSHOT_BYTES_DEFAULT 65568u
#define ALL_INTERFACES         "any"

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
    handle->ring = ring_mapping_find(handle->descriptor);
    const int locked = capture->lock_filter;
    int error = live_attach_filter(capture, handle);
    if (error == 0 && locked &&
        setsockopt(handle->descriptor, SOL_SOCKET, SO_LOCK_FILTER, &locked, sizeof locked) != 0)
        error = -errno;
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

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool wants_all_interfaces(const struct daytona_capture_config *config)
{
    return config->interface_count == 0 ||
           is_among(ALL_INTERFACES, config->interfaces, config->interface_count);
}

/* One handle for each interface: two on the same would show every packet twice. */
static int open_handles(struct live_capture *capture, const struct daytona_capture_config *config,
                        struct explanation why)
{
    uint32_t ring_bytes = config->ring_bytes > 0 ? config->ring_bytes : RING_BYTES_DEFAULT;
    if (wants_all_interfaces(config))
        return open_handle(capture, ALL_INTERFACES, ring_bytes, why);
    int error = 0;
    for (size_t i = 0; error == 0 && i < config->interface_count; i++)
        if (!is_among(config->interfaces[i], config->interfaces, i))
            error = open_handle(capture, config->interfaces[i], ring_bytes, why);
    return error;
}

static int open_everything(struct live_capture *capture,
                           const struct daytona_capture_config *config, struct explanation why)
{
    int error = open_handles(capture, config, why);
    if (error != 0)
        return error;
    daytona_capture_pass_on(&capture->base, false);
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
    capture->lock_filter = config->lock_filter;
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
    if (error == 0)
        error = filter_ports_set_openings(&capture->ports, config->openings, config->opening_count);
    if (error != 0)
        snprintf(message, message_size, "a range of ports ends before it begins");
    else
        error = open_everything(capture, config, why);
    if (error != 0) {
        live_operations.close(&capture->base);
        return error;
    }
    *out = &capture->base;
    return 0;
}
