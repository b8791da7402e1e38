/*
 * How large the buffers are that nobody has set. The receive buffer follows what the application
 * reads in a round trip ("dynamic right-sizing": M. Fisk and W. Feng, Dynamic Right-Sizing in TCP,
 * 2001; Linux tcp_rcv_space_adjust), the send buffer what the congestion window lets out (Linux
 * tcp_sndbuf_expand). Neither grows while the region is more than half full.
 */
#include "stack/tcp/tcp_parts.h"

#define READ_SEGMENTS_SPARE  16u     /* Linux tcp_rcv_space_adjust */
#define FIRST_SEGMENTS       10u     /* Linux TCP_INIT_CWND: what the first round trip brings */
#define TICK_US              1000u   /* of our timestamps */
#define TIMESTAMP_AGE_MAX_MS 120000u /* an echo older than that measures no round trip */
#define ROUND_TRIP_SHARE     8u      /* of a new sample in the average, as RFC 6298 has it */
#define REGION_SHARE         4u      /* one buffer may take that part of the region at most */

bool tcp_memory_short(const struct tcp *tcp)
{
    return memory_used(tcp->memory) > memory_region(tcp->memory) / 4 * 3;
}

/* Buffers may grow; later than that only what was promised is kept. */
static bool room_to_grow(const struct tcp *tcp)
{
    return memory_used(tcp->memory) < memory_region(tcp->memory) / 2;
}

static uint32_t within_region(const struct tcp *tcp, uint64_t wanted, uint32_t most)
{
    size_t share = memory_region(tcp->memory) / REGION_SHARE;
    if (wanted > most)
        wanted = most;
    return wanted > share ? (uint32_t)share : (uint32_t)wanted;
}

/* ------------------------------------------------------------------ the receiver's round trip */

/* The sender has answered one of our ACKs: what the echoed timestamp measures. */
static void measure_by_timestamp(struct connection *connection, const struct segment *segment)
{
    struct receiver *receive = &connection->receive;
    const struct tcp_header *header = &segment->header;
    if (!header->has_timestamps || header->timestamp_echo == 0 ||
        header->timestamp_echo == receive->echo_seen || segment->payload.length < receive->mss)
        return;
    receive->echo_seen = header->timestamp_echo;
    uint32_t ms =
        tcp_timestamp(connection->tcp, connection->timestamp_offset) - header->timestamp_echo;
    if (ms > TIMESTAMP_AGE_MAX_MS)
        return;
    uint32_t us = ms * TICK_US;
    if (us == 0) /* shorter than a tick: the handshake knew better */
        us = connection->send.srtt_us < TICK_US ? connection->send.srtt_us : TICK_US;
    uint32_t average = receive->round_trip_us;
    receive->round_trip_us =
        average == 0 ? us : average - average / ROUND_TRIP_SHARE + us / ROUND_TRIP_SHARE;
}

/* A window takes a round trip at least to be filled: the shortest time is the estimate. */
static void measure_by_window(struct connection *connection)
{
    struct receiver *receive = &connection->receive;
    struct daytona_instant now = connection->tcp->now;
    if (receive->nxt < receive->round_ends)
        return;
    uint64_t us = daytona_instant_since_us(now, receive->round_began);
    bool shorter = receive->round_trip_us == 0 || us < receive->round_trip_us;
    if (receive->round_began.ns != 0 && us > 0 && us < UINT32_MAX && shorter)
        receive->round_trip_us = (uint32_t)us;
    receive->round_ends = offset_later(receive->edge, receive->nxt + 1);
    receive->round_began = now;
}

void tcp_autotune_arrival(struct connection *connection, const struct segment *segment)
{
    if (connection->timestamps)
        measure_by_timestamp(connection, segment);
    else
        measure_by_window(connection);
}

/* ------------------------------------------------------------------ the receive buffer */

void tcp_autotune_limit(struct connection *connection)
{
    uint32_t limit = (uint32_t)connection->socket->options[DAYTONA_OPTION_RECEIVE_BUFFER];
    if (connection->receive.limit < limit || connection->socket->receive_buffer_set)
        connection->receive.limit = limit;
}

void tcp_autotune_low_water(struct connection *connection)
{
    const struct tcp *tcp = connection->tcp;
    int64_t low_water = connection->socket->options[DAYTONA_OPTION_RECEIVE_LOW_WATER];
    uint32_t limit = within_region(tcp, 2 * (uint64_t)low_water, tcp->config.receive_buffer_max);
    if (!connection->socket->receive_buffer_set && limit > connection->receive.limit)
        connection->receive.limit = limit;
}

/* Room for what the sender sends while a round trip's bytes are being read, twice, since it may
 * double its rate meanwhile; and as much more as it has gained on the last round trip. */
static void grow(struct connection *connection, uint64_t bytes, bool steadily)
{
    struct receiver *receive = &connection->receive;
    const struct tcp *tcp = connection->tcp;
    uint64_t wanted = 2 * bytes + READ_SEGMENTS_SPARE * receive->mss;
    uint64_t before = receive->measured_bytes;
    if (before < FIRST_SEGMENTS * receive->mss)
        before = FIRST_SEGMENTS * receive->mss;
    if (steadily && bytes > before)
        wanted += 2 * wanted * (bytes - before) / before;
    uint32_t limit = within_region(tcp, wanted, tcp->config.receive_buffer_max);
    if (limit > receive->limit)
        receive->limit = limit;
}

void tcp_autotune_reader(struct connection *connection)
{
    struct receiver *receive = &connection->receive;
    struct tcp *tcp = connection->tcp;
    uint32_t round_trip_us =
        receive->round_trip_us != 0 ? receive->round_trip_us : connection->send.srtt_us;
    uint64_t passed_us = daytona_instant_since_us(tcp->now, receive->measured_at);
    if (connection->socket->receive_buffer_set || round_trip_us == 0 || passed_us < round_trip_us)
        return;
    uint64_t bytes = receive->read - receive->measured_from;
    /* A reader that leaves most of it lying is slow: a larger buffer would only hold more. */
    bool keeps_up = receive_queued(receive) <= bytes / 2;
    if (bytes > receive->measured_bytes && keeps_up && room_to_grow(tcp)) {
        grow(connection, bytes, passed_us < 2 * (uint64_t)round_trip_us);
        receive->measured_bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    }
    receive->measured_from = receive->read;
    receive->measured_at = tcp->now;
}

/* ------------------------------------------------------------------ the send buffer */

void tcp_autotune_sender(struct connection *connection)
{
    struct sender *send = &connection->send;
    const struct tcp *tcp = connection->tcp;
    uint64_t wanted = 2 * (uint64_t)connection->controls.cwnd_bytes;
    if (wanted <= send->buffer_bytes || connection->socket->send_buffer_set || !room_to_grow(tcp))
        return;
    uint32_t bytes = within_region(tcp, wanted, tcp->config.send_buffer_max);
    if (bytes > send->buffer_bytes)
        send->buffer_bytes = bytes;
}
