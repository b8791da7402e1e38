/*
 * names.h - the words of the C headers that scripts use.
 */
#ifndef TESTS_CONFORMANCE_NAMES_H
#define TESTS_CONFORMANCE_NAMES_H

#include <stdbool.h>

/** A socket option; false: not known here. */
bool name_option(const char *word, int *level, int *name);

/** An ioctl of sockets. */
bool name_ioctl(const char *word, int *request);

/** "EAGAIN": 11. False: no such name. */
bool name_errno(const char *word, int *number);

/** SUBJECT_READY_* of "in", "out", "rdhup", "hup", "error", "urgent". */
bool name_ready(const char *word, int *bit);

/** Linux's number of a state: "ESTABLISHED". */
bool name_state(const char *word, int *number);

/** The other way; "" for a number without name. */
const char *state_name(int number);

#endif
