/*
 * TCP options: a peer opens a connection with options that an input builds, well formed or not, and
 * goes on with more of them. What the two agree upon is what was offered, in this order of trust:
 * RFC 9293 section 3.7.1 (MSS), RFC 7323 (scale, timestamps), RFC 2018 (SACK).
 */
#include "tests/fuzz/segment.h"
#include <stdlib.h>
#include <string.h>

enum {
    PEER = FUZZ_FIRST_NEW,
    OPTIONS_MAX = 40,
    MSS_ABSENT = 536,
    MSS_LEAST = 48,
    MSS_LEAST_COOKIE = 216
};

/* What a reader of the options must have understood. */
struct offered {
    bool certain; /* no garbage before it: this is the truth */
    bool ended;
    bool timestamps, sack, scaling;
    uint32_t scale, mss;
};

static void add(struct fuzz_segment *segment, const uint8_t *bytes, size_t length)
{
    if (length > OPTIONS_MAX - segment->options_length)
        return;
    memcpy(segment->options + segment->options_length, bytes, length);
    segment->options_length += (uint32_t)length;
}

/* Adds an option that every reader understands; true if there was room. */
static bool add_known(struct fuzz_segment *segment, uint8_t kind, uint32_t value, uint32_t length)
{
    uint8_t option[10] = {kind, (uint8_t)length};
    uint32_t before = segment->options_length;
    if (length == 3)
        option[2] = (uint8_t)value;
    if (length == 4)
        memcpy(option + 2, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
    if (length == 10) {
        fuzz_put32(option + 2, value);
        fuzz_put32(option + 6, segment->peer->timestamp);
    }
    add(segment, option, length);
    return segment->options_length > before;
}

static void add_garbage(struct fuzz_reader *reader, struct fuzz_segment *segment,
                        struct offered *offered)
{
    size_t length = fuzz_take(reader, 1) % 12;
    const uint8_t *bytes = fuzz_borrow(reader, &length);
    add(segment, bytes, length);
    offered->certain = false;
}

/* An option of a kind that nobody knows, well formed (RFC 6994 experiments have such). */
static void add_unknown(struct fuzz_reader *reader, struct fuzz_segment *segment)
{
    uint8_t option[16] = {(uint8_t)(200 + fuzz_take(reader, 1) % 50)};
    size_t length = fuzz_take(reader, 1) % 15;
    const uint8_t *bytes = fuzz_borrow(reader, &length);
    option[1] = (uint8_t)(2 + length);
    memcpy(option + 2, bytes, length);
    add(segment, option, length + 2);
}

static void add_drawn(struct fuzz_reader *reader, struct fuzz_segment *segment,
                      struct offered *offered)
{
    bool heard = !offered->ended;
    switch (fuzz_take(reader, 1) % 8) {
    case 0: {
        uint32_t mss = fuzz_take(reader, 2);
        if (add_known(segment, 2, mss, 4) && heard)
            offered->mss = mss == 0 ? MSS_ABSENT : mss;
        break;
    }
    case 1: {
        uint32_t scale = fuzz_take(reader, 1);
        if (add_known(segment, 3, scale, 3) && heard) {
            offered->scaling = true;
            offered->scale = scale > 14 ? 14 : scale; /* RFC 7323 section 2.3 */
        }
        break;
    }
    case 2:
        if (add_known(segment, 4, 0, 2) && heard)
            offered->sack = true;
        break;
    case 3: {
        uint32_t stamp = fuzz_take(reader, 4);
        if (add_known(segment, 8, stamp, 10) && heard)
            offered->timestamps = true;
        break;
    }
    case 4:
        add(segment, (const uint8_t[]){1}, 1);
        break;
    case 5:
        if (segment->options_length < OPTIONS_MAX) {
            add(segment, (const uint8_t[]){0}, 1);
            offered->ended = true;
        }
        break;
    case 6:
        add_unknown(reader, segment);
        break;
    case 7:
        add_garbage(reader, segment, offered);
        break;
    }
}

static struct offered add_options(struct fuzz_reader *reader, struct fuzz_segment *segment)
{
    struct offered offered = {.certain = true, .mss = MSS_ABSENT};
    for (uint32_t count = fuzz_take(reader, 1) % 8; count > 0; count--)
        add_drawn(reader, segment, &offered);
    return offered;
}

static void say(struct fuzz_subject *subject, const struct fuzz_segment *segment)
{
    struct sim_packet *packet = fuzz_segment_packet(segment);
    fuzz_input(subject, packet->bytes, packet->length, packet->length);
    free(packet);
    fuzz_drain(subject);
}

/* A SYN cookie remembers SACK and the scale in the timestamp, and without one not at all. */
static void judge(struct fuzz_subject *subject, struct daytona_socket_id id,
                  const struct offered *offered, bool by_cookie)
{
    struct daytona_connection_info info;
    bool kept = offered->timestamps || !by_cookie;
    fuzz_demand(daytona_stack_info(subject->stack, subject->now, id, &info) == 0, "a connection");
    fuzz_demand(info.timestamps_on == offered->timestamps,
                "timestamps are on if they were offered");
    fuzz_demand(info.sack_on == (offered->sack && kept), "SACK is on if it was offered");
    fuzz_demand(info.window_scaling_on == (offered->scaling && kept),
                "scaling is on if it was offered");
    fuzz_demand(!info.window_scaling_on || info.send_window_scale == offered->scale,
                "the window is scaled as was offered");
    uint32_t least = by_cookie ? MSS_LEAST_COOKIE : MSS_LEAST; /* the least in its table */
    uint32_t bound = offered->mss < least ? least : offered->mss;
    fuzz_demand(info.send_mss <= bound && info.send_mss <= 1460, "the peer's MSS is kept to");
}

/* The handshake; false if the stack did not want it. */
static bool open_connection(struct fuzz_reader *reader, struct fuzz_subject *subject,
                            struct daytona_socket_id *id, bool by_cookie)
{
    struct fuzz_peer *peer = &subject->peers[PEER];
    struct fuzz_segment segment = {.peer = peer, .flags = SIM_SYN, .window = 60000};
    segment.seq = fuzz_take(reader, 4);
    struct offered offered = add_options(reader, &segment);
    say(subject, &segment);
    segment = (struct fuzz_segment){
        .peer = peer, .seq = peer->next, .ack = peer->ack, .flags = SIM_ACK, .window = 60000};
    if (offered.timestamps)
        add_known(&segment, 8, 0x7fffffff, 10);
    say(subject, &segment);
    if (daytona_stack_accept(subject->stack, subject->application.ids[0], id) < 0)
        return false;
    subject->application.ids[subject->application.count++] = *id;
    if (offered.certain)
        judge(subject, *id, &offered, by_cookie);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t text[6000];
    struct fuzz_reader reader = {data, size};
    struct fuzz_subject subject;
    struct daytona_socket_id id;
    struct daytona_stack_config config;
    uint32_t variant = fuzz_take(&reader, 1);
    fuzz_draw_settings(variant, &config);
    fuzz_subject_prepare(&subject, variant, DAYTONA_TCP_ESTABLISHED);
    if (open_connection(&reader, &subject, &id, config.syn_cookies == DAYTONA_SYN_COOKIES_ALWAYS))
        daytona_stack_send(subject.stack, subject.now, id,
                           &(struct daytona_span){text, sizeof text}, 1, 0);
    fuzz_drain(&subject);
    for (unsigned steps = 0; reader.left > 0 && steps < 100; steps++) {
        struct fuzz_segment segment = fuzz_take_segment(&reader, &subject);
        segment.peer = &subject.peers[PEER];
        segment.seq = segment.peer->next + fuzz_take_distance(&reader);
        segment.ack = segment.peer->ack - fuzz_take(&reader, 2);
        segment.options_length = 0;
        add_options(&reader, &segment);
        say(&subject, &segment);
        fuzz_judge_sockets(subject.stack, subject.now);
    }
    fuzz_subject_finish(&subject);
    return 0;
}
