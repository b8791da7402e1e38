#include "stack/ip/reassembly.h"

#include <string.h>

#define DATAGRAM_BYTES_MAX 65535u /* header included: what the total-length field can say */
#define FRAGMENT_UNIT      8u     /* all but the last are a multiple of it (RFC 791 section 3.2) */
#define LENGTH_UNKNOWN     UINT32_MAX
#define SOURCE_SHARE       4u /* of the bounds, for one source when they are reached */

struct fragment {
    struct fragment *next; /* higher offset */
    uint32_t offset, length;
    uint8_t bytes[];
};

struct reassembly_datagram {
    struct reassembly_datagram *older, *newer;
    struct daytona_instant timeout;
    struct daytona_address source, destination; /* with the next two the key of RFC 791 */
    uint16_t identification;
    uint8_t protocol;
    uint8_t ecn_seen;           /* bit 1 << enum ip_ecn of each fragment */
    bool killed;                /* kept only to recognise what still arrives of it */
    struct fragment *fragments; /* by offset, disjoint */
    uint32_t fragment_count;
    uint32_t held;   /* payload bytes in fragments */
    uint32_t length; /* of the whole payload, LENGTH_UNKNOWN before the last fragment */
};

static size_t fragment_cost(const struct fragment *fragment)
{
    return memory_block_bytes(sizeof *fragment + fragment->length);
}

static void fragments_release(struct reassembly *reassembly, struct reassembly_datagram *datagram)
{
    while (datagram->fragments != NULL) {
        struct fragment *fragment = datagram->fragments;
        datagram->fragments = fragment->next;
        reassembly->bytes -= fragment_cost(fragment);
        memory_return(reassembly->memory, fragment);
    }
    datagram->fragment_count = 0;
    datagram->held = 0;
}

static void datagram_forget(struct reassembly *reassembly, struct reassembly_datagram *datagram)
{
    fragments_release(reassembly, datagram);
    if (datagram->older == NULL)
        reassembly->oldest = datagram->newer;
    else
        datagram->older->newer = datagram->newer;
    if (datagram->newer == NULL)
        reassembly->newest = datagram->older;
    else
        datagram->newer->older = datagram->older;
    memory_return(reassembly->memory, datagram);
    reassembly->count--;
}

static enum reassembly_outcome datagram_kill(struct reassembly *reassembly,
                                             struct reassembly_datagram *datagram)
{
    fragments_release(reassembly, datagram);
    datagram->killed = true;
    return REASSEMBLY_DROPPED;
}

static struct reassembly_datagram *datagram_find(const struct reassembly *reassembly,
                                                 const struct ipv4_header *header)
{
    struct reassembly_datagram *datagram = reassembly->newest;
    while (datagram != NULL &&
           !(datagram->identification == header->identification &&
             datagram->protocol == header->protocol &&
             daytona_address_equal(&datagram->source, &header->source) &&
             daytona_address_equal(&datagram->destination, &header->destination)))
        datagram = datagram->older;
    return datagram;
}

/* Which datagram is to go for the sake of one from `source`: the oldest, but a source that has more
 * than its share makes room by its own (as Linux bounds what one peer may have incomplete, by
 * net.ipv4.ipfrag_max_dist). */
static struct reassembly_datagram *victim(const struct reassembly *reassembly,
                                          const struct daytona_address *source)
{
    struct reassembly_datagram *own = NULL;
    size_t bytes = 0;
    uint32_t count = 0;
    struct reassembly_datagram *datagram = reassembly->newest;
    for (; datagram != NULL; datagram = datagram->older) {
        if (!daytona_address_equal(&datagram->source, source))
            continue;
        own = datagram;
        bytes += datagram->held;
        count++;
    }
    bool greedy = count >= REASSEMBLY_DATAGRAMS_MAX / SOURCE_SHARE ||
                  bytes >= reassembly->bytes_max / SOURCE_SHARE;
    return own != NULL && greedy ? own : reassembly->oldest;
}

