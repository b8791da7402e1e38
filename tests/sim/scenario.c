#include "tests/sim/scenario.h"
#include <stdio.h>
#include <string.h>

#define MILLION   1000000u
#define REGION    ((size_t)64 << 20) /* pages that are not used cost nothing */
#define SUPER_MTU 65535u
#define TIGHT     ((size_t)1 << 20)

#define STILLNESS_US (40ull * 60 * MILLION) /* Linux gives up after about 16 minutes */

struct sim_side_plan sim_side_plan_plain(uint64_t bytes)
{
    struct sim_side_plan plan = {.bytes = bytes,
                                 .pace = SIM_PACE_FREE,
                                 .write_max = 16384,
                                 .read_max = 65536,
                                 .ending = SIM_ENDING_HALF_CLOSE};
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        plan.options[option] = SIM_OPTION_UNSET;
    return plan;
}

void sim_scenario_plain(struct sim_scenario *scenario, uint64_t seed)
{
    memset(scenario, 0, sizeof *scenario);
    scenario->seed = seed;
    scenario->origin.ns = 1000 * MILLION;
    scenario->stillness_us = STILLNESS_US;
    struct sim_random random = sim_random_from(seed, 1);
    for (unsigned i = 0; i < 2; i++) {
        scenario->links[i] = (struct sim_link_config){.delay_us = 1000, .mtu = 1500};
        scenario->hosts[i] = (struct sim_host_plan){.config = {.owns_every_port = true},
                                                    .region_bytes = REGION,
                                                    .path_mtu = 1500,
                                                    .batch = 1,
                                                    .backlog = 128};
        for (unsigned byte = 0; byte < 16; byte++)
            scenario->hosts[i].config.secret[byte] = (uint8_t)sim_random_next(&random);
    }
}

bool sim_connection_plan_resets(const struct sim_connection_plan *plan)
{
    return plan->sides[0].ending >= SIM_ENDING_UNREAD || plan->sides[1].ending >= SIM_ENDING_UNREAD;
}

/* ---------------------------------------------------------------- links */

/* Half of the scenarios have a given trouble not at all. */
static uint32_t trouble(struct sim_random *random, uint32_t high)
{
    return sim_random_once_in(random, 2) ? 0 : (uint32_t)sim_random_skewed(random, 100, high);
}

static void draw_troubles(struct sim_random *random, struct sim_link_config *link)
{
    link->loss = trouble(random, sim_random_once_in(random, 8) ? 200000 : 60000);
    link->burst_start = trouble(random, 4000) / 2;
    link->burst_packets = (uint32_t)sim_random_skewed(random, 1, 60);
    link->reorder = trouble(random, 250000);
    link->reorder_us = (uint32_t)sim_random_skewed(random, 10, 100000);
    link->duplicate = trouble(random, 100000);
    link->corrupt = trouble(random, 50000);
    link->cut = trouble(random, 20000);
    link->fragment = trouble(random, 100000);
    link->jitter_reorders = sim_random_once_in(random, 4);
    if (sim_random_once_in(random, 8)) {
        link->outage_start.ns = sim_random_between(random, 0, 5000) * MILLION;
        link->outage_end.ns =
            link->outage_start.ns + sim_random_skewed(random, 10, 100000) * MILLION;
        link->outage_is_told = sim_random_once_in(random, 2);
    }
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
        link->queue_bytes = (uint32_t)sim_random_skewed(random, 3000, MILLION);
    draw_troubles(random, link);
}

static void draw_mtu(struct sim_random *random, struct sim_scenario *scenario, bool clean)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t mtu = 1500;
        if (sim_random_once_in(random, 4))
            mtu = (uint32_t)sim_random_between(random, 296, 9000);
        if (sim_random_once_in(random, 40))
            mtu = (uint32_t)sim_random_between(random, 88, 296);
        scenario->hosts[i].path_mtu = mtu;
        scenario->links[i].mtu = mtu;
        if (!clean && sim_random_once_in(random, 8))
            scenario->links[i].mtu = (uint32_t)sim_random_between(random, 88, mtu);
        scenario->links[i].refuses_at_once = sim_random_once_in(random, 3);
    }
}

