/* RFC 4898: the counting that takes more than one line. */
#include "stack/tcp/tcp_statistics.h"

#include "stack/tcp/tcp_parts.h"

/* ------------------------------------------------------------------ what seldom happens */

/* Where it is counted; NULL: there is no memory. */
static uint32_t *counter(struct connection *connection, enum trouble trouble)
{
    struct troubles **troubles = &connection->statistics.troubles;
    if (*troubles == NULL)
        *troubles = memory_take_zeroed(connection->tcp->memory, sizeof **troubles);
    return *troubles == NULL ? NULL : &(*troubles)->counts[trouble];
}

void trouble_add(struct connection *connection, enum trouble trouble, uint32_t amount)
{
    uint32_t *count = counter(connection, trouble);
    if (count != NULL)
        *count += amount;
}

void trouble_count(struct connection *connection, enum trouble trouble)
{
    trouble_add(connection, trouble, 1);
}

void trouble_raise(struct connection *connection, enum trouble trouble, uint32_t value)
{
    uint32_t *count = counter(connection, trouble);
    if (count != NULL)
        statistics_raise(count, value);
}

uint32_t trouble_of(const struct connection *connection, enum trouble trouble)
{
    const struct troubles *troubles = connection->statistics.troubles;
    return troubles == NULL ? 0 : troubles->counts[trouble];
}

void troubles_release(struct connection *connection)
{
    struct troubles *troubles = connection->statistics.troubles;
    connection->statistics.troubles = NULL;
    if (troubles != NULL)
        memory_return(connection->tcp->memory, troubles);
}

/* ------------------------------------------------------------------ round trips */

void statistics_round_trip(struct connection *connection, uint32_t rtt_us)
{
    struct statistics *statistics = &connection->statistics;
    uint32_t rto_us = connection->send.rto_us;
    statistics->rtt_last_us = rtt_us;
    statistics->rtt_sum_us += rtt_us;
    statistics->rtt_count++;
    statistics_raise(&statistics->rtt_max_us, rtt_us);
    statistics_raise(&statistics->rto_max_us, rto_us);
    if (statistics->rto_min_us == 0 || rto_us < statistics->rto_min_us)
        statistics->rto_min_us = rto_us;
    if (!statistics->rtt_after_awaited)
        return;
    statistics->rtt_after_awaited = false;
    trouble_add(connection, TROUBLE_RTT_AFTER_SUM, rtt_us);
    trouble_count(connection, TROUBLE_RTT_AFTER_COUNT);
}

/* ------------------------------------------------------------------ the congestion window */

void statistics_signal(struct connection *connection)
{
    struct statistics *statistics = &connection->statistics;
    trouble_count(connection, TROUBLE_SIGNALS);
    trouble_add(connection, TROUBLE_CWND_BEFORE_SUM, connection->controls.cwnd_bytes);
    trouble_add(connection, TROUBLE_RTT_BEFORE_SUM, statistics->rtt_last_us);
    statistics->rtt_after_awaited = true;
}

void statistics_reduced(struct connection *connection)
{
    uint32_t threshold = connection->controls.ssthresh_bytes;
    if (threshold == UINT32_MAX)
        return;
    uint32_t *least = counter(connection, TROUBLE_SSTHRESH_MIN);
    trouble_raise(connection, TROUBLE_SSTHRESH_MAX, threshold);
    if (least != NULL && (*least == 0 || threshold < *least))
        *least = threshold;
}

void statistics_acked(struct connection *connection, uint32_t old, uint32_t threshold)
{
    struct statistics *statistics = &connection->statistics;
    uint32_t cwnd = connection->controls.cwnd_bytes;
    if (old < threshold) {
        statistics->slow_starts += cwnd > old;
        statistics_raise(&statistics->slow_start_cwnd_max, cwnd);
    } else {
        trouble_add(connection, TROUBLE_AVOIDANCES, cwnd > old);
        trouble_raise(connection, TROUBLE_AVOIDANCE_CWND_MAX, cwnd);
    }
}

enum limit_side statistics_limit_side(enum daytona_limit limit)
{
    switch (limit) {
    case DAYTONA_LIMITED_BY_CONGESTION:
    case DAYTONA_LIMITED_BY_PACING:
        return LIMIT_CONGESTION;
    case DAYTONA_LIMITED_BY_PEER:
        return LIMIT_PEER;
    case DAYTONA_LIMITED_BY_UNKNOWN:
    case DAYTONA_LIMITED_BY_APPLICATION:
    case DAYTONA_LIMITED_BY_BUFFER:
    case DAYTONA_LIMITED_BY_NAGLE:
    case DAYTONA_LIMITED_BY_CORK:
    case DAYTONA_LIMITED_BY_COUNT:
        return LIMIT_SENDER;
    }
    return LIMIT_SENDER;
}

void statistics_limit(struct connection *connection, enum daytona_limit limit, uint64_t lasted_us)
{
    struct statistics *statistics = &connection->statistics;
    enum limit_side old = statistics_limit_side((enum daytona_limit)connection->limit);
    enum limit_side side = statistics_limit_side(limit);
    if (old != LIMIT_SENDER)
        statistics->limited_us[old] += lasted_us;
    statistics->limited_times[side] += side != old;
}

uint64_t statistics_limited_us(const struct connection *connection, enum limit_side side)
{
    bool now = statistics_limit_side((enum daytona_limit)connection->limit) == side;
    uint64_t us = connection->statistics.limited_us[side];
    return now ? us + daytona_instant_since_us(connection->tcp->now, connection->limit_since) : us;
}

/* ------------------------------------------------------------------ segments */

void statistics_una_moves(struct connection *connection, uint32_t bytes)
{
    uint8_t duplicates = connection->send.duplicate_acks;
    if (duplicates == 0 || connection->send.recovery != RECOVERY_NONE)
        return;
    trouble_count(connection, TROUBLE_HARMLESS_EPISODES);
    trouble_add(connection, TROUBLE_HARMLESS_DUPLICATES, duplicates);
    trouble_add(connection, TROUBLE_REORDERED_BYTES, bytes);
}

void statistics_soft_error(struct connection *connection, enum soft_error reason)
{
    uint32_t *last = counter(connection, TROUBLE_SOFT_ERROR_REASON);
    trouble_count(connection, TROUBLE_SOFT_ERRORS);
    if (last != NULL)
        *last = (uint32_t)reason;
}

void statistics_mss(struct connection *connection)
{
    struct statistics *statistics = &connection->statistics;
    uint16_t mss = (uint16_t)connection->send.mss;
    if (mss > statistics->mss_max)
        statistics->mss_max = mss;
    if (statistics->mss_min == 0 || mss < statistics->mss_min)
        statistics->mss_min = mss;
}
