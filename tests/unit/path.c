#include "tests/unit/path.h"

#define NEVER      UINT64_MAX
#define TIMEOUT_NS UINT64_C(1000000000)

static struct path_segment *segment_at(struct path *path, uint64_t number)
{
    return &path->segments[number % PATH_SEGMENTS];
}

static uint64_t now_ns(const struct path *path)
{
    return path->flight.sample.now.ns;
}

/* A linear congruential generator (D. Knuth's MMIX constants cut to 32 bits would do as well). */
static bool happens(struct path *path, uint32_t ppm)
{
    path->random = path->random * 1664525u + 1013904223u;
    return (path->random >> 8) % 1000000 < ppm;
}

struct path *path_begin(const struct daytona_congestion *controller, struct path_line line)
{
    struct path *path = calloc(1, sizeof *path);
    assert_non_null(path);
    path->line = line;
    path->random = 1;
    path->flight = (struct flight){
        .controller = controller,
        .controls = {.cwnd_bytes = 10 * MSS, .ssthresh_bytes = UINT32_MAX},
        .sample = {.now = {7000000000},
                   .mss = MSS,
                   .srtt_us = line.rtt_us,
                   .rtt_min_us = line.rtt_us,
                   .cwnd_limited = true},
    };
    path->delivered_ns = path->first_sent_ns = path->last_sent_ns = now_ns(path);
    controller->init(&path->flight.state, &path->flight.controls, &path->flight.sample);
    return path;
}

static void send_segment(struct path *path)
{
    struct path_segment *segment = segment_at(path, path->nxt++);
    uint64_t now = now_ns(path), half_ns = (uint64_t)path->line.rtt_us * 500;
    uint64_t arrives = now + half_ns, starts = path->free_ns > arrives ? path->free_ns : arrives;
    uint64_t wait_ns = starts - arrives;
    uint64_t queued = wait_ns / 1000 * path->line.bytes_per_second / 1000000;
    if (path->in_flight == 0)
        path->delivered_ns = path->first_sent_ns = now;
    path->in_flight += MSS;
    path->last_sent_ns = now;
    *segment = (struct path_segment){.sent_ns = now,
                                     .delivered = path->delivered,
                                     .delivered_ns = path->delivered_ns,
                                     .first_sent_ns = path->first_sent_ns,
                                     .lost = path->lost,
                                     .in_flight = path->in_flight};
    uint64_t rate = path->flight.controls.pacing_bytes_per_second;
    uint64_t from = path->next_send_ns > now ? path->next_send_ns : now;
    path->next_send_ns = rate == 0 ? now : from + (uint64_t)MSS * 1000000000 / rate;
    if (queued > path->line.queue_bytes || happens(path, path->line.loss_ppm))
        return;
    segment->marked = path->line.mark_above_bytes != 0 && queued > path->line.mark_above_bytes;
    path->free_ns = starts + (uint64_t)MSS * 1000000000 / path->line.bytes_per_second;
    segment->acked_ns = path->free_ns + half_ns;
    path->queue_ns_sum += wait_ns;
    path->queue_count++;
}

/* What the sender knows at this moment, without an ACK. */
static struct daytona_congestion_sample *refresh(struct path *path)
{
    struct daytona_congestion_sample *sample = &path->flight.sample;
    sample->una = path->una * MSS;
    sample->nxt = path->nxt * MSS;
    sample->in_flight_bytes = path->in_flight;
    sample->delivered_bytes = path->delivered;
    sample->lost_total_bytes = path->lost;
    sample->lost_bytes = path->lost_now;
    sample->in_recovery = path->recovering;
    sample->acked_bytes = sample->ce_bytes = sample->rtt_us = 0;
    path->lost_now = 0;
    return sample;
}

static void begin_recovery(struct path *path)
{
    struct flight *flight = &path->flight;
    struct daytona_congestion_sample *sample = refresh(path);
    sample->prior_in_flight_bytes = flight->controls.cwnd_bytes;
    path->recovering = true;
    path->recovery_end = path->nxt;
    flight->controller->loss(&flight->state, &flight->controls, sample);
}

static void end_recovery(struct path *path)
{
    struct flight *flight = &path->flight;
    path->recovering = false;
    flight->controller->recovered(&flight->state, &flight->controls, refresh(path));
}

/* [una, acked) did not arrive, and three later ones did; or none will. */
static void lose_to(struct path *path, uint64_t number)
{
    for (; path->una < number; path->una++) {
        const struct path_segment *segment = segment_at(path, path->una);
        if (segment->acked_ns != 0)
            continue;
        path->in_flight -= MSS;
        path->lost += MSS;
        path->lost_now += MSS;
        path->flight.sample.loss_in_flight_when_sent = segment->in_flight;
        path->flight.sample.loss_lost_before = segment->lost;
    }
}

static void take_mark(struct path *path)
{
    struct flight *flight = &path->flight;
    path->marks++;
    if (path->without_ecn || path->reducing || path->recovering)
        return;
    path->reducing = true;
    path->mark_end = path->nxt;
    struct daytona_congestion_sample *sample = refresh(path);
    sample->prior_in_flight_bytes = path->in_flight + MSS;
    if (flight->controller->marked != NULL)
        flight->controller->marked(&flight->state, &flight->controls, sample);
    else
        flight->controller->loss(&flight->state, &flight->controls, sample);
}

