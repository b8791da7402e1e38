#include "tests/sim/seed.h"
#include <string.h>

#define MILLION   1000000u
#define SUPER_MTU 65535u
#define TIGHT     ((size_t)1 << 20)
#define CROWD_MAX 6 /* hosts */

#define CONNECTIONS_MAX 48

/* ---------------------------------------------------------------- links */

/* Half of the scenarios have a given trouble not at all. */
static uint32_t trouble(struct sim_random *random, uint32_t high)
{
    return sim_random_once_in(random, 2) ? 0 : (uint32_t)sim_random_skewed(random, 100, high);
}

static void draw_troubles(struct sim_random *random, struct sim_link_config *link)
{
    link->loss = trouble(random, sim_random_once_in(random, 8) ? 200000 : 60000);
    link->burst_enter = trouble(random, 4000) / 2;
    link->burst_leave = MILLION / sim_random_skewed(random, 1, 40);
    link->burst_loss = sim_random_between(random, MILLION / 2, MILLION);
    link->reorder = trouble(random, 250000);
    link->reorder_us = (uint32_t)sim_random_skewed(random, 10, 100000);
    link->duplicate = trouble(random, 100000);
    link->corrupt = trouble(random, 50000);
    link->cut = trouble(random, 20000);
    link->fragment = trouble(random, 100000);
    link->jitter_reorders = sim_random_once_in(random, 4);
    link->outage_is_told = sim_random_once_in(random, 16);
}

/* Queues that tell of congestion, or drop before they are full. */
static void draw_marking(struct sim_random *random, struct sim_link_config *link)
{
    if (sim_random_once_in(random, 5))
        link->mark_bytes = sim_random_skewed(random, 3000, 100000);
    if (!sim_random_once_in(random, 5))
        return;
    link->codel_target_us = sim_random_skewed(random, 500, 20000);
    link->codel_interval_us = 20 * link->codel_target_us;
    link->codel_marks = sim_random_once_in(random, 2);
}

static void draw_link(struct sim_random *random, struct sim_link_config *link, bool clean)
{
    *link = (struct sim_link_config){.mtu = 1500};
    link->delay_us = (uint32_t)sim_random_skewed(random, 10, 300000);
    if (sim_random_once_in(random, 2))
        link->jitter_us = (uint32_t)sim_random_between(random, 0, link->delay_us);
    if (!sim_random_once_in(random, 3))
        link->bytes_per_second = sim_random_skewed(random, 20000, 125000000);
    if (clean)
        return;
    if (!sim_random_once_in(random, 3))
        link->queue_bytes = sim_random_skewed(random, 3000, MILLION);
    draw_marking(random, link);
    draw_troubles(random, link);
}

/* A host's packets fit its own links, and now and then not those behind. */
static void draw_mtu(struct sim_random *random, struct sim_scenario *scenario, bool clean)
{
    for (unsigned i = 0; i < scenario->host_count; i++) {
        uint32_t mtu = 1500;
        if (sim_random_once_in(random, 4))
            mtu = (uint32_t)sim_random_between(random, 296, 9000);
        if (sim_random_once_in(random, 40))
            mtu = (uint32_t)sim_random_between(random, 88, 296);
        scenario->hosts[i].path_mtu = mtu;
    }
    for (unsigned i = 0; i < scenario->link_count; i++) {
        unsigned from = scenario->ends[i][0];
        uint64_t mtu = from < scenario->host_count ? scenario->hosts[from].path_mtu : 9000;
        scenario->links[i].mtu = mtu;
        if (!clean && sim_random_once_in(random, 8))
            scenario->links[i].mtu = sim_random_between(random, 88, mtu);
        scenario->links[i].refuses_at_once =
            from < scenario->host_count && sim_random_once_in(random, 3);
    }
}

/* As between two hosts of which both leave sums and segmentation to the device: nothing guards
 * the bytes on the way, so nothing may damage them. */
static void draw_offload(struct sim_random *random, struct sim_scenario *scenario)
{
    scenario->offload = sim_random_once_in(random, 8);
    if (!scenario->offload)
        return;
    for (unsigned i = 0; i < scenario->link_count; i++) {
        struct sim_link_config *link = &scenario->links[i];
        link->mtu = SUPER_MTU;
        link->corrupt = link->fragment = 0;
        link->partial_checksums = sim_random_once_in(random, 2);
    }
    for (unsigned i = 0; i < scenario->host_count; i++) {
        scenario->hosts[i].config.accept_partial_checksum = true;
        scenario->hosts[i].config.super_segment_bytes_max =
            (uint32_t)sim_random_between(random, 2000, 64280);
    }
}

