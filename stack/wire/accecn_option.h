/*
 * accecn_option.h - the AccECN option (RFC 9768 section 3.2.3): up to three counters of 24 bits, in
 * one of two orders, cut off behind the last one that matters.
 */
#ifndef STACK_WIRE_ACCECN_OPTION_H
#define STACK_WIRE_ACCECN_OPTION_H

#include "stack/wire/tcp_header.h"

/** RFC 9768 section 3.2.3: EE0B, ECEB, EE1B; and the other way round. */
enum { OPTION_ACCECN_0 = 172, OPTION_ACCECN_1 = 174 };

/** Reads the option at `at`, whose length byte says `length`. A length that no whole number of
 *  counters has leaves `*out` as it is. */
void accecn_option_parse(const uint8_t *at, size_t length, struct tcp_accecn *out);

/** Bytes, a multiple of 4, that emit writes when `room` are left (a multiple of 4); 0 when not even
 *  an option without counters fits or it is not present. */
size_t accecn_option_length(const struct tcp_accecn *option, size_t room);

/** Writes that, with NOPs behind it. */
void accecn_option_emit(const struct tcp_accecn *option, size_t room, uint8_t *out);

#endif
