/*
 * tun.h - a network of one script's own: a namespace whose only way out is a tun device, with the
 * sysctls of the profile that the scripts are written for.
 */
#ifndef TESTS_CONFORMANCE_TUN_H
#define TESTS_CONFORMANCE_TUN_H

#include "tests/conformance/subject.h"

/** `device` is the peer's end of the wire; `tap` sees with its time what the host sends. Both are
 *  the caller's and do not block. */
struct tun {
    int device, tap;
};

/** Moves the process into a new network namespace, which ends with it. NULL, or why not. */
const char *tun_open(const struct settings *settings, struct tun *out);

#endif
