/*
 * tcp_loss.h - what the files of loss recovery share. An ACK is read into a report; the report
 * goes to a loss detector, which marks records of send.sent as lost; recovery then repairs them
 * at the pace that congestion control allows.
 *
 *   tcp_acknowledge.c -> tcp_scoreboard.c, tcp_rate.c   what has arrived
 *                     -> tcp_recovery.c -> a detector   what is lost, and what follows from it
 *                     -> the congestion controller
 */
#ifndef STACK_TCP_TCP_LOSS_H
#define STACK_TCP_TCP_LOSS_H

#include "stack/tcp/tcp_parts.h"

#define DUP_THRESH 3u /* RFC 5681 section 3.2, RFC 6675 section 2 */

/** What one ACK says. */
struct ack_report {
    const struct segment *segment;
    uint64_t prior_fack;
    uint64_t prior_lost; /**< rate.lost before */
    uint32_t prior_pipe;
    uint32_t acked;     /**< offsets that una moved by */
    uint32_t delivered; /**< data bytes that have arrived, by ACK or SACK */
    uint32_t rtt_us;    /**< of the newest segment that was sent once, 0 none */
    bool sacked;        /**< a block brought news */
    bool repaired;      /**< something that was sent again has arrived */
    bool repaired_una;  /**< una has moved over such, sent again in this recovery */
    bool original;      /**< something that was sent once, before recovery began, has arrived */
    bool reordered;     /**< something arrived after what was sent after it */
    bool dsack;         /**< duplicates are told of (RFC 2883) */
    uint64_t dsack_end; /**< where they end */
    bool duplicate;     /**< RFC 5681 section 2, or with SACK, RFC 6675 section 2 */
    bool any;           /**< the members below hold */
    struct sent newest; /**< a copy of the segment sent last of those delivered */
    uint64_t rate_bytes_per_second; /**< 0: no valid sample */
    uint32_t rate_interval_us;
};

/* ------------------------------------------------------------------ tcp_acknowledge.c */

/** The record has arrived; it is about to be dropped or to be marked SACKed. */
void tcp_delivered(struct connection *connection, const struct sent *record,
                   struct ack_report *report);

/* ------------------------------------------------------------------ tcp_scoreboard.c */

/** Enters the SACK blocks. */
void tcp_sacks_take(struct connection *connection, struct ack_report *report);

/** Drops the records below send.una; they have arrived. */
void tcp_scoreboard_advance(struct connection *connection, struct ack_report *report);

/** The peer's ACK stands where a block that it SACKed begins: it has thrown that away (RFC 2018
 *  section 8), or another ACK is on its way. */
bool tcp_sacks_renounced(const struct connection *connection);

/** It has: what was SACKed is in flight again. */
void tcp_scoreboard_reneged(struct connection *connection);

/** Marks a record in flight as lost. */
void tcp_mark_lost(struct connection *connection, struct sent *record);

/** What follows `record`, if it is longer than a segment of today's size, becomes a record of its
 *  own; without memory it does not. */
void tcp_cut_to_segment(struct connection *connection, struct sent *record);

/* ------------------------------------------------------------------ loss detectors */

/** A way to find out what is lost, short of the retransmission timer. */
struct loss_detector {
    const char *name;
    const char *source; /**< the RFC */
    /** After each ACK: marks records lost. */
    void (*detect)(struct connection *connection, const struct ack_report *report);
    /** TIMER_REORDER is due; NULL: never set. */
    void (*timer)(struct connection *connection);
    /** What may be sent again although nothing is lost and there are no new data, NULL none.
     *  The member itself may be NULL. */
    struct sent *(*last_resort)(struct connection *connection);
};

extern const struct loss_detector detector_rack;    /**< RFC 8985. tcp_detect_rack.c */
extern const struct loss_detector detector_sack;    /**< RFC 6675. tcp_detect_sack.c */
extern const struct loss_detector detector_newreno; /**< RFC 6582. tcp_detect_newreno.c */

/** The one that the settings ask for. Without SACK it is NewReno whatever they say: RFC 8985
 *  section 4 requires SACK. */
const struct loss_detector *tcp_detector(const struct connection *connection);

/** RACK learns what the ACK says of reordering (section 6.2 step 4). */
void tcp_rack_adapt(struct connection *connection, const struct ack_report *report);

/** A recovery has ended. */
void tcp_rack_recovered(struct connection *connection);

/** RACK learns when what has arrived was sent (RFC 8985 section 6.2 steps 1 to 3). */
void tcp_rack_delivered(struct connection *connection, const struct sent *record,
                        const struct ack_report *report);

/** The reordering window now in force. */
uint32_t tcp_rack_wait_us(const struct connection *connection);

