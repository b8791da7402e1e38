#include "stack/wire/bytes.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp_header.h"

#define AT_CHECKSUM 16

enum tcp_checksum tcp_checksum_judge(const struct daytona_address *source,
                                     const struct daytona_address *destination,
                                     struct daytona_span segment)
{
    if (segment.length < TCP_HEADER_MIN)
        return TCP_CHECKSUM_BAD;
    struct checksum checksum = {0};
    checksum_add_pseudo(&checksum, source, destination, IP_PROTOCOL_TCP, (uint32_t)segment.length);
    uint16_t pseudo_sum = checksum_fold(&checksum);
    checksum_add(&checksum, segment);
    if (checksum_fold(&checksum) == 0xffff)
        return TCP_CHECKSUM_COMPLETE;
    return load_16(segment.data + AT_CHECKSUM) == pseudo_sum ? TCP_CHECKSUM_PARTIAL
                                                             : TCP_CHECKSUM_BAD;
}

void tcp_checksum_store(uint8_t *header, size_t header_length, const struct daytona_address *source,
                        const struct daytona_address *destination,
                        const struct daytona_span *payload, size_t span_count)
{
    struct checksum checksum = {0};
    size_t length = header_length;
    checksum_add(&checksum, (struct daytona_span){header, header_length});
    for (size_t i = 0; i < span_count; i++) {
        checksum_add(&checksum, payload[i]);
        length += payload[i].length;
    }
    /* The pseudo header starts on an even byte whatever the payload's length was. */
    checksum.odd = false;
    checksum_add_pseudo(&checksum, source, destination, IP_PROTOCOL_TCP, (uint32_t)length);
    store_16(header + AT_CHECKSUM, (uint16_t)~checksum_fold(&checksum));
}

void tcp_checksum_store_partial(uint8_t *header, uint32_t segment_length,
                                const struct daytona_address *source,
                                const struct daytona_address *destination)
{
    struct checksum checksum = {0};
    checksum_add_pseudo(&checksum, source, destination, IP_PROTOCOL_TCP, segment_length);
    store_16(header + AT_CHECKSUM, checksum_fold(&checksum));
}
