/*
 * Accurate ECN, RFC 9768: a counter of marked packets, of which each segment tells the lowest three
 * bits in AE, CWR and ECE, and counters of bytes in an option. Nothing waits for an answer, so
 * neither ECE nor CWR mean what they mean in RFC 3168.
 */
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_parts.h"

#define PACKETS_AT_FIRST 5u /* section 3.2.1: so that a counter set to zero on its way is seen */
#define ACE_MODULUS      8u
#define ACE_CWR          2u /* of which the flag CWR is this bit */
#define COUNTER_MASK     0xffffffu
#define COUNTER_HALF     0x800000u
#define ALL_FIELDS       (1u << TCP_ACCECN_E0B | 1u << TCP_ACCECN_CEB | 1u << TCP_ACCECN_E1B)
#define OPTION_BYTES     12u /* three counters and a NOP */

/* Section 3.2.2.5.1: marks after which an ACK goes out at once; more when they came on ACKs, or two
 * ends could go on acknowledging each other's. */
#define MARKS_OF_DATA 2u
#define MARKS_OF_ACKS 3u

/* How the opening is read: what the next feedback means. */
enum { OPENING_OVER, OPENING_REFLECTION, OPENING_COUNTER };

unsigned tcp_accecn_reflection(enum ip_ecn ecn)
{
    static const uint8_t reflections[] = {
        [IP_ECN_NOT_ECT] = 2, [IP_ECN_ECT_1] = 3, [IP_ECN_ECT_0] = 4, [IP_ECN_CE] = 6};
    return reflections[ecn];
}

void tcp_accecn_start(struct connection *connection, bool asked)
{
    struct ecn *ecn = &connection->ecn;
    ecn->opening = asked ? OPENING_COUNTER : OPENING_REFLECTION;
    ecn->bytes_in[TCP_ACCECN_E0B] = ecn->bytes_out[TCP_ACCECN_E0B] = 1;
    ecn->bytes_in[TCP_ACCECN_E1B] = ecn->bytes_out[TCP_ACCECN_E1B] = 1;
    ecn->option_due = 1;
}

void tcp_accecn_begin_option(struct tcp_header *syn_ack)
{
    syn_ack->accecn = (struct tcp_accecn){.present = true,
                                          .fields = ALL_FIELDS,
                                          .counters = {[TCP_ACCECN_E0B] = 1, [TCP_ACCECN_E1B] = 1}};
}

/* ------------------------------------------------------------------ the receiver */

static void count_bytes(struct ecn *ecn, const struct segment *segment)
{
    static const uint8_t fields[] = {[IP_ECN_ECT_0] = TCP_ACCECN_E0B,
                                     [IP_ECN_CE] = TCP_ACCECN_CEB,
                                     [IP_ECN_ECT_1] = TCP_ACCECN_E1B};
    if (segment->ecn == IP_ECN_NOT_ECT || segment->payload.length == 0)
        return;
    ecn->bytes_in[fields[segment->ecn]] += (uint32_t)segment->payload.length;
    if (ecn->option_due == 0)
        ecn->option_due = 1;
}

void tcp_accecn_arrived(struct connection *connection, const struct segment *segment)
{
    struct ecn *ecn = &connection->ecn;
    bool data = segment->payload.length > 0;
    count_bytes(ecn, segment);
    if (segment->ecn != IP_ECN_CE)
        return;
    uint32_t marks = ecn->unreported + tcp_segments_in(connection, segment);
    ecn->unreported = (uint8_t)(marks < UINT8_MAX ? marks : UINT8_MAX);
    ecn->option_due = 2; /* one of two will arrive */
    bool change = data && ecn->last_ecn != IP_ECN_CE;
    if (change || marks >= (data ? MARKS_OF_DATA : MARKS_OF_ACKS))
        tcp_ack_now(connection);
}

static void write_option(struct ecn *ecn, struct tcp_header *header)
{
    header->accecn.present = true;
    header->accecn.fields = ALL_FIELDS;
    for (unsigned i = 0; i < TCP_ACCECN_FIELDS; i++)
        header->accecn.counters[i] = ecn->bytes_in[i] & COUNTER_MASK;
    if (ecn->option_due > 0)
        ecn->option_due--;
}

static unsigned counter_out(const struct ecn *ecn)
{
    return ecn->ce_in + PACKETS_AT_FIRST;
}

bool tcp_accecn_has_cwr(const struct ecn *ecn)
{
    return (counter_out(ecn) & ACE_CWR) != 0;
}

void tcp_accecn_write(struct connection *connection, const struct outgoing *what,
                      uint32_t option_room, struct tcp_header *header)
{
    struct ecn *ecn = &connection->ecn;
    bool syn = (header->flags & TCP_SYN) != 0;
    bool bare = what->length == 0 && header->sack_count == 0 && (header->flags & TCP_FIN) == 0;
    if (ecn->reflect && bare && !syn) {
        tcp_accecn_ace_set(header, tcp_accecn_reflection((enum ip_ecn)ecn->syn_ecn));
        ecn->reflect = false;
    } else if (!syn) {
        tcp_accecn_ace_set(header, counter_out(ecn));
        ecn->unreported = 0;
    }
    /* Section 3.2.3.2.1: a SYN-ACK that was lost with the option is sent again without. */
    if (syn ? connection->send.syn_tries == 0 : ecn->option_due > 0 && option_room >= OPTION_BYTES)
        write_option(ecn, header);
}

