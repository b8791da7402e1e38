/* TCP-AO: RFC 5925 and RFC 5926, with the test vectors of RFC 9235. */
#include "stack/tcp/tcp_ao.h"
#include "tests/unit/peer.h"
#include <errno.h>

/* ------------------------------------------------------------------ RFC 9235 */

static const uint8_t vector_key[10] = "testvector";

static struct signature_key vector(enum daytona_ao_algorithm algorithm)
{
    struct signature_key key = {.kind = SIGNATURE_AO,
                                .length = sizeof vector_key,
                                .send_id = 61,
                                .receive_id = 84,
                                .algorithm = (uint8_t)algorithm};
    memcpy(key.bytes, vector_key, sizeof vector_key);
    return key;
}

/* The MAC of an IPv4 packet as the RFC prints it. */
static void assert_mac(enum daytona_ao_algorithm algorithm, const uint8_t *packet, size_t length,
                       uint32_t source_isn, uint32_t destination_isn)
{
    struct signature_key key = vector(algorithm);
    struct tcp_header header;
    struct daytona_span payload;
    assert_int_equal(
        tcp_header_parse((struct daytona_span){packet + 20, length - 20}, &header, &payload), 0);
    const struct ao_segment segment = {
        .source = {daytona_address_from_ipv4(0x0a0b0c0du), header.source_port},
        .destination = {daytona_address_from_ipv4(0xac1b1c1du), header.destination_port},
        .header = packet + 20,
        .header_length = header.header_length,
        .option_at = header.ao_at,
        .payload = &payload,
        .span_count = 1,
    };
    const struct signature_numbers numbers = {
        offset_first((struct seq){source_isn}), destination_isn,
        offset_near(offset_first((struct seq){source_isn}), header.seq)};
    uint8_t mac[TCP_AO_MAC_BYTES];
    ao_mac(&key, &segment, &numbers, mac);
    assert_int_equal(header.ao.key_id, 61);
    assert_int_equal(header.ao.next_id, 84);
    assert_memory_equal(mac, header.ao.mac, sizeof mac);
}

/* RFC 9235 4.1.1; RFC 5925 5.1, 5.2; RFC 5926 3.1, 3.1.1, 3.1.1.1 */
static void mac_of_a_syn_by_sha1_is_that_of_the_vectors(void **state)
{
    (void)state;
    static const uint8_t packet[76] = {
        0x45, 0xe0, 0x00, 0x4c, 0xdd, 0x0f, 0x40, 0x00, 0xff, 0x06, 0xbf, 0x6b, 0x0a,
        0x0b, 0x0c, 0x0d, 0xac, 0x1b, 0x1c, 0x1d, 0xe9, 0xd7, 0x00, 0xb3, 0xfb, 0xfb,
        0xab, 0x5a, 0x00, 0x00, 0x00, 0x00, 0xe0, 0x02, 0xff, 0xff, 0xca, 0xc4, 0x00,
        0x00, 0x02, 0x04, 0x05, 0xb4, 0x01, 0x03, 0x03, 0x08, 0x04, 0x02, 0x08, 0x0a,
        0x00, 0x15, 0x5a, 0xb7, 0x00, 0x00, 0x00, 0x00, 0x1d, 0x10, 0x3d, 0x54, 0x2e,
        0xe4, 0x37, 0xc6, 0xf8, 0xed, 0xe6, 0xd7, 0xc4, 0xd6, 0x02, 0xe7};
    assert_mac(DAYTONA_AO_HMAC_SHA1, packet, sizeof packet, 0xfbfbab5au, 0);
}

/* RFC 9235 5.1.1; RFC 5926 3.1.1.2 */
static void mac_of_a_syn_by_aes_is_that_of_the_vectors(void **state)
{
    (void)state;
    static const uint8_t packet[76] = {
        0x45, 0xe0, 0x00, 0x4c, 0x7b, 0x9f, 0x40, 0x00, 0xff, 0x06, 0x20, 0xdc, 0x0a,
        0x0b, 0x0c, 0x0d, 0xac, 0x1b, 0x1c, 0x1d, 0xc4, 0xfa, 0x00, 0xb3, 0x78, 0x7a,
        0x1d, 0xdf, 0x00, 0x00, 0x00, 0x00, 0xe0, 0x02, 0xff, 0xff, 0x5a, 0x0f, 0x00,
        0x00, 0x02, 0x04, 0x05, 0xb4, 0x01, 0x03, 0x03, 0x08, 0x04, 0x02, 0x08, 0x0a,
        0x00, 0x01, 0x7e, 0xd0, 0x00, 0x00, 0x00, 0x00, 0x1d, 0x10, 0x3d, 0x54, 0xe4,
        0x77, 0xe9, 0x9c, 0x80, 0x40, 0x76, 0x54, 0x98, 0xe5, 0x50, 0x91};
    assert_mac(DAYTONA_AO_AES_128_CMAC, packet, sizeof packet, 0x787a1ddfu, 0);
}

