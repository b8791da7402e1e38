#include "capture/link_layer.h"

#include <pcap/dlt.h>

#define ETHERTYPE_IPV4_VALUE   0x0800u
#define PACKET_TYPE_HOST       0u /* "to us" in both cooked headers */
#define ADDRESS_FAMILY_IPV4    2u /* AF_INET in a BSD loopback header, on every system */
#define ETHERNET_HEADER_BYTES  14u
#define COOKED_HEADER_BYTES    16u
#define COOKED_V2_HEADER_BYTES 20u
#define LOOPBACK_HEADER_BYTES  4u
#define LINK_ADDRESS_BYTES     6u

static uint32_t read_u16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t read_u32(const uint8_t *at)
{
    return read_u16(at) << 16 | read_u16(at + 2);
}

/* Each of these judges one kind of link header, which is there in full. */

static bool ethernet_is_ours(const uint8_t *header)
{
    bool to_group = (header[0] & 1) != 0; /* TCP is never sent to a group */
    return !to_group && read_u16(header + 12) == ETHERTYPE_IPV4_VALUE;
}

static bool cooked_is_ours(const uint8_t *header)
{
    return read_u16(header) == PACKET_TYPE_HOST && read_u16(header + 14) == ETHERTYPE_IPV4_VALUE;
}

static bool cooked_v2_is_ours(const uint8_t *header)
{
    return header[10] == PACKET_TYPE_HOST && read_u16(header) == ETHERTYPE_IPV4_VALUE;
}

/* The address family in the byte order of whoever captured, which the file does not tell. */
static bool loopback_is_ours(const uint8_t *header)
{
    uint32_t family = read_u32(header);
    return family == ADDRESS_FAMILY_IPV4 || family == ADDRESS_FAMILY_IPV4 << 24;
}

static bool raw_is_ours(const uint8_t *header)
{
    (void)header;
    return true;
}

/* And each of these finds the sender's address in one; NULL: none like Ethernet's. */

static const uint8_t *ethernet_address(const uint8_t *header)
{
    return header + LINK_ADDRESS_BYTES;
}

static const uint8_t *cooked_address(const uint8_t *header)
{
    return read_u16(header + 4) == LINK_ADDRESS_BYTES ? header + 6 : NULL;
}

static const uint8_t *cooked_v2_address(const uint8_t *header)
{
    return header[11] == LINK_ADDRESS_BYTES ? header + 12 : NULL;
}

static const uint8_t *no_address(const uint8_t *header)
{
    (void)header;
    return NULL;
}

struct link_layer {
    int datalink;
    uint32_t header_bytes;
    int filter_offset; /* see link_layer_filter_offset() */
    bool (*is_ours)(const uint8_t *header);
    const uint8_t *(*address)(const uint8_t *header);
};

static const struct link_layer link_layers[] = {
    {DLT_LINUX_SLL2, COOKED_V2_HEADER_BYTES, 0, cooked_v2_is_ours, cooked_v2_address},
    {DLT_EN10MB, ETHERNET_HEADER_BYTES, ETHERNET_HEADER_BYTES, ethernet_is_ours, ethernet_address},
    {DLT_LINUX_SLL, COOKED_HEADER_BYTES, 0, cooked_is_ours, cooked_address},
    {DLT_RAW, 0, 0, raw_is_ours, no_address},
    {DLT_IPV4, 0, 0, raw_is_ours, no_address},
    {DLT_NULL, LOOPBACK_HEADER_BYTES, -1, loopback_is_ours, no_address},
    {DLT_LOOP, LOOPBACK_HEADER_BYTES, -1, loopback_is_ours, no_address},
};

static const struct link_layer *link_layer_of(int datalink)
{
    for (size_t i = 0; i < sizeof link_layers / sizeof link_layers[0]; i++)
        if (link_layers[i].datalink == datalink)
            return &link_layers[i];
    return NULL;
}

bool link_layer_known(int datalink)
{
    return link_layer_of(datalink) != NULL;
}

int link_layer_filter_offset(int datalink)
{
    const struct link_layer *layer = link_layer_of(datalink);
    return layer == NULL ? -1 : layer->filter_offset;
}

bool link_layer_find_ipv4(int datalink, struct daytona_span frame, size_t wire_length,
                          struct daytona_captured *out)
{
    const struct link_layer *layer = link_layer_of(datalink);
    if (layer == NULL || frame.length <= layer->header_bytes || wire_length < frame.length)
        return false;
    if (!layer->is_ours(frame.data))
        return false;
    out->ip =
        (struct daytona_span){frame.data + layer->header_bytes, frame.length - layer->header_bytes};
    out->wire_length = wire_length - layer->header_bytes;
    out->link_address = layer->address(frame.data);
    if (datalink == DLT_LINUX_SLL2)
        out->interface_index = (int)read_u32(frame.data + 4);
    return out->ip.data[0] >> 4 == 4;
}
