/*
 * text.h - puts short texts together in memory the caller owns, without the C library: usable in a
 * signal handler, in a forked child of a threaded program, and before constructors have run.
 */
#ifndef DAYTONA_PRELOAD_TEXT_H
#define DAYTONA_PRELOAD_TEXT_H

#include "preload/attributes.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/** A text that grows in `data`; always terminated, cut at room - 1 characters. */
struct text {
    char *data; /**< borrowed */
    size_t room, length;
};

/** An empty text in `data`, `room` (at least 1) bytes. */
struct text text_begin(char *data, size_t room);

void text_add_character(struct text *text, char character);
void text_add(struct text *text, const char *more);
/** `value` in `base` 10 or 16. */
void text_add_number(struct text *text, uint64_t value, unsigned base);

/** The part of printf's language that a message needs: %s %c %d %u %x %%, with l, ll or z before
 *  the letter. Anything else is copied as it stands. */
void text_add_format(struct text *text, const char *format, ...) ATTRIBUTE_PRINTF(2, 3);
void text_add_list(struct text *text, const char *format, va_list list) ATTRIBUTE_PRINTF(2, 0);

#endif
