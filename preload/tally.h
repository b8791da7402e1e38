/*
 * tally.h - what became of all packets of this process, said in one line when it ends.
 */
#ifndef DAYTONA_PRELOAD_TALLY_H
#define DAYTONA_PRELOAD_TALLY_H

#include <daytona/stack.h>

/** At LOG_LEVEL_INFO: "packets in: 12 ACCEPTED, 3 BAD_CHECKSUM", with each verdict that there was.
 */
void tally_say(const struct daytona_counters *counters);

#endif