/* ------------------------------------------------------------------ connections */

#define OURS   7 /* the id by which we sign */
#define THEIRS 9

static struct daytona_ao_key ao_key(enum daytona_ao_algorithm algorithm, uint8_t shift)
{
    return (struct daytona_ao_key){
        .remote = daytona_address_from_ipv4(PEER_ADDRESS),
        .prefix_bits = 32,
        .send_id = (uint8_t)(OURS + shift),
        .receive_id = (uint8_t)(THEIRS + shift),
        .algorithm = algorithm,
        .leaves_options_out = algorithm == DAYTONA_AO_AES_128_CMAC, /* both kinds are tried */
        .key = {vector_key, sizeof vector_key - shift},
    };
}

/* The same key as ao_mac() takes it. */
static struct signature_key peer_key(enum daytona_ao_algorithm algorithm, uint8_t shift)
{
    struct signature_key key = vector(algorithm);
    key.leaves_options_out = algorithm == DAYTONA_AO_AES_128_CMAC;
    key.length = (uint8_t)(key.length - shift);
    return key;
}

static enum daytona_ao_algorithm algorithm_in_use;

/* The peer says a segment that is signed; `shift` tells which key, `next` which it wants. */
static enum daytona_verdict say_with(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                                     const char *text, uint8_t shift, uint8_t next)
{
    bool syn = (flags & TCP_SYN) != 0, acknowledges = (flags & TCP_ACK) != 0;
    struct tcp_header header = {
        .source_port = peer->peer_port,
        .destination_port = peer->our_port,
        .seq = {peer->peer_isn + seq},
        .ack = {acknowledges ? peer->our_isn + ack : 0},
        .flags = flags,
        .window = 65535,
        .mss = syn ? 1460 : 0,
        .has_sack_permitted = syn,
        .has_timestamps = true,
        .timestamp_value = peer->timestamp,
        .timestamp_echo = peer->timestamp_echo,
        .ao_at = TCP_HEADER_MIN,
        .ao = {.key_id = (uint8_t)(THEIRS + shift), .next_id = (uint8_t)(OURS + next)},
    };
    uint8_t bytes[TCP_HEADER_MAX];
    struct daytona_span payload = {(const uint8_t *)text, strlen(text)};
    const struct ao_segment segment = {
        .source = {daytona_address_from_ipv4(PEER_ADDRESS), peer->peer_port},
        .destination = {daytona_address_from_ipv4(OUR_ADDRESS), peer->our_port},
        .header = bytes,
        .header_length = tcp_header_emit(&header, bytes),
        .option_at = TCP_HEADER_MIN,
        .payload = &payload,
        .span_count = 1,
    };
    uint64_t isn = offset_first((struct seq){peer->peer_isn});
    const struct signature_numbers numbers = {isn, acknowledges ? peer->our_isn : 0, isn + seq};
    struct signature_key key = peer_key(algorithm_in_use, shift);
    ao_mac(&key, &segment, &numbers, header.ao.mac);
    return peer_say_header(peer, &header, payload);
}

static enum daytona_verdict say(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                                const char *text)
{
    return say_with(peer, flags, seq, ack, text, 0, 0);
}

