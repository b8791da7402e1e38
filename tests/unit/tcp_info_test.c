/* The bytes of TCP_INFO behind those that the headers here know, as Linux 6.18 lays them out. */
#include "preload/tcp_info.h"
#include "tests/unit/region.h"

#include <linux/tcp.h>
#include <string.h>

static uint32_t word_at(const uint8_t *bytes, size_t offset)
{
    uint32_t word;
    memcpy(&word, bytes + offset, sizeof word);
    return word;
}

static void information_on_marks_is_where_linux_has_it(void **state)
{
    (void)state;
    const struct daytona_connection_info info = {
        .state = DAYTONA_TCP_ESTABLISHED,
        .ecn = DAYTONA_ECN_MODE_ACCURATE,
        .ecn_seen = true,
        .ce_received = 7,
        .delivered_ce = 9,
        .delivered_ecn_bytes = {20, 21, 22},
        .received_ecn_bytes = {30, 31, 32},
    };
    uint8_t told[TCP_INFO_BYTES_MAX];
    struct tcp_info known;
    assert_int_equal(tcp_info_write(&info, told), 280);
    memcpy(&known, told, sizeof known < 280 ? sizeof known : 280);
    assert_int_equal(known.tcpi_options, TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN);
    assert_int_equal(known.tcpi_delivered_ce, 9);
    static const uint32_t later[] = {7, 22, 20, 21, 32, 30, 31}; /* e1, e0 and ce, sent and come */
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        assert_int_equal(word_at(told, 248 + 4 * i), later[i]);
}

static void information_on_the_window_and_on_timeouts_follows_what_older_headers_know(void **state)
{
    (void)state;
    const struct daytona_connection_info info = {.receive_window = 123456, .timeouts = 70000};
    uint8_t told[TCP_INFO_BYTES_MAX];
    tcp_info_write(&info, told);
    assert_int_equal(word_at(told, 232), 123456);
    assert_int_equal(word_at(told, 240), UINT16_MAX); /* as many as the field can say */
}

static void pacing_bound_and_time_after_timeouts_are_told(void **state)
{
    (void)state;
    struct daytona_connection_info info = {
        .pacing_rate_max = 1000000, .timeout_recoveries = 3, .timeout_us = 4567000};
    uint8_t told[TCP_INFO_BYTES_MAX];
    struct tcp_info known;
    tcp_info_write(&info, told);
    memcpy(&known, told, sizeof known < 280 ? sizeof known : 280);
    assert_int_equal(known.tcpi_max_pacing_rate, 1000000);
    assert_int_equal(word_at(told, 240) >> 16, 3);
    assert_int_equal(word_at(told, 244), 4567);
    info.pacing_rate_max = 0;
    tcp_info_write(&info, told);
    memcpy(&known, told, sizeof known < 280 ? sizeof known : 280);
    assert_true(known.tcpi_max_pacing_rate == UINT64_MAX);
}

/* The layouts of linux/inet_diag.h. */
static void controllers_tell_what_linux_tells_of_them(void **state)
{
    (void)state;
    struct daytona_connection_info info = {.ecn = DAYTONA_ECN_MODE_NONE};
    uint8_t told[TCP_CONTROLLER_BYTES_MAX];
    assert_int_equal(tcp_controller_write(&info, told), 0);
    info.controller = (struct daytona_congestion_told){.kind = DAYTONA_CONGESTION_TELLS_RATE,
                                                       .bytes_per_second = 0x100000002,
                                                       .rtt_base_us = 20000,
                                                       .pacing_percent = 125,
                                                       .cwnd_percent = 200};
    assert_int_equal(tcp_controller_write(&info, told), 20);
    static const uint32_t rate[] = {2, 1, 20000, 320, 512};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(word_at(told, 4 * i), rate[i]);
    info.controller = (struct daytona_congestion_told){.kind = DAYTONA_CONGESTION_TELLS_DELAYS,
                                                       .measured = true,
                                                       .round_trips = 12,
                                                       .rtt_base_us = 20000,
                                                       .rtt_round_us = 21000};
    assert_int_equal(tcp_controller_write(&info, told), 16);
    static const uint32_t delays[] = {1, 12, 20000, 21000};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(word_at(told, 4 * i), delays[i]);
    info.controller = (struct daytona_congestion_told){.kind = DAYTONA_CONGESTION_TELLS_MARKS,
                                                       .alpha_1024 = 512,
                                                       .marked_bytes = 3000,
                                                       .acked_bytes = 6000};
    assert_int_equal(tcp_controller_write(&info, told), 16);
    assert_int_equal(word_at(told, 0), 0); /* without ECN it is Reno */
    info.ecn = DAYTONA_ECN_MODE_CLASSIC;
    assert_int_equal(tcp_controller_write(&info, told), 16);
    static const uint32_t marks[] = {1, 512, 3000, 6000};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(word_at(told, 4 * i), marks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(information_on_marks_is_where_linux_has_it),
        cmocka_unit_test(information_on_the_window_and_on_timeouts_follows_what_older_headers_know),
        cmocka_unit_test(pacing_bound_and_time_after_timeouts_are_told),
        cmocka_unit_test(controllers_tell_what_linux_tells_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
