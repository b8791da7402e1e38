/* The variables of RFC 4898: that all are there under their names, and that they count what they
 * say (RFC 4898 sections 3.4 and 4, tcpEStatsPerfTable to tcpEStatsListenerTable). */
#include "tests/unit/peer.h"

#include <daytona/state.h>
#include <errno.h>
#include <string.h>

static struct daytona_variables ours(struct peer *peer)
{
    struct daytona_connection_state state;
    assert_int_equal(daytona_stack_state(peer->stack, peer->now, peer->id, &state), 0);
    return state.variables;
}

/* ------------------------------------------------------------------ names */

static void every_variable_of_the_rfc_has_its_name(void **state)
{
    /* RFC 4898 section 4, objects of the tables without their prefix; left out are those with more
     * bits (the counters here have 64), seconds (there are microseconds), and what a listener that
     * does not follow its children cannot say. SendStall is the host's queue, which a stack does
     * not see. */
    static const char *const names[] = {
        "SegsOut DataSegsOut DataOctetsOut SegsRetrans OctetsRetrans SegsIn DataSegsIn "
        "DataOctetsIn "
        "ElapsedMicroSecs StartTimeStamp CurMSS PipeSize MaxPipeSize SmoothedRTT CurRTO "
        "CongSignals "
        "CurCwnd CurSsthresh Timeouts CurRwinSent MaxRwinSent ZeroRwinSent CurRwinRcvd MaxRwinRcvd "
        "ZeroRwinRcvd SndLimTransRwin SndLimTransCwnd SndLimTransSnd SndLimTimeRwin SndLimTimeCwnd "
        "SndLimTimeSnd ",
        "RetranThresh NonRecovDAEpisodes SumOctetsReordered NonRecovDA SampleRTT RTTVar MaxRTT "
        "MinRTT SumRTT CountRTT MaxRTO MinRTO IpTtl IpTosIn IpTosOut PreCongSumCwnd PreCongSumRTT "
        "PostCongSumRTT PostCongCountRTT ECNsignals DupAckEpisodes RcvRTT DupAcksOut CERcvd "
        "ECESent ",
        "ActiveOpen MSSSent MSSRcvd WinScaleSent WinScaleRcvd TimeStamps ECN WillSendSACK "
        "WillUseSACK State Nagle MaxSsCwnd MaxCaCwnd MaxSsthresh MinSsthresh InRecovery DupAcksIn "
        "SpuriousFrDetected SpuriousRtoDetected SoftErrors SoftErrorReason SlowStart CongAvoid "
        "OtherReductions CongOverCount FastRetran SubsequentTimeouts CurTimeoutCount "
        "AbruptTimeouts SACKsRcvd SACKBlocksRcvd DSACKDups MaxMSS MinMSS SndInitial RecInitial "
        "CurRetxQueue MaxRetxQueue CurReasmQueue MaxReasmQueue ",
        "SndUna SndNxt SndMax ThruOctetsAcked RcvNxt ThruOctetsReceived CurAppWQueue MaxAppWQueue "
        "CurAppRQueue MaxAppRQueue ",
        "LimCwnd LimSsthresh LimRwin LimMSS ",
        "SynRcvd Initial Established Accepted ExceedBacklog MaxBacklog CurBacklog "
        "CurEstabBacklog ",
    };
    (void)state;
    size_t index = 0;
    for (size_t group = 0; group < sizeof names / sizeof names[0]; group++) {
        for (const char *at = names[group]; *at != '\0'; at = strchr(at, ' ') + 1) {
            const struct daytona_variable *variable = daytona_variable_at(index++);
            size_t length = strcspn(at, " ");
            assert_int_equal(variable->group, group);
            assert_int_equal(strlen(variable->name), length);
            assert_memory_equal(variable->name, at, length);
        }
    }
}

