#include "tests/sim/link.h"
#include <stdlib.h>

#define ROUTER_ADDRESS 0x0aff0001u /* 10.255.0.1: where ICMP errors come from */

static void schedule(struct sim_link *link, struct daytona_instant at, struct sim_packet *packet)
{
    link->counters.scheduled++;
    sim_queue_add(link->events,
                  (struct sim_event){
                      .at = at, .kind = SIM_EVENT_PACKET, .node = link->to, .subject = packet});
}

static const char *drop(struct sim_packet *packet, uint64_t *counter, const char *fate)
{
    ++*counter;
    free(packet);
    return fate;
}

/* ---------------------------------------------------------------- on the line */

/* Gilbert and Elliott: two states, and losses of each. */
static bool loses(struct sim_link *link)
{
    const struct sim_link_config *config = &link->config;
    if (config->burst_enter > 0) {
        uint64_t chance = link->bad ? config->burst_leave : config->burst_enter;
        if (sim_random_chance(&link->random, (uint32_t)chance))
            link->bad = !link->bad;
    }
    uint64_t loss = link->bad ? config->burst_loss : config->loss;
    return sim_random_chance(&link->random, (uint32_t)loss);
}

static struct daytona_instant arrival(struct sim_link *link, struct daytona_instant left)
{
    struct sim_random *random = &link->random;
    const struct sim_link_config *config = &link->config;
    uint64_t us = config->delay_us + sim_random_between(random, 0, config->jitter_us);
    struct daytona_instant at = daytona_instant_after_us(left, us);
    if (config->reorder_us > 0 && sim_random_chance(random, (uint32_t)config->reorder)) {
        link->counters.held_back++;
        return daytona_instant_after_us(at, sim_random_between(random, 1, config->reorder_us));
    }
    if (!config->jitter_reorders) {
        if (daytona_instant_before(at, link->last_arrival))
            at = link->last_arrival;
        link->last_arrival = at;
    }
    return at;
}

/* A flip that leaves all sums right would reach the application: TCP cannot know better. It is
 * counted and the packet is lost instead. Of a fragment the sum that counts is that of the whole
 * datagram, to which it adds its own. */
static bool corrupt(struct sim_link *link, struct sim_packet *packet)
{
    if (!sim_random_chance(&link->random, (uint32_t)link->config.corrupt))
        return true;
    bool fragment = sim_packet_is_fragment(packet);
    uint16_t before = sim_packet_sum(packet);
    if (!fragment && sim_random_once_in(&link->random, 8)) {
        sim_packet_make_partial(packet); /* which nobody may take who does not expect it */
        packet->intact = false;
    } else {
        sim_packet_corrupt(packet, &link->random);
    }
    link->counters.corrupted++;
    return fragment ? sim_packet_sum(packet) != before : !sim_packet_sums_hold(packet);
}

static void cut(struct sim_link *link, struct sim_packet *packet)
{
    if (!sim_random_chance(&link->random, (uint32_t)link->config.cut))
        return;
    link->counters.cut++;
    packet->captured = (uint32_t)sim_random_between(&link->random, 1, packet->length - 1);
    packet->intact = false;
}

static const char *deliver_in_fragments(struct sim_link *link, struct daytona_instant left,
                                        struct sim_packet *packet, uint64_t mtu)
{
    uint32_t offset = 0;
    link->identification++;
    do {
        struct sim_packet *fragment =
            sim_packet_fragment(packet, (uint32_t)mtu, offset, link->identification, &offset);
        schedule(link, arrival(link, left), fragment);
        link->counters.fragments += offset != 0;
    } while (offset != 0);
    free(packet);
    return "fragmented";
}

/* An ICMP error on its way back to the sender. */
static void complain(struct sim_link *link, const struct sim_packet *packet, uint8_t code,
                     uint64_t mtu)
{
    link->complaint = sim_packet_unreachable(packet, ROUTER_ADDRESS, code, (uint32_t)mtu);
    link->counters.errors++;
}

/* The packet's last byte leaves at `left`. */
static const char *depart(struct sim_link *link, struct daytona_instant left,
                          struct sim_packet *packet)
{
    struct sim_link_counters *counters = &link->counters;
    const struct sim_link_config *config = &link->config;
    if (config->down && config->outage_is_told)
        complain(link, packet, SIM_ICMP_HOST, 0);
    if (config->down)
        return drop(packet, &counters->lost_in_outage, "unplugged");
    if (loses(link))
        return drop(packet, &counters->lost, "lost");
    if (config->partial_checksums)
        sim_packet_make_partial(packet);
    if (sim_random_chance(&link->random, (uint32_t)config->duplicate)) {
        counters->duplicates++;
        schedule(link, arrival(link, left), sim_packet_copy(packet));
    }
    if (!corrupt(link, packet))
        return drop(packet, &counters->undetectable, "corrupted-beyond-notice");
    cut(link, packet);
    if (packet->length > config->mtu && packet->intact)
        return deliver_in_fragments(link, left, packet, config->mtu);
    if (packet->length > 120 && packet->intact && !sim_packet_is_fragment(packet) &&
        sim_random_chance(&link->random, (uint32_t)config->fragment))
        return deliver_in_fragments(link, left, packet,
                                    sim_random_between(&link->random, 68, packet->length - 1));
    const char *fate = packet->intact ? "sent" : "damaged";
    schedule(link, arrival(link, left), packet);
    return fate;
}

