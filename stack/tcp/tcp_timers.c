/*
 * Timers, dispatched by kind through a table; and keepalive, the one that belongs to no other
 * file (RFC 9293 section 3.8.4).
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"

#include <errno.h>

static void cork_fired(struct connection *connection)
{
    connection->send.cork_over = true;
    tcp_output_want(connection);
}

static bool keepalive_wanted(const struct connection *connection)
{
    const struct socket *socket = connection->socket;
    return option_on(socket, DAYTONA_OPTION_KEEP_ALIVE) && !connection->ended &&
           tcp_state_synchronized(socket->state) && socket->state != DAYTONA_TCP_TIME_WAIT &&
           !(socket->closed && socket->state == DAYTONA_TCP_FIN_WAIT_2);
}

static void keepalive_set(struct connection *connection, uint64_t us)
{
    struct socket *socket = connection->socket;
    socket->life.kind = TIMER_KEEPALIVE;
    timer_set(&connection->tcp->timers, &socket->life,
              daytona_instant_after_us(connection->tcp->now, us));
}

void tcp_keepalive_restart(struct connection *connection)
{
    struct socket *socket = connection->socket;
    if (keepalive_wanted(connection)) {
        uint64_t idle_us =
            daytona_instant_since_us(connection->tcp->now, connection->receive.last_segment);
        uint64_t limit_us = (uint64_t)socket->options[DAYTONA_OPTION_KEEP_IDLE_US];
        keepalive_set(connection, idle_us < limit_us ? limit_us - idle_us : 0);
    } else if (socket->life.kind == TIMER_KEEPALIVE) {
        timer_cancel(&connection->tcp->timers, &socket->life);
    }
}

/* The peer was silent through all probes. With TCP_USER_TIMEOUT that time counts instead. */
static bool keepalive_over(const struct connection *connection, uint64_t silent_us)
{
    const int64_t *options = connection->socket->options;
    uint64_t user_us = tcp_user_timeout_us(connection);
    if (user_us != 0)
        return connection->send.probes > 0 && silent_us >= user_us;
    return connection->send.probes >= options[DAYTONA_OPTION_KEEP_COUNT];
}

/* The timer is not moved by every segment; it looks how long the silence was. */
static void keepalive_fired(struct socket *socket)
{
    struct connection *connection = socket->connection;
    struct tcp *tcp = socket->tcp;
    if (!keepalive_wanted(connection))
        return;
    struct sender *send = &connection->send;
    uint64_t idle_us = (uint64_t)socket->options[DAYTONA_OPTION_KEEP_IDLE_US];
    uint64_t silent_us = daytona_instant_since_us(tcp->now, connection->receive.last_segment);
    if (send->nxt != send->una || send_queued(send) != 0) {
        keepalive_set(connection, idle_us); /* retransmissions and window probes do the work */
    } else if (silent_us < idle_us) {
        keepalive_set(connection, idle_us - silent_us);
    } else if (keepalive_over(connection, silent_us)) {
        tcp_abort(connection, connection->soft_error != 0 ? connection->soft_error : ETIMEDOUT,
                  "keepalive");
    } else {
        send->probes++;
        send->probe_due = true;
        tcp_output_want(connection);
        observe(tcp, socket, DAYTONA_EVENT_PROBE, send->probes, 0, "keepalive");
        keepalive_set(connection, (uint64_t)socket->options[DAYTONA_OPTION_KEEP_INTERVAL_US]);
    }
}

static void fin_wait_2_fired(struct socket *socket)
{
    connection_end(socket->connection, 0, "FIN-WAIT-2 timeout");
}

static void time_wait_fired(struct socket *socket)
{
    tcp_time_wait_end(socket, "TIME-WAIT is over");
}

/* Nobody will read any more; how long the peer's FIN is waited for is TCP_LINGER2. Never less than
 * three and a half RTOs (Linux tcp_fin_time), so that it may be lost once. */
