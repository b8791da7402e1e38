#include "tests/conformance/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ what the peer says */

static void append(struct wire_segment *out, const void *bytes, size_t length)
{
    if (out->options_length + length > WIRE_OPTIONS_MAX)
        return; /* more than a header can hold: said so by what the host makes of it */
    memcpy(out->options + out->options_length, bytes, length);
    out->options_length += length;
}

static void append_timestamps(struct flow *flow, const struct option_words *option,
                              uint32_t clock_ms, struct wire_segment *out)
{
    uint8_t bytes[10] = {WIRE_TS, sizeof bytes};
    uint32_t later = flow->peer_timestamp + (clock_ms - flow->peer_timestamp_ms);
    uint32_t value = option->value.said ? (uint32_t)option->value.value : later;
    uint32_t echo = flow->host_timestamp + (option->echo.said ? (uint32_t)option->echo.value : 0);
    wire_put32(bytes + 2, value);
    wire_put32(bytes + 6, echo);
    flow->peer_timestamp = value;
    flow->peer_timestamp_ms = clock_ms;
    append(out, bytes, sizeof bytes);
}

static void append_sack(const struct flow *flow, const struct option_words *option,
                        struct wire_segment *out)
{
    uint8_t bytes[2 + 4 * 8] = {WIRE_SACK, (uint8_t)(2 + 4 * option->pair_count)};
    for (size_t i = 0; i < option->pair_count; i++)
        wire_put32(bytes + 2 + 4 * i, flow->host_isn + option->pairs[i]);
    append(out, bytes, bytes[1]);
}

static void append_cookie(const struct flow *flow, const struct option_words *option,
                          struct wire_segment *out)
{
    /* "fo" alone asks for a cookie the first time and repeats it later. */
    bool repeat = option->byte_count == 0;
    size_t length = repeat ? flow->cookie_length : option->byte_count;
    uint8_t bytes[2] = {WIRE_FASTOPEN, (uint8_t)(2 + length)};
    append(out, bytes, sizeof bytes);
    append(out, repeat ? flow->cookie : option->bytes, length);
}

static void append_number(const struct option_words *option, size_t size, struct wire_segment *out)
{
    uint8_t bytes[4] = {option->kind, (uint8_t)(2 + size)};
    if (size == 2)
        wire_put16(bytes + 2, (uint32_t)option->value.value);
    else
        bytes[2] = (uint8_t)option->value.value;
    append(out, bytes, 2 + size);
}

static void append_option(struct flow *flow, const struct option_words *option, uint32_t clock_ms,
                          struct wire_segment *out)
{
    if (option->raw)
        append(out, option->bytes, option->byte_count);
    else if (option->kind == WIRE_EOL || option->kind == WIRE_NOP)
        append(out, &option->kind, 1);
    else if (option->kind == WIRE_TS)
        append_timestamps(flow, option, clock_ms, out);
    else if (option->kind == WIRE_SACK)
        append_sack(flow, option, out);
    else if (option->kind == WIRE_FASTOPEN)
        append_cookie(flow, option, out);
    else
        append_number(option,
                      option->kind == WIRE_MSS     ? 2
                      : option->kind == WIRE_SCALE ? 1
                                                   : 0,
                      out);
}

static bool said_option(const struct segment_words *words, uint8_t kind)
{
    for (size_t i = 0; i < words->option_count; i++)
        if (!words->options[i].raw && words->options[i].kind == kind)
            return true;
    return false;
}

static bool said_absent(const struct segment_words *words, uint8_t kind)
{
    return memchr(words->absent, kind, words->absent_count) != NULL;
}

static void say_options(struct flow *flow, const struct segment_words *words, uint32_t clock_ms,
                        struct wire_segment *out)
{
    static const struct option_words nop = {.kind = WIRE_NOP}, now = {.kind = WIRE_TS};
    bool syn = (words->flags & WIRE_SYN) != 0;
    bool agreed = flow->host_timestamps && flow->peer_timestamps;
    if (agreed && !syn && !said_option(words, WIRE_TS) && !said_absent(words, WIRE_TS)) {
        append_option(flow, &nop, clock_ms, out);
        append_option(flow, &nop, clock_ms, out);
        append_option(flow, &now, clock_ms, out);
    }
    for (size_t i = 0; i < words->option_count; i++)
        append_option(flow, &words->options[i], clock_ms, out);
    if (syn)
        flow->peer_timestamps = said_option(words, WIRE_TS);
}

static const uint8_t *stream_bytes(uint32_t from, size_t length)
{
    static uint8_t bytes[WIRE_PACKET_MAX];
    for (size_t i = 0; i < length && i < sizeof bytes; i++)
        bytes[i] = script_byte(from + (uint32_t)i);
    return bytes;
}

