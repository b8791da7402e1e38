/*
 * laboratory.h - two hosts, a packet sink on each and a capture on ours, for the tests of live
 * capture. Where nothing may arrive, a packet that must follows on the same way: no test waits
 * for a time to pass.
 */
#ifndef TESTS_UNIT_LABORATORY_H
#define TESTS_UNIT_LABORATORY_H

#include "tests/unit/network.h"
#include "tests/unit/packets.h"
#include <daytona/capture.h>

/** What is captured. */
#define LABORATORY_PORT 80

struct laboratory {
    struct network network;
    struct daytona_rawtx *here, *there; /**< sinks */
    struct daytona_capture *capture;    /**< here; NULL until a test opens it */
};

extern const struct packet_ends from_there; /**< to LABORATORY_PORT here */
extern const struct packet_ends to_self;    /**< to LABORATORY_PORT over the loopback device */

/** Setup and teardown of a test, for cmocka. */
int laboratory_prepare(void **state);
int laboratory_clean_up(void **state);

/** The laboratory; without root the test is skipped. */
struct laboratory *laboratory_of(void **state);

/** Opens the capture on the named interfaces (count 0: all) with a ring of 8 MB; closes the one
 *  before. */
void laboratory_capture(struct laboratory *laboratory, const char *const *names, size_t count);
void laboratory_capture_all(struct laboratory *laboratory);
void laboratory_capture_one(struct laboratory *laboratory, const char *name);

/** Closes it, if one is open. */
void laboratory_close_capture(struct laboratory *laboratory);

void send_packet(struct daytona_rawtx *sink, struct daytona_packet_out packet);

/** An empty TCP segment with this sequence number. */
void send_number(struct daytona_rawtx *sink, struct packet_ends ends, uint32_t number);

/** Waits for the next packet. */
struct daytona_captured expect_packet(struct laboratory *laboratory);
struct daytona_captured expect_number(struct laboratory *laboratory, uint32_t number);

/** Nothing but what has been expected has arrived from there. */
void expect_nothing_more(struct laboratory *laboratory);

struct daytona_capture_counters laboratory_counters(struct laboratory *laboratory);

/** The row of a test in cmocka's table. */
#define IN_LABORATORY(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, laboratory_prepare, laboratory_clean_up)

#endif
