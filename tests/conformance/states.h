/*
 * states.h - the states of RFC 9293 section 3.3.2 against every kind of segment and every call.
 */
#ifndef TESTS_CONFORMANCE_STATES_H
#define TESTS_CONFORMANCE_STATES_H

#include "tests/conformance/subject.h"

/** Makes a subject; see subject.h. */
typedef struct subject *make_subject(const struct settings *settings, const char **why);

/** Tries every state with every segment, as DIRECTORY/segments.table says, and with every call, as
 *  DIRECTORY/calls.table says. `show`: writes what comes of each cell instead. `on_linux`: the
 *  tables with "-linux" in their names say where the kernel does otherwise. True when all is
 *  as the tables say, and they have no hole. */
bool states_try(make_subject *make, const char *directory, bool show, bool on_linux);

#endif
