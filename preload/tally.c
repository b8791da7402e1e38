#include "preload/tally.h"

#include "preload/log.h"
#include "preload/text.h"

#define LINE_MAX_BYTES 900 /* every verdict with a large count */

void tally_say(const struct daytona_counters *counters,
               const struct daytona_capture_counters *capture)
{
    char room[LINE_MAX_BYTES];
    struct text line = text_begin(room, sizeof room);
    if (!log_says(LOG_LEVEL_INFO))
        return;
    for (unsigned verdict = 0; verdict < DAYTONA_VERDICT_COUNT; verdict++)
        if (counters->verdicts[verdict] > 0)
            text_add_format(&line, "%s%llu %s", line.length == 0 ? "" : ", ",
                            (unsigned long long)counters->verdicts[verdict],
                            daytona_verdict_name((enum daytona_verdict)verdict));
    if (capture->dropped_by_ring > 0)
        text_add_format(&line, "%s%llu lost", line.length == 0 ? "" : ", ",
                        (unsigned long long)capture->dropped_by_ring);
    log_line(LOG_LEVEL_INFO, "packets in: %s", line.length == 0 ? "none" : room);
}