static void fin_wait_2_begin(struct connection *connection)
{
    struct socket *socket = connection->socket;
    int64_t us = socket->options[DAYTONA_OPTION_FIN_WAIT_2_US];
    int64_t least_us = (int64_t)connection->send.rto_us * 7 / 2;
    if (us < 0) {
        tcp_reset_send(connection, "no FIN-WAIT-2");
        connection_end(connection, 0, "no FIN-WAIT-2");
        return;
    }
    socket->life.kind = TIMER_FIN_WAIT_2;
    timer_set(
        &connection->tcp->timers, &socket->life,
        daytona_instant_after_us(connection->tcp->now, (uint64_t)(us > least_us ? us : least_us)));
}

void tcp_orphaned(struct connection *connection)
{
    struct socket *socket = connection->socket;
    /* Orphans are given up sooner; their time counts from now on. */
    if (connection->send.stalled_since.ns != 0)
        connection->send.stalled_since = connection->tcp->now;
    if (socket->state == DAYTONA_TCP_TIME_WAIT)
        tcp_time_wait_shrink(connection);
    else if (socket->state == DAYTONA_TCP_FIN_WAIT_2)
        fin_wait_2_begin(connection);
}

/* Which record a timer is embedded in, and what happens when it is due. */
static const struct timer_action {
    size_t offset;
    void (*connection_fired)(struct connection *);
    void (*socket_fired)(struct socket *);
    void (*request_fired)(struct request *);
} timer_actions[TIMER_KIND_COUNT] = {
    [TIMER_RETRANSMIT] = {offsetof(struct connection, send.timer), tcp_retransmit_fired, NULL,
                          NULL},
    [TIMER_TAIL_PROBE] = {offsetof(struct connection, send.timer), tcp_tail_probe_fired, NULL,
                          NULL},
    [TIMER_REORDER] = {offsetof(struct connection, send.timer), tcp_reorder_fired, NULL, NULL},
    [TIMER_PERSIST] = {offsetof(struct connection, send.timer), tcp_persist_fired, NULL, NULL},
    [TIMER_CORK] = {offsetof(struct connection, send.timer), cork_fired, NULL, NULL},
    [TIMER_PACING] = {offsetof(struct connection, send.pacing), tcp_output_want, NULL, NULL},
    [TIMER_MARKED] = {offsetof(struct connection, send.timer), tcp_ecn_pause_fired, NULL, NULL},
    [TIMER_DELAYED_ACK] = {offsetof(struct connection, receive.timer), tcp_delayed_ack_fired, NULL,
                           NULL},
    [TIMER_KEEPALIVE] = {offsetof(struct socket, life), NULL, keepalive_fired, NULL},
    [TIMER_FIN_WAIT_2] = {offsetof(struct socket, life), NULL, fin_wait_2_fired, NULL},
    [TIMER_TIME_WAIT] = {offsetof(struct socket, life), NULL, time_wait_fired, NULL},
    [TIMER_SYN_ACK] = {offsetof(struct request, timer), NULL, NULL, tcp_request_fired},
};

static void fire(struct timer *timer)
{
    const struct timer_action *action = &timer_actions[timer->kind];
    void *owner = (uint8_t *)timer - action->offset;
    if (action->connection_fired != NULL) {
        socket_stir(((struct connection *)owner)->socket);
        profile_found(((struct connection *)owner)->socket);
        action->connection_fired(owner);
    } else if (action->socket_fired != NULL) {
        socket_stir(owner);
        action->socket_fired(owner);
    } else {
        socket_stir(((struct request *)owner)->listener);
        action->request_fired(owner);
    }
}

void tcp_run_timers(struct tcp *tcp)
{
    struct timer *timer;
    while ((timer = timers_take_due(&tcp->timers, tcp->now)) != NULL) {
        daytona_profile_enter(tcp->profiler, DAYTONA_ACTIVITY_timers);
        fire(timer);
        daytona_profile_leave(tcp->profiler);
    }
}