static void measure(struct path *path, const struct path_segment *segment)
{
    struct daytona_congestion_sample *sample = &path->flight.sample;
    uint64_t now = now_ns(path);
    uint64_t acks_ns = path->delivered_ns - segment->delivered_ns;
    uint64_t sends_ns = segment->sent_ns - segment->first_sent_ns;
    uint64_t interval_us = (acks_ns > sends_ns ? acks_ns : sends_ns) / 1000;
    uint32_t rtt_us = (uint32_t)((now - segment->sent_ns) / 1000);
    sample->srtt_us += (uint32_t)(((int64_t)rtt_us - sample->srtt_us) / 8);
    if (rtt_us < sample->rtt_min_us)
        sample->rtt_min_us = rtt_us;
    sample->delivered_before = segment->delivered;
    sample->lost_before = segment->lost;
    sample->in_flight_when_sent = segment->in_flight;
    sample->rate_app_limited = segment->app_limited;
    sample->rate_interval_us = (uint32_t)interval_us;
    sample->rate_bytes_per_second =
        interval_us < sample->rtt_min_us / 2
            ? 0
            : (path->delivered - segment->delivered) * 1000000 / interval_us;
}

static void tell_acked(struct path *path, const struct path_segment *segment)
{
    struct flight *flight = &path->flight;
    struct daytona_congestion_sample *sample = refresh(path);
    sample->acked_bytes = MSS;
    sample->ce_bytes = segment->marked ? MSS : 0;
    sample->rtt_us = (uint32_t)((now_ns(path) - segment->sent_ns) / 1000);
    sample->prior_in_flight_bytes = path->in_flight + MSS;
    sample->cwnd_limited = sample->prior_in_flight_bytes + MSS > flight->controls.cwnd_bytes;
    if (!path->recovering || flight->controller->models_path)
        flight->controller->acked(&flight->state, &flight->controls, sample);
}

static void acknowledge(struct path *path, uint64_t number)
{
    struct path_segment *segment = segment_at(path, number);
    path->flight.sample.loss_in_flight_when_sent = 0;
    path->in_flight -= MSS;
    path->delivered += MSS;
    path->delivered_ns = now_ns(path);
    path->first_sent_ns = segment->sent_ns;
    measure(path, segment);
    if (number >= path->una + 3)
        lose_to(path, number);
    if (number == path->una)
        path->una++;
    while (path->una <= number && segment_at(path, path->una)->acked_ns != 0)
        path->una++;
    if (path->recovering && path->una >= path->recovery_end)
        end_recovery(path);
    if (path->lost_now > 0 && !path->recovering)
        begin_recovery(path);
    if (path->reducing && path->una >= path->mark_end) {
        path->reducing = false;
        if (!path->recovering)
            path->flight.controller->recovered(&path->flight.state, &path->flight.controls,
                                               refresh(path));
    }
    if (segment->marked)
        take_mark(path);
    tell_acked(path, segment);
}

static void time_out(struct path *path)
{
    struct flight *flight = &path->flight;
    lose_to(path, path->nxt);
    struct daytona_congestion_sample *sample = refresh(path);
    sample->prior_in_flight_bytes = flight->controls.cwnd_bytes;
    path->recovering = path->reducing = false;
    flight->controller->timeout(&flight->state, &flight->controls, sample);
    path->next_send_ns = now_ns(path);
}

/* `first` is the next segment in [una, nxt) that arrives; nxt when none does. */
static uint64_t next_arrival(struct path *path, uint64_t first)
{
    while (first < path->nxt && segment_at(path, first)->acked_ns == 0)
        first++;
    return first;
}

static void run(struct path *path, uint64_t until_ns, bool sending)
{
    uint64_t first;
    for (first = path->una; first < path->nxt; first++) /* what was acknowledged above a loss */
        if (segment_at(path, first)->acked_ns > now_ns(path))
            break;
    for (;;) {
        first = next_arrival(path, first);
        uint64_t ack = first < path->nxt     ? segment_at(path, first)->acked_ns
                       : path->in_flight > 0 ? path->last_sent_ns + TIMEOUT_NS
                                             : NEVER;
        bool may = sending && path->in_flight + MSS <= path->flight.controls.cwnd_bytes;
        uint64_t send = !may                                ? NEVER
                        : path->next_send_ns > now_ns(path) ? path->next_send_ns
                                                            : now_ns(path);
        uint64_t next = send < ack ? send : ack;
        if (next > until_ns)
            break;
        path->flight.sample.now.ns = next;
        if (send <= ack)
            send_segment(path);
        else if (first < path->nxt)
            acknowledge(path, first++);
        else
            time_out(path);
    }
    path->flight.sample.now.ns = until_ns;
}

void path_run_us(struct path *path, uint64_t us)
{
    run(path, now_ns(path) + us * 1000, true);
}

void path_idle_us(struct path *path, uint64_t us)
{
    struct flight *flight = &path->flight;
    run(path, now_ns(path) + us * 1000, false);
    flight->controller->restart(&flight->state, &flight->controls, refresh(path), us);
}

unsigned path_share(struct path *path, uint64_t us)
{
    uint64_t before = path->delivered;
    path_run_us(path, us);
    return (unsigned)((path->delivered - before) * 100 * 1000000 /
                      (us * path->line.bytes_per_second));
}

uint32_t path_queue_us(struct path *path)
{
    uint64_t us = path->queue_count == 0 ? 0 : path->queue_ns_sum / path->queue_count / 1000;
    path->queue_ns_sum = path->queue_count = 0;
    return (uint32_t)us;
}
