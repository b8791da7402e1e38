/*
 * network.h - a small network for tests that need the kernel's: two hosts, each a network
 * namespace of its own, joined by a veth pair. Needs root; nothing outside is touched, and it
 * is gone when the test program ends.
 */
#ifndef TESTS_UNIT_NETWORK_H
#define TESTS_UNIT_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#define NETWORK_HERE  0x0a070001u /* 10.7.0.1/24, device "here0" */
#define NETWORK_THERE 0x0a070002u /* 10.7.0.2/24, device "there0" */

/** Descriptors of the namespaces; -1: not there. */
struct network {
    int home; /**< the one we come from */
    int here, there;
};

/** False, with the reason printed, when this process may not make namespaces. */
bool network_possible(void);

/** Makes the two hosts and enters `here`. */
void network_init(struct network *network);

/** The calling thread's host from now on; sockets stay in the one they were opened in. */
void network_enter(int namespace_descriptor);

/** Goes home and gives the network up. */
void network_release(struct network *network);

/** Runs a program with the words of `format` (printf's, split at spaces) in the present
 *  namespace and fails the test unless it succeeds. */
void network_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The same for a kind of device that this kernel may not have: skips the test when it fails. */
void network_run_or_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
