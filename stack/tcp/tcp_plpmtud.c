/*
 * The path's MTU found without the help of routers: packetization layer path MTU discovery (RFC
 * 4821, with the search of RFC 8899 section 5.2), as Linux does it with net.ipv4.tcp_mtu_probing.
 *
 *      low           probe            high
 *   ----|--------------|----------------|---> bytes of an IP packet
 *      passes     half way: in one    the path is said to take it
 *                 segment of new data
 *
 * A probe that is acknowledged becomes `low`, one that alone is lost becomes `high`, which says
 * nothing of congestion. A black hole, a path that silently drops full segments, shows by timeouts
 * in a row: `low` falls, and the search begins.
 */
#include "stack/tcp/tcp_loss.h"

#define HEADERS          52u   /* IP and TCP with timestamps, as Linux counts them here */
#define BASE_SEGMENT     1024u /* Linux TCP_BASE_MSS; RFC 4821 section 7.2: about 1 KB */
#define FLOOR_SEGMENT    512u  /* 576 bytes pass everywhere (RFC 791); else it is no MTU's fault */
#define BLACK_HOLE_TRIES 3u    /* Linux net.ipv4.tcp_retries1; RFC 4821 section 7.7 */
#define SEARCH_END       8u    /* Linux TCP_PROBE_THRESHOLD: so near is near enough */
#define SEARCH_AGAIN_US  PATH_MTU_AGE_US /* Linux TCP_PROBE_INTERVAL; RFC 8899: PMTU_RAISE_TIMER */
#define WINDOW_SEGMENTS  11u /* Linux tcp_mtu_probe(): a loss must not cost a small window */
#define FOLLOWERS        4u  /* segments behind a probe by which its loss shows: DUP_THRESH + 1 */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum daytona_mtu_probing mode(const struct connection *connection)
{
    return connection->tcp->config.mtu_probing;
}

/* The largest packet that may be worth a try. */
static uint32_t ceiling(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    return smaller(send->prober.high, send->path_mtu);
}

static void search_begin(struct connection *connection)
{
    struct prober *prober = &connection->send.prober;
    prober->low = (uint16_t)smaller(BASE_SEGMENT + HEADERS, connection->send.path_mtu);
    prober->high = UINT16_MAX;
    prober->since = connection->tcp->now;
}

uint32_t tcp_plpmtud_mtu(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->prober.low == 0 && mode(connection) == DAYTONA_MTU_PROBING_ALWAYS)
        search_begin(connection);
    return send->prober.low == 0 ? send->path_mtu : smaller(send->prober.low, send->path_mtu);
}

/* What was learnt is in force. */
static void take_effect(struct connection *connection, uint32_t before, const char *why)
{
    uint32_t now = tcp_plpmtud_mtu(connection);
    connection->send.prober.since = connection->tcp->now;
    tcp_mss_update(connection);
    if (now != before)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_PATH_MTU, before, now, why);
}

/* ------------------------------------------------------------------ probes */

/* The size of the next probe, 0 when the search is over. Ten minutes later it begins anew. */
static uint32_t next_mtu(struct connection *connection)
{
    struct prober *prober = &connection->send.prober;
    uint32_t low = prober->low, high = ceiling(connection);
    if (high >= low + SEARCH_END)
        return (low + high + 1) / 2;
    if (prober->high < connection->send.path_mtu &&
        daytona_instant_since_us(connection->tcp->now, prober->since) >= SEARCH_AGAIN_US) {
        prober->high = UINT16_MAX;
        prober->since = connection->tcp->now;
    }
    return 0;
}

/* Nothing is lost or missing, so that the fate of a probe says something of its size. */
static bool path_is_calm(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    return send->recovery == RECOVERY_NONE && send->sent.sacked_bytes == 0 &&
           send->sent.lost_bytes == 0 && send->duplicate_acks == 0 &&
           connection->controls.cwnd_bytes >= WINDOW_SEGMENTS * send->mss;
}

bool tcp_plpmtud_due(struct connection *connection, uint32_t *length)
{
    struct sender *send = &connection->send;
    *length = 0;
    if (send->prober.low == 0 || send->prober.bytes != 0 || send->up > send->nxt ||
        !tcp_path_dont_fragment(connection) || !path_is_calm(connection))
        return false;
    uint32_t mtu = next_mtu(connection);
    uint32_t bytes = mtu == 0 ? 0 : tcp_segment_for(connection, mtu);
    uint32_t needed = bytes + FOLLOWERS * send->mss;
    if (bytes <= send->mss || offset_span(send->nxt, send->pages.end) < needed ||
        offset_span(send->nxt, send->una + send->wnd) < needed)
        return false;
    /* It waits for room as Linux does: the window has to open by two segments at once. */
    if (tcp_pipe(connection) + bytes > tcp_cwnd_now(connection))
        return send->nxt != send->una;
    *length = bytes;
    return true;
}

void tcp_plpmtud_sent(struct connection *connection, uint64_t start, uint32_t length)
{
    struct prober *prober = &connection->send.prober;
    prober->start = start;
    prober->bytes = length;
    prober->mtu = (uint16_t)next_mtu(connection);
}

void tcp_plpmtud_acknowledged(struct connection *connection)
{
    struct sender *send = &connection->send;
    struct prober *prober = &send->prober;
    if (prober->bytes == 0 || send->una < prober->start + prober->bytes)
        return;
    uint32_t before = tcp_plpmtud_mtu(connection);
    prober->bytes = 0;
    prober->low = prober->mtu;
    take_effect(connection, before, "probe arrived");
}

bool tcp_plpmtud_explains_loss(struct connection *connection)
{
    struct sender *send = &connection->send;
    struct prober *prober = &send->prober;
    const struct sent *first = sent_first(&send->sent);
    if (prober->bytes == 0 || first == NULL || first->start != prober->start ||
        first->fate != SENT_LOST || first->length != send->sent.lost_bytes)
        return false;
    prober->bytes = 0;
    prober->high = (uint16_t)(prober->mtu - 1);
    prober->since = connection->tcp->now;
    return true;
}

/* ------------------------------------------------------------------ black holes */

void tcp_plpmtud_timed_out(struct connection *connection)
{
    struct sender *send = &connection->send;
    struct prober *prober = &send->prober;
    uint32_t before = tcp_plpmtud_mtu(connection);
    prober->bytes = 0; /* whatever has become of it says nothing now */
    if (mode(connection) == DAYTONA_MTU_PROBING_OFF || send->tries < BLACK_HOLE_TRIES ||
        offset_span(send->una, send->nxt) < send->mss)
        return;
    if (prober->low == 0) {
        search_begin(connection);
    } else {
        uint32_t half = (prober->low - HEADERS) / 2;
        uint32_t segment = half < FLOOR_SEGMENT  ? FLOOR_SEGMENT
                           : half > BASE_SEGMENT ? BASE_SEGMENT
                                                 : half;
        prober->low = (uint16_t)(segment + HEADERS);
    }
    take_effect(connection, before, "black hole");
    /* RFC 5681 section 3.1: after a timeout one segment, and segments are smaller now. */
    if (connection->controls.cwnd_bytes > send->mss)
        connection->controls.cwnd_bytes = send->mss;
}
