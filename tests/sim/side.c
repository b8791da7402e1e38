#include "tests/sim/side.h"
#include "tests/sim/connection.h"
#include "tests/sim/meter.h"
#include "tests/sim/stream.h"
#include "tests/sim/world.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CALL_BYTES_MAX 65536
#define SILENCE_MIN_US (50ull * 1000000) /* before a stack may say ETIMEDOUT by itself */

static struct sim_world *world_of(const struct sim_side *side)
{
    return side->host->world;
}

static const char *name_of(const struct sim_side *side)
{
    return side->role == SIM_CLIENT ? "client" : "server";
}

static struct sim_side *peer_of(const struct sim_side *side)
{
    return &side->connection->sides[1 - side->role];
}

void sim_side_complain(const struct sim_side *side, const char *format, ...)
{
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    sim_fail(world_of(side), "connection %u %s: %s", side->connection->number, name_of(side),
             words);
}

/* ---------------------------------------------------------------- failures */

/* Nothing came from the peer, or only what does not acknowledge anything, for as long as Linux or
 * the application's own options ask for. */
static bool may_give_up(const struct sim_side *side)
{
    const struct sim_flow *flow = sim_flow_of(&world_of(side)->flows, side->connection);
    const int64_t *options = side->plan->options;
    if (flow == NULL || options[DAYTONA_OPTION_USER_TIMEOUT_US] > 0 ||
        peer_of(side)->plan->options[DAYTONA_OPTION_USER_TIMEOUT_US] > 0) /* it may have told us */
        return true;
    unsigned end = sim_flow_end(flow, side->host->number);
    struct daytona_instant now = world_of(side)->now;
    uint64_t silent_us = daytona_instant_since_us(now, flow->heard[end]);
    uint64_t stalled_us = daytona_instant_since_us(now, flow->directions[end].stalled_since);
    if (options[DAYTONA_OPTION_KEEP_ALIVE] == 1 &&
        silent_us >= (uint64_t)options[DAYTONA_OPTION_KEEP_INTERVAL_US])
        return true;
    return silent_us >= SILENCE_MIN_US || stalled_us >= SILENCE_MIN_US;
}

static bool peer_died(const struct sim_side *side)
{
    return peer_of(side)->error != 0 || side->connection->given_up ||
           sim_connection_plan_resets(side->connection->plan);
}

/* The peer's half of a handshake was given up, after some time or because ICMP said so, while this
 * one was already complete: what followed was reset. */
static bool handshake_was_given_up(const struct sim_side *side)
{
    const struct sim_world *world = world_of(side);
    bool told = sim_scenario_tells_outages(world->scenario);
    bool late = daytona_instant_since_us(world->now, side->opened_at) >= SILENCE_MIN_US;
    return !peer_of(side)->opened && (told || late);
}

/* Its text overtook the ACK that would have brought the cookie back. */
static bool cookie_was_refused(const struct sim_side *side)
{
    return side->role == SIM_CLIENT && side->received == 0 &&
           sim_host_uses_cookies(peer_of(side)->host);
}

static bool error_is_excused(const struct sim_side *side, int error)
{
    if (world_of(side)->scenario->tight)
        return true;
    if (error == EHOSTUNREACH) /* told by ICMP */
        return sim_scenario_tells_outages(world_of(side)->scenario);
    if (error == ETIMEDOUT)
        return may_give_up(side) || peer_died(side);
    if (error == ECONNREFUSED)
        return side->connection->plan->refused ||
               (side->connection->plan->crossing && peer_died(side)); /* RST in SYN-RECEIVED */
    return (error == ECONNRESET || error == EPIPE) &&
           (peer_died(side) || handshake_was_given_up(side) || cookie_was_refused(side));
}

static void let_go(struct sim_side *side)
{
    if (side->plan->shuts_both && side->error == 0)
        daytona_stack_shutdown(side->host->stack, world_of(side)->now, side->id,
                               DAYTONA_SHUTDOWN_BOTH);
    int result = daytona_stack_close(side->host->stack, world_of(side)->now, side->id);
    if (result != 0)
        sim_side_complain(side, "close: %s", strerror(-result));
    side->closed = true;
    side->closed_at = world_of(side)->now;
    sim_host_side_closed(side->host, side);
    sim_world_progress(world_of(side));
    sim_host_touch(side->host);
}

