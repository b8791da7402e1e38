/* TCP MD5 signatures: RFC 2385. The digests are made here once more, from the RFC's words. */
#include "stack/crypto/md5.h"
#include "tests/unit/peer.h"
#include <errno.h>

static const char secret[] = "correct horse";

static int set_key(struct peer *peer, uint32_t remote, unsigned prefix, const char *key)
{
    struct daytona_address address = daytona_address_from_ipv4(remote);
    return daytona_stack_set_signature_key(
        peer->stack, peer->id, &address, prefix,
        (struct daytona_span){(const uint8_t *)key, strlen(key)});
}

/* RFC 2385 2.0 */
static void digest(uint32_t source, uint32_t destination, const uint8_t *segment, size_t header,
                   size_t length, const char *key, uint8_t out[MD5_BYTES])
{
    uint8_t pseudo[12] = {(uint8_t)(source >> 24),
                          (uint8_t)(source >> 16),
                          (uint8_t)(source >> 8),
                          (uint8_t)source,
                          (uint8_t)(destination >> 24),
                          (uint8_t)(destination >> 16),
                          (uint8_t)(destination >> 8),
                          (uint8_t)destination,
                          0,
                          6,
                          (uint8_t)(length >> 8),
                          (uint8_t)length};
    uint8_t fixed[20];
    struct md5 md5;
    memcpy(fixed, segment, sizeof fixed);
    fixed[16] = fixed[17] = 0;
    md5_begin(&md5);
    md5_add(&md5, pseudo, sizeof pseudo);
    md5_add(&md5, fixed, sizeof fixed);
    md5_add(&md5, segment + header, length - header);
    md5_add(&md5, key, strlen(key));
    md5_end(&md5, out);
}

/* The peer says a signed segment; a SYN offers MSS 1460, SACK and scaling. */
static enum daytona_verdict say_signed(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                                       const char *text, const char *key)
{
    bool syn = (flags & TCP_SYN) != 0;
    struct tcp_header header = {
        .source_port = peer->peer_port,
        .destination_port = peer->our_port,
        .seq = {peer->peer_isn + seq},
        .ack = {(flags & TCP_ACK) != 0 ? peer->our_isn + ack : 0},
        .flags = flags,
        .window = 65535,
        .mss = syn ? 1460 : 0,
        .has_sack_permitted = syn,
        .has_window_scale = syn,
        .window_scale = 7,
        .has_signature = true,
    };
    uint8_t segment[TCP_HEADER_MAX + 100];
    size_t length = tcp_header_emit(&header, segment), text_length = strlen(text);
    for (size_t i = 0; i < text_length; i++)
        segment[length + i] = (uint8_t)text[i];
    digest(PEER_ADDRESS, OUR_ADDRESS, segment, length, length + text_length, key, header.signature);
    return peer_say_header(peer, &header,
                           (struct daytona_span){(const uint8_t *)text, text_length});
}

/* The last segment heard is signed with the key. */
static void expect_signed(struct peer *peer, const char *key)
{
    static uint8_t segment[TCP_HEADER_MAX + 65536];
    const struct heard *heard = &peer->heard;
    const struct daytona_packet_out *packet = &heard->packet;
    size_t header = (size_t)packet->header_length - packet->transport_offset;
    uint8_t right[MD5_BYTES];
    assert_true(heard->header.has_signature);
    memcpy(segment, packet->header + packet->transport_offset, header);
    memcpy(segment + header, heard->payload, heard->length);
    digest(OUR_ADDRESS, PEER_ADDRESS, segment, header, header + heard->length, key, right);
    assert_memory_equal(heard->header.signature, right, MD5_BYTES);
}

static struct daytona_socket_id listen_signed(struct peer *peer)
{
    peer_start(peer, NULL);
    struct daytona_socket_id listener = peer_listener(peer, OUR_PORT, 5);
    peer->id = listener;
    assert_int_equal(set_key(peer, PEER_ADDRESS, 32, secret), 0);
    return listener;
}