/* ---------------------------------------------------------------- hosts */

static uint32_t or_default(struct sim_random *random, uint32_t low, uint32_t high)
{
    return sim_random_once_in(random, 2) ? 0 : (uint32_t)sim_random_skewed(random, low, high);
}

static const char *draw_ecn(struct sim_random *random)
{
    size_t count = 0;
    while (daytona_stack_ecn_name(count) != NULL)
        count++;
    return daytona_stack_ecn_name((size_t)sim_random_between(random, 0, count - 1));
}

static void draw_host(struct sim_random *random, struct sim_host_plan *host)
{
    struct daytona_stack_config *config = &host->config;
    config->congestion = sim_random_once_in(random, 3) ? NULL : sim_seed_controller(random);
    if (sim_random_once_in(random, 3))
        config->ecn = draw_ecn(random);
    config->receive_buffer_bytes = or_default(random, 2000, 1000000);
    config->receive_buffer_max = or_default(random, 131072, 6291456);
    if (config->receive_buffer_max < config->receive_buffer_bytes)
        config->receive_buffer_max = 0;
    config->send_buffer_bytes = or_default(random, 2304, 1000000);
    config->time_wait_us = or_default(random, 1000000, 60000000);
    config->rto_min_us = sim_random_once_in(random, 4) ? 1000000 : 0;
    config->reassembly_bytes_max = or_default(random, 65536, 1000000);
    if (sim_random_once_in(random, 8)) {
        host->dirty_region = true;
        host->region_bytes = (size_t)8 << 20;
        config->send_buffer_bytes = 65536;
    }
    if (sim_random_once_in(random, 3))
        host->late_us = (uint32_t)sim_random_skewed(random, 10, 50000);
    if (sim_random_once_in(random, 2))
        host->batch = (uint32_t)sim_random_between(random, 1, 16);
    host->backlog = (int)sim_random_skewed(random, 1, 128);
    if (sim_random_once_in(random, 8))
        config->syn_queue_max = (uint32_t)sim_random_skewed(random, 1, 16);
    if (sim_random_once_in(random, 8))
        config->syn_cookies = (enum daytona_syn_cookies)sim_random_between(
            random, DAYTONA_SYN_COOKIES_OFF, DAYTONA_SYN_COOKIES_ALWAYS);
    if (sim_random_once_in(random, 6))
        host->accept_pause_us = (uint32_t)sim_random_skewed(random, 10, 2000000);
}

/* ---------------------------------------------------------------- applications */

/* Sizes of calls are bounded from below so that a run takes some thousand calls, not a million. */
static void draw_calls(struct sim_random *random, struct sim_side_plan *side, uint64_t reads)
{
    uint64_t least = side->bytes / 2000 + 1;
    side->write_max = (uint32_t)sim_random_skewed(random, least, 65536);
    side->read_max = (uint32_t)sim_random_skewed(random, reads / 2000 + 1, 65536);
    bool long_pauses = sim_random_once_in(random, 12);
    side->pause_us = (uint32_t)sim_random_skewed(random, 10, long_pauses ? 100000000 : 200000);
    if (sim_random_once_in(random, 3))
        side->read_pause = (uint32_t)sim_random_skewed(random, 1000, long_pauses ? 10000 : 300000);
    if (sim_random_once_in(random, 3))
        side->write_pause = (uint32_t)sim_random_skewed(random, 1000, long_pauses ? 10000 : 300000);
    side->short_count_means_blocked = sim_random_once_in(random, 2);
    side->peeks = sim_random_once_in(random, 8);
    side->discards = sim_random_once_in(random, 8);
    side->shuts_both = sim_random_once_in(random, 6);
    side->uses_more = sim_random_once_in(random, 10);
}

static void draw_pace(struct sim_random *random, struct sim_connection_plan *plan, uint64_t volume)
{
    struct sim_side_plan *client = &plan->sides[SIM_CLIENT], *server = &plan->sides[SIM_SERVER];
    uint64_t bytes = sim_random_skewed(random, 1, volume);
    switch (sim_random_between(random, 0, 5)) {
    case 0: /* upload */
        client->bytes = bytes;
        break;
    case 1: /* download */
        server->bytes = bytes;
        break;
    case 2: /* both ways, unrelated */
        client->bytes = bytes;
        server->bytes = sim_random_skewed(random, 1, volume);
        break;
    case 3:
        client->bytes = server->bytes = bytes;
        server->pace = SIM_PACE_ECHO;
        break;
    case 4: {
        uint64_t rounds = sim_random_skewed(random, 1, 200);
        client->pace = server->pace = SIM_PACE_REQUEST;
        client->request = server->request = sim_random_skewed(random, 1, 3000);
        client->reply = server->reply = sim_random_skewed(random, 1, 10000);
        client->bytes = rounds * client->request;
        server->bytes = rounds * client->reply;
        break;
    }
    case 5: /* nothing at all */
        break;
    }
    if (client->pace == SIM_PACE_FREE && server->pace == SIM_PACE_FREE &&
        sim_random_once_in(random, 10))
        client->options[DAYTONA_OPTION_RECEIVE_LOW_WATER] =
            (int64_t)sim_random_between(random, 2, 500);
}