void sim_side_failed(struct sim_side *side, int error)
{
    if (!error_is_excused(side, error))
        sim_side_complain(side, "%s after %llu bytes sent, %llu received", strerror(error),
                          (unsigned long long)side->sent, (unsigned long long)side->received);
    side->error = error;
    if (!side->closed)
        let_go(side);
}

void sim_side_orphan_ended(struct sim_side *side, enum daytona_tcp_state from)
{
    if (from == DAYTONA_TCP_TIME_WAIT || side->error != 0 || peer_died(side))
        return;
    if (handshake_was_given_up(side) || cookie_was_refused(side)) {
        side->error = ECONNRESET;
        return;
    }
    /* Linux net.ipv4.tcp_fin_timeout: nobody reads what the peer still sends */
    bool waited = from == DAYTONA_TCP_FIN_WAIT_2 &&
                  daytona_instant_since_us(world_of(side)->now, side->closed_at) >= SILENCE_MIN_US;
    if (waited || may_give_up(side))
        side->error = ETIMEDOUT;
    else if (from != DAYTONA_TCP_LAST_ACK && from != DAYTONA_TCP_CLOSING)
        sim_side_complain(side, "goes from %s to CLOSED by itself", daytona_tcp_state_name(from));
}

/* ---------------------------------------------------------------- writing */

static uint64_t allowed_to_send(const struct sim_side *side)
{
    const struct sim_side_plan *plan = side->plan;
    uint64_t allowed = side->bytes;
    switch (plan->pace) {
    case SIM_PACE_FREE:
    case SIM_PACE_COUNT:
        break;
    case SIM_PACE_ECHO:
        allowed = side->received;
        break;
    case SIM_PACE_REQUEST:
        allowed = side->role == SIM_CLIENT ? (side->received / plan->reply + 1) * plan->request
                                           : side->received / plan->request * plan->reply;
        break;
    }
    return allowed < side->bytes ? allowed : side->bytes;
}

static void rest_for(struct sim_side *side, enum sim_event_kind kind, uint64_t us, bool *resting)
{
    *resting = true;
    sim_queue_add(&world_of(side)->queue,
                  (struct sim_event){.at = daytona_instant_after_us(world_of(side)->now, us),
                                     .kind = kind,
                                     .subject = side});
}

static void rest(struct sim_side *side, enum sim_event_kind kind, uint32_t chance, bool *resting)
{
    if (!sim_random_chance(&side->random, chance))
        return;
    uint64_t us =
        side->plan->pause_us == 0 ? 0 : sim_random_skewed(&side->random, 1, side->plan->pause_us);
    rest_for(side, kind, us, resting);
}

/* One call, in one to three spans. */
static ptrdiff_t send_once(struct sim_side *side, size_t length)
{
    uint8_t bytes[CALL_BYTES_MAX];
    sim_stream_fill(side->connection->keys[side->role], side->sent, bytes, length);
    size_t first = sim_random_once_in(&side->random, 3)
                       ? sim_random_between(&side->random, 0, length)
                       : length;
    struct daytona_span spans[3] = {
        {bytes, first}, {bytes + first, 0}, {bytes + first, length - first}};
    unsigned flags = 0;
    if (side->plan->uses_more && sim_random_once_in(&side->random, 2))
        flags |= DAYTONA_SEND_MORE;
    if (side->plan->urgent && sim_random_once_in(&side->random, 8))
        flags |= DAYTONA_SEND_URGENT;
    return daytona_stack_send(side->host->stack, world_of(side)->now, side->id, spans, 3, flags);
}

/* Memory was short although nothing is queued: nobody will tell when it no longer is. */
static bool wait_for_memory(struct sim_side *side)
{
    if (!world_of(side)->scenario->tight)
        sim_side_complain(side, "no memory to send after %llu bytes",
                          (unsigned long long)side->sent);
    rest_for(side, SIM_EVENT_WRITE, 100000, &side->writing_rests);
    return false;
}

