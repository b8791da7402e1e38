/*
 * Pacing: segments leave at a rate, not as soon as the window has room. The rate is the
 * controller's; or, when only SO_MAX_PACING_RATE asks for pacing, or the window has not been used
 * for a while, as in Linux twice the window a round trip in slow start and 1.2 times in congestion
 * avoidance, so that the window stays what limits. A millisecond's worth leaves at once, two
 * segments at least: a timer for each segment would cost more than such a burst.
 */
#include "stack/tcp/tcp_loss.h"

#define QUANTUM_NS         UINT64_C(1000000) /* Linux sk_pacing_shift 10: about a millisecond */
#define QUANTUM_SEGMENTS   2u                /* Linux tcp_min_tso_segs */
#define SLOW_START_PERCENT 200u              /* Linux net.ipv4.tcp_pacing_ss_ratio */
#define AVOIDANCE_PERCENT  120u              /* Linux net.ipv4.tcp_pacing_ca_ratio */
#define FIRST_SEGMENTS     10u               /* Linux tcp_needs_internal_pacing: they go at once */
#define SECOND_NS          UINT64_C(1000000000)

/* What the window amounts to in a round trip, with room to grow. */
static uint64_t window_rate(const struct connection *connection)
{
    const struct daytona_congestion_controls *controls = &connection->controls;
    uint32_t srtt_us = connection->send.srtt_us;
    if (srtt_us == 0)
        return UINT64_MAX;
    bool slow_start = controls->cwnd_bytes < controls->ssthresh_bytes / 2;
    uint64_t percent = slow_start ? SLOW_START_PERCENT : AVOIDANCE_PERCENT;
    return controls->cwnd_bytes * percent * 10000 / srtt_us + 1;
}

uint64_t tcp_pacing_rate(const struct connection *connection)
{
    uint64_t most = (uint64_t)connection->socket->options[DAYTONA_OPTION_MAXIMUM_PACING_RATE];
    uint64_t rate = connection->controls.pacing_bytes_per_second;
    if (most == 0 && (rate != 0 || !tcp_validation_paces(connection)))
        return rate;
    if (rate == 0)
        rate = window_rate(connection);
    return most == 0 || rate < most ? rate : most;
}

/* Bytes at this rate in so many nanoseconds. */
static uint64_t bytes_in(uint64_t rate, uint64_t ns)
{
    return rate / SECOND_NS * ns + rate % SECOND_NS * ns / SECOND_NS;
}

uint32_t tcp_pacing_quantum(const struct connection *connection)
{
    uint64_t rate = tcp_pacing_rate(connection);
    uint64_t least = QUANTUM_SEGMENTS * (uint64_t)connection->send.mss;
    uint64_t bytes = rate == 0 ? UINT32_MAX : bytes_in(rate, QUANTUM_NS);
    bytes = bytes < least ? least : bytes;
    return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

bool tcp_pacing_allows(struct connection *connection)
{
    struct sender *send = &connection->send;
    const struct daytona_instant now = connection->tcp->now;
    if (send->pacing.set)
        return false;
    if (!daytona_instant_before(now, send->release_at))
        return true;
    uint64_t rate = tcp_pacing_rate(connection);
    if (rate == 0)
        return true;
    uint64_t owed = bytes_in(rate, send->release_at.ns - now.ns);
    if (owed + send->mss <= tcp_pacing_quantum(connection))
        return true;
    timer_set(&connection->tcp->timers, &send->pacing, send->release_at);
    return false;
}

void tcp_pacing_sent(struct connection *connection, uint32_t bytes)
{
    struct sender *send = &connection->send;
    uint64_t rate = tcp_pacing_rate(connection);
    if (rate == 0 || connection->tally.data_segments_out < FIRST_SEGMENTS)
        return;
    /* Who is woken late makes up for it, by one batch at most: else every batch would lose the
     * lateness of its timer, and a rate that is measured would only go down. Linux forgives half of
     * a batch, but its timers are better. */
    uint64_t forgiven_ns = tcp_pacing_quantum(connection) * SECOND_NS / rate;
    uint64_t now_ns = connection->tcp->now.ns;
    if (now_ns > forgiven_ns && send->release_at.ns < now_ns - forgiven_ns)
        send->release_at.ns = now_ns - forgiven_ns;
    send->release_at.ns += bytes * SECOND_NS / rate;
}
