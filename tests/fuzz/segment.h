/*
 * segment.h - packets for the subject, as an input wants them: segments that fit or nearly fit a
 * connection, with right or wrong sums, whole, damaged, in fragments, or quoted in an ICMP error.
 */
#ifndef FUZZ_SEGMENT_H
#define FUZZ_SEGMENT_H

#include "tests/fuzz/reader.h"
#include "tests/fuzz/subject.h"

/** Draws a segment for one of the peers. */
struct fuzz_segment fuzz_take_segment(struct fuzz_reader *reader, struct fuzz_subject *subject);

/** Each draws a packet and hands it to the subject. */
void fuzz_step_segment(struct fuzz_reader *reader, struct fuzz_subject *subject);
void fuzz_step_raw(struct fuzz_reader *reader, struct fuzz_subject *subject);
/** A good segment with some bytes overwritten; the sums are made right again or not. */
void fuzz_step_damaged(struct fuzz_reader *reader, struct fuzz_subject *subject);
void fuzz_step_fragments(struct fuzz_reader *reader, struct fuzz_subject *subject);
/** An ICMP message that quotes a segment which the stack may have sent. */
void fuzz_step_icmp(struct fuzz_reader *reader, struct fuzz_subject *subject);

/** Moves the clock: to the next deadline, or by any power of two of microseconds. */
void fuzz_step_time(struct fuzz_reader *reader, struct fuzz_subject *subject);

#endif
