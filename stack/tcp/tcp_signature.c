/*
 * Segments and their signatures. What differs between TCP MD5 and TCP-AO is what is digested:
 * MD5 takes the segment and the key, AO derives a key for each direction of each connection.
 */
#include "stack/tcp/tcp_signature.h"

#include "stack/crypto/md5.h"
#include "stack/tcp/tcp_ao.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/wire/bytes.h"
#include <string.h>

#define PROTOCOL_TCP 6
#define AT_CHECKSUM  16

/* ------------------------------------------------------------------ digests */

/* RFC 2385 section 2.0: the pseudo-header, the header without options and with a checksum of zero,
 * the text, the key. */
static void md5_digest(const struct signature_key *key, const struct ao_segment *segment,
                       uint8_t out[MD5_BYTES])
{
    uint8_t pseudo[12] = {[9] = PROTOCOL_TCP}, header[TCP_HEADER_MIN];
    size_t bytes = segment->header_length;
    struct md5 md5;
    for (size_t i = 0; i < segment->span_count; i++)
        bytes += segment->payload[i].length;
    store_32(pseudo, daytona_address_to_ipv4(&segment->source.address));
    store_32(pseudo + 4, daytona_address_to_ipv4(&segment->destination.address));
    store_16(pseudo + 10, (uint16_t)bytes);
    memcpy(header, segment->header, sizeof header);
    store_16(header + AT_CHECKSUM, 0);
    md5_begin(&md5);
    md5_add(&md5, pseudo, sizeof pseudo);
    md5_add(&md5, header, sizeof header);
    for (size_t i = 0; i < segment->span_count; i++)
        md5_add(&md5, segment->payload[i].data, segment->payload[i].length);
    md5_add(&md5, key->bytes, key->length);
    md5_end(&md5, out);
}

void signature_sign(const struct signature_key *key, const struct demux_entry *tuple,
                    struct tcp_header *header, const struct signature_numbers *numbers,
                    const struct daytona_span *payload, size_t span_count)
{
    uint8_t bytes[TCP_HEADER_MAX];
    header->has_signature = key->kind == SIGNATURE_MD5;
    header->ao_at = key->kind == SIGNATURE_AO ? TCP_HEADER_MIN : 0;
    header->ao = (struct tcp_ao){.key_id = key->send_id, .next_id = key->receive_id};
    const struct ao_segment segment = {
        .source = tuple->local,
        .destination = tuple->remote,
        .header_length = tcp_header_emit(header, bytes),
        .header = bytes,
        .option_at = header->ao_at,
        .payload = payload,
        .span_count = span_count,
    };
    if (key->kind == SIGNATURE_MD5)
        md5_digest(key, &segment, header->signature);
    else
        ao_mac(key, &segment, numbers, header->ao.mac);
}

/* ------------------------------------------------------------------ numbers of a connection */

/* Offsets of both ISNs, ours first, and one near which a sequence number of ours and one of the
 * peer's lie. */
struct both_ends {
    uint64_t our_isn, peer_isn, our_near, peer_near;
};

/* Of a listener the segment itself tells: it begins a connection, or it is the next one in it. */
static struct both_ends ends_of_segment(struct seq our, bool has_our, struct seq peer,
                                        bool has_peer)
{
    struct both_ends ends = {.our_isn = has_our ? offset_first(our) : 0,
                             .peer_isn = has_peer ? offset_first(peer) : 0};
    ends.our_near = ends.our_isn;
    ends.peer_near = ends.peer_isn;
    return ends;
}

static struct both_ends ends_of_socket(const struct socket *socket)
{
    const struct connection *connection = socket->connection;
    const struct time_wait *wait = &socket->time_wait;
    if (connection == NULL)
        return (struct both_ends){wait->iss, wait->irs, wait->send_nxt, wait->receive_nxt};
    bool knows = socket->state != DAYTONA_TCP_SYN_SENT;
    return (struct both_ends){connection->send.iss, knows ? connection->receive.irs : 0,
                              connection->send.nxt, knows ? connection->receive.nxt : 0};
}

static bool ends_known(const struct demux_entry *entry, struct both_ends *out)
{
    if (entry == NULL)
        return false;
    if (entry->owner == DEMUX_REQUEST) {
        const struct request *request =
            OWNER_OF((struct demux_entry *)(uintptr_t)entry, struct request, entry);
        *out = ends_of_segment(request->handshake.iss, true, request->handshake.irs, true);
    } else {
        *out =
            ends_of_socket(OWNER_OF((struct demux_entry *)(uintptr_t)entry, struct socket, entry));
    }
    return true;
}

