/* What each event says of the waits before it, and of those that begin with it. */
#include "scripts/blame_flow.h"

#include "stack/wire/bytes.h"

#include <stdlib.h>
#include <string.h>

#define SYN 2u
#define ACK 16u

static bool seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

enum { OPTION_SACK = 5, OPTION_TIMESTAMPS = 8, SACK_BLOCK_BYTES = 8 };

/* ------------------------------------------------------------------ requests */

static void request_begin(struct flow *flow, const struct seen *seen)
{
    struct requests *requests = flow->requests;
    if (requests->count == requests->room) {
        size_t room = requests->room == 0 ? 64 : 2 * requests->room;
        struct request_told *list = realloc(requests->list, room * sizeof *list);
        if (list == NULL)
            return;
        requests->list = list;
        requests->room = room;
    }
    flow->request = requests->count++;
    flow->asked = flow->answered = false;
    requests->list[flow->request] = (struct request_told){
        .first = seen->event,
        .server = flow->server,
        .number = ++flow->request_count,
        .begin_ns = seen->event.at_ns,
        .end_ns = seen->event.at_ns,
    };
}

/* Data in this direction: the next request, or the answer. */
static void data_moves(struct flow *flow, const struct seen *seen, bool out)
{
    bool asks = out != flow->server;
    if (flow->request == NO_REQUEST || (asks && flow->answered)) {
        flow_forget_idle(flow);
        request_begin(flow, seen);
    }
    flow->asked = flow->asked || asks;
    flow->answered = flow->answered || !asks;
    struct request_told *request = flow_request(flow);
    if (request != NULL)
        request->end_ns = seen->event.at_ns;
}

/* ------------------------------------------------------------------ acknowledgments */

/* The ACK answers a segment that was sent before the one sent again: nothing was lost. */
static bool answers_original(const struct flow *flow, const struct seen *seen)
{
    const uint8_t *option = seen_option(seen, OPTION_TIMESTAMPS);
    return flow->again_known && option != NULL && seq_after(flow->again_echo, load_32(option + 4));
}

static void repair_end(struct flow *flow)
{
    flow->loss.active = flow->loss.active && seq_after(flow->loss.point, flow->una);
    flow->icmp.active = flow->icmp.active && seq_after(flow->icmp.point, flow->una);
    if (!seq_after(flow->data_end, flow->una))
        flow->probed = flow->again_known = false;
}

static void acknowledged(struct flow *flow, const struct seen *seen, uint32_t ack)
{
    bool data = seq_after(flow->data_end, flow->una);
    struct request_told *request = flow_request(flow);
    if (flow->probed && !flow->loss.active && !answers_original(flow, seen)) {
        flow->loss = (struct repair){.request = flow->request, .segments = 1};
        flow_settle_as_loss(flow);
    } else {
        flow_settle(flow, seen->payload_bytes == 0);
    }
    flow->probed = false;
    flow->una = ack;
    repair_end(flow);
    if (data && request != NULL)
        request->end_ns = seen->event.at_ns;
}

/* ------------------------------------------------------------------ segments */

static void segment_in(struct flow *flow, const struct seen *seen)
{
    uint32_t ack = (uint32_t)seen->numbers[2], length = seen->payload_bytes;
    uint32_t end = (uint32_t)seen->numbers[0] + length;
    if ((seen->numbers[3] & ACK) != 0 && seq_after(ack, flow->una) && !seq_after(ack, flow->nxt))
        acknowledged(flow, seen, ack);
    if (length == 0)
        return;
    bool fresh = !flow->received_any || seq_after(end, flow->received_to);
    uint64_t now = seen->event.at_ns, echo = now - flow->delayed_at_ns;
    if (fresh && flow->delayed_ns > 0 && flow->rtt_min_us > 0 &&
        echo < UINT64_C(2000) * flow->rtt_min_us + 5000000)
        flow_settle_delayed(flow, flow->delayed_ns);
    flow->delayed_ns = 0;
    bool fills = flow->gap && !fresh;
    /* Before anything was asked, or after the end of an answer, nobody waited for it; nor for a
     * duplicate. */
    if ((fresh || fills) && flow->request != NO_REQUEST && (!flow->server || !flow->answered))
        flow_settle_idle(flow, CAUSE_PEER);
    flow->data_in_ns = now;
    flow->gap = false; /* unless what follows says otherwise */
    flow->payload_max = length > flow->payload_max ? length : flow->payload_max;
    struct request_told *request = flow_request(flow);
    if (fills && request != NULL)
        request->end_ns = now; /* the program can have what came before only now */
    if (!fresh)
        return;
    flow->received_any = true;
    flow->received_to = end;
    data_moves(flow, seen, false);
    request = flow_request(flow);
    if (request != NULL)
        request->segments_in++;
}

static void note_again(struct flow *flow, const struct seen *seen)
{
    const uint8_t *option = seen_option(seen, OPTION_TIMESTAMPS);
    if (!flow->again_next)
        return;
    flow->again_next = false;
    if (flow->again_known || option == NULL)
        return;
    flow->again_known = true;
    flow->again_echo = load_32(option);
}