/* As between two hosts of which both leave sums and segmentation to the device: nothing guards
 * the bytes on the way, so nothing may damage them. */
static void draw_offload(struct sim_random *random, struct sim_scenario *scenario)
{
    scenario->offload = sim_random_once_in(random, 8);
    if (!scenario->offload)
        return;
    for (unsigned i = 0; i < 2; i++) {
        struct sim_link_config *link = &scenario->links[i];
        link->mtu = SUPER_MTU;
        link->corrupt = link->fragment = 0;
        link->partial_checksums = sim_random_once_in(random, 2);
        scenario->hosts[i].config.accept_partial_checksum = true;
        scenario->hosts[i].config.super_segment_bytes_max =
            (uint32_t)sim_random_between(random, 2000, 64280);
    }
}

/* ---------------------------------------------------------------- hosts */

/* Any controller that the stack has: a new one is drawn from the day it is there. */
static const char *draw_controller(struct sim_random *random)
{
    size_t count = 0;
    while (daytona_stack_congestion_name(count) != NULL)
        count++;
    return daytona_stack_congestion_name((size_t)sim_random_between(random, 0, count - 1));
}

static uint32_t or_default(struct sim_random *random, uint32_t low, uint32_t high)
{
    return sim_random_once_in(random, 2) ? 0 : (uint32_t)sim_random_skewed(random, low, high);
}

static void draw_host(struct sim_random *random, struct sim_host_plan *host)
{
    struct daytona_stack_config *config = &host->config;
    config->congestion = sim_random_once_in(random, 3) ? NULL : draw_controller(random);
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
    if (sim_random_once_in(random, 6))
        host->accept_pause_us = (uint32_t)sim_random_skewed(random, 10, 2000000);
}

/* ---------------------------------------------------------------- applications */

/* Options that are on or off; a new row of the table is drawn from the day it is there. Those
 * that are left out are read-only, or drawn with what else must be so. */
static void draw_switches(struct sim_random *random, int64_t *options)
{
    static const int64_t least[] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = minimum,
#include <daytona/options.def>
#undef OPTION
    };
    static const int64_t most[] = {
#define OPTION(name, minimum, maximum, description) [DAYTONA_OPTION_##name] = maximum,
#include <daytona/options.def>
#undef OPTION
    };
    static const bool left_out[DAYTONA_OPTION_COUNT] = {
        [DAYTONA_OPTION_AT_MARK] = true,    [DAYTONA_OPTION_URGENT_INLINE] = true,
        [DAYTONA_OPTION_CORK] = true,       [DAYTONA_OPTION_NO_DELAY] = true,
        [DAYTONA_OPTION_KEEP_ALIVE] = true,
    };
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        if (least[option] == 0 && most[option] == 1 && !left_out[option] &&
            sim_random_once_in(random, 8))
            options[option] = (int64_t)sim_random_between(random, 0, 1);
}

static void draw_options(struct sim_random *random, struct sim_side_plan *side)
{
    int64_t *options = side->options;
    if (sim_random_once_in(random, 3))
        options[DAYTONA_OPTION_NO_DELAY] = 1;
    if (sim_random_once_in(random, 12))
        options[DAYTONA_OPTION_CORK] = 1;
    if (sim_random_once_in(random, 8)) {
        options[DAYTONA_OPTION_KEEP_ALIVE] = 1;
        options[DAYTONA_OPTION_KEEP_IDLE_US] = (int64_t)sim_random_between(random, 1, 20) * MILLION;
        options[DAYTONA_OPTION_KEEP_INTERVAL_US] =
            (int64_t)sim_random_between(random, 1, 20) * MILLION;
    }
    if (sim_random_once_in(random, 5))
        options[DAYTONA_OPTION_RECEIVE_BUFFER] = (int64_t)sim_random_skewed(random, 1152, 262144);
    if (sim_random_once_in(random, 5))
        options[DAYTONA_OPTION_SEND_BUFFER] = (int64_t)sim_random_skewed(random, 2304, 262144);
    if (sim_random_once_in(random, 10))
        options[DAYTONA_OPTION_MAXIMUM_SEGMENT] = (int64_t)sim_random_between(random, 88, 1460);
    if (sim_random_once_in(random, 16))
        options[DAYTONA_OPTION_WINDOW_CLAMP] = (int64_t)sim_random_skewed(random, 1000, 65536);
    if (sim_random_once_in(random, 40))
        options[DAYTONA_OPTION_USER_TIMEOUT_US] =
            (int64_t)sim_random_between(random, 1, 300) * MILLION;
    if (sim_random_once_in(random, 6))
        side->congestion = draw_controller(random);
    draw_switches(random, options);
}

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

