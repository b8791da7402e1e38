/* Explicit congestion notification, RFC 3168; and the echo of RFC 8257 for controllers that count
 * marks. */
#include "stack/tcp/tcp_ecn.h"

#include "stack/tcp/tcp_loss.h"

#include <errno.h>
#include <string.h>

/* What each value of option ECN takes from a peer that asks, and asks for itself: the numbers of
 * Linux's net.ipv4.tcp_ecn. */
static const struct policy {
    const char *name;
    uint8_t accepts, asks; /* enum daytona_ecn_mode */
} policies[] = {
    [DAYTONA_ECN_OFF] = {"off", DAYTONA_ECN_MODE_NONE, DAYTONA_ECN_MODE_NONE},
    [DAYTONA_ECN_ON] = {"on", DAYTONA_ECN_MODE_CLASSIC, DAYTONA_ECN_MODE_CLASSIC},
    [DAYTONA_ECN_PASSIVE] = {"passive", DAYTONA_ECN_MODE_CLASSIC, DAYTONA_ECN_MODE_NONE},
    [DAYTONA_ECN_ACCURATE] = {"accurate", DAYTONA_ECN_MODE_ACCURATE, DAYTONA_ECN_MODE_ACCURATE},
    [DAYTONA_ECN_MIXED] = {"mixed", DAYTONA_ECN_MODE_ACCURATE, DAYTONA_ECN_MODE_CLASSIC},
    [DAYTONA_ECN_ACCURATE_PASSIVE] = {"accurate-in", DAYTONA_ECN_MODE_ACCURATE,
                                      DAYTONA_ECN_MODE_NONE},
};
#define POLICY_COUNT (sizeof policies / sizeof policies[0])

const char *daytona_stack_ecn_name(size_t index)
{
    return index < POLICY_COUNT ? policies[index].name : NULL;
}

int tcp_ecn_policy(const char *name)
{
    for (size_t i = 0; i < POLICY_COUNT; i++)
        if (strcmp(name, policies[i].name) == 0)
            return (int)i;
    return -EINVAL;
}

static const struct policy *policy_of(const struct socket *socket)
{
    return &policies[socket->options[DAYTONA_OPTION_ECN]];
}

/* ------------------------------------------------------------------ the opening */

static void agreed(struct connection *connection, enum daytona_ecn_mode mode, enum ip_ecn syn_ecn,
                   bool asked)
{
    struct ecn *ecn = &connection->ecn;
    ecn->mode = (uint8_t)mode;
    ecn->syn_ecn = (uint8_t)syn_ecn;
    ecn->fresh_from = connection->send.nxt;
    if (mode == DAYTONA_ECN_MODE_ACCURATE)
        tcp_accecn_start(connection, asked);
    if (mode != DAYTONA_ECN_MODE_NONE)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_ECN, 1, mode, "agreed");
}

void tcp_ecn_offer(struct connection *connection)
{
    const struct socket *socket = connection->socket;
    const struct policy *policy = policy_of(socket);
    uint8_t asks = policy->asks;
    if (asks == DAYTONA_ECN_MODE_NONE && socket->congestion->needs_ecn)
        asks = policy->accepts;
    connection->ecn.asked = asks;
}

enum daytona_ecn_mode tcp_ecn_judge(const struct socket *socket, const struct segment *syn)
{
    unsigned ace = tcp_accecn_ace(&syn->header), classic = 3;
    uint8_t accepts = policy_of(socket)->accepts;
    if (accepts == DAYTONA_ECN_MODE_NONE || ace == 0)
        return DAYTONA_ECN_MODE_NONE;
    /* RFC 9768 section 3.1.3: a request of any kind that is not known is one for this kind. */
    if (accepts == DAYTONA_ECN_MODE_ACCURATE && ace != classic)
        return DAYTONA_ECN_MODE_ACCURATE;
    if ((ace & classic) != classic)
        return DAYTONA_ECN_MODE_NONE;
    /* RFC 3168 section 6.1.1: no SYN may be ECN-capable; one that is was mangled on its way, as
     * all others will be. A SYN with AE may (RFC 8311 section 4.3). */
    bool mangled = syn->ecn != IP_ECN_NOT_ECT && !syn->header.ae;
    return mangled ? DAYTONA_ECN_MODE_NONE : DAYTONA_ECN_MODE_CLASSIC;
}