/* A block beyond what is acknowledged: text is missing. One below tells of a duplicate (RFC 2883),
 * for which nobody waits. */
static bool tells_of_gap(const struct seen *seen)
{
    const uint8_t *option = seen_option(seen, OPTION_SACK);
    if (option == NULL || (seen->numbers[3] & SYN) != 0)
        return false;
    for (unsigned at = 0; at + SACK_BLOCK_BYTES + 2 <= option[-1]; at += SACK_BLOCK_BYTES)
        if (seq_after(load_32(option + at), (uint32_t)seen->numbers[2]))
            return true;
    return false;
}

static void segment_out(struct flow *flow, const struct seen *seen)
{
    uint32_t start = (uint32_t)seen->numbers[0], length = seen->payload_bytes;
    uint32_t count = seen->event.segment_bytes == 0
                         ? 1
                         : (length + seen->event.segment_bytes - 1) / seen->event.segment_bytes;
    note_again(flow, seen);
    if (length == 0) {
        flow->gap = tells_of_gap(seen);
        return;
    }
    uint32_t full = seen->event.segment_bytes == 0 ? length : seen->event.segment_bytes;
    flow->payload_max = full > flow->payload_max ? full : flow->payload_max;
    if (!flow->sent_any || seq_after(start + length, flow->data_end)) {
        flow->sent_any = true;
        flow->data_end = start + length;
        if (flow->request != NO_REQUEST && (flow->server || !flow->answered))
            flow_settle_idle(flow, CAUSE_APPLICATION);
        data_moves(flow, seen, true);
    }
    struct request_told *request = flow_request(flow);
    if (request != NULL)
        request->segments_out += count;
}

/* ------------------------------------------------------------------ losses */

static void loss_begins(struct flow *flow, const struct seen *seen)
{
    if (flow->loss.active)
        return;
    uint32_t cwnd = seen->event.cwnd_bytes;
    flow->loss = (struct repair){.active = true,
                                 .point = seen->event.nxt,
                                 .segments = 1,
                                 .cwnd_before = cwnd,
                                 .request = flow->request};
    flow->resent = 0;
    flow_settle_as_loss(flow);
}

/* What is lost again when it was sent again is no further loss of several together. */
static void lost(struct flow *flow, const struct seen *seen)
{
    struct request_told *request = flow_request(flow);
    uint32_t sequence = (uint32_t)seen->numbers[0], segments = (uint32_t)seen->numbers[2];
    if (!flow->loss.active)
        loss_begins(flow, seen);
    else if (sequence != flow->lost_at)
        segments += flow->loss.segments;
    flow->lost_at = sequence;
    flow_count_lost(flow, segments);
    if (request != NULL)
        request->losses += (uint32_t)seen->numbers[2];
}

static void timed_out(struct flow *flow, const struct seen *seen)
{
    struct request_told *request = flow_request(flow);
    loss_begins(flow, seen);
    if (request != NULL)
        request->timeouts++;
}

/* Nor is the same segment once more, after another timeout. */
static void sent_again(struct flow *flow, const struct seen *seen)
{
    struct request_told *request = flow_request(flow);
    uint32_t sequence = (uint32_t)seen->numbers[0];
    flow->again_next = true;
    if (!flow->loss.active)
        flow->resent = 0;
    else if (flow->resent == 0 || sequence != flow->resent_at)
        flow->resent++;
    flow->resent_at = sequence;
    flow_count_lost(flow, flow->resent);
    if (request != NULL && !flow_only_fin_is_out(flow))
        request->retransmissions++;
}

static void refused(struct flow *flow, const struct seen *seen)
{
    if (seen->reason != NULL && strcmp(seen->reason, "ignored") == 0)
        return;
    flow_settle_as_icmp(flow);
    flow->icmp = (struct repair){.active = true, .point = seen->event.nxt};
}

/* ------------------------------------------------------------------ calls */

static void note_call(struct flow *flow, const struct seen *seen)
{
    bool sends = seen->reason != NULL && strcmp(seen->reason, "send") == 0;
    bool receives = seen->reason != NULL && strcmp(seen->reason, "receive") == 0;
    int64_t result = (int64_t)seen->numbers[1];
    struct request_told *request = flow_request(flow);
    if (result <= 0 || (!sends && !receives))
        return;
    /* What it waited for before a write, or a read of what had come before, it waited for itself.
     */
    if (receives || (flow->request != NO_REQUEST && (!flow->answered || flow->server)))
        flow_settle_idle(flow, CAUSE_APPLICATION);
    if (sends && (request == NULL || (flow->answered && !flow->server))) {
        data_moves(flow, seen, true);
        request = flow_request(flow);
    }
    if (request == NULL)
        return;
    request->first_call = request->first_call == 0 ? seen->event.call : request->first_call;
    request->last_call = seen->event.call;
    request->sends += sends;
    request->receives += receives;
    if (sends)
        request->bytes_sent += (uint64_t)result;
    else
        request->bytes_received += (uint64_t)result;
}

/* ------------------------------------------------------------------ the rest */