/** Whether the record was sent so long ago that RACK takes it for lost: more than the round trip
 *  and the reordering window (RFC 8985 section 6.2 step 5, and after a timeout section 6.3). */
bool tcp_rack_overdue(const struct connection *connection, const struct sent *record);

/* ------------------------------------------------------------------ tcp_recovery.c */

/** After the report is complete: begins, goes on with or ends recovery. */
void tcp_recovery_acknowledged(struct connection *connection, struct ack_report *report);

/** The record that is to be sent again now, NULL none. `after_new` asks for what comes after new
 *  data. */
struct sent *tcp_recovery_next(struct connection *connection, bool after_new);

/* ------------------------------------------------------------------ tcp_output.c */

/** There are new data, and the peer has room for some. */
bool tcp_new_data_possible(const struct connection *connection);

/* ------------------------------------------------------------------ tcp_undo.c */

/** The window is about to be reduced for a loss: remembers what it is. */
void tcp_undo_save(struct connection *connection);

/** So many bytes are sent again. */
void tcp_undo_repeated(struct connection *connection, uint32_t bytes);

/** Looks whether the first SACK block tells of duplicates (RFC 2883 section 4). */
void tcp_dsack_take(struct connection *connection, struct ack_report *report);

/** Takes the reduction back when this ACK shows that nothing was lost. True: it did, and recovery
 *  is over. */
bool tcp_undo_if_spurious(struct connection *connection, const struct ack_report *report);

/** A timeout is about to begin recovery. */
void tcp_frto_begin(struct connection *connection);

/** RFC 5682 section 3.1, for an ACK after a timeout. True as above. */
bool tcp_frto_acknowledged(struct connection *connection, const struct ack_report *report,
                           bool can_send_new);

/* ------------------------------------------------------------------ tcp_validate.c */

/** The window has been used of late, or RFC 7661 does not govern it: it may grow. */
bool tcp_validated(const struct connection *connection);

/** Sending starts again after an RTO or longer. False: RFC 7661 does not govern the window. */
bool tcp_validation_idle(struct connection *connection);

/** So much is to be sent into a window not used of late that it must be paced (section 4.4.2). */
bool tcp_validation_paces(const struct connection *connection);

/** An ACK has been read into the report: takes a pipeACK sample, finds out the phase (RFC 7661
 *  sections 4.2 and 4.3). */
void tcp_validation_sample(struct connection *connection, const struct ack_report *report);

/** Congestion is noticed, `flight` bytes were out. In the non-validated phase cwnd falls to what
 *  was used of it. Returns what the reduction is to start from. */
uint32_t tcp_validation_congested(struct connection *connection, uint32_t flight);

/** The controller has reduced: in the non-validated phase no more than half of what was used
 *  remains (section 4.4.1). */
void tcp_validation_reduced(struct connection *connection);

/** A record goes out again, for the first time. */
void tcp_validation_repeated(struct connection *connection, uint32_t bytes);

/** A recovery, or the reduction after a mark, is over, or was a mistake (`undone`). */
void tcp_validation_recovered(struct connection *connection, bool undone);

/* ------------------------------------------------------------------ tcp_tail_probe.c */

/** When the probe is to go, from now, `at_most_us` at most: no later than the retransmission
 *  timer. 0: not at all. */
uint32_t tcp_tail_probe_timeout_us(const struct connection *connection, uint32_t at_most_us);

/** The record to be sent again as a probe, NULL none. */
struct sent *tcp_tail_probe_record(struct connection *connection);

/** The probe, which ends the stream sent so far, is on its way. */
void tcp_tail_probe_sent(struct connection *connection, bool again);

/** RFC 8985 section 7.4.2. */
void tcp_tail_probe_acknowledged(struct connection *connection, const struct ack_report *report);

/* ------------------------------------------------------------------ tcp_rate.c */

/** A record is sent, for the first time or again: notes what a sample will need. Pipe already
 *  counts it. `idle`: nothing was in flight before it. */
void tcp_rate_sent(struct connection *connection, struct sent *record, bool idle);

/** A record has arrived. */
void tcp_rate_delivered(struct connection *connection, const struct sent *record,
                        struct ack_report *report, uint32_t bytes);

/** The report is complete: makes the sample. */
void tcp_rate_sample(struct connection *connection, struct ack_report *report);

/** The application has less than a segment to send although the window has room. */
void tcp_rate_app_limited(struct connection *connection);

/** A record is marked lost. */
void tcp_rate_lost(struct connection *connection, const struct sent *record);

/** Fills the sample's members on delivery rate and losses. `report` may be NULL. */
void tcp_rate_fill(const struct connection *connection, const struct ack_report *report,
                   struct daytona_congestion_sample *sample);

/** The controller has heard of all losses until now. */
void tcp_rate_losses_told(struct connection *connection);

#endif