/* ---------------------------------------------------------------- before the line */

static void note_sojourn(struct sim_link *link, uint64_t us)
{
    if (link->sojourn != NULL)
        sim_samples_add(link->sojourn, us);
}

static const char *transmit(struct sim_link *link, struct daytona_instant now,
                            struct sim_packet *packet)
{
    uint64_t rate = link->config.bytes_per_second;
    uint64_t ns = rate == 0 ? 0 : (uint64_t)packet->length * 1000000000 / rate;
    link->line_free.ns = now.ns + ns;
    return depart(link, link->line_free, packet);
}

static bool has_room(const struct sim_link *link, uint32_t length)
{
    const struct sim_link_config *config = &link->config;
    return (config->queue_bytes == 0 || link->waiting_bytes + length <= config->queue_bytes) &&
           (config->queue_packets == 0 || link->waiting_packets < config->queue_packets);
}

/* The line will be free; an event says when. */
static void await_line(struct sim_link *link)
{
    if (link->awaits_line || link->config.held || link->first == NULL)
        return;
    link->awaits_line = true;
    sim_queue_add(
        link->events,
        (struct sim_event){.at = link->line_free, .kind = SIM_EVENT_LINE, .subject = link});
}

static void join_queue(struct sim_link *link, struct daytona_instant now, struct sim_packet *packet)
{
    packet->queued = now;
    packet->next = NULL;
    if (link->first == NULL)
        link->first = packet;
    else
        link->last->next = packet;
    link->last = packet;
    link->waiting_bytes += packet->length;
    link->waiting_packets++;
    await_line(link);
}

static struct sim_packet *leave_queue(struct sim_link *link)
{
    struct sim_packet *packet = link->first;
    link->first = packet->next;
    packet->next = NULL;
    link->waiting_bytes -= packet->length;
    link->waiting_packets--;
    return packet;
}

static const char *refuse(struct sim_link *link, struct sim_packet *packet)
{
    if (link->config.refuses_at_once)
        link->refused_mtu = link->config.mtu;
    else if (!link->config.refuses_silently)
        complain(link, packet, SIM_ICMP_TOO_BIG, link->config.mtu);
    return drop(packet, &link->counters.too_big, "too-big");
}

const char *sim_link_carry(struct sim_link *link, struct daytona_instant now,
                           struct sim_packet *packet)
{
    const struct sim_link_config *config = &link->config;
    link->counters.offered++;
    link->counters.offered_bytes += packet->length;
    link->refused_mtu = 0;
    link->complaint = NULL;
    if (packet->length > config->mtu && !sim_packet_may_fragment(packet))
        return refuse(link, packet);
    bool idle = link->first == NULL && !config->held;
    if (idle && (config->bytes_per_second == 0 || link->line_free.ns <= now.ns)) {
        note_sojourn(link, 0);
        return transmit(link, now, packet);
    }
    if (!has_room(link, packet->length))
        return drop(packet, &link->counters.queue_full, "queue-full");
    if (config->mark_bytes > 0 && link->waiting_bytes > config->mark_bytes)
        link->counters.marked += sim_packet_mark_congestion(packet);
    join_queue(link, now, packet);
    return "queued";
}

/* CoDel at the head of the queue; NULL when it has dropped all there was. */
static struct sim_packet *next_of_queue(struct sim_link *link, struct daytona_instant now)
{
    const struct sim_link_config *config = &link->config;
    while (link->first != NULL) {
        struct sim_packet *packet = leave_queue(link);
        if (config->codel_target_us == 0 ||
            !sim_codel_decides_against(&link->codel, now, packet->queued, link->waiting_bytes,
                                       config->codel_target_us, config->codel_interval_us))
            return packet;
        if (config->codel_marks && sim_packet_mark_congestion(packet)) {
            link->counters.marked++;
            return packet;
        }
        drop(packet, &link->counters.codel_dropped, "codel");
    }
    return NULL;
}

void sim_link_go_on(struct sim_link *link, struct daytona_instant now)
{
    link->awaits_line = false;
    link->complaint = NULL;
    if (link->config.held || link->first == NULL)
        return;
    struct sim_packet *packet = next_of_queue(link, now);
    if (packet == NULL)
        return;
    note_sojourn(link, daytona_instant_since_us(now, packet->queued));
    transmit(link, now, packet);
    await_line(link);
}

void sim_link_change(struct sim_link *link, struct daytona_instant now,
                     const struct sim_link_config *config)
{
    link->config = *config;
    if (daytona_instant_before(link->line_free, now))
        link->line_free = now;
    await_line(link);
}

void sim_link_release(struct sim_link *link)
{
    while (link->first != NULL)
        free(leave_queue(link));
}

bool sim_link_is_clean(const struct sim_link_config *config)
{
    return config->loss == 0 && config->burst_enter == 0 && config->queue_bytes == 0 &&
           config->queue_packets == 0 && config->codel_target_us == 0 && config->reorder == 0 &&
           config->duplicate == 0 && config->corrupt == 0 && config->cut == 0 &&
           config->fragment == 0 && !config->jitter_reorders && !config->down && !config->held;
}