static void sleep_once(struct sim_side *side)
{
    uint64_t us = side->connection->plan->sleep_us;
    if (us == 0 || side->slept || side->role != SIM_CLIENT || side->sent < (side->bytes + 1) / 2)
        return;
    side->slept = true;
    rest_for(side, SIM_EVENT_WRITE, us, &side->writing_rests);
}

/* What is written without a gap. */
static uint64_t unit_of(const struct sim_side_plan *plan)
{
    return plan->pace == SIM_PACE_REQUEST ? plan->request : plan->burst;
}

/* At the beginning of a burst or a request: rests once before it, when the plan says so, or notes
 * when it was asked. */
static bool rests_before_unit(struct sim_side *side)
{
    uint64_t unit = unit_of(side->plan);
    if (unit == 0 || side->sent % unit != 0)
        return false;
    if (side->plan->gap_us > 0 && side->sent / unit > side->rounds) {
        side->rounds = side->sent / unit;
        rest_for(side, SIM_EVENT_WRITE, side->plan->gap_us, &side->writing_rests);
        return true;
    }
    side->asked = world_of(side)->now;
    return false;
}

static bool write_some(struct sim_side *side)
{
    uint64_t allowed = allowed_to_send(side);
    if (!side->can_write || side->writing_rests || side->shut || allowed <= side->sent ||
        rests_before_unit(side))
        return false;
    if (side->plan->gap_us > 0 && allowed - side->sent > unit_of(side->plan))
        allowed = side->sent + unit_of(side->plan) - side->sent % unit_of(side->plan);
    uint64_t length = sim_random_skewed(&side->random, 1, side->plan->write_max);
    if (length > allowed - side->sent)
        length = allowed - side->sent;
    ptrdiff_t result = send_once(side, length);
    sim_log(world_of(side), "connection %u %s send %llu: %td", side->connection->number,
            name_of(side), (unsigned long long)length, result);
    if (result == -EAGAIN) {
        side->can_write = false;
        return false;
    }
    if (result == -ENOBUFS)
        return wait_for_memory(side);
    if (result < 0) {
        sim_side_failed(side, (int)-result);
        return false;
    }
    if (result == 0 || (uint64_t)result > length) {
        sim_side_complain(side, "send of %llu says %td", (unsigned long long)length, result);
        return false;
    }
    side->sent += (uint64_t)result;
    if ((uint64_t)result < length && side->plan->short_count_means_blocked)
        side->can_write = false;
    sim_world_progress(world_of(side));
    rest(side, SIM_EVENT_WRITE, side->plan->write_pause, &side->writing_rests);
    if (!side->writing_rests)
        sleep_once(side);
    return true;
}

/* ---------------------------------------------------------------- reading */

static void take_bytes(struct sim_side *side, const uint8_t *bytes, size_t count)
{
    const struct sim_side *peer = peer_of(side);
    uint64_t key = side->connection->keys[peer->role];
    size_t right = sim_stream_match(key, side->received, bytes, count);
    if (side->received + count > peer->sent)
        sim_side_complain(side, "received %llu bytes of %llu sent",
                          (unsigned long long)side->received + count,
                          (unsigned long long)peer->sent);
    if (right != count)
        sim_side_complain(side, "wrong byte at stream offset %llu",
                          (unsigned long long)side->received + right);
}

static void stream_ended(struct sim_side *side)
{
    const struct sim_side *peer = peer_of(side);
    side->ended = true;
    side->ended_at = world_of(side)->now;
    sim_world_progress(world_of(side));
    if (!peer->shut && !peer->closed)
        sim_side_complain(side, "end of stream after %llu bytes, but the peer has not shut",
                          (unsigned long long)side->received);
    else if (side->received != peer->sent && !peer_died(side))
        sim_side_complain(side, "end of stream after %llu bytes of %llu",
                          (unsigned long long)side->received, (unsigned long long)peer->sent);
}