static struct reassembly_datagram *datagram_begin(struct reassembly *reassembly,
                                                  struct daytona_instant now,
                                                  const struct ipv4_header *header)
{
    if (reassembly->count >= REASSEMBLY_DATAGRAMS_MAX)
        datagram_forget(reassembly, victim(reassembly, &header->source));
    struct reassembly_datagram *datagram = memory_take(reassembly->memory, sizeof *datagram);
    if (datagram == NULL)
        return NULL;
    *datagram = (struct reassembly_datagram){
        .older = reassembly->newest,
        .timeout = daytona_instant_after_us(now, REASSEMBLY_TIMEOUT_US),
        .source = header->source,
        .destination = header->destination,
        .identification = header->identification,
        .protocol = header->protocol,
        .length = LENGTH_UNKNOWN,
    };
    if (reassembly->newest == NULL)
        reassembly->oldest = datagram;
    else
        reassembly->newest->newer = datagram;
    reassembly->newest = datagram;
    reassembly->count++;
    return datagram;
}

static bool fragment_is_possible(const struct ipv4_header *header, struct daytona_span payload)
{
    if (payload.length == 0 || (header->more_fragments && payload.length % FRAGMENT_UNIT != 0))
        return false;
    /* "Ping of death": the last offset plus a length can exceed what a datagram may be. */
    return (size_t)header->header_length + header->fragment_offset + payload.length <=
           DATAGRAM_BYTES_MAX;
}

/* Whether [offset, end) agrees with what is known of the datagram's end; notes a last one. */
static bool length_agrees(struct reassembly_datagram *datagram, uint32_t end, bool last)
{
    if (!last)
        return datagram->length == LENGTH_UNKNOWN || end <= datagram->length;
    for (const struct fragment *f = datagram->fragments; f != NULL; f = f->next)
        if (f->offset + f->length > end)
            return false;
    if (datagram->length != LENGTH_UNKNOWN && datagram->length != end)
        return false;
    datagram->length = end;
    return true;
}

static bool is_copy(const struct fragment *fragment, uint32_t offset, struct daytona_span payload)
{
    return fragment->offset == offset && fragment->length == payload.length &&
           memcmp(fragment->bytes, payload.data, payload.length) == 0;
}

/* Gives up datagrams until `cost` more bytes are within the bound. False when
 * `datagram` itself would have to go. */
static bool make_room(struct reassembly *reassembly, const struct reassembly_datagram *datagram,
                      size_t cost)
{
    while (reassembly->bytes + cost > reassembly->bytes_max) {
        struct reassembly_datagram *goes = victim(reassembly, &datagram->source);
        if (goes == datagram)
            return false;
        datagram_forget(reassembly, goes);
    }
    return true;
}

/* Links the fragment in behind `*link`, the last one before it or the list's head. */
static bool fragment_insert(struct reassembly *reassembly, struct reassembly_datagram *datagram,
                            struct fragment **link, uint32_t offset, struct daytona_span payload)
{
    size_t bytes = sizeof(struct fragment) + payload.length;
    if (datagram->fragment_count >= REASSEMBLY_FRAGMENTS_MAX ||
        !make_room(reassembly, datagram, memory_block_bytes(bytes)))
        return false;
    struct fragment *fragment = memory_take(reassembly->memory, bytes);
    if (fragment == NULL)
        return false;
    fragment->next = *link;
    fragment->offset = offset;
    fragment->length = (uint32_t)payload.length;
    memcpy(fragment->bytes, payload.data, payload.length);
    *link = fragment;
    reassembly->bytes += fragment_cost(fragment);
    datagram->fragment_count++;
    datagram->held += fragment->length;
    return true;
}

/* The ECN field of the whole, RFC 3168 section 5.3: a mark on any fragment is a mark. False when
 * a mark contradicts a fragment that could not be marked. */