static void connect_signed(struct peer *peer)
{
    struct daytona_socket_id listener = listen_signed(peer);
    assert_int_equal(say_signed(peer, TCP_SYN, 0, 0, "", secret), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    expect_signed(peer, secret);
    assert_int_equal(say_signed(peer, TCP_ACK, 1, 1, "", secret), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &peer->id), 0);
    daytona_stack_close(peer->stack, peer->now, listener);
}

/* RFC 2385 2.0, 3.0 */
static void connection_with_a_key_signs_all_it_sends(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[8];
    connect_signed(&peer);
    we_send(&peer, 2000, 0);
    expect_segment(&peer, TCP_ACK, 1, 1, 1440);
    expect_signed(&peer, secret);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1441, 1, 560);
    expect_signed(&peer, secret);
    assert_int_equal(say_signed(&peer, TCP_ACK, 1, 2001, "hello", secret),
                     DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_ACK, 2001, 6, 0);
    expect_signed(&peer, secret);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
    peer_stop(&peer);
}

/* RFC 2385 2.0: "the segment must be dropped" */
static void segment_with_a_wrong_signature_or_none_is_dropped_and_counted(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[8];
    connect_signed(&peer);
    assert_int_equal(say_signed(&peer, TCP_ACK, 1, 1, "evil", "wrong horse"),
                     DAYTONA_VERDICT_SIGNATURE_WRONG);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "evil"), DAYTONA_VERDICT_SIGNATURE_MISSING);
    assert_int_equal(peer_say(&peer, TCP_RST, 1, 0, NULL), DAYTONA_VERDICT_SIGNATURE_MISSING);
    expect_silence(&peer);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -EAGAIN);
    const uint64_t *verdicts = daytona_stack_counters(peer.stack)->verdicts;
    assert_int_equal(verdicts[DAYTONA_VERDICT_SIGNATURE_MISSING], 2);
    assert_int_equal(verdicts[DAYTONA_VERDICT_SIGNATURE_WRONG], 1);
    peer_stop(&peer);
}

/* Linux TCPMD5Unexpected */
static void signature_from_a_peer_without_a_key_is_dropped(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer.id = peer_listener(&peer, OUR_PORT, 5);
    assert_int_equal(set_key(&peer, PEER_ADDRESS + 1, 32, secret), 0);
    assert_int_equal(say_signed(&peer, TCP_SYN, 0, 0, "", secret),
                     DAYTONA_VERDICT_SIGNATURE_UNEXPECTED);
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED); /* not concerned */
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_false(peer.heard.header.has_signature);
    peer_stop(&peer);
}

/* RFC 2385 4.1: a peer that drops what is not signed would never see them */
static void resets_are_signed(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer);
    daytona_stack_abort(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 1, 0);
    expect_signed(&peer, secret);
    peer_stop(&peer);

    listen_signed(&peer);
    assert_int_equal(say_signed(&peer, TCP_ACK, 5, 77, "", secret), DAYTONA_VERDICT_RESET_SENT);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.flags, TCP_RST);
    expect_signed(&peer, secret);
    peer_stop(&peer);
}

/* What is answered after it bears no signature: the peer, which has meanwhile taken what we sent,
 * must believe the first (RFC 5961 section 3.2). */
static void reset_after_close_fits_what_the_peer_will_have(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer);
    we_send(&peer, 100, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    daytona_stack_close(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 101, 1, 0);
    assert_int_equal(say_signed(&peer, TCP_ACK, 1, 1, "crossed", secret),
                     DAYTONA_VERDICT_RESET_SENT);
    expect_segment(&peer, TCP_RST | TCP_ACK, 102, 1, 0);
    expect_signed(&peer, secret);
    peer_stop(&peer);
}

