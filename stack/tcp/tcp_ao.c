#include "stack/tcp/tcp_ao.h"

#include "stack/crypto/aes.h"
#include "stack/crypto/sha1.h"
#include "stack/wire/bytes.h"
#include <string.h>

#define PROTOCOL_TCP  6
#define AT_CHECKSUM   16
#define OPTION_LENGTH 16 /* kind, length, two ids, the MAC */
#define AT_MAC        4  /* in the option */

/* RFC 5926 section 3.1.1: both algorithms serve as key derivation and as MAC. */
struct mac {
    bool aes;
    struct hmac_sha1 hmac;
    struct cmac cmac;
};

static void mac_begin(struct mac *mac, bool aes, const uint8_t *key, size_t length)
{
    mac->aes = aes;
    if (aes)
        cmac_begin(&mac->cmac, key);
    else
        hmac_sha1_begin(&mac->hmac, key, length);
}

static void mac_add(struct mac *mac, const void *bytes, size_t length)
{
    if (mac->aes)
        cmac_add(&mac->cmac, bytes, length);
    else
        hmac_sha1_add(&mac->hmac, bytes, length);
}

/* Returns how many bytes that was. */
static size_t mac_end(struct mac *mac, uint8_t out[SHA1_BYTES])
{
    if (mac->aes)
        cmac_end(&mac->cmac, out);
    else
        hmac_sha1_end(&mac->hmac, out);
    return mac->aes ? AES_BYTES : SHA1_BYTES;
}

static bool is_aes(const struct signature_key *key)
{
    return key->algorithm == DAYTONA_AO_AES_128_CMAC;
}

/* RFC 5926 section 3.1.1.2: a key of another length is made one of 16 bytes first. */
static void begin_with_master_key(struct mac *mac, const struct signature_key *key)
{
    uint8_t fitting[SHA1_BYTES] = {0};
    if (!is_aes(key) || key->length == AES_BYTES) {
        mac_begin(mac, is_aes(key), key->bytes, key->length);
        return;
    }
    mac_begin(mac, true, fitting, AES_BYTES);
    mac_add(mac, key->bytes, key->length);
    mac_end(mac, fitting);
    mac_begin(mac, true, fitting, AES_BYTES);
}

/* RFC 5925 section 5.2 and RFC 5926 section 3.1.1.1. Returns the traffic key's length. */
static size_t traffic_key(const struct signature_key *key, const struct ao_segment *segment,
                          const struct signature_numbers *numbers, uint8_t out[SHA1_BYTES])
{
    uint8_t input[1 + 6 + 20 + 2] = {1, 'T', 'C', 'P', '-', 'A', 'O'};
    struct mac mac;
    store_32(input + 7, daytona_address_to_ipv4(&segment->source.address));
    store_32(input + 11, daytona_address_to_ipv4(&segment->destination.address));
    store_16(input + 15, segment->source.port);
    store_16(input + 17, segment->destination.port);
    store_32(input + 19, (uint32_t)numbers->source_isn);
    store_32(input + 23, (uint32_t)numbers->destination_isn);
    store_16(input + 27, (uint16_t)(8 * (is_aes(key) ? AES_BYTES : SHA1_BYTES)));
    begin_with_master_key(&mac, key);
    mac_add(&mac, input, sizeof input);
    return mac_end(&mac, out);
}

/* RFC 5925 section 6.2: how often the sequence number has wrapped. Offsets begin at 2^32. */
static uint32_t sequence_extension(uint64_t seq)
{
    return (uint32_t)(seq >> 32) - 1;
}

static size_t segment_bytes(const struct ao_segment *segment)
{
    size_t bytes = segment->header_length;
    for (size_t i = 0; i < segment->span_count; i++)
        bytes += segment->payload[i].length;
    return bytes;
}

/* RFC 5925 section 5.1: the extension, the pseudo-header, the header with checksum and MAC of zero,
 * the text. */
void ao_mac(const struct signature_key *key, const struct ao_segment *segment,
            const struct signature_numbers *numbers, uint8_t out[TCP_AO_MAC_BYTES])
{
    uint8_t derived[SHA1_BYTES], whole[SHA1_BYTES], header[TCP_HEADER_MAX];
    uint8_t before[4 + 12] = {[4 + 9] = PROTOCOL_TCP};
    struct mac mac;
    store_32(before, sequence_extension(numbers->seq));
    store_32(before + 4, daytona_address_to_ipv4(&segment->source.address));
    store_32(before + 8, daytona_address_to_ipv4(&segment->destination.address));
    store_16(before + 14, (uint16_t)segment_bytes(segment));
    memcpy(header, segment->header, segment->header_length);
    store_16(header + AT_CHECKSUM, 0);
    memset(header + segment->option_at + AT_MAC, 0, TCP_AO_MAC_BYTES);

    size_t length = traffic_key(key, segment, numbers, derived);
    mac_begin(&mac, is_aes(key), derived, length);
    mac_add(&mac, before, sizeof before);
    if (key->leaves_options_out) {
        mac_add(&mac, header, TCP_HEADER_MIN);
        mac_add(&mac, header + segment->option_at, OPTION_LENGTH);
    } else {
        mac_add(&mac, header, segment->header_length);
    }
    for (size_t i = 0; i < segment->span_count; i++)
        mac_add(&mac, segment->payload[i].data, segment->payload[i].length);
    mac_end(&mac, whole);
    memcpy(out, whole, TCP_AO_MAC_BYTES);
}