static void variable_is_found_by_either_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < DAYTONA_VARIABLE_COUNT; i++) {
        const struct daytona_variable *variable = daytona_variable_at(i);
        assert_int_equal(daytona_variable_find(variable->name), i);
        assert_int_equal(daytona_variable_find(variable->member), i);
        assert_true(variable->text[0] != '\0' && variable->source[0] != '\0');
    }
    assert_int_equal(daytona_variable_find("CURCWND"), DAYTONA_VARIABLE_cur_cwnd);
    assert_int_equal(daytona_variable_find("cur_cwn"), -ENOENT);
    assert_null(daytona_variable_at(DAYTONA_VARIABLE_COUNT));
}

/* ------------------------------------------------------------------ counting */

static void traffic_is_counted_both_ways(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[16];
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer_say(&peer, TCP_ACK, 1, 1, "hello");
    assert_int_equal(ours(&peer).cur_app_r_queue, 5);
    we_receive(&peer, buffer, sizeof buffer, 0);
    we_send(&peer, 3000, 0);
    assert_int_equal(ours(&peer).cur_app_w_queue, 3000);
    unsigned sent = peer_hears_all(&peer);
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.data_octets_in, 5);
    assert_int_equal(v.thru_octets_received, 5);
    assert_int_equal(v.max_app_r_queue, 5);
    assert_int_equal(v.cur_app_r_queue, 0);
    assert_int_equal(v.data_octets_out, 3000);
    assert_int_equal(v.max_app_w_queue, 3000);
    assert_int_equal(v.cur_retx_queue, 3000);
    assert_int_equal(v.pipe_size, 3000);
    assert_int_equal(v.data_segs_out, sent);
    assert_int_equal(v.snd_nxt - v.snd_una, 3000);
    peer_say(&peer, TCP_ACK, 6, 3001, NULL);
    v = ours(&peer);
    assert_int_equal(v.thru_octets_acked, 3000);
    assert_int_equal(v.max_retx_queue, 3000);
    assert_int_equal(v.max_pipe_size, 3000);
    assert_int_equal(v.pipe_size, 0);
    assert_int_equal(v.cur_cwnd, v.max_ss_cwnd);
    peer_stop(&peer);
}

/* Three SACKs beyond the first segment: one congestion signal, one fast recovery, one segment sent
 * again, and the sums around the signal */
static void loss_is_one_signal_with_what_was_before_and_after(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    uint32_t mss = (uint32_t)ours(&peer).cur_mss;
    we_send(&peer, (size_t)10 * mss, 0);
    peer_hears_all(&peer);
    struct daytona_variables before = ours(&peer);
    peer_wait_us(&peer, 50000);
    for (uint32_t i = 2; i <= 6; i++)
        peer_sack(&peer, 1, (uint32_t[]){1 + mss, 1 + i * mss}, 1);
    peer_hears_all(&peer);
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.cong_signals, 1);
    assert_int_equal(v.fast_retran, 1);
    assert_int_equal(v.pre_cong_sum_cwnd, before.cur_cwnd);
    assert_int_equal(v.octets_retrans, mss);
    assert_int_equal(v.sacks_rcvd, 5);
    assert_int_equal(v.sack_blocks_rcvd, 5);
    assert_int_equal(v.dup_acks_in, 5);
    assert_int_equal(v.dup_ack_episodes, 1);
    assert_int_equal(v.in_recovery, 1);
    assert_int_equal(v.ca_state, DAYTONA_RECOVERY_FAST);
    assert_int_equal(v.min_ssthresh, v.max_ssthresh);
    assert_int_equal(v.cur_ssthresh, v.max_ssthresh);
    assert_int_equal(v.non_recov_da_episodes, 0);
    peer_stop(&peer);
}

/* One segment came late: an episode of duplicate ACKs that led to nothing */
static void reordering_is_an_episode_without_recovery(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    uint32_t mss = (uint32_t)ours(&peer).cur_mss;
    we_send(&peer, (size_t)4 * mss, 0);
    peer_hears_all(&peer);
    we_set(&peer, DAYTONA_OPTION_LOSS_DETECTION, 1); /* by three later SACKs */
    peer_wait_us(&peer, 50000);
    peer_sack(&peer, 1, (uint32_t[]){1 + mss, 1 + 2 * mss}, 1);
    peer_say(&peer, TCP_ACK, 1, 1 + 4 * mss, NULL);
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.non_recov_da_episodes, 1);
    assert_int_equal(v.non_recov_da, 1);
    assert_int_equal(v.sum_octets_reordered, 4 * mss);
    assert_int_equal(v.cong_signals, 0);
    peer_stop(&peer);
}

