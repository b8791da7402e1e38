/*
 * tally.h - what became of all packets of this process, said in one line when it ends.
 */
#ifndef DAYTONA_PRELOAD_TALLY_H
#define DAYTONA_PRELOAD_TALLY_H

#include <daytona/capture.h>
#include <daytona/stack.h>

/** At LOG_LEVEL_INFO: "packets in: 12 ACCEPTED, 3 BAD_CHECKSUM", with each verdict that there was;
 *  and "4 lost" when the ring was full for so many. */
void tally_say(const struct daytona_counters *counters,
               const struct daytona_capture_counters *capture);

#endif
