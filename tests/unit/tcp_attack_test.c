/* Segments and ICMP errors from elsewhere: RFC 5961, RFC 5927, RFC 1191, unknown ports. */
#include "tests/unit/peer.h"
#include <errno.h>

static void start_connected(struct peer *peer)
{
    peer_start(peer, NULL);
    peer_connects(peer, &offer_all);
}

/* RFC 5961 3.2 */
static void reset_at_the_next_expected_number_ends_the_connection(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    assert_int_equal(peer_say(&peer, TCP_RST, 1, 0, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSED);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ECONNRESET);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 5961 3.2 */
static void reset_elsewhere_in_the_window_is_challenged(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    assert_int_equal(peer_say(&peer, TCP_RST, 2, 0, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    assert_int_equal(daytona_stack_counters(peer.stack)->challenge_acks, 1);
    peer_stop(&peer);
}

/* As in Linux: the peer's stack took the number from what we had sent before its FIN was here */
static void reset_with_the_number_of_the_fin_before_it_is_believed(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 1, NULL);
    expect_segment(&peer, TCP_ACK, 1, 2, 0);
    assert_int_equal(peer_say(&peer, TCP_RST, 0, 0, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSE_WAIT);
    assert_int_equal(peer_say(&peer, TCP_RST, 1, 0, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSED);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4, first check */
static void reset_outside_window_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_RST, 1000000000, 0, NULL);
    peer_say(&peer, TCP_RST, 0, 0, NULL);
    expect_silence(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    peer_stop(&peer);
}

/* RFC 5961 4.2 */
static void syn_in_a_synchronized_state_is_challenged(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_SYN, 5, 0, NULL);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    peer_stop(&peer);
}

/* RFC 5961 5.2, 7 */
static void ack_of_what_was_never_sent_is_challenged_at_a_bounded_rate(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(peer_say(&peer, TCP_ACK, 1, 50000, "evil"), DAYTONA_VERDICT_UNACCEPTABLE);
        peer_wait_us(&peer, 1000);
    }
    assert_int_equal(peer_hears_all(&peer), 1);
    peer_wait_us(&peer, 500000);
    peer_say(&peer, TCP_ACK, 1, 50000, "evil");
    assert_int_equal(peer_hears_all(&peer), 1);
    char buffer[8];
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -EAGAIN);
    peer_stop(&peer);
}

/* RFC 5961 7; CVE-2016-5696: the number of a second is not to be guessed */
static void challenges_of_all_connections_are_bounded_together_by_a_random_number(void **state)
{
    (void)state;
    struct peer peer;
    uint64_t numbers[3];
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 4096);
    for (uint32_t i = 0; i < 2000; i++) {
        peer.peer_port = (uint16_t)(10000 + i);
        peer_syn(&peer, &offer_no_time);
        assert_int_equal(peer_hears_all(&peer), 1);
        peer_say(&peer, TCP_ACK, 1, 1, NULL);
        assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    }
    for (unsigned second = 0; second < 3; second++) {
        uint64_t before = daytona_stack_counters(peer.stack)->challenge_acks;
        peer_wait_us(&peer, 1000000);
        for (uint32_t i = 0; i < 2000; i++) {
            peer.peer_port = (uint16_t)(10000 + i);
            peer_say(&peer, TCP_RST, 2, 0, NULL);
        }
        numbers[second] = daytona_stack_counters(peer.stack)->challenge_acks - before;
        assert_int_equal(peer_hears_all(&peer), numbers[second]);
        assert_in_range(numbers[second], 500, 1500);
    }
    assert_true(numbers[0] != numbers[1] || numbers[1] != numbers[2]);
    assert_int_equal(daytona_stack_counters(peer.stack)->challenge_acks_withheld,
                     6000 - numbers[0] - numbers[1] - numbers[2]);
    peer_stop(&peer);
}

/* RFC 9293 3.8.4: keepalive probes are old numbers without text, and no attack */
static void answers_to_probes_are_not_bounded_together(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 4096);
    unsigned answers = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        peer.peer_port = (uint16_t)(10000 + i);
        peer_syn(&peer, &offer_no_time);
        assert_int_equal(peer_hears_all(&peer), 1);
        peer_say(&peer, TCP_ACK, 1, 1, NULL);
        assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
        peer_say(&peer, TCP_ACK, 0, 1, NULL);
        answers += peer_hears_all(&peer);
    }
    assert_int_equal(answers, 2000);
    peer_stop(&peer);
}