static void draw_connection(struct sim_random *random, struct sim_connection_plan *plan,
                            uint64_t volume)
{
    plan->client = (unsigned)sim_random_between(random, 0, 1);
    plan->start.ns = sim_random_between(random, 0, 3000) * MILLION;
    if (sim_random_once_in(random, 2))
        plan->start.ns = 0;
    plan->sides[0] = plan->sides[1] = sim_side_plan_plain(0);
    draw_pace(random, plan, volume);
    bool urgent = sim_random_once_in(random, 16);
    for (unsigned role = 0; role < 2; role++) {
        draw_options(random, &plan->sides[role]);
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
    for (unsigned i = 0; i < 2; i++) {
        scenario->hosts[i].config.port_low = 50000;
        scenario->hosts[i].config.port_high = (uint16_t)sim_random_between(random, 50000, 50003);
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

/* Memory for the stacks that some of the scenario does not fit in. */
static void draw_memory(struct sim_random *random, struct sim_scenario *scenario)
{
    scenario->tight = scenario->connection_count > 1 && sim_random_once_in(random, 10);
    if (!scenario->tight)
        return;
    for (unsigned i = 0; i < 2; i++)
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
    for (unsigned i = 0; i < 2; i++) {
        struct sim_host_plan *host = &scenario->hosts[i];
        scenario->links[i] = (struct sim_link_config){
            .delay_us = scenario->links[i].delay_us % 5000,
            .mtu = scenario->offload ? SUPER_MTU : host->path_mtu,
            .partial_checksums = scenario->links[i].partial_checksums,
        };
        host->late_us = host->accept_pause_us = 0;
        host->backlog = 128;
    }
    for (unsigned i = 0; i < 2 * scenario->connection_count; i++) {
        struct sim_side_plan *side = &scenario->connections[i / 2].sides[i % 2];
        side->read_pause = side->write_pause = 0;
        side->uses_more = false;
        side->options[DAYTONA_OPTION_CORK] = SIM_OPTION_UNSET;
        side->options[DAYTONA_OPTION_RECEIVE_LOW_WATER] = SIM_OPTION_UNSET;
    }
}

static unsigned draw_count(struct sim_random *random)
{
    switch (sim_random_between(random, 0, 9)) {
    case 0:
        return (unsigned)sim_random_between(random, 6, SIM_CONNECTIONS_MAX);
    case 1:
    case 2:
    case 3:
    case 4:
        return (unsigned)sim_random_between(random, 2, 6);
    }
    return 1;
}

void sim_scenario_from_seed(struct sim_scenario *scenario, uint64_t seed)
{
    sim_scenario_plain(scenario, seed);
    struct sim_random random = sim_random_from(seed, 2);
    bool clean = sim_random_once_in(&random, 5);
    bool alike = sim_random_once_in(&random, 2);
    draw_link(&random, &scenario->links[0], clean);
    draw_link(&random, &scenario->links[1], clean);
    if (alike)
        scenario->links[1] = scenario->links[0];
    draw_host(&random, &scenario->hosts[0]);
    draw_host(&random, &scenario->hosts[1]);
    draw_mtu(&random, scenario, clean);
    draw_offload(&random, scenario);
    scenario->connection_count = draw_count(&random);
    uint64_t volume = 1000000 / scenario->connection_count;
    for (unsigned i = 0; i < scenario->connection_count; i++)
        draw_connection(&random, &scenario->connections[i], volume);
    scenario->origin.ns = sim_random_skewed(&random, 1000 * MILLION, UINT64_MAX / 8);
    draw_stripping(&random, scenario);
    draw_reconnects(&random, scenario);
    draw_memory(&random, scenario);
    draw_sleep(&random, scenario);
    if (sim_random_once_in(&random, 10))
        calm_down(scenario);
}

/* ---------------------------------------------------------------- for people */

static void print_link(const struct sim_link_config *link, unsigned from)
{
    printf("  link %u->%u: %llu B/s, delay %u us, jitter %u us%s, queue %u B, mtu %u\n", from,
           1 - from, (unsigned long long)link->bytes_per_second, link->delay_us, link->jitter_us,
           link->jitter_reorders ? " (reorders)" : "", link->queue_bytes, link->mtu);
    printf("    ppm: loss %u, bursts %u of %u, reorder %u by %u us, duplicate %u, corrupt %u, "
           "cut %u, fragment %u; outage %llu..%llu ms%s%s\n",
           link->loss, link->burst_start, link->burst_packets, link->reorder, link->reorder_us,
           link->duplicate, link->corrupt, link->cut, link->fragment,
           (unsigned long long)link->outage_start.ns / MILLION,
           (unsigned long long)link->outage_end.ns / MILLION, link->outage_is_told ? " told" : "",
           link->partial_checksums ? "; partial checksums" : "");
}

static void print_host(const struct sim_host_plan *host, unsigned number)
{
    printf("  host %u: %s, receive %u..%u B, send %u B, path mtu %u, late %u us, batch %u, backlog "
           "%d, accept pause %u us, super %u%s\n",
           number, host->config.congestion == NULL ? "default" : host->config.congestion,
           host->config.receive_buffer_bytes, host->config.receive_buffer_max,
           host->config.send_buffer_bytes, host->path_mtu, host->late_us, host->batch,
           host->backlog, host->accept_pause_us, host->config.super_segment_bytes_max,
           host->dirty_region ? ", dirty memory" : "");
}

static void print_side(const struct sim_side_plan *side, const char *name)
{
    static const char *const paces[SIM_PACE_COUNT] = {"free", "echo", "request"};
    static const char *const endings[SIM_ENDING_COUNT] = {"half-close",   "close", "close-early",
                                                          "close-unread", "abort", "linger-zero"};
    printf("    %s: %llu bytes (%s), writes to %u, reads to %u, pauses %u/%u ppm to %u us, "
           "ends by %s after %llu%s%s%s%s",
           name, (unsigned long long)side->bytes, paces[side->pace], side->write_max,
           side->read_max, side->write_pause, side->read_pause, side->pause_us,
           endings[side->ending], (unsigned long long)side->ending_after,
           side->short_count_means_blocked ? ", trusts short counts" : "",
           side->peeks ? ", peeks" : "", side->uses_more ? ", MORE" : "",
           side->urgent ? ", urgent" : "");
    for (int option = 0; option < DAYTONA_OPTION_COUNT; option++)
        if (side->options[option] != SIM_OPTION_UNSET)
            printf(", option %d = %lld", option, (long long)side->options[option]);
    putchar('\n');
}

void sim_scenario_print(const struct sim_scenario *scenario)
{
    printf("seed %llu: %u connections%s%s, stripped options %#x\n",
           (unsigned long long)scenario->seed, scenario->connection_count,
           scenario->offload ? ", offloads" : "", scenario->tight ? ", tight memory" : "",
           scenario->stripped);
    for (unsigned i = 0; i < 2; i++) {
        print_link(&scenario->links[i], i);
        print_host(&scenario->hosts[i], i);
    }
    for (unsigned i = 0; i < scenario->connection_count; i++) {
        const struct sim_connection_plan *plan = &scenario->connections[i];
        printf("  connection %u from host %u at %llu ms, sleeps %llu s%s%s\n", i, plan->client,
               (unsigned long long)plan->start.ns / MILLION,
               (unsigned long long)plan->sleep_us / MILLION, plan->refused ? ", refused" : "",
               plan->crossing ? ", crossing" : "");
        print_side(&plan->sides[SIM_CLIENT], "client");
        print_side(&plan->sides[SIM_SERVER], "server");
    }
}