static void timeouts_in_a_row_are_told_apart_from_first_ones(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_TAIL_PROBES, 0);
    we_send(&peer, 100, 0);
    peer_hears_all(&peer);
    for (int i = 0; i < 3; i++) {
        peer_wait_deadline(&peer);
        peer_hears_all(&peer);
    }
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.timeouts, 1);
    assert_int_equal(v.subsequent_timeouts, 2);
    assert_int_equal(v.total_timeouts, 3);
    assert_int_equal(v.abrupt_timeouts, 1);
    assert_int_equal(v.cur_timeout_count, 3);
    assert_int_equal(v.cong_signals, 1);
    peer_stop(&peer);
}

/* What sending was limited by, from the records of three phases, adds up to the connection's life
 */
static void limits_of_sending_add_up_to_the_life_of_the_connection(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer_wait_us(&peer, 70000); /* the application sends nothing */
    uint32_t mss = (uint32_t)ours(&peer).cur_mss;
    we_send(&peer, (size_t)100 * mss, 0);
    peer_hears_all(&peer);
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.limited_by, DAYTONA_LIMITED_BY_CONGESTION);
    peer_wait_us(&peer, 30000);
    peer.window = 0;
    peer_say(&peer, TCP_ACK, 1, (uint32_t)(1 + v.cur_retx_queue), NULL);
    peer_hears_all(&peer);
    assert_int_equal(ours(&peer).limited_by, DAYTONA_LIMITED_BY_PEER);
    peer_wait_us(&peer, 20000);
    v = ours(&peer);
    assert_int_equal(v.snd_lim_time_cwnd, 30000);
    assert_int_equal(v.snd_lim_time_rwin, 20000);
    assert_in_range(v.snd_lim_time_snd, 70000, 80000);
    assert_int_equal(v.snd_lim_time_cwnd + v.snd_lim_time_rwin + v.snd_lim_time_snd,
                     v.elapsed_micro_secs);
    assert_int_equal(v.snd_lim_trans_cwnd, 1);
    assert_int_equal(v.snd_lim_trans_rwin, 1);
    assert_int_equal(v.zero_rwin_rcvd, 1);
    assert_int_equal(our_info(&peer).peer_limited_us, 20000);
    peer_stop(&peer);
}

/* RFC 4898 section 4, tcpEStatsStackTuneTable: what is set holds at once */
static void bounds_of_the_window_and_of_the_timeout_hold_at_once(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    struct daytona_variables v = ours(&peer);
    uint32_t mss = (uint32_t)v.cur_mss;
    assert_int_equal(v.lim_cwnd, DAYTONA_VARIABLE_NONE);
    assert_true(v.cur_cwnd > 4 * mss);
    we_set(&peer, DAYTONA_OPTION_CWND_MAXIMUM, 4 * (int64_t)mss);
    we_set(&peer, DAYTONA_OPTION_SSTHRESH_MAXIMUM, 3 * (int64_t)mss);
    v = ours(&peer);
    assert_int_equal(v.lim_cwnd, 4 * mss);
    assert_int_equal(v.cur_cwnd, 4 * mss);
    assert_int_equal(v.cur_ssthresh, 3 * mss);
    we_send(&peer, (size_t)20 * mss, 0);
    assert_int_equal(peer_hears_all(&peer), 4);
    peer_say(&peer, TCP_ACK, 1, 1 + 4 * mss, NULL);
    assert_int_equal(peer_hears_all(&peer), 4);    /* slow start would have doubled it */
    we_set(&peer, DAYTONA_OPTION_CWND_MAXIMUM, 1); /* one segment is the least */
    assert_int_equal(ours(&peer).cur_cwnd, mss);
    we_set(&peer, DAYTONA_OPTION_RTO_MINIMUM_US, 700000);
    peer_say(&peer, TCP_ACK, 1, 1 + 8 * mss, NULL);
    assert_true(ours(&peer).cur_rto >= 700000);
    we_set(&peer, DAYTONA_OPTION_RTO_MAXIMUM_US, 50000);
    peer_hears_all(&peer);
    peer_wait_us(&peer, 1000);
    peer_say(&peer, TCP_ACK, 1, 1 + 9 * mss, NULL);
    assert_int_equal(ours(&peer).cur_rto, 50000);
    peer_stop(&peer);
}