static ptrdiff_t receive_once(struct sim_side *side, size_t length, bool peek)
{
    bool discard = !peek && side->plan->discards && sim_random_once_in(&side->random, 4);
    uint8_t bytes[CALL_BYTES_MAX];
    size_t first = sim_random_once_in(&side->random, 3)
                       ? sim_random_between(&side->random, 0, length)
                       : length;
    struct daytona_room rooms[2] = {{bytes, first}, {bytes + first, length - first}};
    ptrdiff_t result =
        daytona_stack_receive(side->host->stack, world_of(side)->now, side->id, rooms, 2,
                              peek      ? DAYTONA_RECEIVE_PEEK
                              : discard ? DAYTONA_RECEIVE_DISCARD
                                        : 0);
    sim_log(world_of(side), "connection %u %s receive %zu%s: %td", side->connection->number,
            name_of(side), length, peek ? " peek" : "", result);
    if (result > (ptrdiff_t)length)
        sim_side_complain(side, "receive of %zu says %td", length, result);
    else if (result > 0 && !discard)
        take_bytes(side, bytes, (size_t)result);
    return result;
}

/* The last byte of a reply is among `length` more. */
static void note_response(const struct sim_side *side, uint64_t length)
{
    const struct sim_side_plan *plan = side->plan;
    if (plan->pace == SIM_PACE_REQUEST && side->role == SIM_CLIENT &&
        (side->received + length) / plan->reply > side->received / plan->reply)
        sim_meter_response(world_of(side)->meter, side,
                           daytona_instant_since_us(world_of(side)->now, side->asked));
}

static bool read_some(struct sim_side *side)
{
    if (!side->can_read || side->reading_rests || side->ended || side->closed)
        return false;
    size_t length = sim_random_skewed(&side->random, 1, side->plan->read_max);
    if (side->plan->peeks && sim_random_once_in(&side->random, 4))
        receive_once(side, length, true);
    ptrdiff_t result = receive_once(side, length, false);
    if (result == -EAGAIN) {
        side->can_read = false;
        return false;
    }
    if (result < 0) {
        sim_side_failed(side, (int)-result);
        return false;
    }
    if (result == 0) {
        stream_ended(side);
        return false;
    }
    side->reads++;
    note_response(side, (uint64_t)result);
    side->received += (uint64_t)result;
    if ((size_t)result < length && side->plan->short_count_means_blocked && !side->end_told)
        side->can_read = false;
    sim_world_progress(world_of(side));
    rest(side, SIM_EVENT_READ, side->plan->read_pause, &side->reading_rests);
    return true;
}

/* ---------------------------------------------------------------- ending */

static void shut_writing(struct sim_side *side)
{
    int result = daytona_stack_shutdown(side->host->stack, world_of(side)->now, side->id,
                                        DAYTONA_SHUTDOWN_WRITE);
    side->shut = true;
    sim_world_progress(world_of(side));
    if (result == -ENOTCONN && peer_died(side))
        return;
    if (result != 0)
        sim_side_complain(side, "shutdown: %s", strerror(-result));
}

void sim_side_abort(struct sim_side *side)
{
    int result = daytona_stack_abort(side->host->stack, world_of(side)->now, side->id);
    if (result != 0)
        sim_side_complain(side, "abort: %s", strerror(-result));
    side->closed = side->gone = true;
    sim_host_side_closed(side->host, side);
    sim_world_progress(world_of(side));
    sim_host_touch(side->host);
}

static void reset_in_the_middle(struct sim_side *side)
{
    if (side->plan->ending == SIM_ENDING_ABORT) {
        sim_side_abort(side);
        return;
    }
    if (side->plan->ending == SIM_ENDING_LINGER_ZERO)
        daytona_stack_set_option(side->host->stack, world_of(side)->now, side->id,
                                 DAYTONA_OPTION_LINGER_US, 0);
    let_go(side);
}