void flow_say(struct flow *flow, const struct segment_words *words, uint32_t clock_ms,
              struct wire_segment *out)
{
    bool syn = (words->flags & WIRE_SYN) != 0, fin = (words->flags & WIRE_FIN) != 0;
    uint32_t seq = words->seq.said ? (uint32_t)words->seq.value : syn ? 0 : flow->peer_next;
    uint32_t ack = words->ack.said ? (uint32_t)words->ack.value : flow->host_next;
    bool acks = (words->flags & WIRE_ACK) != 0 || words->ack.said;
    size_t length = words->len.said ? (size_t)words->len.value : 0;
    if (words->win.said)
        flow->window = (uint16_t)words->win.value;
    *out = (struct wire_segment){
        .source = PEER_ADDRESS,
        .destination = HOST_ADDRESS,
        .source_port = flow->peer_port,
        .destination_port = flow->host_port,
        .seq = flow->peer_isn + seq,
        .ack = acks ? flow->host_isn + ack : 0,
        .flags = words->flags,
        .window = flow->window,
        .urgent = (uint16_t)words->urg.value,
        .type_of_service = (uint8_t)(words->tos.value | words->ecn.value),
        .time_to_live = words->ttl.said ? (uint8_t)words->ttl.value : 64,
        .damaged = words->damaged,
        .payload = stream_bytes(seq + syn, length),
        .length = length,
    };
    say_options(flow, words, clock_ms, out);
    uint32_t end = seq + syn + (uint32_t)length + fin;
    if (!words->damaged && (words->flags & WIRE_RST) == 0 &&
        (!words->seq.said || syn || words->seq.value == flow->peer_next) &&
        (int32_t)(end - flow->peer_next) > 0)
        flow->peer_next = end;
}

/* ------------------------------------------------------------------ what the host says */

struct judgement {
    char *text;
    size_t size;
};

static void differ(struct judgement *judgement, const char *format, ...)
{
    size_t used = strlen(judgement->text);
    va_list arguments;
    va_start(arguments, format);
    if (used > 0 && used + 2 < judgement->size) {
        strcat(judgement->text, ", ");
        used += 2;
    }
    vsnprintf(judgement->text + used, judgement->size - used, format, arguments);
    va_end(arguments);
}

static void judge(struct judgement *judgement, const char *what, const struct amount *wanted,
                  int64_t otherwise, int64_t is)
{
    int64_t want = wanted->said ? wanted->value : otherwise;
    if (is != want)
        differ(judgement, "%s is %lld, not %lld", what, (long long)is, (long long)want);
}

static void layout_of(const struct wire_segment *segment, char *out, size_t size)
{
    static const struct {
        uint8_t kind;
        const char *word;
    } names[] = {
        {WIRE_EOL, "eol"},       {WIRE_NOP, "nop"},         {WIRE_MSS, "mss"},
        {WIRE_SCALE, "scale"},   {WIRE_SACK, "sack"},       {WIRE_TS, "ts"},
        {WIRE_SACKOK, "sackok"}, {WIRE_MD5, "md5"},         {WIRE_FASTOPEN, "fo"},
        {WIRE_AO, "ao"},         {WIRE_ACCECN0, "accecn0"}, {WIRE_ACCECN1, "accecn1"},
    };
    out[0] = '\0';
    for (size_t at = 0; at < segment->options_length;) {
        uint8_t kind = segment->options[at];
        char number[8];
        snprintf(number, sizeof number, "%u", kind);
        const char *word = number;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (names[i].kind == kind)
                word = names[i].word;
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "", word);
        uint8_t length =
            kind <= WIRE_NOP || at + 1 >= segment->options_length ? 1 : segment->options[at + 1];
        at += length == 0 ? 1 : length;
    }
}

static void judge_sack(const struct flow *flow, const struct option_words *option,
                       const uint8_t *found, struct judgement *judgement)
{
    size_t count = (found[1] - 2u) / 4;
    bool same = count == option->pair_count;
    for (size_t i = 0; same && i < count; i++)
        same = wire_get32(found + 2 + 4 * i) - flow->peer_isn == option->pairs[i];
    if (!same)
        differ(judgement, "other SACK blocks");
}

