#include "tests/conformance/play.h"

#include "tests/conformance/stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_PORT 80   /* of the listener */
#define PEER_PORT 4000 /* of flow 0; the others follow */

/* Times are exact to this in virtual time: timers that round to milliseconds. */
#define VIRTUAL_SLACK_US 1100

/* In real time a timer of the kernel may fire two ticks of 4 ms early by our clock, and late as
 * the machine has time; what comes at once comes within the first bound. */
#define REAL_ONCE_US  30000
#define REAL_EARLY_US 9000
#define REAL_LATE_US  40000

/* When a script ends the host must be silent so long: beyond its shortest timer, two ticks. */
#define REAL_QUIET_US 20000

void stage_log(struct stage *stage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof stage->log - stage->logged;
    int length = vsnprintf(stage->log + stage->logged, room, format, arguments);
    va_end(arguments);
    stage->logged += (size_t)length < room ? (size_t)length : room - 1;
}

bool stage_fail(struct stage *stage, const char *format, ...)
{
    va_list arguments;
    printf("%s:%u (%s): ", stage->script->name, stage->step->line, stage->subject->name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n    %s\n", stage->step->text);
    stage->failed = true;
    return false;
}

static uint64_t now_us(const struct stage *stage)
{
    return stage->subject->now_us(stage->subject->context);
}

static void log_segment(struct stage *stage, const struct flow *flow,
                        const struct wire_segment *segment, bool from_peer, uint64_t at_us)
{
    char line[512];
    flow_describe(flow, segment, from_peer, line, sizeof line);
    stage_log(stage, "    %10.3f ms  flow %u  %s\n", (double)(at_us - stage->started_us) / 1000,
              (unsigned)(flow - stage->flows), line);
}

/* ------------------------------------------------------------------ the peer */

static void arrive(struct stage *stage, const uint8_t *packet, size_t length)
{
    stage->began_us = now_us(stage);
    stage->subject->inject(stage->subject->context, packet, length);
    stage->ended_us = now_us(stage);
}

static bool play_peer(struct stage *stage, const struct step *step, struct flow *flow)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    struct wire_segment segment;
    uint32_t clock_ms = (uint32_t)((now_us(stage) - stage->started_us) / 1000);
    flow_say(flow, &step->segment, clock_ms, &segment);
    log_segment(stage, flow, &segment, true, now_us(stage));
    arrive(stage, packet, wire_write(&segment, packet));
    return true;
}

static bool play_icmp(struct stage *stage, const struct step *step, struct flow *flow)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    int64_t type = 3, code = 0, mtu = 0;
    for (size_t i = 0; i < step->word_count; i++)
        if (!word_number(step->words[i], "type", &type) &&
            !word_number(step->words[i], "code", &code) &&
            !word_number(step->words[i], "mtu", &mtu))
            return stage_fail(stage, "icmp has no word %s", step->words[i]);
    uint32_t seq = step->segment.seq.said ? (uint32_t)step->segment.seq.value : 0;
    struct wire_icmp icmp = {.type = (uint8_t)type,
                             .code = (uint8_t)code,
                             .mtu = (uint16_t)mtu,
                             .host_port = flow->host_port,
                             .peer_port = flow->peer_port,
                             .seq = flow->host_isn + seq};
    stage_log(stage, "    %10.3f ms  %s\n", (double)(now_us(stage) - stage->started_us) / 1000,
              step->text);
    arrive(stage, packet, wire_write_icmp(&icmp, packet));
    return true;
}

/* ------------------------------------------------------------------ the host */

static struct flow *flow_of(struct stage *stage, const struct wire_segment *segment)
{
    for (size_t i = 1; i < SCRIPT_FLOWS_MAX; i++)
        if (stage->flows[i].peer_port == segment->destination_port)
            return &stage->flows[i];
    return NULL;
}