/* Linux tcp_validate_incoming: a peer whose data we miss stands further than we expect */
static void reset_behind_what_has_arrived_beyond_a_gap_is_believed(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_ACK, 1001, 1, "later");
    peer_hears_all(&peer);
    peer_say(&peer, TCP_RST, 1005, 0, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    peer_say(&peer, TCP_RST, 1006, 0, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSED);
    peer_stop(&peer);
}

/* RFC 5961 4.2 */
static void syn_outside_the_window_is_challenged_too(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    assert_int_equal(peer_say(&peer, TCP_SYN, 500000000, 0, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(daytona_stack_counters(peer.stack)->challenge_acks, 1);
    assert_int_equal(peer.events[DAYTONA_EVENT_CHALLENGE_ACK], 1);
    peer_stop(&peer);
}

/* RFC 5961 5.2: older than the largest window there ever was */
static void very_old_ack_is_not_taken(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_ACK, 1, 1u - (65535u << 7) - 10, "evil");
    char buffer[8];
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -EAGAIN);
    peer_stop(&peer);
}

/* RFC 9293 3.5.2, 3.10.7.1 */
static void unknown_port_is_answered_with_reset_by_a_whole_host(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer.our_port = 9;
    assert_int_equal(peer_say(&peer, TCP_SYN, 0, 0, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.flags, TCP_RST | TCP_ACK);
    assert_int_equal(peer.heard.header.seq.value, 0);
    assert_int_equal(peer.heard.ack, 1);
    peer_say(&peer, TCP_ACK | TCP_FIN, 7, 99, "data");
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.flags, TCP_RST);
    assert_int_equal(peer.heard.header.seq.value, 99);
    peer_say(&peer, TCP_RST, 7, 0, NULL); /* never answer a reset */
    expect_silence(&peer);
    peer_stop(&peer);
}

/* Beside a kernel the other ports are the kernel's */
static void unknown_port_is_left_to_the_kernel(void **state)
{
    (void)state;
    struct daytona_stack_config config = {.owns_every_port = false};
    struct peer peer;
    peer_start(&peer, &config);
    peer.our_port = 9;
    assert_int_equal(peer_say(&peer, TCP_SYN, 0, 0, NULL), DAYTONA_VERDICT_NO_SOCKET);
    expect_silence(&peer);
    peer.our_port = OUR_PORT;
    peer_listener(&peer, OUR_PORT, 5);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 5, NULL), DAYTONA_VERDICT_RESET_SENT);
    peer_stop(&peer);
}

/* RFC 1191 6.3, 6.5; RFC 5927 7 */
static void fragmentation_needed_lowers_the_segment_size_and_sends_again(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 4000, 0);
    peer_hears_all(&peer);
    uint32_t cwnd = our_info(&peer).cwnd_bytes;
    assert_int_equal(peer_icmp(&peer, 3, 4, 1000, 1), DAYTONA_VERDICT_ICMP_TAKEN);
    assert_int_equal(our_info(&peer).path_mtu, 1000);
    expect_segment(&peer, TCP_ACK, 1, 1, 948);
    expect_segment(&peer, TCP_ACK, 949, 1, 948);
    assert_int_equal(our_info(&peer).cwnd_bytes, cwnd); /* no congestion */
    assert_int_equal(peer.events[DAYTONA_EVENT_PATH_MTU], 1);
    peer_stop(&peer);
}

/* RFC 5927 4.1 */
static void icmp_error_about_a_number_not_in_flight_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 4000, 0);
    peer_hears_all(&peer);
    assert_int_equal(peer_icmp(&peer, 3, 4, 600, 4001), DAYTONA_VERDICT_ICMP_IGNORED);
    assert_int_equal(peer_icmp(&peer, 3, 4, 600, 0), DAYTONA_VERDICT_ICMP_IGNORED);
    assert_int_equal(our_info(&peer).path_mtu, 1500);
    peer_stop(&peer);
}

/* RFC 5927 5.2, RFC 1122 4.2.3.9 */
static void hard_error_is_soft_for_an_established_connection(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 100, 0);
    peer_hears_all(&peer);
    assert_int_equal(peer_icmp(&peer, 3, 3, 0, 1), DAYTONA_VERDICT_ICMP_TAKEN);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_ERROR, 0);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ECONNREFUSED); /* Linux, too */
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), 0);
    peer_stop(&peer);
}

/* RFC 1122 4.2.3.9 */
static void port_unreachable_refuses_a_connection_attempt(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_int_equal(peer_icmp(&peer, 3, 3, 0, 0), DAYTONA_VERDICT_ICMP_TAKEN);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ECONNREFUSED);
    peer_stop(&peer);
}

