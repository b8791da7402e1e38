/* Who pays for which time. */
#include "scripts/blame_flow.h"

#define US_NS          UINT64_C(1000)
#define DELAYED_MIN_NS (UINT64_C(15000) * US_NS) /* an acknowledgment waits 40 ms in Linux, ... */
#define DELAYED_MAX_NS (UINT64_C(60000) * US_NS) /* ... and late timers are part of it */

struct request_told *flow_request(struct flow *flow)
{
    return flow->request == NO_REQUEST ? NULL : &flow->requests->list[flow->request];
}

static void charge_to(struct flow *flow, size_t index, enum cause cause, uint64_t ns)
{
    struct request_told *request = &flow->requests->list[index];
    request->charged[cause] += ns;
    if (cause == CAUSE_ROUND_TRIP || ns <= request->longest_ns)
        return;
    request->longest_ns = ns;
    request->longest_at_ns = flow->last_ns;
    request->longest_cause = cause;
    request->longest_call = flow->pending_call;
}

void flow_charge(struct flow *flow, enum cause cause, uint64_t ns)
{
    if (flow->request != NO_REQUEST && ns > 0)
        charge_to(flow, flow->request, cause, ns);
}

/* ------------------------------------------------------------------ losses */

static enum cause loss_cause(const struct flow *flow)
{
    return flow->loss.segments > 1 ? CAUSE_LOSS_BURST : CAUSE_SINGLE_LOSS;
}

static void charge_loss(struct flow *flow, uint64_t ns)
{
    if (flow->loss.request != flow->request)
        flow->loss.charged_ns = 0;
    flow->loss.request = flow->request;
    flow_charge(flow, loss_cause(flow), ns);
    flow->loss.charged_ns += ns;
}

/* What one cause was charged with is another's. */
static void move(struct flow *flow, enum cause from, enum cause to)
{
    struct request_told *request;
    uint64_t ns = flow->loss.charged_ns;
    if (flow->loss.request >= flow->requests->count)
        return;
    request = &flow->requests->list[flow->loss.request];
    if (ns > request->charged[from])
        ns = request->charged[from];
    request->charged[from] -= ns;
    request->charged[to] += ns;
    if (request->longest_cause == from)
        request->longest_cause = to;
}

void flow_count_lost(struct flow *flow, uint32_t segments)
{
    bool burst = flow->loss.segments > 1;
    if (segments > flow->loss.segments)
        flow->loss.segments = segments;
    if (!burst && flow->loss.segments > 1)
        move(flow, CAUSE_SINGLE_LOSS, CAUSE_LOSS_BURST);
}

void flow_absolve(struct flow *flow)
{
    if (flow->loss.charged_ns > 0)
        move(flow, loss_cause(flow), CAUSE_PATH);
    flow->loss = (struct repair){.request = NO_REQUEST};
}

/* ------------------------------------------------------------------ waiting */

bool flow_only_fin_is_out(const struct flow *flow)
{
    return flow->sent_any && (int32_t)(flow->data_end - flow->una) <= 0 && flow->una != flow->nxt;
}

static enum wait wait_now(const struct flow *flow)
{
    if (flow_only_fin_is_out(flow))
        return WAIT_IDLE;
    switch (flow->limit) {
    case DAYTONA_LIMITED_BY_PEER:
        return WAIT_WINDOW;
    case DAYTONA_LIMITED_BY_CONGESTION:
        return WAIT_CONGESTION;
    case DAYTONA_LIMITED_BY_PACING:
        return WAIT_PACING;
    case DAYTONA_LIMITED_BY_NAGLE:
        return WAIT_NAGLE;
    case DAYTONA_LIMITED_BY_CORK:
        return WAIT_CORK;
    case DAYTONA_LIMITED_BY_BUFFER:
        return WAIT_BUFFER;
    case DAYTONA_LIMITED_BY_UNKNOWN:
    case DAYTONA_LIMITED_BY_APPLICATION:
    case DAYTONA_LIMITED_BY_COUNT:
        break;
    }
    return flow->una != flow->nxt ? WAIT_ACK : WAIT_IDLE;
}

void flow_pass(struct flow *flow, uint64_t now_ns)
{
    uint64_t ns = now_ns > flow->last_ns ? now_ns - flow->last_ns : 0;
    flow->last_ns = now_ns;
    if (flow->request == NO_REQUEST)
        return;
    enum wait wait = wait_now(flow);
    bool reduced = wait == WAIT_CONGESTION && flow->cwnd < flow->loss.cwnd_before;
    if (flow->icmp.active)
        flow_charge(flow, CAUSE_ICMP, ns);
    else if ((flow->loss.active && !flow_only_fin_is_out(flow)) || reduced)
        charge_loss(flow, ns);
    else if (flow->gap)
        flow_charge(flow,
                    flow->gap_bytes > flow->payload_max ? CAUSE_LOSS_BURST : CAUSE_SINGLE_LOSS, ns);
    else if (flow->ours_closed)
        flow_charge(flow, CAUSE_APPLICATION, ns);
    else
        flow->pending_ns[wait] += ns;
}

