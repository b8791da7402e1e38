/*
 * ICMP errors about our segments: believed when the quoted sequence number is in flight
 * (RFC 5927 section 4.1), soft for a synchronized connection (RFC 1122 section 4.2.3.9, RFC 5927
 * section 5.2), the end of an attempt to connect. Fragmentation needed lowers the path MTU
 * (RFC 1191).
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/tcp/tcp_signature.h"

#include <errno.h>

enum { CODE_FRAGMENTATION_NEEDED = 4 };

/* Codes of ICMP_UNREACHABLE as Linux turns them into errno. */
static const uint8_t unreachable_errno[] = {
    ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,  ECONNREFUSED, EMSGSIZE,     EOPNOTSUPP,
    ENETUNREACH,  EHOSTDOWN,    ENONET,       ENETUNREACH,  EHOSTUNREACH, ENETUNREACH,
    EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
};

/* What routers without RFC 1191 can mean: the next plateau below (RFC 1191 section 7.1). */
static uint32_t plateau_below(uint32_t mtu)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};
    for (size_t i = 0; i < sizeof plateaus / sizeof plateaus[0]; i++)
        if (plateaus[i] < mtu)
            return plateaus[i];
    return PATH_MTU_MIN;
}

uint32_t tcp_path_mtu_known(const struct tcp *tcp, const struct daytona_address *remote)
{
    uint32_t mtu = 0;
    for (size_t i = 0; i < PATH_NEWS_MAX; i++) {
        const struct path_news *news = &tcp->path_news[i];
        if (news->mtu != 0 && daytona_address_equal(&news->remote, remote) &&
            daytona_instant_since_us(tcp->now, news->since) < PATH_MTU_AGE_US &&
            (mtu == 0 || news->mtu < mtu))
            mtu = news->mtu;
    }
    return mtu;
}

static void path_mtu_learn(struct tcp *tcp, const struct daytona_address *remote, uint32_t mtu)
{
    tcp->path_news[tcp->path_news_next] = (struct path_news){*remote, mtu, tcp->now};
    tcp->path_news_next = (tcp->path_news_next + 1) % PATH_NEWS_MAX;
}

void tcp_path_mtu_take(struct connection *connection, uint32_t mtu)
{
    struct sender *send = &connection->send;
    uint32_t old = send->path_mtu, old_mss = send->mss;
    if (mtu >= old)
        return;
    /* One less than that, and tcp_transmit() leaves DF out. */
    if (mtu < PATH_MTU_UNBROKEN)
        mtu = old < PATH_MTU_UNBROKEN ? old : PATH_MTU_UNBROKEN - 1;
    socket_stir(connection->socket);
    send->path_mtu = mtu;
    send->path_lowered_at = connection->tcp->now;
    tcp_mss_update(connection);
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_PATH_MTU, old, send->path_mtu, NULL);
    if (send->mss >= old_mss || !tcp_state_synchronized(connection->socket->state) ||
        send->nxt == send->una)
        return;
    /* What is in flight in segments too big is lost: sent again in smaller ones, without a word
     * to congestion control (RFC 1191 section 6.5). */
    tcp_recovery_resend(connection);
    tcp_output_want(connection);
}

/* Whose segment the error quotes, NULL none. */
static struct demux_entry *quoted_entry(const struct tcp *tcp, const struct icmp_error *error,
                                        const struct tcp_header *quoted)
{
    struct daytona_endpoint local = {error->quoted.source, quoted->source_port};
    struct daytona_endpoint remote = {error->quoted.destination, quoted->destination_port};
    return demux_find_tuple(&tcp->demux, &local, &remote);
}

/* The connection of that, NULL when the quoted number is not in flight. */
static struct connection *quoted_connection(struct demux_entry *entry,
                                            const struct tcp_header *quoted)
{
    struct connection *connection =
        entry == NULL ? NULL : OWNER_OF(entry, struct socket, entry)->connection;
    if (connection == NULL || connection->ended)
        return NULL;
    socket_stir(connection->socket);
    uint64_t seq = offset_near(connection->send.una, quoted->seq);
    return seq >= connection->send.una && seq < connection->send.nxt ? connection : NULL;
}

static void fragmentation_needed(struct connection *connection, const struct icmp_error *error)
{
    uint32_t mtu = error->next_hop_mtu;
    if (mtu < PATH_MTU_MIN)
        mtu = plateau_below(error->quoted.total_length);
    if (mtu >= connection->send.path_mtu || !tcp_path_heeds_routers(connection))
        return;
    struct daytona_address remote = connection->socket->entry.remote.address;
    path_mtu_learn(connection->tcp, &remote, mtu);
    tcp_path_mtu_take(connection, mtu);
}

static int errno_of(const struct icmp_error *error)
{
    if (error->type == ICMP_UNREACHABLE && error->code < sizeof unreachable_errno)
        return unreachable_errno[error->code];
    return error->type == ICMP_PARAMETER_PROBLEM ? EPROTO : EHOSTUNREACH;
}

/* RFC 1122 section 4.2.3.9: conditions that may pass. */
static bool passing(const struct icmp_error *error)
{
    int code = errno_of(error);
    return error->type == ICMP_TIME_EXCEEDED ||
           (error->type == ICMP_UNREACHABLE && (code == ENETUNREACH || code == EHOSTUNREACH));
}

/* Linux ends an attempt to connect by every error: its caller wants to know soon. An embryo has
 * no caller; what may pass only costs it a repeated SYN-ACK. */