static void draw_endings(struct sim_random *random, struct sim_connection_plan *plan)
{
    struct sim_side_plan *one = &plan->sides[sim_random_between(random, 0, 1)];
    struct sim_side_plan *other = one == &plan->sides[0] ? &plan->sides[1] : &plan->sides[0];
    if (sim_random_once_in(random, 7)) {
        one->ending =
            (enum sim_ending)sim_random_between(random, SIM_ENDING_UNREAD, SIM_ENDING_LINGER_ZERO);
        one->ending_after = sim_random_between(random, 0, one->bytes + other->bytes);
        return;
    }
    if (other->bytes == 0 && sim_random_once_in(random, 2))
        one->ending = SIM_ENDING_CLOSE_EARLY;
    else if (sim_random_once_in(random, 2))
        one->ending = SIM_ENDING_CLOSE;
    if (sim_random_once_in(random, 4))
        other->ending = SIM_ENDING_CLOSE;
}

static void draw_connection(struct sim_random *random, struct sim_scenario *scenario,
                            uint64_t volume)
{
    unsigned client = (unsigned)sim_random_between(random, 0, scenario->host_count - 1);
    unsigned server = (unsigned)sim_random_between(random, 0, scenario->host_count - 2);
    struct sim_connection_plan *plan =
        sim_scenario_add(scenario, client, server + (server >= client));
    plan->start.ns = sim_random_between(random, 0, 3000) * MILLION;
    if (sim_random_once_in(random, 2))
        plan->start.ns = 0;
    draw_pace(random, plan, volume);
    bool urgent = sim_random_once_in(random, 16);
    for (unsigned role = 0; role < 2; role++) {
        sim_seed_options(random, &plan->sides[role]);
        draw_calls(random, &plan->sides[role], plan->sides[1 - role].bytes);
        plan->sides[role].urgent = urgent;
        if (!urgent)
            continue;
        /* A read stops at the urgent mark: its short count says nothing. */
        plan->sides[role].short_count_means_blocked = false;
        plan->sides[role].options[DAYTONA_OPTION_URGENT_INLINE] = 1;
    }
    draw_endings(random, plan);
    plan->refused = sim_random_once_in(random, 24);
    plan->crossing = !plan->refused && sim_random_once_in(random, 12);
}

/* A middlebox that knows no new options: the stacks fall back to old TCP. */
static void draw_stripping(struct sim_random *random, struct sim_scenario *scenario)
{
    static const unsigned options[] = {SIM_STRIP_MSS, SIM_STRIP_WINDOW_SCALE,
                                       SIM_STRIP_SACK_PERMITTED, SIM_STRIP_TIMESTAMPS};
    if (!sim_random_once_in(random, 5))
        return;
    for (unsigned i = 0; i < 4; i++)
        if (sim_random_once_in(random, 2))
            scenario->stripped |= options[i];
}

/* Connections one after the other from few ports: the next meets the TIME-WAIT of the last. */
static void draw_reconnects(struct sim_random *random, struct sim_scenario *scenario)
{
    if (scenario->connection_count < 2 || !sim_random_once_in(random, 4))
        return;
    for (unsigned i = 0; i < scenario->host_count; i++) {
        scenario->hosts[i].config.port_low = 50000;
        scenario->hosts[i].config.port_high = (uint16_t)sim_random_between(random, 50000, 50003);
        /* What a late copy's cookie makes would be taken for the next use of its port. */
        scenario->hosts[i].config.syn_cookies = DAYTONA_SYN_COOKIES_OFF;
    }
    uint64_t gap_ms = sim_random_skewed(random, 10, 20000);
    for (unsigned i = 0; i < scenario->connection_count; i++) {
        struct sim_connection_plan *plan = &scenario->connections[i];
        plan->start.ns = i * gap_ms * MILLION;
        /* A port that a reset freed could be used again before its first use was accepted. */
        for (unsigned role = 0; role < 2; role++)
            if (plan->sides[role].ending >= SIM_ENDING_UNREAD)
                plan->sides[role].ending = SIM_ENDING_HALF_CLOSE;
    }
}

