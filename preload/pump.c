#include "preload/pump.h"

#include "preload/engine.h"
#include "preload/event_ring.h"
#include "preload/file_record.h"
#include "preload/ledger.h"
#include "preload/log.h"
#include "preload/profile.h"
#include "preload/record.h"

#include <daytona/profile.h>
#include <errno.h>

/* Packets taken between two looks at what is to be sent: few enough that acknowledgments leave
 * while a burst is still coming in, many enough that a burst is answered in batches. */
#define INPUT_BATCH  32
#define ROUNDS_MAX   8
#define OUTPUT_BATCH DAYTONA_RAWTX_BATCH_MAX

#define IPV4_SOURCE 12 /* offset in the IP header */

/* How a peer reaches us says how we reach it. */
static void tell_path(const struct daytona_captured *captured)
{
    const uint8_t *at = captured->ip.data + IPV4_SOURCE;
    struct daytona_address peer = daytona_address_from_ipv4(
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
    daytona_rawtx_heard(engine.sink, &peer, captured->interface_index, captured->link_address);
}

static void take_packet(void *context, const struct daytona_captured *captured)
{
    struct daytona_instant *now = context;
    *now = engine_now(); /* it may have come while this thread was kept from going on */
    const struct daytona_packet_in packet = {captured->ip, captured->wire_length};
    if (daytona_stack_input(engine.stack, *now, &packet) == DAYTONA_VERDICT_ACCEPTED)
        tell_path(captured);
}

static void report_ready(void)
{
    struct daytona_ready ready;
    ledger_update();
    record_touch();
    event_ring_look();
    daytona_profile_enter(engine.profiler, DAYTONA_ACTIVITY_wake);
    while (daytona_stack_take_ready(engine.stack, &ready))
        if (ready.user != NULL)
            file_changed(ready.user, ready.now, ready.edges);
    daytona_profile_leave(engine.profiler);
}

static void handle_refusals(struct daytona_instant now, const struct daytona_packet_out *packets,
                            const struct daytona_rawtx_refusal *refusals, int count)
{
    for (int i = 0; i < count; i++) {
        const struct daytona_packet_out *packet = &packets[refusals[i].index];
        if (refusals[i].error == EMSGSIZE && refusals[i].mtu > 0)
            daytona_stack_path_changed(engine.stack, now, &packet->destination, refusals[i].mtu);
        else if (refusals[i].error == EPERM)
            log_once(LOG_LEVEL_WARNING, "a firewall of this host forbids packets to leave");
    }
}

static int hand_out(struct daytona_instant now, const struct daytona_packet_out *packets,
                    size_t count, struct daytona_rawtx_refusal *refusals)
{
    daytona_profile_enter(engine.profiler, DAYTONA_ACTIVITY_send);
    int refused = daytona_rawtx_send(engine.sink, now, packets, count, refusals);
    daytona_profile_leave(engine.profiler);
    profile_check();
    if (engine.profiler != NULL)
        daytona_profiler_sent(engine.profiler);
    return refused;
}

/* *now becomes that of the last packet. */
static int drain(struct daytona_instant *now)
{
    daytona_profile_enter(engine.profiler, DAYTONA_ACTIVITY_capture);
    int taken = daytona_capture_drain(engine.capture, INPUT_BATCH, take_packet, now);
    daytona_profile_leave(engine.profiler);
    profile_check();
    if (engine.profiler != NULL)
        daytona_profiler_nobody(engine.profiler);
    return taken;
}

static void send_due(struct daytona_instant now)
{
    static struct daytona_packet_out packets[OUTPUT_BATCH];
    struct daytona_rawtx_refusal refusals[OUTPUT_BATCH];
    size_t count;
    do {
        count = 0;
        while (count < OUTPUT_BATCH && daytona_stack_output(engine.stack, now, &packets[count]))
            count++;
        if (count == 0)
            return;
        engine.active = now;
        int refused = hand_out(now, packets, count, refusals);
        if (refused > 0)
            handle_refusals(now, packets, refusals, refused);
    } while (count == OUTPUT_BATCH);
}

void pump_output(void)
{
    send_due(engine_now());
    report_ready();
}

bool pump(void)
{
    int taken = INPUT_BATCH;
    for (int round = 0; round < ROUNDS_MAX && taken == INPUT_BATCH; round++) {
        struct daytona_instant now = engine_now();
        taken = drain(&now);
        if (taken > 0)
            engine.active = now;
        else if (taken < 0)
            log_once(LOG_LEVEL_WARNING, "capturing packets fails: error %d", -taken);
        send_due(now);
        report_ready();
    }
    return taken == INPUT_BATCH;
}
