/*
 * Proportional rate reduction (RFC 6937bis): during fast recovery the window goes down to what the
 * congestion controller wants in step with what the network delivers. Without it the
 * retransmissions after a large loss leave in one burst into the queue that has just overflowed.
 * When so much is lost that less is in flight than the controller wants, the window grows back:
 * by what is delivered (the conservative reduction bound), and by a segment more with each ACK
 * that moves una and tells of no further loss (the slow start reduction bound).
 */
#include "stack/tcp/tcp_loss.h"

void tcp_prr_begin(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    /* RecoverFS: what may be delivered in this recovery, this ACK's share included. */
    uint64_t flight = send->nxt - send->una - send->sent.sacked_bytes;
    if (report != NULL)
        flight += report->delivered;
    send->prr_delivered = send->prr_out = 0;
    send->prr_flight = flight > 0 ? (uint32_t)flight : 1;
    send->prr_cwnd = tcp_pipe(connection) + send->mss; /* the fast retransmit itself */
}

void tcp_prr_delivered(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    uint32_t bytes = report->delivered;
    if (bytes == 0)
        return;
    uint32_t target = connection->controls.cwnd_bytes;
    uint32_t pipe = tcp_pipe(connection);
    bool safe = report->acked > 0 && send->rate.lost == report->prior_lost;
    send->prr_delivered += bytes;
    uint64_t may = 0;
    if (pipe > target) {
        may = ((uint64_t)send->prr_delivered * target + send->prr_flight - 1) / send->prr_flight;
        may = may > send->prr_out ? may - send->prr_out : 0;
    } else {
        may = send->prr_delivered > send->prr_out ? send->prr_delivered - send->prr_out : 0;
        if (may < bytes)
            may = bytes;
        may += safe ? send->mss : 0;
        if (may > target - pipe)
            may = target - pipe;
    }
    if (send->prr_out == 0 && may < send->mss)
        may = send->mss;
    send->prr_cwnd = pipe + (uint32_t)may;
    if (send->prr_cwnd < send->mss)
        send->prr_cwnd = send->mss;
}

uint32_t tcp_cwnd_now(const struct connection *connection)
{
    bool reducing = connection->send.recovery == RECOVERY_FAST && connection->sack &&
                    !connection->socket->congestion->models_path;
    return reducing ? connection->send.prr_cwnd : connection->controls.cwnd_bytes;
}