/* RFC 2385 4.2: as in Linux timestamps give way, and SACK has room for two blocks */
static void signature_leaves_no_room_for_timestamps_and_for_two_sack_blocks(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer);
    struct daytona_connection_info info = our_info(&peer);
    assert_false(info.timestamps_on);
    assert_true(info.sack_on && info.window_scaling_on);
    assert_int_equal(info.send_mss, 1460 - 20);
    for (uint32_t seq = 101; seq < 1000; seq += 200)
        say_signed(&peer, TCP_ACK, seq, 1, "later", secret);
    unsigned heard = peer_hears_all(&peer);
    assert_true(heard > 0);
    assert_int_equal(peer.heard.header.sack_count, 2);
    expect_signed(&peer, secret);
    peer_stop(&peer);
}

static void client_signs_its_syn(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), 5000};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    peer_start(&peer, NULL);
    daytona_stack_open(peer.stack, &peer.id);
    daytona_stack_bind(peer.stack, peer.id, &local);
    set_key(&peer, PEER_ADDRESS, 32, secret);
    peer.our_port = 5000;
    daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    expect_signed(&peer, secret);
    assert_false(peer.heard.header.has_timestamps);
    assert_int_equal(say_signed(&peer, TCP_SYN | TCP_ACK, 0, 1, "", secret),
                     DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    expect_signed(&peer, secret);
    peer_stop(&peer);
}

/* RFC 4987 3.6 and RFC 2385 together */
static void cookie_is_signed_too(void **state)
{
    (void)state;
    struct peer peer;
    const struct daytona_stack_config config = {.owns_every_port = true,
                                                .syn_cookies = DAYTONA_SYN_COOKIES_ALWAYS};
    peer_start(&peer, &config);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    peer.id = listener;
    set_key(&peer, PEER_ADDRESS, 32, secret);
    say_signed(&peer, TCP_SYN, 0, 0, "", secret);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    expect_signed(&peer, secret);
    assert_int_equal(say_signed(&peer, TCP_ACK, 1, 1, "", secret), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

/* RFC 2385 says nothing of it, Linux keeps the key */
static void time_wait_is_signed_too(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer);
    daytona_stack_close(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    say_signed(&peer, TCP_ACK | TCP_FIN, 1, 2, "", secret);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    expect_signed(&peer, secret);
    assert_int_equal(peer_say(&peer, TCP_ACK | TCP_FIN, 1, 2, NULL),
                     DAYTONA_VERDICT_SIGNATURE_MISSING);
    assert_int_equal(say_signed(&peer, TCP_ACK | TCP_FIN, 1, 2, "", secret),
                     DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    expect_signed(&peer, secret);
    peer_wait_us(&peer, 60000000);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* Linux TCP_MD5SIG_EXT */
static void longest_prefix_that_fits_gives_the_key(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer.id = peer_listener(&peer, OUR_PORT, 5);
    assert_int_equal(set_key(&peer, 0, 0, "for all"), 0);
    assert_int_equal(set_key(&peer, PEER_ADDRESS, 24, secret), 0);
    assert_int_equal(set_key(&peer, PEER_ADDRESS + 256, 24, "for others"), 0);
    assert_int_equal(say_signed(&peer, TCP_SYN, 0, 0, "", secret), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    expect_signed(&peer, secret);
    assert_int_equal(set_key(&peer, PEER_ADDRESS, 24, ""), 0);
    assert_int_equal(set_key(&peer, PEER_ADDRESS, 24, ""), -ENOENT);
    peer.peer_port++;
    assert_int_equal(say_signed(&peer, TCP_SYN, 0, 0, "", "for all"), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(set_key(&peer, PEER_ADDRESS, 33, secret), -EINVAL);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection_with_a_key_signs_all_it_sends),
        cmocka_unit_test(segment_with_a_wrong_signature_or_none_is_dropped_and_counted),
        cmocka_unit_test(signature_from_a_peer_without_a_key_is_dropped),
        cmocka_unit_test(resets_are_signed),
        cmocka_unit_test(reset_after_close_fits_what_the_peer_will_have),
        cmocka_unit_test(signature_leaves_no_room_for_timestamps_and_for_two_sack_blocks),
        cmocka_unit_test(client_signs_its_syn),
        cmocka_unit_test(cookie_is_signed_too),
        cmocka_unit_test(time_wait_is_signed_too),
        cmocka_unit_test(longest_prefix_that_fits_gives_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