/* RFC 5925 section 5.2: whoever sends a SYN without ACK does not know the other's ISN. */
static bool opens(const struct tcp_header *header)
{
    return (header->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static struct signature_numbers numbers_out(const struct demux_entry *entry,
                                            const struct tcp_header *header)
{
    struct both_ends ends;
    uint32_t back = (header->flags & TCP_SYN) != 0 ? 0 : UINT32_MAX;
    if (!ends_known(entry, &ends))
        ends = ends_of_segment(seq_add(header->seq, back), true, seq_add(header->ack, UINT32_MAX),
                               (header->flags & TCP_ACK) != 0);
    return (struct signature_numbers){ends.our_isn, opens(header) ? 0 : ends.peer_isn,
                                      offset_near(ends.our_near, header->seq)};
}

static struct signature_numbers numbers_in(const struct demux_entry *entry,
                                           const struct tcp_header *header)
{
    struct both_ends ends;
    bool syn = (header->flags & TCP_SYN) != 0;
    struct seq first = seq_add(header->seq, syn ? 0 : UINT32_MAX);
    /* A SYN may begin a connection where an old one is in TIME-WAIT (RFC 6191). */
    if (opens(header) || !ends_known(entry, &ends))
        ends = ends_of_segment(seq_add(header->ack, UINT32_MAX), (header->flags & TCP_ACK) != 0,
                               first, true);
    if (ends.peer_isn == 0)
        ends.peer_isn = ends.peer_near = offset_first(first);
    return (struct signature_numbers){ends.peer_isn, opens(header) ? 0 : ends.our_isn,
                                      offset_near(ends.peer_near, header->seq)};
}

/* ------------------------------------------------------------------ segments */

void signature_sign_reply(const struct tcp *tcp, const struct demux_entry *tuple,
                          struct tcp_header *header)
{
    if (tcp->signature_key_count == 0)
        return;
    struct demux_entry *entry = demux_find_tuple(&tcp->demux, &tuple->local, &tuple->remote);
    const struct socket *owner =
        entry == NULL                   ? tcp_listener_find(tcp, &tuple->local, &tuple->remote)
        : entry->owner == DEMUX_REQUEST ? OWNER_OF(entry, struct request, entry)->listener
                                        : OWNER_OF(entry, struct socket, entry);
    const struct signature_key *key =
        owner == NULL ? NULL : signature_key_for(owner, &tuple->remote.address);
    if (key == NULL)
        return;
    struct signature_numbers numbers = numbers_out(entry, header);
    signature_sign(key, tuple, header, &numbers, NULL, 0);
}

static bool ao_right(struct socket *owner, const struct signature_key *key,
                     const struct ao_segment *whole, const struct signature_numbers *numbers,
                     const struct tcp_ao *ao)
{
    uint8_t right[TCP_AO_MAC_BYTES];
    ao_mac(key, whole, numbers, right);
    if (memcmp(right, ao->mac, sizeof right) != 0)
        return false;
    if (owner->state != DAYTONA_TCP_LISTEN)
        signature_key_wanted(owner, &owner->entry.remote.address, ao->next_id);
    return true;
}

bool signature_accept(struct socket *owner, const struct demux_entry *entry,
                      const struct demux_entry *tuple, const struct segment *segment,
                      enum daytona_verdict *verdict)
{
    const struct tcp_header *header = &segment->header;
    const struct signature_key *key = signature_key_for(owner, &tuple->remote.address);
    bool has_ao = header->ao_at != 0;
    if (key == NULL || (header->has_signature && has_ao)) { /* signed twice, as Linux: refused */
        *verdict = DAYTONA_VERDICT_SIGNATURE_UNEXPECTED;
        return !header->has_signature && !has_ao;
    }
    *verdict = DAYTONA_VERDICT_SIGNATURE_MISSING;
    if (key->kind == SIGNATURE_MD5 ? !header->has_signature : !has_ao)
        return false;
    *verdict = DAYTONA_VERDICT_SIGNATURE_WRONG;
    const struct ao_segment whole = {
        .source = tuple->remote,
        .destination = tuple->local,
        .header = segment->bytes.data,
        .header_length = header->header_length,
        .option_at = header->ao_at,
        .payload = &segment->payload,
        .span_count = 1,
    };
    uint8_t right[MD5_BYTES];
    if (key->kind == SIGNATURE_MD5) {
        md5_digest(key, &whole, right);
        return memcmp(right, header->signature, sizeof right) == 0;
    }
    key = signature_key_by(owner, &tuple->remote.address, header->ao.key_id);
    struct signature_numbers numbers = numbers_in(entry, header);
    return key != NULL && ao_right(owner, key, &whole, &numbers, &header->ao);
}