/* ------------------------------------------------------------------ the sender */

/* Section 3.2.3.2.4: two counters begin at one; zero has been written by the path. */
static bool counters_plausible(const struct tcp_accecn *option)
{
    bool e0b = (option->fields & 1u << TCP_ACCECN_E0B) != 0;
    bool e1b = (option->fields & 1u << TCP_ACCECN_E1B) != 0;
    return !(e0b && option->counters[TCP_ACCECN_E0B] == 0) &&
           !(e1b && option->counters[TCP_ACCECN_E1B] == 0);
}

/* Takes the counters; returns by how many bytes that of marks has grown. One that goes back is an
 * older report. */
static uint32_t take_counters(struct ecn *ecn, const struct tcp_accecn *option)
{
    uint32_t marked = 0;
    for (unsigned i = 0; i < TCP_ACCECN_FIELDS; i++) {
        uint32_t grown = (option->counters[i] - ecn->bytes_out[i]) & COUNTER_MASK;
        if ((option->fields & 1u << i) == 0 || grown >= COUNTER_HALF)
            continue;
        ecn->bytes_out[i] += grown;
        if (i == TCP_ACCECN_CEB)
            marked = grown;
    }
    return marked;
}

/* The first feedback of a peer that answers our SYN-ACK, section 3.2.2.1: what became of that,
 * which was not ECN-capable; section 3.2.2.3: a path that changed it will change more. */
static void take_reflection(struct ecn *ecn, unsigned ace)
{
    ecn->ce_out = ace == tcp_accecn_reflection(IP_ECN_CE);
    ecn->incapable = ace == 0 || ace == tcp_accecn_reflection(IP_ECN_CE) ||
                     ace == tcp_accecn_reflection(IP_ECN_ECT_0) ||
                     ace == tcp_accecn_reflection(IP_ECN_ECT_1);
}

/* True when the feedback was about the opening alone. */
static bool opening_feedback(struct ecn *ecn, const struct segment *segment, unsigned ace)
{
    uint8_t opening = ecn->opening;
    ecn->opening = OPENING_OVER;
    if (opening == OPENING_REFLECTION && segment->payload.length == 0 &&
        segment->header.sack_count == 0) {
        take_reflection(ecn, ace);
        return true;
    }
    /* Section 3.2.2.4: a first counter of zero has been written by the path. */
    if (opening != OPENING_OVER && ace == 0)
        ecn->incapable = true;
    return ecn->incapable;
}

/* Section 3.2.2.5.2: `delta` more marks than before, or 8, 16 ... more than that. The bytes tell;
 * who has none assumes the worst, except that a whole turn of the counter is taken for none: one
 * ACK for more than seven packets is most often one of a receiver that merges packets, and a mark
 * among them would have been told by an ACK of its own. */
static uint32_t packets_marked(uint32_t delta, uint32_t acked, bool bytes_known,
                               uint32_t marked_at_least)
{
    if (!bytes_known)
        return delta != 0 && acked > delta ? acked - (acked - delta) % ACE_MODULUS : delta;
    while (delta < marked_at_least && delta + ACE_MODULUS <= acked)
        delta += ACE_MODULUS;
    return delta;
}

/* Another segment that was sent later has come before (appendix A.1, by the timestamps): its
 * counter was newer, and this one would seem to have gone round. So would that of an ACK that
 * acknowledges nothing new. */
static bool is_superseded(const struct connection *connection, const struct segment *segment,
                          uint32_t newly)
{
    const struct tcp_header *header = &segment->header;
    int32_t ahead = (int32_t)(header->timestamp_value - connection->receive.timestamp_recent);
    return newly == 0 || (connection->timestamps && header->has_timestamps && ahead < 0);
}

uint32_t tcp_accecn_feedback(struct connection *connection, const struct segment *segment,
                             uint32_t newly)
{
    struct ecn *ecn = &connection->ecn;
    const struct tcp_accecn *option = &segment->header.accecn;
    unsigned ace = tcp_accecn_ace(&segment->header);
    uint32_t marked_bytes = 0;
    if (option->present && !ecn->seen_option) {
        ecn->seen_option = true;
        ecn->no_option = !counters_plausible(option);
    }
    bool counted =
        option->present && !ecn->no_option && (option->fields & 1u << TCP_ACCECN_CEB) != 0;
    if (counted)
        marked_bytes = take_counters(ecn, option);
    if (ecn->opening != OPENING_OVER && opening_feedback(ecn, segment, ace))
        return 0;
    if (is_superseded(connection, segment, newly))
        return 0;
    uint32_t delta = (ace - ecn->ce_out - PACKETS_AT_FIRST) % ACE_MODULUS;
    uint32_t packets = packets_marked(delta, tcp_segments_of(connection, newly), counted,
                                      tcp_segments_of(connection, marked_bytes));
    ecn->ce_out += packets;
    ecn->reported = counted ? marked_bytes : packets * connection->send.mss;
    return packets;
}