/* The host's next segment until then: 1; 0 none; -1 it is a wrong one, and that was said. */
static int next_segment(struct stage *stage, uint64_t until_us, struct wire_segment *out,
                        struct flow **flow, uint64_t *at_us)
{
    static uint8_t packet[WIRE_PACKET_MAX];
    size_t length;
    const char *wrong;
    do {
        length = stage->subject->take(stage->subject->context, until_us, packet, at_us);
        if (length == 0)
            return 0;
        wrong = wire_read(packet, length, out);
    } while (stage->crowded && wrong == NULL && flow_of(stage, out) == NULL);
    if (wrong != NULL) {
        stage_fail(stage, "the host sends %s", wrong);
        return -1;
    }
    *flow = flow_of(stage, out);
    if (*flow == NULL || out->source != HOST_ADDRESS || out->destination != PEER_ADDRESS) {
        stage_fail(stage, "the host sends to somebody else, port %u", out->destination_port);
        return -1;
    }
    return 1;
}

static bool judge_time(struct stage *stage, const struct step *step, uint64_t at_us)
{
    bool real = stage->subject->real_time, once = !step->timed;
    uint64_t early = real ? REAL_EARLY_US : once ? 0 : VIRTUAL_SLACK_US;
    uint64_t late = !real  ? (once ? 0 : VIRTUAL_SLACK_US)
                    : once ? REAL_ONCE_US
                           : REAL_LATE_US + step->to_us / 8;
    if (at_us + early < stage->began_us + step->from_us)
        return stage_fail(stage, "too early: %.3f ms after the step before",
                          (double)(int64_t)(at_us - stage->began_us) / 1000);
    if (at_us > stage->ended_us + step->to_us + late)
        return stage_fail(stage, "too late: %.3f ms after the step before",
                          (double)(int64_t)(at_us - stage->ended_us) / 1000);
    return true;
}

/* So long a segment is waited for: in real time also one that is much too late. */
static uint64_t patience(const struct stage *stage, const struct step *step)
{
    uint64_t slack = stage->subject->real_time ? 2 * REAL_LATE_US + step->to_us / 4
                     : step->timed             ? VIRTUAL_SLACK_US
                                               : 0;
    return stage->ended_us + step->to_us + slack;
}

static bool play_host(struct stage *stage, const struct step *step, struct flow *flow)
{
    struct wire_segment segment;
    struct flow *from;
    uint64_t at_us;
    char why[512];
    int found = next_segment(stage, patience(stage, step), &segment, &from, &at_us);
    if (found == 0)
        return stage_fail(stage, "the host sends nothing");
    if (found < 0)
        return false;
    flow_hear(from, &step->segment, &segment, why, sizeof why);
    log_segment(stage, from, &segment, false, at_us);
    if (from != flow)
        return stage_fail(stage, "the host sends to flow %u", (unsigned)(from - stage->flows));
    if (why[0] != '\0')
        return stage_fail(stage, "the host sends something else: %s", why);
    if (!judge_time(stage, step, at_us))
        return false;
    stage->began_us = stage->ended_us = at_us;
    return true;
}

static bool play_wait(struct stage *stage, const struct step *step)
{
    struct wire_segment segment;
    struct flow *from;
    uint64_t span_us, at_us;
    if (step->word_count != 1 || !word_time(step->words[0], &span_us))
        return stage_fail(stage, "wait wants a time");
    /* What is due at the end of the time comes after it. */
    uint64_t until = stage->ended_us + span_us - (stage->subject->real_time ? 0 : 1);
    int found = next_segment(stage, until, &segment, &from, &at_us);
    if (found < 0)
        return false;
    if (found > 0) {
        flow_note(from, &segment);
        log_segment(stage, from, &segment, false, at_us);
        return stage_fail(stage, "the host sends meanwhile, after %.3f ms",
                          (double)(int64_t)(at_us - stage->ended_us) / 1000);
    }
    stage->began_us = stage->ended_us = stage->ended_us + span_us;
    return true;
}

