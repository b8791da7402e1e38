/*
 * dctcp.c - Data Center TCP (RFC 8257): switches mark packets as soon as a short queue stands, and
 * the sender gives way in proportion to the share that is marked. Only for networks in which all
 * agree to that (section 5). Grows and answers to losses as Reno does; without ECN it is Reno.
 */
#include "stack/congestion/controllers.h"
#include "stack/congestion/window.h"

#define ALPHA_ONE   (1u << 20) /* alpha and F are fractions of it */
#define ALPHA_SHIFT 4u         /* g = 1/16, section 4.2 */

struct CONTROLLER_STATE dctcp {
    uint64_t window_end;   /**< DCTCP.WindowEnd: F is taken when una reaches it */
    uint64_t bytes_acked;  /**< DCTCP.BytesAcked since the last time */
    uint64_t bytes_marked; /**< DCTCP.BytesMarked of them */
    uint64_t credit;       /**< towards the next segment of cwnd */
    uint32_t alpha;        /**< DCTCP.Alpha, of ALPHA_ONE */
    struct hystart hystart;
};
CONTROLLER_STATE_OF(dctcp)

/* Section 4.2: Alpha begins at 1, so that the first mark halves the window. */
static void dctcp_init(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    *dctcp_of(state) = (struct dctcp){.window_end = sample->nxt, .alpha = ALPHA_ONE};
    controls->pacing_bytes_per_second = 0;
}

/* Section 3.3: Alpha = Alpha * (1 - g) + g * M, with M = BytesMarked / BytesAcked. */
static void dctcp_update_alpha(struct dctcp *dctcp)
{
    uint64_t marked =
        dctcp->bytes_marked < dctcp->bytes_acked ? dctcp->bytes_marked : dctcp->bytes_acked;
    uint32_t fraction =
        dctcp->bytes_acked == 0 ? 0 : (uint32_t)(marked * ALPHA_ONE / dctcp->bytes_acked);
    /* Rounded so that it comes down to 0, and up to ALPHA_ONE. */
    dctcp->alpha -= (dctcp->alpha + (1u << ALPHA_SHIFT) - 1) >> ALPHA_SHIFT;
    dctcp->alpha += (fraction + (1u << ALPHA_SHIFT) - 1) >> ALPHA_SHIFT;
    dctcp->bytes_acked = dctcp->bytes_marked = 0;
}

static void dctcp_acked(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct dctcp *dctcp = dctcp_of(state);
    dctcp->bytes_acked += sample->acked_bytes;
    dctcp->bytes_marked += sample->ce_bytes;
    if (sample->una >= dctcp->window_end) {
        dctcp_update_alpha(dctcp);
        dctcp->window_end = sample->nxt;
    }
    if (window_in_slow_start(controls))
        window_slow_start(controls, sample, &dctcp->hystart);
    else
        window_avoid_congestion(controls, sample, &dctcp->credit);
}

/* Section 3.3 step 9: cwnd = cwnd * (1 - Alpha / 2). */
static void dctcp_marked(struct daytona_congestion_state *state,
                         struct daytona_congestion_controls *controls,
                         const struct daytona_congestion_sample *sample)
{
    struct dctcp *dctcp = dctcp_of(state);
    uint64_t cwnd = controls->cwnd_bytes;
    dctcp->credit = 0;
    controls->ssthresh_bytes =
        window_reduced(cwnd - cwnd * dctcp->alpha / (2 * ALPHA_ONE), sample->mss);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

/* Section 3.5: a loss is answered as by any TCP. */
static void dctcp_loss(struct daytona_congestion_state *state,
                       struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample)
{
    dctcp_of(state)->credit = 0;
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void dctcp_recovered(struct daytona_congestion_state *state,
                            struct daytona_congestion_controls *controls,
                            const struct daytona_congestion_sample *sample)
{
    (void)state;
    (void)sample;
    controls->cwnd_bytes = controls->ssthresh_bytes;
}

static void dctcp_timeout(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample)
{
    dctcp_of(state)->credit = 0;
    controls->ssthresh_bytes = window_halved(sample);
    controls->cwnd_bytes = sample->mss;
}

static void dctcp_restart(struct daytona_congestion_state *state,
                          struct daytona_congestion_controls *controls,
                          const struct daytona_congestion_sample *sample, uint64_t idle_us)
{
    (void)idle_us;
    dctcp_of(state)->hystart = (struct hystart){0};
    window_restart(controls, sample);
}

static void dctcp_tell(struct daytona_congestion_state *state, struct daytona_congestion_told *out)
{
    const struct dctcp *dctcp = dctcp_of(state);
    out->kind = DAYTONA_CONGESTION_TELLS_MARKS;
    out->alpha_1024 = dctcp->alpha / (ALPHA_ONE / 1024);
    out->marked_bytes = (uint32_t)dctcp->bytes_marked;
    out->acked_bytes = (uint32_t)dctcp->bytes_acked;
}

const struct daytona_congestion congestion_dctcp = {
    .version = DAYTONA_CONGESTION_VERSION,
    .name = "dctcp",
    .source = "RFC 8257",
    .needs_ecn = true,
    .init = dctcp_init,
    .acked = dctcp_acked,
    .loss = dctcp_loss,
    .marked = dctcp_marked,
    .recovered = dctcp_recovered,
    .timeout = dctcp_timeout,
    .restart = dctcp_restart,
    .tell = dctcp_tell,
};
