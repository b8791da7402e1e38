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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(information_on_marks_is_where_linux_has_it),
        cmocka_unit_test(information_on_the_window_and_on_timeouts_follows_what_older_headers_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
