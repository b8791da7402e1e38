/*
 * Packets into every state: a connection is brought into a state of the input's choice, and then
 * gets segments that fit or nearly fit it, damaged ones, fragments and raw bytes, with time and
 * the application's calls in between (RFC 9293 section 3.10.7).
 */
#include "tests/fuzz/segment.h"

static void step(struct fuzz_reader *reader, struct fuzz_subject *subject)
{
    static void (*const packets[])(struct fuzz_reader *, struct fuzz_subject *) = {
        fuzz_step_segment, fuzz_step_segment, fuzz_step_segment,   fuzz_step_segment,
        fuzz_step_time,    fuzz_step_damaged, fuzz_step_fragments, fuzz_step_raw};
    uint32_t which = fuzz_take(reader, 1) % 12;
    if (which < 8)
        packets[which](reader, subject);
    else
        fuzz_step_data(reader, &subject->application, subject->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum daytona_tcp_state states[] = {
        DAYTONA_TCP_ESTABLISHED, DAYTONA_TCP_SYN_RECEIVED, DAYTONA_TCP_FIN_WAIT_1,
        DAYTONA_TCP_FIN_WAIT_2,  DAYTONA_TCP_TIME_WAIT,    DAYTONA_TCP_CLOSE_WAIT,
        DAYTONA_TCP_LAST_ACK,    DAYTONA_TCP_CLOSING};
    struct fuzz_reader reader = {data, size};
    struct fuzz_subject subject;
    uint32_t variant = fuzz_take(&reader, 1);
    uint32_t state = fuzz_take(&reader, 1) % (sizeof states / sizeof states[0]);
    fuzz_subject_prepare(&subject, variant, states[state]);
    for (unsigned steps = 0; reader.left > 0 && steps < 200; steps++) {
        step(&reader, &subject);
        if (fuzz_take(&reader, 1) % 2 == 0)
            fuzz_drain(&subject);
        fuzz_judge_sockets(subject.stack, subject.now);
    }
    fuzz_subject_finish(&subject);
    return 0;
}