static void note_state(struct flow *flow, const struct seen *seen)
{
    if (seen->numbers[1] == DAYTONA_TCP_SYN_RECEIVED && seen->numbers[0] == DAYTONA_TCP_CLOSED)
        flow->server = true;
    if (seen->numbers[1] != DAYTONA_TCP_SYN_SENT)
        return;
    flow->server = false;
    if (flow->request == NO_REQUEST)
        request_begin(flow, seen);
}

/* What comes behind the first segment that is beyond a gap does not make the gap larger. */
static void note_gap(struct flow *flow, const struct seen *seen)
{
    uint32_t expected = (uint32_t)seen->numbers[2];
    if (flow->gap_bytes == 0 || flow->gap_at != expected)
        flow->gap_bytes = (uint32_t)seen->numbers[0] - expected;
    flow->gap_at = expected;
    flow->gap = true;
}

static void note_window(struct flow *flow, const struct seen *seen)
{
    if (seen->numbers[0] == 2)
        flow_settle_window(flow);
    if (seen->numbers[0] >= 3)
        flow->ours_closed = seen->numbers[0] == 3;
}

static void apply(struct flow *flow, const struct seen *seen)
{
    uint64_t rtt_us = seen->numbers[0];
    switch (seen->type) {
    case DAYTONA_EVENT_STATE:
        note_state(flow, seen);
        break;
    case DAYTONA_EVENT_SEGMENT_IN:
        segment_in(flow, seen);
        break;
    case DAYTONA_EVENT_SEGMENT_OUT:
        segment_out(flow, seen);
        break;
    case DAYTONA_EVENT_LOSS:
        lost(flow, seen);
        break;
    case DAYTONA_EVENT_TIMEOUT:
        timed_out(flow, seen);
        break;
    case DAYTONA_EVENT_RETRANSMIT:
        sent_again(flow, seen);
        break;
    case DAYTONA_EVENT_TAIL_PROBE:
        flow->probed = seen->reason != NULL && strcmp(seen->reason, "again") == 0;
        break;
    case DAYTONA_EVENT_UNDO:
        flow_absolve(flow);
        break;
    case DAYTONA_EVENT_DSACK:
        if (flow->loss.segments == 1)
            flow_absolve(flow);
        break;
    case DAYTONA_EVENT_ICMP:
        refused(flow, seen);
        break;
    case DAYTONA_EVENT_LIMITED:
        flow->limit = (enum daytona_limit)seen->numbers[1];
        break;
    case DAYTONA_EVENT_OUT_OF_ORDER:
        note_gap(flow, seen);
        break;
    case DAYTONA_EVENT_ZERO_WINDOW:
        note_window(flow, seen);
        break;
    case DAYTONA_EVENT_RTT_SAMPLE:
        if (flow->rtt_min_us == 0 || rtt_us < flow->rtt_min_us)
            flow->rtt_min_us = (uint32_t)rtt_us;
        break;
    case DAYTONA_EVENT_DELAYED_ACK:
        flow->delayed_at_ns = seen->event.at_ns;
        flow->delayed_ns = seen->event.at_ns - flow->data_in_ns;
        break;
    case DAYTONA_EVENT_CALL:
        note_call(flow, seen);
        break;
    case DAYTONA_EVENT_RECOVERY_ENTER:
    case DAYTONA_EVENT_RECOVERY_EXIT:
    case DAYTONA_EVENT_CWND:
    case DAYTONA_EVENT_SSTHRESH:
    case DAYTONA_EVENT_PROBE:
    case DAYTONA_EVENT_PATH_MTU:
    case DAYTONA_EVENT_MSS:
    case DAYTONA_EVENT_ECN:
    case DAYTONA_EVENT_RESET:
    case DAYTONA_EVENT_LISTEN_OVERFLOW:
    case DAYTONA_EVENT_COOKIE:
    case DAYTONA_EVENT_CHALLENGE_ACK:
    case DAYTONA_EVENT_DROP:
    case DAYTONA_EVENT_REORDER:
    case DAYTONA_EVENT_BAD_CHECKSUM:
    case DAYTONA_EVENT_CONGESTION:
    case DAYTONA_EVENT_CALL_WAITS:
    case DAYTONA_EVENT_COUNT:
        break;
    }
}

static void begin(struct flow *flow, const struct daytona_ring_event *event)
{
    flow->begun = true;
    flow->request = flow->loss.request = flow->icmp.request = NO_REQUEST;
    flow->server = event->local_port < event->remote_port; /* until a state says it */
    flow->last_ns = event->at_ns;
    flow->una = event->una;
    flow->nxt = event->nxt;
    flow->data_end = event->nxt;
}

void flow_event(struct flow *flow, const struct seen *seen)
{
    if (!flow->begun)
        begin(flow, &seen->event);
    flow_pass(flow, seen->event.at_ns);
    flow->pending_call = seen->event.call;
    if (seen->event.nxt != 0) {
        flow->nxt = seen->event.nxt;
        if (seen->type != DAYTONA_EVENT_SEGMENT_IN)
            flow->una = seen->event.una;
    }
    flow->cwnd = seen->event.cwnd_bytes;
    apply(flow, seen);
}