static bool ends_attempt(const struct connection *connection, const struct icmp_error *error)
{
    return !tcp_state_synchronized(connection->socket->state) &&
           !(connection->passive && passing(error));
}

static struct event_numbers numbers_of(const struct icmp_error *error,
                                       const struct tcp_header *quoted)
{
    return (struct event_numbers){(uint64_t)error->type << 8 | error->code, error->next_hop_mtu,
                                  quoted->seq.value, daytona_address_to_ipv4(&error->router)};
}

/* An embryo ends by what does not pass, like a connection attempt. */
static enum daytona_verdict request_error(struct request *request, const struct icmp_error *error,
                                          const struct tcp_header *quoted)
{
    const struct event_numbers told = numbers_of(error, quoted);
    bool too_big = error->type == ICMP_UNREACHABLE && error->code == CODE_FRAGMENTATION_NEEDED;
    if (!seq_equal(quoted->seq, request->handshake.iss)) {
        observe_request_more(request, DAYTONA_EVENT_ICMP, told, "ignored");
        return DAYTONA_VERDICT_ICMP_IGNORED;
    }
    bool ends = !too_big && !passing(error); /* no SYN-ACK is too big */
    observe_request_more(request, DAYTONA_EVENT_ICMP, told,
                         ends ? "connection attempt ended" : "noted");
    if (ends)
        request_drop(request, "ICMP error");
    return DAYTONA_VERDICT_ICMP_TAKEN;
}

/* Linux tcp_v4_err(): an application that has set IP_RECVERR wants to know at once. */
static void note_error(struct connection *connection, int error)
{
    struct socket *socket = connection->socket;
    connection->soft_error = (uint16_t)error;
    if (!option_on(socket, DAYTONA_OPTION_RECEIVE_ERRORS) || !tcp_state_synchronized(socket->state))
        return;
    socket->error = (uint16_t)error;
    socket_changed(socket, DAYTONA_READY_ERROR | DAYTONA_READY_IN | DAYTONA_READY_OUT);
}

/* RFC 5925 section 7.8: the errors that would end or slow a connection, codes 2 to 4, are not
 * believed of one that signs, since they are not signed. That a packet is too large is found out
 * without routers then (RFC 4821). */
static bool signer_ignores(const struct connection *connection, const struct icmp_error *error)
{
    const struct socket *socket = connection->socket;
    if (connection->signature == 0 || error->type != ICMP_UNREACHABLE || error->code < 2 ||
        error->code > CODE_FRAGMENTATION_NEEDED || !tcp_state_synchronized(socket->state) ||
        option_on(socket, DAYTONA_OPTION_AO_HEEDS_ICMP))
        return false;
    const struct signature_key *key = signature_key_for(socket, &socket->entry.remote.address);
    return key != NULL && key->kind == SIGNATURE_AO;
}

enum daytona_verdict tcp_icmp(struct tcp *tcp, const struct icmp_error *error)
{
    struct tcp_header quoted;
    if (error->quoted.protocol != 6 || error->type == ICMP_SOURCE_QUENCH || /* RFC 6633 */
        tcp_header_parse_quoted(error->quoted_transport, &quoted) < 0)
        return DAYTONA_VERDICT_ICMP_IGNORED;
    struct demux_entry *entry = quoted_entry(tcp, error, &quoted);
    if (entry != NULL && entry->owner == DEMUX_REQUEST)
        return request_error(OWNER_OF(entry, struct request, entry), error, &quoted);
    struct connection *connection = quoted_connection(entry, &quoted);
    const struct event_numbers told = numbers_of(error, &quoted);
    if (connection == NULL) {
        observe_more(tcp, NULL, DAYTONA_EVENT_ICMP, told, "ignored");
        return DAYTONA_VERDICT_ICMP_IGNORED;
    }
    struct socket *socket = connection->socket;
    if (signer_ignores(connection, error)) {
        observe_more(tcp, socket, DAYTONA_EVENT_ICMP, told, "not signed");
        return DAYTONA_VERDICT_ICMP_IGNORED;
    }
    if (error->type == ICMP_UNREACHABLE && error->code == CODE_FRAGMENTATION_NEEDED) {
        observe_more(tcp, socket, DAYTONA_EVENT_ICMP, told, "path MTU");
        fragmentation_needed(connection, error);
    } else if (!ends_attempt(connection, error)) {
        observe_more(tcp, socket, DAYTONA_EVENT_ICMP, told, "noted");
        note_error(connection, errno_of(error));
    } else {
        observe_more(tcp, socket, DAYTONA_EVENT_ICMP, told, "connection attempt ended");
        connection_end(connection, errno_of(error), "ICMP error");
    }
    return DAYTONA_VERDICT_ICMP_TAKEN;
}

void tcp_path_changed(struct tcp *tcp, const struct daytona_address *remote, uint32_t mtu)
{
    if (mtu < PATH_MTU_MIN)
        return;
    uint32_t known = tcp_path_mtu_known(tcp, remote);
    if (known != 0 && known <= mtu)
        return; /* every connection was told already */
    path_mtu_learn(tcp, remote, mtu);
    struct socket *socket = socket_from_index(tcp, 0);
    for (; socket != NULL; socket = socket_from_index(tcp, socket->id.index + 1)) {
        struct connection *connection = socket->connection;
        if (connection != NULL && !connection->ended &&
            daytona_address_equal(&socket->entry.remote.address, remote))
            tcp_path_mtu_take(connection, mtu);
    }
}