enum daytona_ecn_mode tcp_accecn_recognise(const struct socket *listener,
                                           const struct tcp_header *header)
{
    bool agreed =
        policy_of(listener)->accepts == DAYTONA_ECN_MODE_ACCURATE && tcp_accecn_ace(header) > 1;
    return agreed ? DAYTONA_ECN_MODE_ACCURATE : DAYTONA_ECN_MODE_NONE;
}

void tcp_ecn_adopt(struct connection *connection, enum daytona_ecn_mode mode, enum ip_ecn syn_ecn)
{
    agreed(connection, mode, syn_ecn, false);
}

void tcp_ecn_syn_ack(enum daytona_ecn_mode mode, enum ip_ecn syn_ecn, struct tcp_header *header)
{
    switch (mode) {
    case DAYTONA_ECN_MODE_NONE:
        break;
    case DAYTONA_ECN_MODE_CLASSIC:
        header->flags |= TCP_ECE;
        break;
    case DAYTONA_ECN_MODE_ACCURATE:
        tcp_accecn_ace_set(header, tcp_accecn_reflection(syn_ecn));
        break;
    }
}

void tcp_ecn_answered(struct connection *connection, const struct segment *syn_ack)
{
    struct ecn *ecn = &connection->ecn;
    unsigned ace = tcp_accecn_ace(&syn_ack->header);
    enum daytona_ecn_mode mode = DAYTONA_ECN_MODE_NONE;
    if (ecn->asked == DAYTONA_ECN_MODE_CLASSIC) {
        if ((ace & 3u) == 1u)
            mode = DAYTONA_ECN_MODE_CLASSIC;
    } else if (ecn->asked == DAYTONA_ECN_MODE_ACCURATE) {
        /* RFC 9768 table 2: 0 and 7 are no ECN and a broken reflection of our flags. */
        if (ace == 1)
            mode = DAYTONA_ECN_MODE_CLASSIC;
        else if (ace != 0 && ace != 7)
            mode = DAYTONA_ECN_MODE_ACCURATE;
    }
    agreed(connection, mode, syn_ack->ecn, true);
    if (mode != DAYTONA_ECN_MODE_ACCURATE)
        return;
    ecn->reflect = true;
    ecn->ce_in = syn_ack->ecn == IP_ECN_CE;
    /* Section 3.1.3: 5 is to be read as if the SYN had arrived as it was sent. Section 3.2.2.3:
     * it was not ECN-capable; if it arrived as something else, the path writes into the field. */
    ecn->incapable = ace != 5 && ace != tcp_accecn_reflection(IP_ECN_NOT_ECT);
}

void tcp_ecn_asked_again(struct connection *connection, const struct segment *syn)
{
    /* RFC 3168 section 6.1.1.1: its first SYN was not answered in time, and it asks for less. */
    if (tcp_accecn_ace(&syn->header) == 0)
        connection->ecn.mode = DAYTONA_ECN_MODE_NONE;
}

/* RFC 3168 section 6.1.1.1: a SYN that got no answer may have been dropped because of its flags.
 * The accurate kind is asked for twice (RFC 9768 section 3.1.4.1). A host that has sent a SYN
 * without them may not send ECN-capable packets. */
static void write_syn(struct connection *connection, struct tcp_header *header)
{
    struct ecn *ecn = &connection->ecn;
    unsigned tries = connection->send.syn_tries;
    if (tries > (ecn->asked == DAYTONA_ECN_MODE_ACCURATE ? 1u : 0u))
        ecn->asked = DAYTONA_ECN_MODE_NONE;
    if (ecn->asked == DAYTONA_ECN_MODE_CLASSIC)
        tcp_accecn_ace_set(header, 3);
    else if (ecn->asked == DAYTONA_ECN_MODE_ACCURATE)
        tcp_accecn_ace_set(header, 7);
}

/* ------------------------------------------------------------------ the receiver */

/* The controller counts marks: each ACK says of the bytes that it acknowledges whether they were
 * marked, so one goes out before that changes (RFC 8257 section 3.2). */
