/*
 * SYN cookies: RFC 4987 section 3.6, laid out as in Linux. When there is no room for a request,
 * our initial sequence number says what is needed to do without:
 *
 *     ISN = hash(tuple) + peer's ISN + (minute << 24) + ((hash(tuple, minute, peer's ISN) + mss)
 * mod 2^24)
 *
 * where `mss` is an index into a table, and the lowest six bits of our timestamp say the rest. The
 * peer gives both back: the ISN in its ACK field, the timestamp in its echo.
 */
#include "stack/base/tuple_hash.h"
#include "stack/tcp/tcp_request.h"

#include <string.h>

#define MINUTE_NS    UINT64_C(60000000000)
#define AGE_MAX      2u                  /* Linux MAX_SYNCOOKIE_AGE, minutes */
#define VALID_US     UINT64_C(120000000) /* Linux TCP_SYNCOOKIE_VALID */
#define VALUE_MASK   0xffffffu           /* of the 24 bits that hold the index */
#define MINUTE_SHIFT 24

/* The lowest bits of the timestamp, as Linux uses them. */
#define BITS       0x3fu
#define BITS_SCALE 0x0fu /* the peer's window scale; all set: it has none */
#define BIT_SACK   0x10u
#define BIT_ECN    0x20u
#define SCALE_NONE 0x0fu

/* What peers on usual links say; the largest that is not larger is taken. */
static const uint16_t mss_table[] = {216, 536, 1200, 1300, 1360, 1440, 1460, 8960};
#define MSS_COUNT (sizeof mss_table / sizeof mss_table[0])

static uint32_t minute_of(struct daytona_instant at)
{
    return (uint32_t)(at.ns / MINUTE_NS);
}

/* Each minute has its own, which nobody reckons from another's. So has each first number of the
 * peer: where both streams have grown alike, as an echo's do, the difference of our numbers and the
 * peer's is still that of the handshake, and an old segment must not pass for its last one. */
static uint32_t minute_hash(const struct tcp *tcp, const struct demux_entry *tuple, uint32_t minute,
                            struct seq irs)
{
    uint64_t words[2] = {
        tuple_hash(tcp->config.secret, TUPLE_FOR_COOKIE_VALUE, &tuple->local, &tuple->remote),
        (uint64_t)irs.value << 32 | minute,
    };
    return (uint32_t)siphash(tcp->config.secret, words, sizeof words);
}

static uint32_t base_of(const struct tcp *tcp, const struct demux_entry *tuple, struct seq irs)
{
    uint64_t hash = tuple_hash(tcp->config.secret, TUPLE_FOR_COOKIE, &tuple->local, &tuple->remote);
    return (uint32_t)hash + irs.value;
}

static uint32_t mss_index(uint16_t mss)
{
    uint32_t index = MSS_COUNT - 1;
    while (index > 0 && mss_table[index] > mss)
        index--;
    return index;
}

static struct seq cookie_make(const struct tcp *tcp, const struct demux_entry *tuple,
                              const struct handshake *handshake)
{
    uint32_t minute = minute_of(tcp->now);
    uint32_t value =
        minute_hash(tcp, tuple, minute, handshake->irs) + mss_index(handshake->peer_mss);
    return (struct seq){base_of(tcp, tuple, handshake->irs) + (minute << MINUTE_SHIFT) +
                        (value & VALUE_MASK)};
}

/* The index in the table, or MSS_COUNT: no cookie of ours, or an old one. */
static uint32_t cookie_open(const struct tcp *tcp, const struct demux_entry *tuple, struct seq iss,
                            struct seq irs)
{
    uint32_t minute = minute_of(tcp->now);
    uint32_t rest = iss.value - base_of(tcp, tuple, irs);
    uint32_t age = (minute - (rest >> MINUTE_SHIFT)) & 0xff;
    if (age >= AGE_MAX)
        return MSS_COUNT;
    uint32_t index = (rest - minute_hash(tcp, tuple, minute - age, irs)) & VALUE_MASK;
    return index < MSS_COUNT ? index : MSS_COUNT;
}

/* Now, or the latest time before it that ends in these bits: no later segment of the connection
 * may have an earlier timestamp. The bits are those of the time before its offset is added. */
