#include "tests/sim/host.h"
#include "stack/base/poison.h"
#include "tests/sim/invariant.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_ADDRESS 0x0a000001u /* 10.0.0.1 */
#define BATCH_MAX     16
#define ROUNDS_MAX    200000 /* of the pump at one instant: more is a stack that spins */

struct daytona_address sim_host_address(unsigned number)
{
    return daytona_address_from_ipv4(FIRST_ADDRESS + number);
}

static void tell_path(void *context, const struct daytona_address *local,
                      const struct daytona_address *remote, struct daytona_path *out)
{
    const struct sim_host *host = context;
    (void)local;
    (void)remote;
    out->mtu = host->plan->path_mtu;
}

static struct daytona_room take_region(const struct sim_host_plan *plan)
{
    void *region = mmap(NULL, plan->region_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(region != MAP_FAILED);
    if (plan->dirty_region)
        memset(region, 0xa5, plan->region_bytes);
    return (struct daytona_room){region, plan->region_bytes};
}

bool sim_host_sign(struct sim_host *host, struct daytona_socket_id id)
{
    const struct daytona_span key = {(const uint8_t *)"the same for all", 16};
    unsigned kind = host->world->scenario->signature;
    struct daytona_ao_key ao = {.remote = sim_host_address(host->number),
                                .send_id = 1,
                                .receive_id = 1,
                                .algorithm = kind == SIM_SIGNATURE_AO_AES ? DAYTONA_AO_AES_128_CMAC
                                                                          : DAYTONA_AO_HMAC_SHA1,
                                .key = key};
    if (kind == SIM_SIGNATURE_NONE)
        return true;
    if (kind == SIM_SIGNATURE_MD5)
        return daytona_stack_set_signature_key(host->stack, id, &ao.remote, 0, key) == 0;
    return daytona_stack_add_ao_key(host->stack, id, &ao) == 0;
}

static void start_listening(struct sim_host *host)
{
    struct daytona_endpoint local = {sim_host_address(host->number), SIM_SERVER_PORT};
    if (daytona_stack_open(host->stack, &host->listener) != 0 ||
        daytona_stack_bind(host->stack, host->listener, &local) != 0 ||
        daytona_stack_set_option(host->stack, host->world->now, host->listener,
                                 DAYTONA_OPTION_URGENT_INLINE, 1) != 0 || /* inherited */
        !sim_host_sign(host, host->listener) ||
        daytona_stack_listen(host->stack, host->listener, host->plan->backlog) != 0)
        sim_fail(host->world, "host %u cannot listen", host->number);
    host->listening = true;
}

void sim_host_init(struct sim_host *host, struct sim_world *world, unsigned number)
{
    const struct sim_host_plan *plan = &world->scenario->hosts[number];
    *host = (struct sim_host){.world = world,
                              .number = number,
                              .plan = plan,
                              .region = take_region(plan),
                              .random = sim_random_from(world->scenario->seed, 100 + number),
                              .wake = DAYTONA_NEVER,
                              .narrowed = sim_scenario_narrows(world->scenario, number),
                              .watches = calloc(SIM_SOCKETS_WATCHED, sizeof *host->watches)};
    assert(host->watches != NULL);
    struct daytona_stack_config config = plan->config;
    config.path = tell_path;
    config.path_context = host;
    struct daytona_observer observer = {.context = host,
                                        .event = sim_invariant_event,
                                        .mask = ~daytona_events_of(DAYTONA_PACE_SEGMENT),
                                        .ended = sim_invariant_ended};
    int result = daytona_stack_init(host->region, &config, &observer, &host->stack);
    if (result != 0) {
        sim_fail(world, "daytona_stack_init: %s", strerror(-result));
        return;
    }
    start_listening(host);
}

void sim_host_release(struct sim_host *host)
{
    /* What the stack marked as free for AddressSanitizer stays marked beyond munmap(). */
    unpoison_bytes(host->region.data, host->region.length);
    munmap(host->region.data, host->region.length);
    free(host->watches);
    free(host->open);
}

bool sim_host_uses_cookies(const struct sim_host *host)
{
    const struct daytona_stack_config *config = &host->plan->config;
    return config->syn_cookies == DAYTONA_SYN_COOKIES_ALWAYS ||
           (config->syn_cookies == DAYTONA_SYN_COOKIES_AUTO && config->syn_queue_max != 0);
}

struct sim_side *sim_host_side(const struct sim_host *host, uint32_t index, uint32_t generation)
{
    if (index >= SIM_SOCKETS_WATCHED || host->watches[index].generation != generation)
        return NULL;
    return host->watches[index].side;
}

void sim_host_side_opened(struct sim_host *host, struct sim_side *side)
{
    if (host->open_count == host->open_capacity) {
        host->open_capacity = host->open_capacity * 2 + 4;
        host->open = realloc(host->open, host->open_capacity * sizeof(struct sim_side *));
        assert(host->open != NULL);
    }
    host->open[host->open_count++] = side;
    if (side->id.index >= SIM_SOCKETS_WATCHED)
        return;
    struct sim_watch *watch = &host->watches[side->id.index];
    if (watch->generation != side->id.generation)
        *watch = (struct sim_watch){.generation = side->id.generation};
    watch->side = side;
}

void sim_host_side_closed(struct sim_host *host, const struct sim_side *side)
{
    for (unsigned i = 0; i < host->open_count; i++)
        if (host->open[i] == side) {
            host->open[i] = host->open[--host->open_count];
            return;
        }
}

/* How late the driver is this time: a busy machine, a coarse timer, a batching capture. */
static uint64_t draw_lateness(struct sim_host *host)
{
    if (host->plan->late_us == 0 || sim_random_once_in(&host->random, 2))
        return 0;
    return sim_random_between(&host->random, 0, host->plan->late_us);
}

static void wake_by(struct sim_host *host, struct daytona_instant at)
{
    if (daytona_instant_before(at, host->wake))
        host->wake = at;
}

void sim_host_input(struct sim_host *host, const struct sim_packet *packet)
{
    struct daytona_packet_in in = {{packet->bytes, packet->captured}, packet->length};
    host->packets_given++;
    enum daytona_verdict verdict = daytona_stack_input(host->stack, host->world->now, &in);
    sim_log(host->world, "host %u input: %s", host->number, daytona_verdict_name(verdict));
    wake_by(host, daytona_instant_after_us(host->world->now, draw_lateness(host)));
}

void sim_host_touch(struct sim_host *host)
{
    wake_by(host, host->world->now);
}

struct daytona_instant sim_host_next(const struct sim_host *host)
{
    struct daytona_instant deadline = daytona_stack_deadline(host->stack);
    if (deadline.ns != UINT64_MAX)
        deadline = daytona_instant_after_us(deadline, host->lateness_us);
    return daytona_instant_before(deadline, host->wake) ? deadline : host->wake;
}

static void transmit(struct sim_host *host, struct sim_packet *packet)
{
    struct daytona_address peer = sim_host_address(packet->destination);
    uint64_t refused = sim_world_transmit(host->world, host->number, packet);
    if (refused != 0)
        daytona_stack_path_changed(host->stack, host->world->now, &peer, (uint32_t)refused);
}

/* Whom the stack wants to reach; itself when there is no such host. */
static unsigned host_of(const struct sim_host *host, const struct daytona_address *address)
{
    unsigned number = daytona_address_to_ipv4(address) - FIRST_ADDRESS;
    if (number < host->world->scenario->host_count)
        return number;
    sim_fail(host->world, "host %u sends to %#x", host->number, daytona_address_to_ipv4(address));
    return host->number;
}

/* Payload spans must stay valid while further packets are taken, so a batch is taken before
 * any of it is copied. */
static unsigned send_batch(struct sim_host *host)
{
    struct daytona_packet_out batch[BATCH_MAX];
    unsigned count = 0;
    while (count < host->plan->batch && count < BATCH_MAX &&
           daytona_stack_output(host->stack, host->world->now, &batch[count]))
        count++;
    host->packets_taken += count;
    struct sim_packet *packets[BATCH_MAX];
    for (unsigned i = 0; i < count; i++) {
        packets[i] = sim_packet_gather(&batch[i]);
        packets[i]->source = host->number;
        packets[i]->destination = host_of(host, &batch[i].destination);
    }
    for (unsigned i = 0; i < count; i++)
        transmit(host, packets[i]);
    return count;
}

static bool same_socket(struct daytona_socket_id a, struct daytona_socket_id b)
{
    return a.index == b.index && a.generation == b.generation;
}

static bool tell_one(struct sim_host *host)
{
    struct daytona_ready ready;
    if (!daytona_stack_take_ready(host->stack, &ready))
        return false;
    sim_log(host->world, "host %u ready: socket %u/%u now %#x edges %#x", host->number,
            ready.id.index, ready.id.generation, ready.now, ready.edges);
    if (host->listening && same_socket(ready.id, host->listener)) {
        if (!host->accept_waits)
            sim_connection_accept(host);
    } else if (ready.user != NULL) {
        sim_side_ready(ready.user, &ready);
    }
    return true;
}

void sim_host_pump(struct sim_host *host)
{
    host->wake = DAYTONA_NEVER;
    host->lateness_us = draw_lateness(host);
    unsigned rounds = 0;
    for (bool busy = true; busy && !host->world->failed;) {
        busy = send_batch(host) > 0;
        busy = tell_one(host) || busy;
        if (++rounds > ROUNDS_MAX)
            sim_fail(host->world, "host %u spins: %u rounds at one instant", host->number, rounds);
    }
    if (!host->world->failed)
        sim_invariant_rest(host);
}

void sim_host_stop_listening(struct sim_host *host)
{
    if (!host->listening)
        return;
    host->listening = false;
    int result = daytona_stack_close(host->stack, host->world->now, host->listener);
    if (result != 0)
        sim_fail(host->world, "close of a listener: %s", strerror(-result));
    sim_host_touch(host);
}