/* All segments are signed. Not where a middlebox takes options away; nor where a reset is to come
 * from a port that nobody has a key for. */
static void draw_signature(struct sim_scenario *scenario, uint64_t seed)
{
    struct sim_random random = sim_random_from(seed, 4);
    for (unsigned i = 0; i < scenario->connection_count; i++)
        if (scenario->connections[i].refused)
            return;
    if (scenario->stripped == 0 && sim_random_once_in(&random, 10))
        scenario->signature =
            (unsigned)sim_random_between(&random, SIM_SIGNATURE_MD5, SIM_SIGNATURE_AO_AES);
}

/* Memory for the stacks that some of the scenario does not fit in. */
static void draw_memory(struct sim_random *random, struct sim_scenario *scenario)
{
    scenario->tight = scenario->connection_count > 1 && sim_random_once_in(random, 10);
    if (!scenario->tight)
        return;
    for (unsigned i = 0; i < scenario->host_count; i++)
        scenario->hosts[i].region_bytes = TIGHT + sim_random_between(random, 0, 16) * 65536;
}

/* Weeks of silence: clocks wrap, timestamps grow old (RFC 7323 section 5.5). */
static void draw_sleep(struct sim_random *random, struct sim_scenario *scenario)
{
    struct sim_connection_plan *plan = &scenario->connections[0];
    for (unsigned role = 0; role < 2; role++)
        if (plan->sides[role].options[DAYTONA_OPTION_KEEP_ALIVE] == 1)
            return;
    if (!sim_random_once_in(random, 50))
        return;
    plan->sleep_us = sim_random_skewed(random, 3600, 60ull * 24 * 3600) * MILLION;
    scenario->stillness_us += plan->sleep_us;
}

/* Nothing hinders anybody: what stands still here does so by the stacks' own doing. */
static void calm_down(struct sim_scenario *scenario)
{
    for (unsigned i = 0; i < scenario->host_count; i++) {
        struct sim_host_plan *host = &scenario->hosts[i];
        host->late_us = host->accept_pause_us = 0;
        host->backlog = 128;
        host->config.syn_queue_max = 0;
        host->config.syn_cookies = DAYTONA_SYN_COOKIES_AUTO;
    }
    for (unsigned i = 0; i < scenario->link_count; i++) {
        struct sim_link_config *link = &scenario->links[i];
        *link = (struct sim_link_config){
            .delay_us = link->delay_us % 5000,
            .mtu = SUPER_MTU,
            .partial_checksums = link->partial_checksums,
        };
    }
    scenario->change_count = 0;
    scenario->ghosts = 0;
    for (unsigned i = 0; i < 2 * scenario->connection_count; i++) {
        struct sim_side_plan *side = &scenario->connections[i / 2].sides[i % 2];
        side->read_pause = side->write_pause = 0;
        side->uses_more = false;
        side->options[DAYTONA_OPTION_CORK] = SIM_OPTION_UNSET;
        side->options[DAYTONA_OPTION_RECEIVE_LOW_WATER] = SIM_OPTION_UNSET;
        side->options[DAYTONA_OPTION_MAXIMUM_PACING_RATE] = SIM_OPTION_UNSET;
    }
}

/* One time in the run something is otherwise on a link, for a while or until the end. */
static void draw_change(struct sim_random *random, struct sim_scenario *scenario, unsigned link)
{
    struct sim_change change = {.link = link, .config = scenario->links[link]};
    change.at.ns = sim_random_between(random, 0, 5000) * MILLION;
    struct sim_link_config *config = &change.config;
    switch (sim_random_between(random, 0, 3)) {
    case 0:
        config->down = true;
        config->outage_is_told = sim_random_once_in(random, 2);
        scenario->links[link].outage_is_told = config->outage_is_told;
        break;
    case 1:
        config->held = true;
        break;
    case 2:
        config->bytes_per_second = sim_random_skewed(random, 20000, 125000000);
        config->delay_us = sim_random_skewed(random, 10, 300000);
        break;
    case 3:
        if (!scenario->offload)
            config->mtu = sim_random_between(random, 88, config->mtu);
        break;
    }
    scenario->changes[scenario->change_count++] = change;
    if (!config->down && !config->held && sim_random_once_in(random, 2))
        return;
    uint64_t longest = config->held ? 5000 : 100000;
    change.at.ns += sim_random_skewed(random, 10, longest) * MILLION;
    change.config = scenario->links[link];
    scenario->changes[scenario->change_count++] = change;
}