/* The last segment heard is signed, by the key of `shift`. */
static void expect_signed(struct peer *peer, uint8_t shift)
{
    const struct heard *heard = &peer->heard;
    const struct daytona_packet_out *packet = &heard->packet;
    struct daytona_span payload = {heard->payload, heard->length};
    const struct ao_segment segment = {
        .source = {daytona_address_from_ipv4(OUR_ADDRESS), peer->our_port},
        .destination = {daytona_address_from_ipv4(PEER_ADDRESS), peer->peer_port},
        .header = packet->header + packet->transport_offset,
        .header_length = heard->header.header_length,
        .option_at = heard->header.ao_at,
        .payload = &payload,
        .span_count = 1,
    };
    uint64_t isn = offset_first((struct seq){peer->our_isn});
    bool first = (heard->header.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    const struct signature_numbers numbers = {isn, first ? 0 : peer->peer_isn, isn + heard->seq};
    struct signature_key key = peer_key(algorithm_in_use, shift);
    uint8_t mac[TCP_AO_MAC_BYTES];
    assert_int_equal(heard->header.ao_at, TCP_HEADER_MIN);
    assert_int_equal(heard->header.ao.key_id, OURS + shift);
    assert_int_equal(heard->header.ao.next_id, THEIRS + shift);
    ao_mac(&key, &segment, &numbers, mac);
    assert_memory_equal(mac, heard->header.ao.mac, sizeof mac);
}

static struct daytona_socket_id listen_signed(struct peer *peer,
                                              enum daytona_ao_algorithm algorithm)
{
    struct daytona_ao_key key = ao_key(algorithm, 0);
    algorithm_in_use = algorithm;
    peer_start(peer, NULL);
    struct daytona_socket_id listener = peer_listener(peer, OUR_PORT, 5);
    assert_int_equal(daytona_stack_add_ao_key(peer->stack, listener, &key), 0);
    return listener;
}

static void connect_signed(struct peer *peer, enum daytona_ao_algorithm algorithm)
{
    struct daytona_socket_id listener = listen_signed(peer, algorithm);
    assert_int_equal(say(peer, TCP_SYN, 0, 0, ""), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    expect_signed(peer, 0);
    assert_int_equal(say(peer, TCP_ACK, 1, 1, ""), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &peer->id), 0);
    daytona_stack_close(peer->stack, peer->now, listener);
}

/* RFC 5925 2.2, 6.2, 7.3, 7.4: the peer's numbers wrap soon, and the extension counts it */
static void connection_is_signed_both_ways_beyond_a_wrap(void **state)
{
    (void)state;
    static const enum daytona_ao_algorithm algorithms[] = {DAYTONA_AO_HMAC_SHA1,
                                                           DAYTONA_AO_AES_128_CMAC};
    for (size_t i = 0; i < 2; i++) {
        struct peer peer;
        char buffer[100];
        connect_signed(&peer, algorithms[i]);
        assert_true(our_info(&peer).timestamps_on);
        assert_int_equal(our_info(&peer).send_mss, 1460 - 12 - 16);
        we_send(&peer, 2000, 0);
        expect_segment(&peer, TCP_ACK, 1, 1, 1432);
        expect_signed(&peer, 0);
        expect_segment(&peer, TCP_ACK | TCP_PSH, 1433, 1, 568);
        expect_signed(&peer, 0);
        assert_int_equal(say(&peer, TCP_ACK, 1, 2001, "twenty bytes of text"),
                         DAYTONA_VERDICT_ACCEPTED);
        assert_true((uint32_t)(peer.peer_isn + 21) < 100); /* wrapped */
        assert_int_equal(say(&peer, TCP_ACK, 21, 2001, "more"), DAYTONA_VERDICT_ACCEPTED);
        assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 24);
        assert_true(peer_hears_all(&peer) > 0);
        expect_signed(&peer, 0);
        peer_stop(&peer);
    }
}

/* RFC 5925 7.5: segments that do not validate are silently dropped */
static void segment_with_a_wrong_mac_or_none_is_dropped_and_counted(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer, DAYTONA_AO_HMAC_SHA1);
    assert_int_equal(peer_say(&peer, TCP_RST, 1, 0, NULL), DAYTONA_VERDICT_SIGNATURE_MISSING);
    assert_int_equal(say_with(&peer, TCP_ACK, 1, 1, "evil", 1, 0),
                     DAYTONA_VERDICT_SIGNATURE_WRONG); /* an id that there is no key for */
    peer.our_isn++;                                    /* of another connection */
    assert_int_equal(say(&peer, TCP_ACK, 1, 0, "evil"), DAYTONA_VERDICT_SIGNATURE_WRONG);
    peer.our_isn--;
    expect_silence(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    assert_int_equal(say(&peer, TCP_RST, 1, 0, ""), DAYTONA_VERDICT_SIGNATURE_WRONG);
    assert_int_equal(say(&peer, TCP_RST | TCP_ACK, 1, 1, ""), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSED);
    peer_stop(&peer);
}

