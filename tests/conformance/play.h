/*
 * play.h - plays a script on a subject.
 */
#ifndef TESTS_CONFORMANCE_PLAY_H
#define TESTS_CONFORMANCE_PLAY_H

#include "tests/conformance/script.h"

/** True when all was as the script says. Else standard output tells the line, what was there
 *  instead and all packets until then; with `trace`, those in any case. */
bool play(const struct script *script, struct subject *subject, bool trace);

#endif