static void echo_each(struct connection *connection, bool marked)
{
    struct ecn *ecn = &connection->ecn;
    struct receiver *receive = &connection->receive;
    if (marked == ecn->echo)
        return;
    if (receive->nxt > receive->acked)
        tcp_ack_before(connection);
    ecn->echo = marked;
    tcp_ack_now(connection);
}

/* RFC 3168 section 6.1.3: ECE from a mark on until the sender says that it has reduced its window.
 */
static void echo_until_answered(struct connection *connection, const struct segment *segment)
{
    struct ecn *ecn = &connection->ecn;
    if ((segment->flags & TCP_CWR) != 0) {
        ecn->echo = false;
        tcp_ack_now(connection); /* its window may be down to one segment */
    }
    if (segment->ecn == IP_ECN_CE && !ecn->echo) {
        ecn->echo = true;
        tcp_ack_now(connection);
    }
}

bool tcp_step_ecn(struct connection *connection, struct segment *segment,
                  enum daytona_verdict *verdict)
{
    struct ecn *ecn = &connection->ecn;
    *verdict = DAYTONA_VERDICT_ACCEPTED; /* marks are no reason to refuse a segment */
    bool data = segment->payload.length > 0;
    if (ecn->mode == DAYTONA_ECN_MODE_NONE)
        return true;
    if (segment->ecn == IP_ECN_CE && (data || ecn->mode == DAYTONA_ECN_MODE_ACCURATE)) {
        ecn->ce_in += tcp_segments_in(connection, segment);
        connection->tcp->counters.ce_received++;
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_ECN, 2, ecn->ce_in, "marked");
    }
    if (ecn->mode == DAYTONA_ECN_MODE_ACCURATE)
        tcp_accecn_arrived(connection, segment);
    else if (data && connection->socket->congestion->needs_ecn)
        echo_each(connection, segment->ecn == IP_ECN_CE);
    else if (data)
        echo_until_answered(connection, segment);
    if (data) {
        ecn->last_ecn = (uint8_t)segment->ecn;
        ecn->seen = ecn->seen || segment->ecn != IP_ECN_NOT_ECT;
    }
    return true;
}

/* RFC 3168 section 6.1.2 and 6.1.5: only what is sent for the first time. */
static bool is_new_data(struct ecn *ecn, const struct outgoing *what)
{
    if (what->length == 0 || what->seq < ecn->fresh_from)
        return false;
    ecn->fresh_from = what->seq + what->length;
    return true;
}

enum ip_ecn tcp_ecn_write(struct connection *connection, const struct outgoing *what,
                          uint32_t option_room, struct tcp_header *header)
{
    struct ecn *ecn = &connection->ecn;
    if ((header->flags & TCP_SYN) != 0 && (header->flags & TCP_ACK) == 0) {
        write_syn(connection, header);
        return IP_ECN_NOT_ECT;
    }
    if (ecn->mode == DAYTONA_ECN_MODE_NONE)
        return IP_ECN_NOT_ECT;
    if ((header->flags & TCP_SYN) != 0)
        tcp_ecn_syn_ack((enum daytona_ecn_mode)ecn->mode, (enum ip_ecn)ecn->syn_ecn, header);
    else if (ecn->mode == DAYTONA_ECN_MODE_CLASSIC && ecn->echo) {
        header->flags |= TCP_ECE;
        trouble_count(connection, TROUBLE_ECE_SENT);
    }
    if (ecn->mode == DAYTONA_ECN_MODE_ACCURATE)
        tcp_accecn_write(connection, what, option_room, header);
    if (!is_new_data(ecn, what) || ecn->incapable)
        return IP_ECN_NOT_ECT;
    if (ecn->cwr_due)
        header->flags |= TCP_CWR;
    ecn->cwr_due = false;
    return IP_ECN_ECT_0;
}

bool tcp_ecn_reflects(const struct connection *connection)
{
    return connection->ecn.reflect && connection->receive.acks_owed > 0;
}

bool tcp_ecn_writes_cwr(const struct connection *connection)
{
    const struct ecn *ecn = &connection->ecn;
    return ecn->mode == DAYTONA_ECN_MODE_ACCURATE ? tcp_accecn_has_cwr(ecn) : ecn->cwr_due;
}

/* ------------------------------------------------------------------ the sender */