static void draw_changes(struct sim_random *random, struct sim_scenario *scenario, bool clean)
{
    for (unsigned i = 0; i < scenario->link_count && !clean; i++)
        if (sim_random_once_in(random, scenario->link_count == 2 ? 5 : 20))
            draw_change(random, scenario, i);
}

static unsigned draw_count(struct sim_random *random)
{
    switch (sim_random_between(random, 0, 9)) {
    case 0:
        return (unsigned)sim_random_between(random, 6, CONNECTIONS_MAX);
    case 1:
    case 2:
    case 3:
    case 4:
        return (unsigned)sim_random_between(random, 2, 6);
    }
    return 1;
}

static void draw_pair(struct sim_random *random, struct sim_scenario *scenario, bool clean)
{
    bool alike = sim_random_once_in(random, 2);
    for (unsigned i = 0; i < 2; i++)
        draw_link(random, &scenario->links[i], clean);
    if (alike)
        scenario->links[1] = scenario->links[0];
}

/* Some hosts around one router, or around two with a bottleneck in between. */
static void draw_crowd(struct sim_random *random, struct sim_scenario *scenario, bool clean)
{
    struct sim_link_config link;
    unsigned hosts = (unsigned)sim_random_between(random, 3, CROWD_MAX);
    while (scenario->host_count < hosts)
        sim_scenario_add_host(scenario);
    scenario->link_count = 0;
    scenario->router_count = (unsigned)sim_random_between(random, 1, 2);
    for (unsigned host = 0; host < hosts; host++) {
        unsigned router = hosts + host % scenario->router_count;
        draw_link(random, &link, clean || sim_random_once_in(random, 2));
        sim_scenario_add_link(scenario, host, router, &link);
        draw_link(random, &link, clean || sim_random_once_in(random, 2));
        sim_scenario_add_link(scenario, router, host, &link);
    }
    for (unsigned i = 0; i < 2 && scenario->router_count == 2; i++) {
        draw_link(random, &link, clean);
        sim_scenario_add_link(scenario, hosts + i, hosts + 1 - i, &link);
    }
}

/* Whether hosts probe for the path's MTU; and where all of them do, routers that drop what is too
 * large and say nothing. Packets of 576 bytes always pass: no search goes lower. Random numbers of
 * its own, so that the seeds of before mean what they meant. */
static void draw_probing(struct sim_scenario *scenario, uint64_t seed)
{
    struct sim_random random = sim_random_from(seed, 5);
    bool all_probe = scenario->change_count == 0;
    for (unsigned i = 0; i < scenario->host_count; i++) {
        enum daytona_mtu_probing probing = (enum daytona_mtu_probing)sim_random_between(
            &random, DAYTONA_MTU_PROBING_DEFAULT, DAYTONA_MTU_PROBING_ALWAYS);
        scenario->hosts[i].config.mtu_probing = probing;
        all_probe = all_probe && probing != DAYTONA_MTU_PROBING_OFF;
    }
    for (unsigned i = 0; i < scenario->link_count && all_probe; i++) {
        struct sim_link_config *link = &scenario->links[i];
        link->refuses_silently = link->mtu >= 576 && sim_random_once_in(&random, 2);
        link->refuses_at_once = link->refuses_at_once && !link->refuses_silently;
    }
}

void sim_scenario_from_seed(struct sim_scenario *scenario, uint64_t seed)
{
    sim_scenario_plain(scenario, seed);
    struct sim_random random = sim_random_from(seed, 2);
    bool clean = sim_random_once_in(&random, 5);
    if (sim_random_once_in(&random, 6))
        draw_crowd(&random, scenario, clean);
    else
        draw_pair(&random, scenario, clean);
    for (unsigned i = 0; i < scenario->host_count; i++)
        draw_host(&random, &scenario->hosts[i]);
    draw_mtu(&random, scenario, clean);
    draw_offload(&random, scenario);
    unsigned count = draw_count(&random);
    for (unsigned i = 0; i < count; i++)
        draw_connection(&random, scenario, 1000000 / count);
    scenario->origin.ns = sim_random_skewed(&random, 1000 * MILLION, UINT64_MAX / 8);
    draw_stripping(&random, scenario);
    draw_reconnects(&random, scenario);
    draw_memory(&random, scenario);
    draw_sleep(&random, scenario);
    draw_changes(&random, scenario, clean);
    if (!scenario->offload && sim_random_once_in(&random, 5))
        scenario->ghosts = (uint32_t)sim_random_skewed(&random, 1000, 100000);
    draw_probing(scenario, seed);
    draw_signature(scenario, seed);
    if (sim_random_once_in(&random, 10))
        calm_down(scenario);
}
