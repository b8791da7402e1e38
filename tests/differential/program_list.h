/*
 * program_list.h - for those who make programs (programs*.c): where they go, and how most of them
 * begin.
 */
#ifndef TESTS_DIFFERENTIAL_PROGRAM_LIST_H
#define TESTS_DIFFERENTIAL_PROGRAM_LIST_H

#include "tests/differential/operation.h"

struct program_list {
    struct program *programs;
    size_t count, max;
};

/** A program more, without steps, with the name that `format` makes. */
struct program *program_begin(struct program_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Slot a listens at number 0 of the class, b has connected, c was accepted; b and c are of the
 * type, "block" or "nonblock". */
void program_connect_two(struct program *p, char class, const char *type);

/** The ways to wait for a socket. */
#define PROGRAM_WAITS 8
extern const char *const program_waits[PROGRAM_WAITS];

/** Makes the sets that this way to wait needs: d, and e around it. */
void program_watch(struct program *p, const char *wait, const char *slot);

/** Asks in this way, without waiting. */
void program_ask(struct program *p, const char *wait, const char *slot);

/** The products that have a file of their own. */
void programs_about_bad_calls(struct program_list *list);
void programs_about_waits(struct program_list *list);
void programs_about_signals(struct program_list *list);

#endif