/* RFC 6633 */
static void source_quench_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 100, 0);
    peer_hears_all(&peer);
    assert_int_equal(peer_icmp(&peer, 4, 0, 0, 1), DAYTONA_VERDICT_ICMP_IGNORED);
    peer_stop(&peer);
}

/* EMSGSIZE from the driver */
static void changed_path_reaches_connections_there_are_and_will_be(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    struct daytona_address remote = daytona_address_from_ipv4(PEER_ADDRESS);
    we_send(&peer, 2000, 0);
    peer_hears_all(&peer);
    daytona_stack_path_changed(peer.stack, peer.now, &remote, 1000);
    expect_segment(&peer, TCP_ACK, 1, 1, 948);
    peer.peer_port++;
    peer_listener(&peer, 81, 5);
    peer.our_port = 81;
    peer_syn(&peer, &offer_all);
    while (peer_hears(&peer) && peer.heard.header.destination_port != peer.peer_port) {
    }
    assert_int_equal(peer.heard.header.mss, 960);
    peer_stop(&peer);
}

static void tell_narrow_path(void *context, const struct daytona_address *local,
                             const struct daytona_address *remote, struct daytona_path *out)
{
    (void)context;
    (void)local;
    (void)remote;
    out->mtu = 300;
}

/* Below 552 bytes the number is not believed, but the path has not become wider either. */
static void smaller_path_is_never_a_wider_one(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_stack_config config = {.owns_every_port = true, .path = tell_narrow_path};
    peer_start(&peer, &config);
    peer_connects(&peer, &offer_all);
    struct daytona_address remote = daytona_address_from_ipv4(PEER_ADDRESS);
    assert_int_equal(our_info(&peer).path_mtu, 300);
    daytona_stack_path_changed(peer.stack, peer.now, &remote, 200);
    assert_int_equal(our_info(&peer).path_mtu, 300);
    peer_stop(&peer);
}

/* RFC 9293 3.1: a wrong checksum is nobody's segment */
static void damaged_segment_is_dropped_without_an_answer(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    uint8_t packet[128];
    size_t length = peer.heard.packet.header_length;
    memcpy(packet, peer.heard.packet.header, length);
    packet[length - 1] ^= 1;
    struct daytona_packet_in in = {{packet, length}, length};
    packet[3] = (uint8_t)length; /* total length without the payload; the IP sum must fit */
    packet[10] = packet[11] = 0;
    uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    packet[10] = (uint8_t)(sum >> 8);
    packet[11] = (uint8_t)sum;
    assert_int_equal(daytona_stack_input(peer.stack, peer.now, &in), DAYTONA_VERDICT_BAD_CHECKSUM);
    assert_int_equal(peer.events[DAYTONA_EVENT_DROP], 1);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_at_the_next_expected_number_ends_the_connection),
        cmocka_unit_test(reset_elsewhere_in_the_window_is_challenged),
        cmocka_unit_test(reset_with_the_number_of_the_fin_before_it_is_believed),
        cmocka_unit_test(reset_outside_window_is_ignored),
        cmocka_unit_test(syn_in_a_synchronized_state_is_challenged),
        cmocka_unit_test(ack_of_what_was_never_sent_is_challenged_at_a_bounded_rate),
        cmocka_unit_test(challenges_of_all_connections_are_bounded_together_by_a_random_number),
        cmocka_unit_test(answers_to_probes_are_not_bounded_together),
        cmocka_unit_test(reset_behind_what_has_arrived_beyond_a_gap_is_believed),
        cmocka_unit_test(syn_outside_the_window_is_challenged_too),
        cmocka_unit_test(very_old_ack_is_not_taken),
        cmocka_unit_test(unknown_port_is_answered_with_reset_by_a_whole_host),
        cmocka_unit_test(unknown_port_is_left_to_the_kernel),
        cmocka_unit_test(fragmentation_needed_lowers_the_segment_size_and_sends_again),
        cmocka_unit_test(icmp_error_about_a_number_not_in_flight_is_ignored),
        cmocka_unit_test(hard_error_is_soft_for_an_established_connection),
        cmocka_unit_test(port_unreachable_refuses_a_connection_attempt),
        cmocka_unit_test(source_quench_is_ignored),
        cmocka_unit_test(changed_path_reaches_connections_there_are_and_will_be),
        cmocka_unit_test(smaller_path_is_never_a_wider_one),
        cmocka_unit_test(damaged_segment_is_dropped_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