static uint32_t timestamp_make(const struct tcp *tcp, const struct handshake *handshake)
{
    uint32_t bits = handshake->scaling ? handshake->peer_scale & BITS_SCALE : SCALE_NONE;
    if (handshake->sack)
        bits |= BIT_SACK;
    if (handshake->ecn == DAYTONA_ECN_MODE_CLASSIC)
        bits |= BIT_ECN;
    uint32_t now = tcp_timestamp(tcp, 0), made = (now & ~BITS) | bits;
    if (made > now)
        made -= BITS + 1;
    return made + handshake->timestamp_offset;
}

static void timestamp_open(const struct socket *listener, uint32_t echo, struct handshake *out)
{
    uint32_t bits = (echo - out->timestamp_offset) & BITS;
    out->sack = (bits & BIT_SACK) != 0;
    out->scaling = (bits & BITS_SCALE) != SCALE_NONE;
    out->peer_scale = out->scaling ? bits & BITS_SCALE : 0;
    out->scale = out->scaling ? tcp_scale_for(listener) : 0;
    if ((bits & BIT_ECN) != 0 && out->ecn == DAYTONA_ECN_MODE_NONE)
        out->ecn = DAYTONA_ECN_MODE_CLASSIC;
}

enum daytona_verdict tcp_cookie_send(struct socket *listener, const struct demux_entry *tuple,
                                     struct handshake *handshake)
{
    struct tcp *tcp = listener->tcp;
    if (!handshake->timestamps)
        handshake->sack = handshake->scaling = false; /* there is no place to remember them */
    if (!handshake->timestamps && handshake->ecn == DAYTONA_ECN_MODE_CLASSIC)
        handshake->ecn = DAYTONA_ECN_MODE_NONE;
    handshake->iss = cookie_make(tcp, tuple, handshake);
    const struct reply reply = {
        .local = tuple->local,
        .remote = tuple->remote,
        .header = handshake_syn_ack(handshake, tuple, timestamp_make(tcp, handshake)),
        .type_of_service = (uint8_t)listener->options[DAYTONA_OPTION_TYPE_OF_SERVICE],
        .time_to_live = (uint8_t)listener->options[DAYTONA_OPTION_TIME_TO_LIVE],
    };
    if (!tcp_reply(tcp, &reply))
        return DAYTONA_VERDICT_NO_MEMORY;
    listener->listener.cookie_at = tcp->now;
    tcp->counters.cookies_sent++;
    observe(tcp, listener, DAYTONA_EVENT_COOKIE, 1, handshake->peer_mss, "sent");
    return DAYTONA_VERDICT_ACCEPTED;
}

/* Without a flood a guess of 32 bits is not even looked at. */
static bool cookies_are_out(const struct socket *listener)
{
    struct daytona_instant at = listener->listener.cookie_at;
    return at.ns != 0 && daytona_instant_since_us(listener->tcp->now, at) < VALID_US;
}

bool tcp_cookie_read(struct socket *listener, const struct demux_entry *tuple,
                     const struct segment *segment, struct handshake *out)
{
    struct tcp *tcp = listener->tcp;
    const struct tcp_header *header = &segment->header;
    if (!cookies_are_out(listener))
        return false;
    struct seq iss = seq_add(header->ack, UINT32_MAX), irs = seq_add(header->seq, UINT32_MAX);
    uint32_t index = cookie_open(tcp, tuple, iss, irs);
    bool good = index < MSS_COUNT;
    tcp->counters.cookies_accepted += good;
    tcp->counters.cookies_refused += !good;
    observe(tcp, listener, DAYTONA_EVENT_COOKIE, good ? 2 : 3, good ? mss_table[index] : 0,
            good ? "accepted" : "refused");
    if (!good)
        return false;
    const struct segment syn = {
        .header = {.seq = irs,
                   .window = header->window,
                   .flags = TCP_SYN,
                   .mss = mss_table[index],
                   .has_timestamps = header->has_timestamps,
                   .timestamp_value = header->timestamp_value},
    };
    handshake_agree(out, listener, tuple, &syn, &iss, (uint16_t)tcp_path_mtu_ask(tcp, tuple));
    out->ecn = (uint8_t)tcp_accecn_recognise(listener, header);
    if (header->has_timestamps)
        timestamp_open(listener, header->timestamp_echo, out);
    return true;
}