static uint64_t take(struct flow *flow, enum wait wait)
{
    uint64_t ns = flow->pending_ns[wait];
    flow->pending_ns[wait] = 0;
    return ns;
}

static uint64_t round_trip_ns(const struct flow *flow)
{
    return flow->rtt_min_us == 0 ? UINT64_MAX : flow->rtt_min_us * US_NS;
}

/* Charges a wait for an acknowledgment that could have been over after a round trip: up to there to
 * `within`, the rest to `beyond`. */
static void charge_parts(struct flow *flow, uint64_t ns, enum cause within, enum cause beyond)
{
    uint64_t base = round_trip_ns(flow);
    flow_charge(flow, within, ns < base ? ns : base);
    if (ns > base)
        flow_charge(flow, beyond, ns - base);
}

static bool looks_delayed(const struct flow *flow, uint64_t ns, bool pure_ack)
{
    uint64_t base = round_trip_ns(flow);
    return pure_ack && ns > base && ns - base >= DELAYED_MIN_NS && ns - base <= DELAYED_MAX_NS &&
           flow->nxt - flow->una <= flow->payload_max;
}

void flow_settle(struct flow *flow, bool pure_ack)
{
    uint64_t congestion = take(flow, WAIT_CONGESTION), ack = take(flow, WAIT_ACK);
    bool delayed = looks_delayed(flow, congestion, pure_ack);
    charge_parts(flow, congestion, CAUSE_CONGESTION_WINDOW,
                 delayed ? CAUSE_DELAYED_ACK : CAUSE_PATH);
    /* With nothing more to say, nobody waits for an acknowledgment that waits itself; and an answer
     * that brings it has taken the other end its time. */
    bool harmless = looks_delayed(flow, ack, pure_ack);
    bool answer = !pure_ack && ack < round_trip_ns(flow) + DELAYED_MAX_NS;
    charge_parts(flow, ack, CAUSE_ROUND_TRIP, harmless || answer ? CAUSE_PEER : CAUSE_PATH);
    charge_parts(flow, take(flow, WAIT_BUFFER), CAUSE_SENDER, CAUSE_PATH);
    flow_charge(flow, CAUSE_SENDER, take(flow, WAIT_PACING));
    flow_charge(flow, CAUSE_RECEIVER_WINDOW, take(flow, WAIT_WINDOW));
    flow_charge(flow, CAUSE_NAGLE, take(flow, WAIT_NAGLE));
    flow_charge(flow, CAUSE_APPLICATION, take(flow, WAIT_CORK));
}

/* All of it, but for a round trip when `spare`. */
static uint64_t take_all(struct flow *flow, bool spare)
{
    uint64_t ns = 0, base = round_trip_ns(flow);
    for (unsigned wait = 0; wait < WAIT_COUNT; wait++)
        if (wait != WAIT_IDLE && wait != WAIT_WINDOW)
            ns += take(flow, (enum wait)wait);
    if (!spare || base == UINT64_MAX)
        return ns;
    uint64_t spared = ns < base ? ns : base;
    flow_charge(flow, CAUSE_ROUND_TRIP, spared);
    return ns - spared;
}

void flow_settle_as_loss(struct flow *flow)
{
    charge_loss(flow, take_all(flow, true));
}

void flow_settle_as_icmp(struct flow *flow)
{
    flow_charge(flow, CAUSE_ICMP, take_all(flow, false));
}

void flow_settle_window(struct flow *flow)
{
    flow_charge(flow, CAUSE_RECEIVER_WINDOW, take(flow, WAIT_WINDOW));
}

void flow_settle_idle(struct flow *flow, enum cause cause)
{
    flow_charge(flow, cause, take(flow, WAIT_IDLE));
}

void flow_settle_delayed(struct flow *flow, uint64_t ns)
{
    uint64_t idle = flow->pending_ns[WAIT_IDLE];
    ns = ns < idle ? ns : idle;
    flow->pending_ns[WAIT_IDLE] -= ns;
    flow_charge(flow, CAUSE_DELAYED_ACK, ns);
}

void flow_forget_idle(struct flow *flow)
{
    flow->pending_ns[WAIT_IDLE] = 0;
}