/* RFC 5925 6.2: or what was said 4 GB ago could be said again */
static void mac_tells_apart_numbers_that_look_alike_after_a_wrap(void **state)
{
    (void)state;
    struct signature_key key = peer_key(DAYTONA_AO_HMAC_SHA1, 0);
    uint8_t header[TCP_HEADER_MIN + 16] = {[TCP_HEADER_MIN] = 29, 16, 1, 2};
    const struct ao_segment segment = {
        .header = header, .header_length = sizeof header, .option_at = TCP_HEADER_MIN};
    uint8_t macs[2][TCP_AO_MAC_BYTES];
    for (uint64_t wraps = 0; wraps < 2; wraps++) {
        const struct signature_numbers numbers = {1, 2, (wraps + 1) << 32 | 5};
        ao_mac(&key, &segment, &numbers, macs[wraps]);
    }
    assert_memory_not_equal(macs[0], macs[1], TCP_AO_MAC_BYTES);
}

/* RFC 5925 3.1: options may be left out of the MAC, for boxes that change them */
static void options_left_out_may_change_on_the_way(void **state)
{
    (void)state;
    static const enum daytona_ao_algorithm algorithms[] = {DAYTONA_AO_HMAC_SHA1,
                                                           DAYTONA_AO_AES_128_CMAC};
    struct signature_key keys[2];
    uint8_t macs[2][2][TCP_AO_MAC_BYTES];
    for (size_t i = 0; i < 2; i++) {
        keys[i] = peer_key(algorithms[i], 0);
        for (uint8_t changed = 0; changed < 2; changed++) {
            uint8_t header[TCP_HEADER_MIN + 16 + 4] = {[TCP_HEADER_MIN] = 29, 16, 1, 2};
            header[TCP_HEADER_MIN + 16] = changed;
            const struct ao_segment segment = {
                .header = header, .header_length = sizeof header, .option_at = TCP_HEADER_MIN};
            const struct signature_numbers numbers = {1, 2, UINT64_C(1) << 32};
            ao_mac(&keys[i], &segment, &numbers, macs[i][changed]);
        }
    }
    assert_memory_not_equal(macs[0][0], macs[0][1], TCP_AO_MAC_BYTES);
    assert_memory_equal(macs[1][0], macs[1][1], TCP_AO_MAC_BYTES);
}

/* RFC 5925 6.1, 7.5.2: RNextKeyID */
static void peer_may_ask_for_another_key(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_ao_key second = ao_key(DAYTONA_AO_HMAC_SHA1, 1);
    connect_signed(&peer, DAYTONA_AO_HMAC_SHA1);
    assert_int_equal(daytona_stack_add_ao_key(peer.stack, peer.id, &second), 0);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    expect_signed(&peer, 0); /* the old one still */
    say_with(&peer, TCP_ACK, 1, 11, "", 0, 1);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 11, 1, 10);
    expect_signed(&peer, 1);
    assert_int_equal(say_with(&peer, TCP_ACK, 1, 21, "old", 0, 1), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(say_with(&peer, TCP_ACK, 4, 21, "new", 1, 1), DAYTONA_VERDICT_ACCEPTED);
    struct daytona_ao_key first = ao_key(DAYTONA_AO_HMAC_SHA1, 0);
    assert_int_equal(daytona_stack_remove_ao_key(peer.stack, peer.id, &first), 0);
    assert_int_equal(daytona_stack_remove_ao_key(peer.stack, peer.id, &first), -ENOENT);
    assert_int_equal(say_with(&peer, TCP_ACK, 7, 21, "old", 0, 1), DAYTONA_VERDICT_SIGNATURE_WRONG);
    peer_stop(&peer);
}

/* RFC 5925 5.2: the first SYN's key knows only one ISN */
static void client_signs_its_syn_and_what_follows(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), 5000};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    struct daytona_ao_key key = ao_key(DAYTONA_AO_HMAC_SHA1, 0);
    algorithm_in_use = DAYTONA_AO_HMAC_SHA1;
    peer_start(&peer, NULL);
    daytona_stack_open(peer.stack, &peer.id);
    daytona_stack_bind(peer.stack, peer.id, &local);
    daytona_stack_add_ao_key(peer.stack, peer.id, &key);
    peer.our_port = 5000;
    daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    expect_signed(&peer, 0);
    assert_int_equal(say(&peer, TCP_SYN | TCP_ACK, 0, 1, ""), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    expect_signed(&peer, 0);
    daytona_stack_abort(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 1, 0);
    expect_signed(&peer, 0);
    peer_stop(&peer);
}