static bool play_skip(struct stage *stage, const struct step *step)
{
    struct wire_segment segment;
    struct flow *from;
    uint64_t at_us;
    unsigned long count = step->word_count == 1 ? strtoul(step->words[0], NULL, 10) : 0;
    for (unsigned long i = 0; i < count; i++) {
        int found = next_segment(stage, patience(stage, step), &segment, &from, &at_us);
        if (found == 0)
            return stage_fail(stage, "the host sends only %lu", i);
        if (found < 0)
            return false;
        flow_note(from, &segment);
        log_segment(stage, from, &segment, false, at_us);
        stage->began_us = stage->ended_us = at_us;
    }
    return count > 0 || stage_fail(stage, "skip wants a number");
}

/* ------------------------------------------------------------------ all of it */

static bool play_step(struct stage *stage, const struct step *step)
{
    struct flow *flow = &stage->flows[step->flow];
    switch (step->verb) {
    case VERB_PEER:
        return play_peer(stage, step, flow);
    case VERB_HOST:
        return play_host(stage, step, flow);
    case VERB_ICMP:
        return play_icmp(stage, step, flow);
    case VERB_SKIP:
        return play_skip(stage, step);
    case VERB_WAIT:
        return play_wait(stage, step);
    case VERB_LISTEN:
    case VERB_ACCEPT:
    case VERB_SOCKET:
    case VERB_CONNECT:
    case VERB_SEND:
    case VERB_RECEIVE:
    case VERB_SHUTDOWN:
    case VERB_CLOSE:
    case VERB_ABORT:
    case VERB_OPTION:
    case VERB_GET:
    case VERB_QUEUED:
    case VERB_CONTROL:
    case VERB_READY:
    case VERB_ERROR:
    case VERB_INFO:
        stage->began_us = now_us(stage);
        play_call(stage, step, flow);
        stage->ended_us = now_us(stage);
        return !stage->failed;
    case VERB_COUNT:
        break;
    }
    return stage_fail(stage, "no such verb");
}

/* Whatever the host has sent and no line has asked for. */
static bool nothing_left(struct stage *stage)
{
    struct wire_segment segment;
    struct flow *from;
    uint64_t at_us;
    uint64_t until = now_us(stage) + (stage->subject->real_time ? REAL_QUIET_US : 0);
    int found = next_segment(stage, until, &segment, &from, &at_us);
    if (found > 0) {
        log_segment(stage, from, &segment, false, at_us);
        return stage_fail(stage, "the host sends more, and the script ends here");
    }
    return found == 0;
}

void stage_prepare(struct stage *stage, struct subject *subject)
{
    stage->subject = subject;
    stage->failed = false;
    stage->logged = 0;
    stage->log[0] = '\0';
    for (unsigned i = 0; i < SCRIPT_FLOWS_MAX; i++)
        stage->flows[i] = (struct flow){.socket = -1,
                                        .host_port = HOST_PORT,
                                        .peer_port = (uint16_t)(PEER_PORT + i),
                                        .peer_isn = 0xfffffc00u + 7 * i, /* wraps soon */
                                        .window = 65535,
                                        .peer_timestamp = 1000,
                                        .sent = 1,
                                        .read = 1};
    stage->started_us = stage->began_us = stage->ended_us = now_us(stage);
}

bool stage_play(struct stage *stage, const struct script *script)
{
    enum side other = stage->subject->real_time ? SIDE_DAYTONA : SIDE_LINUX;
    stage->script = script;
    for (size_t i = 0; i < script->step_count; i++) {
        stage->step = &script->steps[i];
        if (stage->step->side != other && !play_step(stage, stage->step))
            return false;
    }
    return true;
}

bool play(const struct script *script, struct subject *subject, bool trace)
{
    static struct stage stage;
    stage_prepare(&stage, subject);
    bool right = stage_play(&stage, script) && nothing_left(&stage);
    if (trace || !right)
        fputs(stage.log, stdout);
    return right;
}
