#include "tests/sim/link.h"
#include <stdlib.h>

#define ROUTER_ADDRESS 0x0a0000feu /* 10.0.0.254: where ICMP errors come from */

static void schedule(struct sim_link *link, struct daytona_instant at, struct sim_packet *packet)
{
    link->counters.scheduled++;
    sim_queue_add(link->queue,
                  (struct sim_event){
                      .at = at, .kind = SIM_EVENT_PACKET, .host = link->to, .subject = packet});
}

static bool unplugged(const struct sim_link *link, struct daytona_instant now)
{
    return !daytona_instant_before(now, link->config.outage_start) &&
           daytona_instant_before(now, link->config.outage_end);
}

static bool loses(struct sim_link *link)
{
    if (link->burst_left == 0 && sim_random_chance(&link->random, link->config.burst_start))
        link->burst_left =
            (uint32_t)sim_random_between(&link->random, 1, link->config.burst_packets);
    if (link->burst_left > 0) {
        link->burst_left--;
        return true;
    }
    return sim_random_chance(&link->random, link->config.loss);
}

/* When the packet has left the line, or DAYTONA_NEVER when the queue has no room for it. */
static struct daytona_instant queue_up(struct sim_link *link, struct daytona_instant now,
                                       uint32_t length)
{
    uint64_t rate = link->config.bytes_per_second;
    if (rate == 0)
        return now;
    uint64_t start = link->line_free.ns > now.ns ? link->line_free.ns : now.ns;
    uint64_t waiting_ns = start - now.ns;
    uint64_t room_ns = (uint64_t)link->config.queue_bytes * 1000000000 / rate;
    if (link->config.queue_bytes != 0 && waiting_ns > room_ns)
        return DAYTONA_NEVER;
    link->line_free.ns = start + (uint64_t)length * 1000000000 / rate;
    return link->line_free;
}

static struct daytona_instant arrival(struct sim_link *link, struct daytona_instant left)
{
    struct sim_random *random = &link->random;
    const struct sim_link_config *config = &link->config;
    uint64_t us = config->delay_us + sim_random_between(random, 0, config->jitter_us);
    struct daytona_instant at = daytona_instant_after_us(left, us);
    if (config->reorder_us > 0 && sim_random_chance(random, config->reorder)) {
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
 * counted and the packet is lost instead. */
static bool corrupt(struct sim_link *link, struct sim_packet *packet)
{
    if (!sim_random_chance(&link->random, link->config.corrupt))
        return true;
    sim_packet_corrupt(packet, &link->random);
    link->counters.corrupted++;
    return !sim_packet_sums_hold(packet);
}

static void cut(struct sim_link *link, struct sim_packet *packet)
{
    if (!sim_random_chance(&link->random, link->config.cut))
        return;
    link->counters.cut++;
    packet->captured = (uint32_t)sim_random_between(&link->random, 1, packet->length - 1);
    packet->intact = false;
}

static void deliver_in_fragments(struct sim_link *link, struct daytona_instant left,
                                 struct sim_packet *packet, uint32_t mtu)
{
    uint32_t offset = 0;
    link->identification++;
    do {
        struct sim_packet *fragment =
            sim_packet_fragment(packet, mtu, offset, link->identification, &offset);
        schedule(link, arrival(link, left), fragment);
        link->counters.fragments += offset != 0;
    } while (offset != 0);
    free(packet);
}

static const char *drop(struct sim_packet *packet, uint64_t *counter, const char *fate)
{
    ++*counter;
    free(packet);
    return fate;
}

/* An ICMP error on its way back to the sender. */
static void complain(struct sim_link *link, struct daytona_instant now,
                     const struct sim_packet *packet, uint8_t code, uint32_t mtu)
{
    struct sim_packet *error = sim_packet_unreachable(packet, ROUTER_ADDRESS, code, mtu);
    sim_queue_add(link->queue,
                  (struct sim_event){.at = daytona_instant_after_us(now, link->config.delay_us),
                                     .kind = SIM_EVENT_PACKET,
                                     .host = link->from,
                                     .subject = error});
    link->counters.errors++;
}

static const char *refuse(struct sim_link *link, struct daytona_instant now,
                          struct sim_packet *packet)
{
    if (link->config.refuses_at_once)
        link->refused_mtu = link->config.mtu;
    else
        complain(link, now, packet, SIM_ICMP_TOO_BIG, link->config.mtu);
    return drop(packet, &link->counters.too_big, "too-big");
}

static const char *lose_in_outage(struct sim_link *link, struct daytona_instant now,
                                  struct sim_packet *packet)
{
    if (link->config.outage_is_told)
        complain(link, now, packet, SIM_ICMP_HOST, 0);
    return drop(packet, &link->counters.lost_in_outage, "unplugged");
}

const char *sim_link_carry(struct sim_link *link, struct daytona_instant now,
                           struct sim_packet *packet)
{
    struct sim_link_counters *counters = &link->counters;
    counters->offered++;
    link->refused_mtu = 0;
    if (packet->length > link->config.mtu && !sim_packet_may_fragment(packet))
        return refuse(link, now, packet);
    struct daytona_instant left = queue_up(link, now, packet->length);
    if (left.ns == UINT64_MAX)
        return drop(packet, &counters->queue_full, "queue-full");
    if (unplugged(link, now))
        return lose_in_outage(link, now, packet);
    if (loses(link))
        return drop(packet, &counters->lost, "lost");
    if (link->config.partial_checksums)
        sim_packet_make_partial(packet);
    if (sim_random_chance(&link->random, link->config.duplicate)) {
        counters->duplicates++;
        schedule(link, arrival(link, left), sim_packet_copy(packet));
    }
    if (!corrupt(link, packet))
        return drop(packet, &counters->undetectable, "corrupted-beyond-notice");
    cut(link, packet);
    if (packet->length > link->config.mtu && packet->intact)
        return deliver_in_fragments(link, left, packet, link->config.mtu), "fragmented";
    if (packet->length > 120 && packet->intact &&
        sim_random_chance(&link->random, link->config.fragment)) {
        uint64_t mtu = sim_random_between(&link->random, 68, packet->length - 1);
        deliver_in_fragments(link, left, packet, (uint32_t)mtu);
        return "fragmented";
    }
    const char *fate = packet->intact ? "sent" : "damaged";
    schedule(link, arrival(link, left), packet);
    return fate;
}

bool sim_link_is_clean(const struct sim_link_config *config)
{
    return config->loss == 0 && config->burst_start == 0 && config->queue_bytes == 0 &&
           config->reorder == 0 && config->duplicate == 0 && config->corrupt == 0 &&
           config->cut == 0 && config->fragment == 0 && !config->jitter_reorders &&
           config->outage_end.ns == 0;
}
