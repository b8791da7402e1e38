/*
 * Proportional rate reduction (RFC 6937): during fast recovery the window goes down to what the
 * congestion controller wants in step with what the network delivers, and never sends more than
 * one segment beyond that. Without it the retransmissions after a large loss leave in one burst
 * into the queue that has just overflowed.
 */
#include "stack/tcp/tcp_parts.h"

void tcp_prr_begin(struct connection *connection, uint32_t flight)
{
    struct sender *send = &connection->send;
    send->prr_delivered = send->prr_out = 0;
    send->prr_flight = flight > 0 ? flight : 1;
    send->prr_cwnd = tcp_pipe(connection) > send->mss ? tcp_pipe(connection) : send->mss;
}

void tcp_prr_delivered(struct connection *connection, uint32_t bytes, bool una_moved)
{
    struct sender *send = &connection->send;
    uint32_t target = connection->controls.cwnd_bytes;
    uint32_t pipe = tcp_pipe(connection);
    send->prr_delivered += bytes;
    uint64_t may = 0;
    if (pipe > target) {
        may = ((uint64_t)send->prr_delivered * target + send->prr_flight - 1) / send->prr_flight;
        may = may > send->prr_out ? may - send->prr_out : 0;
    } else {
        may = send->prr_delivered > send->prr_out ? send->prr_delivered - send->prr_out : 0;
        if (may < bytes)
            may = bytes;
        may += una_moved ? send->mss : 0; /* section 3: the slow start reduction bound */
        if (may > target - pipe)
            may = target - pipe;
    }
    send->prr_cwnd = pipe + (uint32_t)may;
    if (send->prr_cwnd < send->mss)
        send->prr_cwnd = send->mss;
}

uint32_t tcp_cwnd_now(const struct connection *connection)
{
    bool reducing = connection->send.recovery == RECOVERY_FAST && connection->sack;
    return reducing ? connection->send.prr_cwnd : connection->controls.cwnd_bytes;
}