static void judge_option(const struct flow *flow, const struct option_words *option,
                         const struct wire_segment *heard, struct judgement *judgement)
{
    const uint8_t *found = wire_option(heard, option->raw ? option->bytes[0] : option->kind);
    if (found == NULL) {
        differ(judgement, "option %u is not there", option->raw ? option->bytes[0] : option->kind);
        return;
    }
    if (option->raw && memcmp(found, option->bytes, option->byte_count) != 0)
        differ(judgement, "option %u says something else", option->bytes[0]);
    else if (option->kind == WIRE_MSS && option->value.said)
        judge(judgement, "mss", &option->value, 0, wire_get16(found + 2));
    else if (option->kind == WIRE_SCALE && option->value.said)
        judge(judgement, "scale", &option->value, 0, found[2]);
    else if (option->kind == WIRE_TS && option->echo.said)
        judge(judgement, "ecr", &option->echo, 0, (int32_t)wire_get32(found + 6));
    else if (option->kind == WIRE_SACK && option->pair_count > 0)
        judge_sack(flow, option, found, judgement);
    else if (option->kind == WIRE_FASTOPEN && option->byte_count > 0 &&
             (found[1] != 2 + option->byte_count ||
              memcmp(found + 2, option->bytes, option->byte_count) != 0))
        differ(judgement, "another cookie");
}

static void judge_options(const struct flow *flow, const struct segment_words *words,
                          const struct wire_segment *heard, struct judgement *judgement)
{
    char layout[160];
    layout_of(heard, layout, sizeof layout);
    if (words->layout[0] != '\0' && strcmp(words->layout, layout) != 0)
        differ(judgement, "layout is %s", layout);
    for (size_t i = 0; i < words->option_count; i++)
        judge_option(flow, &words->options[i], heard, judgement);
    for (size_t i = 0; i < words->absent_count; i++)
        if (wire_option(heard, words->absent[i]) != NULL)
            differ(judgement, "option %u is there", words->absent[i]);
    if (!said_option(words, WIRE_SACK) && wire_option(heard, WIRE_SACK) != NULL)
        differ(judgement, "there are SACK blocks");
}

static void judge_payload(const struct wire_segment *heard, uint32_t from,
                          struct judgement *judgement)
{
    if (heard->length > 0 &&
        memcmp(heard->payload, stream_bytes(from, heard->length), heard->length) != 0)
        differ(judgement, "the payload is not that of the stream");
}

static uint32_t end_of(const struct wire_segment *segment)
{
    return segment->seq + (uint32_t)segment->length + ((segment->flags & WIRE_SYN) != 0) +
           ((segment->flags & WIRE_FIN) != 0);
}

void flow_note(struct flow *flow, const struct wire_segment *heard)
{
    const uint8_t *timestamps = wire_option(heard, WIRE_TS);
    const uint8_t *cookie = wire_option(heard, WIRE_FASTOPEN);
    if ((heard->flags & WIRE_SYN) != 0 && (heard->flags & WIRE_RST) == 0) {
        if (flow->host_isn != heard->seq)
            flow->host_next = flow->sent = 1;
        flow->host_isn = heard->seq;
        flow->host_timestamps = timestamps != NULL;
    }
    if (timestamps != NULL)
        flow->host_timestamp = wire_get32(timestamps + 2);
    if (cookie != NULL && cookie[1] > 2) {
        flow->cookie_length = cookie[1] - 2u;
        memcpy(flow->cookie, cookie + 2, flow->cookie_length);
    }
    if ((heard->flags & (WIRE_ACK | WIRE_RST)) == WIRE_ACK)
        flow->host_edge = heard->ack - flow->peer_isn + heard->window;
    uint32_t end = end_of(heard) - flow->host_isn;
    if ((heard->flags & WIRE_RST) == 0 && (int32_t)(end - flow->host_next) > 0)
        flow->host_next = end;
}

void flow_hear(struct flow *flow, const struct segment_words *words,
               const struct wire_segment *heard, char *why, size_t why_size)
{
    struct judgement judgement = {why, why_size};
    uint32_t expected = flow->host_next;
    why[0] = '\0';
    flow_note(flow, heard);
    if ((heard->flags & WIRE_SYN) != 0)
        expected = 0;
    if (((heard->flags ^ words->flags) & ~words->flags_maybe) != 0)
        differ(&judgement, "other flags");
    uint32_t seq = heard->seq - flow->host_isn;
    judge(&judgement, "seq", &words->seq, expected, (int32_t)seq);
    if ((heard->flags & WIRE_ACK) != 0 || words->ack.said)
        judge(&judgement, "ack", &words->ack, flow->peer_next,
              (int32_t)(heard->ack - flow->peer_isn));
    judge(&judgement, "len", &words->len, 0, (int64_t)heard->length);
    if (words->win.said)
        judge(&judgement, "win", &words->win, 0, heard->window);
    judge(&judgement, "urg", &words->urg, 0, heard->urgent);
    judge(&judgement, "ecn", &words->ecn, 0, heard->type_of_service & 3);
    if (words->tos.said)
        judge(&judgement, "tos", &words->tos, 0, heard->type_of_service & ~3);
    if (words->ttl.said)
        judge(&judgement, "ttl", &words->ttl, 0, heard->time_to_live);
    judge_options(flow, words, heard, &judgement);
    judge_payload(heard, seq + ((heard->flags & WIRE_SYN) != 0), &judgement);
}