static bool ecn_of_whole(uint8_t seen, uint8_t *ecn)
{
    bool marked = (seen & 1u << IP_ECN_CE) != 0, incapable = (seen & 1u << IP_ECN_NOT_ECT) != 0;
    if (marked)
        *ecn = IP_ECN_CE;
    else if (incapable)
        *ecn = IP_ECN_NOT_ECT;
    else
        *ecn = (seen & 1u << IP_ECN_ECT_0) != 0 ? IP_ECN_ECT_0 : IP_ECN_ECT_1;
    return !(marked && incapable);
}

/* All has arrived: copies the fragments, which are disjoint and fill the length, into one
 * block, and forgets the datagram. */
static enum reassembly_outcome datagram_complete(struct reassembly *reassembly,
                                                 struct reassembly_datagram *datagram,
                                                 struct daytona_span *whole)
{
    bool agreed = ecn_of_whole(datagram->ecn_seen, &reassembly->ecn);
    uint8_t *bytes = agreed ? memory_take(reassembly->memory, datagram->length) : NULL;
    if (bytes != NULL) {
        for (const struct fragment *f = datagram->fragments; f != NULL; f = f->next)
            memcpy(bytes + f->offset, f->bytes, f->length);
        reassembly->whole = bytes;
        *whole = (struct daytona_span){bytes, datagram->length};
    }
    datagram_forget(reassembly, datagram);
    return bytes == NULL ? REASSEMBLY_DROPPED : REASSEMBLY_COMPLETE;
}

static void expire(struct reassembly *reassembly, struct daytona_instant now)
{
    while (reassembly->oldest != NULL &&
           !daytona_instant_before(now, reassembly->oldest->timeout)) {
        reassembly->given_up += !reassembly->oldest->killed;
        datagram_forget(reassembly, reassembly->oldest);
    }
}

enum reassembly_outcome reassembly_add(struct reassembly *reassembly, struct daytona_instant now,
                                       const struct ipv4_header *header,
                                       struct daytona_span payload, struct daytona_span *whole)
{
    reassembly_return_whole(reassembly);
    expire(reassembly, now);
    if (!fragment_is_possible(header, payload))
        return REASSEMBLY_DROPPED;
    struct reassembly_datagram *datagram = datagram_find(reassembly, header);
    if (datagram == NULL)
        datagram = datagram_begin(reassembly, now, header);
    if (datagram == NULL || datagram->killed)
        return REASSEMBLY_DROPPED;

    uint32_t offset = header->fragment_offset;
    uint32_t end = offset + (uint32_t)payload.length;
    struct fragment **link = &datagram->fragments;
    while (*link != NULL && (*link)->offset + (*link)->length <= offset)
        link = &(*link)->next;
    bool overlaps = *link != NULL && (*link)->offset < end;
    if (!length_agrees(datagram, end, !header->more_fragments))
        return datagram_kill(reassembly, datagram);
    if (overlaps && is_copy(*link, offset, payload))
        return REASSEMBLY_HELD;
    if (overlaps || !fragment_insert(reassembly, datagram, link, offset, payload))
        return datagram_kill(reassembly, datagram);
    datagram->ecn_seen |= (uint8_t)(1u << (header->type_of_service & IP_ECN_MASK));
    return datagram->held == datagram->length ? datagram_complete(reassembly, datagram, whole)
                                              : REASSEMBLY_HELD;
}

void reassembly_return_whole(struct reassembly *reassembly)
{
    memory_return(reassembly->memory, reassembly->whole);
    reassembly->whole = NULL;
}

struct daytona_instant reassembly_deadline(const struct reassembly *reassembly)
{
    return reassembly->oldest == NULL ? DAYTONA_NEVER : reassembly->oldest->timeout;
}

uint32_t reassembly_expire(struct reassembly *reassembly, struct daytona_instant now)
{
    expire(reassembly, now);
    uint32_t given_up = reassembly->given_up;
    reassembly->given_up = 0;
    return given_up;
}