static void end_if_due(struct sim_side *side)
{
    const struct sim_side_plan *plan = side->plan;
    bool all_sent = side->sent == side->bytes;
    bool all_received = side->received == peer_of(side)->bytes;
    switch (plan->ending) {
    case SIM_ENDING_HALF_CLOSE:
        if (all_sent && !side->shut)
            shut_writing(side);
        if (side->shut && side->ended)
            let_go(side);
        break;
    case SIM_ENDING_CLOSE:
        if (all_sent && (all_received || side->ended))
            let_go(side);
        break;
    case SIM_ENDING_CLOSE_EARLY:
        if (all_sent)
            let_go(side);
        break;
    case SIM_ENDING_UNREAD:
    case SIM_ENDING_ABORT:
    case SIM_ENDING_LINGER_ZERO:
        if (side->sent + side->received >= plan->ending_after || (all_sent && side->ended))
            reset_in_the_middle(side);
        break;
    case SIM_ENDING_COUNT:
        break;
    }
}

void sim_side_run(struct sim_side *side)
{
    const struct sim_world *world = world_of(side);
    for (bool moved = true; moved && side->connected && !side->closed && !world->failed;) {
        moved = write_some(side);
        moved = (!side->closed && read_some(side)) || moved;
        if (!side->closed)
            end_if_due(side);
    }
    sim_host_touch(side->host);
}

/* An open request is finished, and its reply is part of the plan. */
void sim_side_stop(struct sim_side *side)
{
    struct sim_side *peer = peer_of(side);
    uint64_t request = side->plan->pace == SIM_PACE_REQUEST ? side->plan->request : 1;
    uint64_t bytes = (side->sent + request - 1) / request * request;
    if (side->closed || side->sent == side->bytes || side->plan->pace == SIM_PACE_ECHO ||
        (side->plan->pace == SIM_PACE_REQUEST && side->role == SIM_SERVER))
        return;
    side->bytes = bytes;
    if (peer->plan->pace == SIM_PACE_ECHO)
        peer->bytes = bytes;
    if (peer->plan->pace == SIM_PACE_REQUEST)
        peer->bytes = bytes / request * peer->plan->reply;
    sim_side_run(peer);
    sim_side_run(side);
}

/* ---------------------------------------------------------------- being told */

void sim_side_told(struct sim_side *side, unsigned ready)
{
    if ((ready & (DAYTONA_READY_IN | DAYTONA_READY_RDHUP | DAYTONA_READY_HUP)) != 0)
        side->can_read = true;
    if ((ready & (DAYTONA_READY_OUT | DAYTONA_READY_HUP)) != 0)
        side->can_write = true;
    if ((ready & DAYTONA_READY_RDHUP) != 0)
        side->end_told = true;
}

void sim_side_ready(struct sim_side *side, const struct daytona_ready *ready)
{
    if ((ready->edges & DAYTONA_READY_GONE) != 0) {
        if (!side->closed)
            sim_side_complain(side, "gone (%#x) before it was closed", ready->edges);
        side->gone = true;
        sim_world_progress(world_of(side));
        return;
    }
    if (side->closed)
        return;
    if ((ready->edges & DAYTONA_READY_ERROR) != 0) {
        int error = daytona_stack_take_error(side->host->stack, side->id);
        if (error != 0) {
            sim_side_failed(side, error);
            return;
        }
    }
    if (!side->connected && (ready->edges & DAYTONA_READY_OUT) != 0) {
        side->connected = true;
        sim_world_progress(world_of(side));
    }
    sim_side_told(side, ready->edges);
    sim_side_run(side);
}

void sim_side_check_edges(const struct sim_side *side)
{
    if (!side->connected || side->closed)
        return;
    unsigned ready = daytona_stack_readiness(side->host->stack, side->id);
    if ((ready & DAYTONA_READY_IN) != 0 && !side->can_read && !side->ended)
        sim_side_complain(side, "can read (%#x) but was not told, after %llu bytes", ready,
                          (unsigned long long)side->received);
    if ((ready & DAYTONA_READY_OUT) != 0 && !side->can_write && !side->shut &&
        !world_of(side)->scenario->tight)
        sim_side_complain(side, "can write (%#x) but was not told, after %llu bytes", ready,
                          (unsigned long long)side->sent);
}
