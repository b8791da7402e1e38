/* A segment in the words of the language: what a failure shows, and a first draft of a script. */
#include "tests/conformance/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sentence {
    char *text;
    size_t size;
};

static void say(struct sentence *sentence, const char *format, ...)
{
    size_t used = strlen(sentence->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence->text + used, sentence->size - used, format, arguments);
    va_end(arguments);
}

static void say_flags(struct sentence *sentence, unsigned flags)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK",
                                        "URG", "ECE", "CWR", "AE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((flags >> i & 1) != 0)
            say(sentence, " %s", names[i]);
}

static void say_option(struct sentence *sentence, const uint8_t *option, size_t length,
                       uint32_t base)
{
    switch ((enum wire_kind)option[0]) {
    case WIRE_EOL:
        say(sentence, " eol");
        return;
    case WIRE_NOP:
        say(sentence, " nop");
        return;
    case WIRE_MSS:
        say(sentence, " mss=%u", wire_get16(option + 2));
        return;
    case WIRE_SCALE:
        say(sentence, " scale=%u", option[2]);
        return;
    case WIRE_SACKOK:
        say(sentence, " sackok");
        return;
    case WIRE_TS:
        say(sentence, " ts=%u ecr=%u", wire_get32(option + 2), wire_get32(option + 6));
        return;
    case WIRE_SACK:
        for (size_t at = 2; at + 8 <= length; at += 8)
            say(sentence, "%s%u-%u", at == 2 ? " sack=" : ",", wire_get32(option + at) - base,
                wire_get32(option + at + 4) - base);
        return;
    case WIRE_MD5:
    case WIRE_AO:
    case WIRE_FASTOPEN:
    case WIRE_ACCECN0:
    case WIRE_ACCECN1:
        break;
    }
    say(sentence, option[0] == WIRE_FASTOPEN ? " fo=" : " raw=");
    for (size_t i = option[0] == WIRE_FASTOPEN ? 2 : 0; i < length; i++)
        say(sentence, "%02x", option[i]);
}

void flow_describe(const struct flow *flow, const struct wire_segment *segment, bool from_peer,
                   char *out, size_t size)
{
    struct sentence sentence = {out, size};
    uint32_t seq = from_peer ? flow->peer_isn : flow->host_isn;
    uint32_t ack = from_peer ? flow->host_isn : flow->peer_isn;
    snprintf(out, size, "%s", from_peer ? "peer" : "host");
    say_flags(&sentence, segment->flags);
    say(&sentence, " seq=%d", (int)(segment->seq - seq));
    if ((segment->flags & WIRE_ACK) != 0)
        say(&sentence, " ack=%d", (int)(segment->ack - ack));
    if (segment->length > 0)
        say(&sentence, " len=%zu", segment->length);
    say(&sentence, " win=%u", segment->window);
    if (segment->urgent != 0)
        say(&sentence, " urg=%u", segment->urgent);
    if (segment->type_of_service != 0)
        say(&sentence, " tos=%u ecn=%u", segment->type_of_service & ~3u,
            segment->type_of_service & 3u);
    for (size_t at = 0; at < segment->options_length;) {
        const uint8_t *option = segment->options + at;
        size_t left = segment->options_length - at;
        size_t length = option[0] <= WIRE_NOP ? 1 : left < 2 ? left : option[1];
        if (length == 0 || length > left)
            return;
        say_option(&sentence, option, length, ack);
        at += length;
    }
}
