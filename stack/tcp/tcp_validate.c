/*
 * Congestion window validation (RFC 7661). The window of an application that does not fill it says
 * what the path could carry once. It is kept for five minutes, so that such an application can go
 * on at once after a pause; but it does not grow, what leaves beyond an initial window is paced,
 * and the first sign of congestion takes away what was not used.
 *
 *                    pipeACK < cwnd / 2, and cwnd not filled
 *       validated ------------------------------------------> non-validated: window kept
 *           ^                                                        |
 *           +--- pipeACK >= cwnd / 2, or loss, mark, timeout --------+
 *
 * pipeACK is the most that was acknowledged in a round trip of the last three, or of the last
 * second. The samples are those of the delivery rate: what arrived while one segment was on its
 * way. In slow start such a sample is half of the window at best, as it tells of the round trip
 * before; so a sender that fills its window does not leave the validated phase, whatever pipeACK
 * says.
 *
 * No timer runs: only what is sent shows that the five minutes are over, so that is looked at
 * before something is sent, and with each ACK.
 */
#include "stack/congestion/window.h"
#include "stack/tcp/tcp_loss.h"

#define SAMPLING_ROUNDS      3u /* RFC 7661 section 4.2: max (3*RTT, 1 s) */
#define SAMPLING_US          UINT64_C(1000000)
#define NON_VALIDATED_MAX_US UINT64_C(300000000) /* section 4.4.3: NVP, five minutes */

static bool governed(const struct connection *connection)
{
    return connection->socket->congestion->validated_by_use &&
           option_on(connection->socket, DAYTONA_OPTION_WINDOW_VALIDATION);
}

bool tcp_validated(const struct connection *connection)
{
    return connection->send.validation.since.ns == 0 || !governed(connection);
}

static uint32_t pipe_ack(const struct validation *validation)
{
    uint32_t most = 0;
    for (unsigned i = 0; i < VALIDATION_QUARTERS; i++)
        most = validation->most[i] > most ? validation->most[i] : most;
    return most;
}

static void quarters_advance(struct connection *connection)
{
    struct validation *validation = &connection->send.validation;
    uint64_t period_us = SAMPLING_ROUNDS * (uint64_t)connection->send.srtt_us;
    uint64_t quarter_us = (period_us > SAMPLING_US ? period_us : SAMPLING_US) / VALIDATION_QUARTERS;
    uint64_t passed =
        daytona_instant_since_us(connection->tcp->now, validation->quarter) / quarter_us;
    if (passed == 0)
        return;
    for (unsigned i = VALIDATION_QUARTERS; i-- > 0;)
        validation->most[i] = i >= passed ? validation->most[i - passed] : 0;
    validation->quarter = connection->tcp->now;
}

/* Section 4.4.3: as often as the phase has lasted so long. */
static void window_decays(struct connection *connection)
{
    struct validation *validation = &connection->send.validation;
    struct daytona_congestion_controls *controls = &connection->controls;
    uint32_t initial = window_initial(connection->send.mss), old = controls->cwnd_bytes;
    struct daytona_instant now = connection->tcp->now;
    if (daytona_instant_since_us(now, validation->since) <= NON_VALIDATED_MAX_US)
        return;
    while (daytona_instant_since_us(now, validation->since) > NON_VALIDATED_MAX_US &&
           controls->cwnd_bytes > initial) {
        uint32_t sustained = controls->cwnd_bytes - controls->cwnd_bytes / 4;
        if (controls->ssthresh_bytes < sustained)
            controls->ssthresh_bytes = sustained;
        controls->cwnd_bytes /= 2;
        if (controls->cwnd_bytes < initial)
            controls->cwnd_bytes = initial;
        validation->since = daytona_instant_after_us(validation->since, NON_VALIDATED_MAX_US);
    }
    if (controls->cwnd_bytes != old)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_CWND, old, controls->cwnd_bytes,
                "not validated");
    else
        validation->since = now; /* an initial window is nothing that could decay */
}

static void phase_find(struct connection *connection, bool filled)
{
    struct validation *validation = &connection->send.validation;
    if (!validation->known)
        return;
    bool half_used = pipe_ack(validation) >= connection->controls.cwnd_bytes / 2;
    if (validation->since.ns != 0) {
        window_decays(connection);
        if (half_used)
            validation->since.ns = 0;
    } else if (!half_used && !filled) {
        validation->since = connection->tcp->now;
    }
}

void tcp_validation_sample(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    struct validation *validation = &send->validation;
    if (!governed(connection) || send->recovery != RECOVERY_NONE)
        return;
    quarters_advance(connection);
    if (report->any && !daytona_instant_before(report->newest.at, validation->samples)) {
        uint64_t bytes = send->rate.delivered - report->newest.delivered;
        uint32_t sample = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
        if (sample > validation->most[0])
            validation->most[0] = sample;
        validation->known = true;
    }
    phase_find(connection, send->limited_to >= send->una);
}

bool tcp_validation_idle(struct connection *connection)
{
    if (!governed(connection))
        return false;
    quarters_advance(connection);
    connection->send.validation.known = true; /* nothing was used: that is known, too */
    phase_find(connection, false);
    return true;
}

bool tcp_validation_paces(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    return !tcp_validated(connection) &&
           offset_span(send->una, send->pages.end) > window_initial(send->mss);
}

uint32_t tcp_validation_congested(struct connection *connection, uint32_t flight)
{
    struct sender *send = &connection->send;
    struct validation *validation = &send->validation;
    if (tcp_validated(connection))
        return flight;
    uint32_t most = pipe_ack(validation), out = offset_span(send->una, send->nxt);
    validation->used = most > out ? most : out;
    validation->repeated = 0;
    validation->since.ns = 0;
    validation->known = false;
    if (connection->controls.cwnd_bytes > validation->used)
        connection->controls.cwnd_bytes = validation->used;
    return validation->used;
}

/* `bytes` / 2 is the window now, if it was larger. */
static void window_halve(struct connection *connection, uint32_t bytes)
{
    struct daytona_congestion_controls *controls = &connection->controls;
    uint32_t old = controls->cwnd_bytes;
    uint32_t half = window_reduced(bytes / 2, connection->send.mss); /* two segments, as ever */
    if (old <= half)
        return;
    controls->cwnd_bytes = controls->ssthresh_bytes = half;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_CWND, old, half, "not validated");
}

void tcp_validation_reduced(struct connection *connection)
{
    if (connection->send.validation.used != 0)
        window_halve(connection, connection->send.validation.used);
}

void tcp_validation_repeated(struct connection *connection, uint32_t bytes)
{
    connection->send.validation.repeated += bytes;
}

void tcp_validation_recovered(struct connection *connection, bool undone)
{
    struct validation *validation = &connection->send.validation;
    uint32_t lost =
        validation->repeated < validation->used ? validation->repeated : validation->used;
    if (validation->used != 0 && !undone)
        window_halve(connection, validation->used - lost);
    *validation =
        (struct validation){.quarter = connection->tcp->now, .samples = connection->tcp->now};
}