bool tcp_ecn_feedback(struct connection *connection, const struct segment *segment,
                      uint32_t delivered)
{
    struct ecn *ecn = &connection->ecn;
    ecn->echoed = false;
    ecn->reported = 0;
    if (ecn->mode == DAYTONA_ECN_MODE_NONE || segment->ack < connection->send.una)
        return false;
    if (ecn->mode == DAYTONA_ECN_MODE_ACCURATE) {
        ecn->echoed = tcp_accecn_feedback(connection, segment, delivered) > 0;
    } else if ((segment->header.flags & (TCP_ECE | TCP_SYN)) == TCP_ECE) {
        ecn->echoed = true;
        ecn->ce_out += tcp_segments_of(connection, delivered);
    }
    ecn->ece_in += ecn->echoed;
    /* Marks of packets that were sent before the last reduction are answered by it. */
    return ecn->echoed && !ecn->incapable && segment->ack > ecn->reduced_to;
}

/* "If the congestion window consists of only one MSS ... the sending TCP MUST reset the retransmit
 * timer on receiving the ECN-Echo packet", and sends again when that expires. While data are in
 * flight their own timer sees to it. */
static void pause_at_one_segment(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->nxt != send->una)
        return;
    connection->ecn.paused = true;
    send->timer.kind = TIMER_MARKED;
    timer_set(&connection->tcp->timers, &send->timer,
              daytona_instant_after_us(connection->tcp->now, send->rto_us));
}

void tcp_ecn_pause_fired(struct connection *connection)
{
    connection->ecn.paused = false;
    tcp_output_want(connection);
}

static void reduced(struct connection *connection)
{
    struct ecn *ecn = &connection->ecn;
    ecn->reduced_to = connection->send.nxt;
    ecn->cwr_due = ecn->mode == DAYTONA_ECN_MODE_CLASSIC;
}

bool tcp_ecn_tells_controller(const struct connection *connection)
{
    const struct daytona_congestion *table = connection->socket->congestion;
    return table->models_path || table->needs_ecn;
}

void tcp_ecn_reduce(struct connection *connection, uint32_t flight, uint32_t cwnd)
{
    struct tcp *tcp = connection->tcp;
    if (connection->send.recovery != RECOVERY_NONE)
        return; /* which has reduced it */
    if (!tcp_ecn_tells_controller(connection))
        connection->controls.cwnd_bytes = cwnd; /* this ACK bought nothing */
    flight = tcp_validation_congested(connection, flight);
    struct daytona_congestion_sample sample = tcp_congestion_sample(connection, 0, flight, 0);
    tcp_congestion_call(connection, CONGESTION_MARKED, &sample);
    tcp_validation_reduced(connection);
    if (connection->controls.cwnd_bytes > cwnd) /* two segments are a controller's least */
        connection->controls.cwnd_bytes = cwnd;
    reduced(connection);
    connection->ecn.holding = true;
    tcp->counters.ecn_reductions++;
    observe(tcp, connection->socket, DAYTONA_EVENT_ECN, 3, connection->ecn.ce_out, "reduced");
    if (cwnd <= connection->send.mss)
        pause_at_one_segment(connection);
}

bool tcp_ecn_loss(struct connection *connection)
{
    bool answered = connection->ecn.holding;
    connection->ecn.holding = false;
    if (connection->ecn.mode != DAYTONA_ECN_MODE_NONE)
        reduced(connection);
    return !answered;
}

void tcp_ecn_advance(struct connection *connection)
{
    struct ecn *ecn = &connection->ecn;
    if (!ecn->holding || connection->send.una <= ecn->reduced_to)
        return;
    ecn->holding = false;
    struct daytona_congestion_sample sample =
        tcp_congestion_sample(connection, 0, tcp_pipe(connection), 0);
    tcp_congestion_call(connection, CONGESTION_RECOVERED, &sample);
    tcp_validation_recovered(connection, false);
}

uint32_t tcp_ecn_marked(const struct connection *connection, uint32_t acked_bytes)
{
    const struct ecn *ecn = &connection->ecn;
    if (!ecn->echoed)
        return 0;
    if (ecn->mode == DAYTONA_ECN_MODE_CLASSIC)
        return acked_bytes;
    return ecn->reported < acked_bytes ? ecn->reported : acked_bytes;
}