/* RFC 5925 says nothing of it: the numbers outlive the connection's record */
static void time_wait_and_cookies_are_signed_too(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer, DAYTONA_AO_HMAC_SHA1);
    daytona_stack_close(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    say(&peer, TCP_ACK | TCP_FIN, 1, 2, "");
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    assert_int_equal(say(&peer, TCP_ACK | TCP_FIN, 1, 2, ""), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    expect_signed(&peer, 0);
    peer_stop(&peer);

    const struct daytona_stack_config config = {.owns_every_port = true,
                                                .syn_cookies = DAYTONA_SYN_COOKIES_ALWAYS};
    struct daytona_ao_key key = ao_key(DAYTONA_AO_HMAC_SHA1, 0);
    peer_start(&peer, &config);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    daytona_stack_add_ao_key(peer.stack, listener, &key);
    say(&peer, TCP_SYN, 0, 0, "");
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    expect_signed(&peer, 0);
    assert_int_equal(say(&peer, TCP_ACK, 1, 1, "text"), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

/* RFC 5925 7.8: what is not signed is not believed, unless the application says so. */
static void icmp_errors_are_ignored_once_established(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer, DAYTONA_AO_HMAC_SHA1);
    uint32_t mtu = our_info(&peer).path_mtu;
    we_send(&peer, 1000, 0);
    peer_hears_all(&peer);
    for (uint8_t code = 2; code <= 4; code++)
        assert_int_equal(peer_icmp(&peer, 3, code, 700, 1), DAYTONA_VERDICT_ICMP_IGNORED);
    assert_int_equal(our_info(&peer).path_mtu, mtu);
    assert_int_equal(peer_icmp(&peer, 3, 1, 0, 1), DAYTONA_VERDICT_ICMP_TAKEN); /* soft */
    we_set(&peer, DAYTONA_OPTION_AO_HEEDS_ICMP, 1);
    assert_int_equal(peer_icmp(&peer, 3, 4, 700, 1), DAYTONA_VERDICT_ICMP_TAKEN);
    assert_int_equal(our_info(&peer).path_mtu, 700);
    peer_stop(&peer);
}

/* RFC 5925 3.3: Current_key is the application's to choose; the key in use stays. */
static void application_lists_and_chooses_its_keys(void **state)
{
    (void)state;
    struct peer peer;
    connect_signed(&peer, DAYTONA_AO_HMAC_SHA1);
    struct daytona_ao_key first = ao_key(DAYTONA_AO_HMAC_SHA1, 0), told;
    struct daytona_ao_key second = ao_key(DAYTONA_AO_HMAC_SHA1, 1);
    bool current;
    assert_int_equal(daytona_stack_add_ao_key(peer.stack, peer.id, &second), 0);
    assert_int_equal(daytona_stack_get_ao_key(peer.stack, peer.id, 0, &told, &current), 0);
    assert_int_equal(told.send_id, OURS);
    assert_int_equal(told.prefix_bits, 32);
    assert_int_equal(told.key.length, first.key.length);
    assert_true(current);
    assert_int_equal(daytona_stack_remove_ao_key(peer.stack, peer.id, &first), -EBUSY);
    assert_int_equal(daytona_stack_use_ao_key(peer.stack, peer.id, OURS + 2), -ENOENT);
    assert_int_equal(daytona_stack_use_ao_key(peer.stack, peer.id, OURS + 1), 0);
    assert_int_equal(daytona_stack_get_ao_key(peer.stack, peer.id, 1, &told, &current), 0);
    assert_true(current);
    assert_int_equal(daytona_stack_get_ao_key(peer.stack, peer.id, 2, &told, &current), -ENOENT);
    we_send(&peer, 100, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    expect_signed(&peer, 1);
    assert_int_equal(daytona_stack_remove_ao_key(peer.stack, peer.id, &first), 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mac_of_a_syn_by_sha1_is_that_of_the_vectors),
        cmocka_unit_test(mac_of_a_syn_by_aes_is_that_of_the_vectors),
        cmocka_unit_test(connection_is_signed_both_ways_beyond_a_wrap),
        cmocka_unit_test(segment_with_a_wrong_mac_or_none_is_dropped_and_counted),
        cmocka_unit_test(mac_tells_apart_numbers_that_look_alike_after_a_wrap),
        cmocka_unit_test(options_left_out_may_change_on_the_way),
        cmocka_unit_test(peer_may_ask_for_another_key),
        cmocka_unit_test(client_signs_its_syn_and_what_follows),
        cmocka_unit_test(time_wait_and_cookies_are_signed_too),
        cmocka_unit_test(icmp_errors_are_ignored_once_established),
        cmocka_unit_test(application_lists_and_chooses_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
