#include "tests/sim/codel.h"

#define SMALL_QUEUE_BYTES 1500u /* less is no standing queue, whatever the delay */

/* The largest integer whose square is not above `value`. */
static uint64_t square_root(uint64_t value)
{
    uint64_t low = 0, high = (uint64_t)1 << 32;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (middle * middle <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* RFC 8289 section 4.3: drops come closer together with the square root of their number. */
static struct daytona_instant next_after(struct daytona_instant at, uint64_t interval_us,
                                         uint32_t count)
{
    uint64_t root_thousandths = square_root((uint64_t)count * 1000000);
    return daytona_instant_after_us(at, interval_us * 1000 / root_thousandths);
}

/* RFC 8289 section 5.6: the delay has been above the target for a whole interval. */
static bool stands_too_long(struct sim_codel *codel, struct daytona_instant now,
                            struct daytona_instant queued, uint64_t left_bytes, uint64_t target_us,
                            uint64_t interval_us)
{
    if (daytona_instant_since_us(now, queued) < target_us || left_bytes <= SMALL_QUEUE_BYTES) {
        codel->first_above.ns = 0;
        return false;
    }
    if (codel->first_above.ns == 0) {
        codel->first_above = daytona_instant_after_us(now, interval_us);
        return false;
    }
    return !daytona_instant_before(now, codel->first_above);
}

static void begin_dropping(struct sim_codel *codel, struct daytona_instant now,
                           uint64_t interval_us)
{
    uint32_t delta = codel->count - codel->last_count;
    bool recent = daytona_instant_since_us(now, codel->next_drop) < 16 * interval_us;
    codel->dropping = true;
    codel->count = delta > 1 && recent ? delta : 1; /* RFC 8289 section 5.4: where it was */
    codel->last_count = codel->count;
    codel->next_drop = next_after(now, interval_us, codel->count);
}

bool sim_codel_decides_against(struct sim_codel *codel, struct daytona_instant now,
                               struct daytona_instant queued, uint64_t left_bytes,
                               uint64_t target_us, uint64_t interval_us)
{
    bool bad = stands_too_long(codel, now, queued, left_bytes, target_us, interval_us);
    if (!bad) {
        codel->dropping = false;
        return false;
    }
    if (!codel->dropping) {
        begin_dropping(codel, now, interval_us);
        return true;
    }
    if (daytona_instant_before(now, codel->next_drop))
        return false;
    codel->count++;
    codel->next_drop = next_after(codel->next_drop, interval_us, codel->count);
    return true;
}