static void acknowledgment_waits_as_long_as_is_set(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_QUICK_ACK, 0);
    we_set(&peer, DAYTONA_OPTION_DELAYED_ACK_US, 100000);
    assert_int_equal(ours(&peer).ack_delay, 100000);
    peer_say(&peer, TCP_ACK, 1, 1, "hello");
    peer_wait_us(&peer, 99000);
    expect_silence(&peer);
    peer_wait_us(&peer, 1000);
    expect_segment(&peer, TCP_ACK, 1, 6, 0);
    peer_stop(&peer);
}

static void text_beyond_a_gap_is_the_reassembly_queue(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer_say_bytes(&peer, TCP_ACK, 101, 1, 50);
    peer_say_bytes(&peer, TCP_ACK, 201, 1, 50);
    peer_hears_all(&peer);
    assert_int_equal(ours(&peer).cur_reasm_queue, 100);
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 250);
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.cur_reasm_queue, 0);
    assert_int_equal(v.max_reasm_queue, 100);
    assert_int_equal(v.out_of_order_in, 2);
    assert_int_equal(v.data_octets_in, 350);
    assert_int_equal(v.thru_octets_received, 250);
    peer_stop(&peer);
}

static void unacceptable_segment_is_a_soft_error_with_its_reason(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer_say(&peer, TCP_ACK, UINT32_MAX - 10, 1, NULL);
    assert_int_equal(ours(&peer).soft_error_reason, 1); /* below the data window */
    peer_say(&peer, TCP_ACK, 1, 5000, NULL);
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.soft_error_reason, 4); /* above the ACK window */
    assert_int_equal(v.soft_errors, 2);
    peer_stop(&peer);
}

static void listener_counts_what_comes_to_it(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 0);
    for (uint16_t i = 0; i < 3; i++) { /* one fits, and one more; the third SYN finds no room */
        peer.peer_port = (uint16_t)(10000 + i);
        peer_syn(&peer, &offer_all);
        if (peer_hears(&peer))
            peer_say(&peer, TCP_ACK, 1, 1, NULL);
    }
    peer.id = listener;
    struct daytona_variables v = ours(&peer);
    assert_int_equal(v.state, DAYTONA_TCP_LISTEN);
    assert_int_equal(v.syn_rcvd, 3);
    assert_int_equal(v.initial, v.established);
    assert_int_equal(v.cur_estab_backlog, v.established);
    assert_int_equal(v.established + v.exceed_backlog, 3);
    assert_int_equal(v.segs_out, DAYTONA_VARIABLE_NONE);
    struct daytona_socket_id child;
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &child), 0);
    assert_int_equal(ours(&peer).accepted, 1);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable_of_the_rfc_has_its_name),
        cmocka_unit_test(variable_is_found_by_either_name),
        cmocka_unit_test(traffic_is_counted_both_ways),
        cmocka_unit_test(loss_is_one_signal_with_what_was_before_and_after),
        cmocka_unit_test(reordering_is_an_episode_without_recovery),
        cmocka_unit_test(timeouts_in_a_row_are_told_apart_from_first_ones),
        cmocka_unit_test(limits_of_sending_add_up_to_the_life_of_the_connection),
        cmocka_unit_test(bounds_of_the_window_and_of_the_timeout_hold_at_once),
        cmocka_unit_test(acknowledgment_waits_as_long_as_is_set),
        cmocka_unit_test(text_beyond_a_gap_is_the_reassembly_queue),
        cmocka_unit_test(unacceptable_segment_is_a_soft_error_with_its_reason),
        cmocka_unit_test(listener_counts_what_comes_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
