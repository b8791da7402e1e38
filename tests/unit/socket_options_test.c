/*
 * socket_options_test.c - socket options by comparison: whatever Daytona accepts, a kernel TCP
 * socket must accept in the same way, with the same error for a bad value and the same bytes
 * when asked. The Daytona socket is a recorder of what would reach the stack.
 */
#include "tests/unit/option_subjects.h"

/* ------------------------------------------------------------------ claims */

/* The options whose value is an int and that Daytona has in full. */
static const struct {
    int level, name;
} numbers[] = {
    {SOL_SOCKET, SO_REUSEADDR},
    {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE},
    {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_RCVBUF},
    {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_SNDLOWAT},
    {SOL_SOCKET, SO_TYPE},
    {SOL_SOCKET, SO_PROTOCOL},
    {SOL_SOCKET, SO_DOMAIN},
    {SOL_SOCKET, SO_ERROR},
    {SOL_SOCKET, SO_ACCEPTCONN},
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_NO_CHECK},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_SYNCNT},
    {IPPROTO_TCP, TCP_QUICKACK},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_MAXSEG},
    {IPPROTO_TCP, TCP_THIN_DUPACK},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {IPPROTO_TCP, TCP_LINGER2},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
    {IPPROTO_TCP, TCP_INQ},
    {IPPROTO_IP, IP_MTU_DISCOVER},

    {IPPROTO_IP, IP_RECVERR},
    {IPPROTO_IP, IP_MINTTL},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},

};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

static const int values[] = {
    0,       1,        2,        3,         5,         7,     16,    64,     87,
    88,      127,      128,      129,       255,       256,   1000,  1152,   1460,
    2304,    4096,     32767,    32768,     65535,     65536, 65537, 100000, 212992,
    1000000, 16777215, 33554432, 100000000, INT32_MAX, -1,    -2,    -88,    INT32_MIN,
};
#define VALUE_COUNT (sizeof values / sizeof values[0])

/* A value that one subject keeps in more bits than the other: the stack bounds sizes by 2^30 - 1.
 */
static bool told_alike(int name, int value)
{
    bool huge = value < 0 || value > 1073741823;
    return !(huge && (name == SO_RCVLOWAT || name == TCP_WINDOW_CLAMP));
}

static void number_is_taken_refused_and_told_as_by_the_kernel(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        for (size_t j = 0; j < VALUE_COUNT; j++) {
            int value = values[j];
            expect_same_set(numbers[i].level, numbers[i].name, &value, sizeof value);
            /* After a refusal of the very first value the subjects' own defaults may differ. */
            if (kernel_set(numbers[i].level, numbers[i].name, &value, sizeof value) == 0 &&
                told_alike(numbers[i].name, value) &&
                !(numbers[i].name == TCP_MAXSEG && value == 0))
                expect_same_get(numbers[i].level, numbers[i].name, sizeof value);
        }
    }
}

static void length_other_than_an_int_is_judged_as_by_the_kernel(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        unsigned char bytes[16] = {1};
        int one = 1;
        bool constant = kernel_set(numbers[i].level, numbers[i].name, &one, sizeof one) != 0;
        int ninety = 90;
        if (constant && kernel_set(numbers[i].level, numbers[i].name, &ninety, sizeof ninety) == 0)
            bytes[0] = 90;
        if (numbers[i].name == IP_TOS && numbers[i].level == IPPROTO_IP)
            bytes[0] = 16;
        for (socklen_t length = 0; length <= sizeof bytes; length++)
            expect_same_set(numbers[i].level, numbers[i].name, bytes, length);
        if (kernel_set(numbers[i].level, numbers[i].name, bytes, sizeof(int)) != 0)
            continue;
        ours_set(numbers[i].level, numbers[i].name, bytes, sizeof(int));
        for (socklen_t length = 0; length <= sizeof bytes; length++)
            expect_same_get(numbers[i].level, numbers[i].name, length);
    }
}

static void linger_is_taken_and_told_as_by_the_kernel(void **state)
{
    static const struct linger lingers[] = {{0, 0}, {1, 0}, {1, 5}, {7, 100}};
    (void)state;
    for (size_t i = 0; i < sizeof lingers / sizeof lingers[0]; i++) {
        expect_same_set(SOL_SOCKET, SO_LINGER, &lingers[i], sizeof lingers[i]);
        for (socklen_t room = 0; room < 20; room++)
            expect_same_get(SOL_SOCKET, SO_LINGER, room);
    }
    expect_same_set(SOL_SOCKET, SO_LINGER, &lingers[1], sizeof lingers[1] - 1);
    ours_set(SOL_SOCKET, SO_LINGER, &(struct linger){1, -1}, sizeof(struct linger));
    assert_int_equal(file.options[DAYTONA_OPTION_LINGER_US], 65535000000);
    ours_set(SOL_SOCKET, SO_LINGER, &(struct linger){0, 9}, sizeof(struct linger));
    assert_int_equal(file.options[DAYTONA_OPTION_LINGER_US], -1);
}

static void timeout_is_taken_and_told_as_by_the_kernel(void **state)
{
    static const struct timeval times[] = {{0, 0},        {1, 0},         {0, 500000},
                                           {3600, 20000}, {0, 1000000},   {0, -1},
                                           {-1, 2000000}, {1, INT64_MAX}, {5, 999999}};
    static const int names[] = {SO_RCVTIMEO, SO_SNDTIMEO, 66, 67};
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
            expect_same_set(SOL_SOCKET, names[n], &times[i], sizeof times[i]);
            if (times[i].tv_usec != 999999) /* the kernel rounds up to its tick */
                expect_same_get(SOL_SOCKET, names[n], sizeof times[i]);
        }
        expect_same_set(SOL_SOCKET, names[n], &times[1], sizeof times[1] - 1);
    }
    assert_int_equal(file.timeout_us[FILE_RECEIVE], 5999999);
    expect_same_set(SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){-1, 0}, sizeof(struct timeval));
    assert_int_equal(file.timeout_us[FILE_RECEIVE], 1); /* 0 would be "for ever" */
}

static void controller_is_chosen_and_told_by_name(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message(
            "skipped: the kernel to compare with lets only root choose some controllers\n");
        skip();
    }
    expect_same_set(IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    assert_string_equal(file.congestion, "reno");
    for (socklen_t room = 0; room < 24; room++)
        expect_same_get(IPPROTO_TCP, TCP_CONGESTION, room);
    expect_same_set(IPPROTO_TCP, TCP_CONGESTION, "cubic\0junk", 10);
    assert_string_equal(file.congestion, "cubic");
    expect_same_set(IPPROTO_TCP, TCP_CONGESTION, "no-such-thing", 13);
    expect_same_set(IPPROTO_TCP, TCP_CONGESTION, "a-name-that-is-much-too-long", 28);
    expect_same_set(IPPROTO_TCP, TCP_CONGESTION, "", 0);
}

static void unknown_option_and_level_give_the_kernels_error(void **state)
{
    static const int levels[] = {SOL_SOCKET, IPPROTO_TCP};
    (void)state;
    int one = 1;
    for (size_t i = 0; i < 2; i++) {
        expect_same_set(levels[i], 9999, &one, sizeof one);
        expect_same_get(levels[i], 9999, sizeof one);
    }
    expect_same_set(IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    expect_same_get(IPPROTO_IPV6, IPV6_V6ONLY, sizeof one);
    expect_same_set(12345, 1, &one, sizeof one);
    expect_same_get(12345, 1, sizeof one);
}

static void option_that_daytona_lacks_is_told_and_refused_not_ignored(void **state)
{
    static const struct {
        int level, name, standard, other;
    } lacking[] = {
        {SOL_SOCKET, SO_TIMESTAMP, 0, 1}, {IPPROTO_TCP, TCP_SAVE_SYN, 0, 1},
        {SOL_SOCKET, SO_MARK, 0, 7},      {IPPROTO_IP, IP_TRANSPARENT, 0, 1},
        {SOL_SOCKET, SO_ZEROCOPY, 0, 1},  {SOL_SOCKET, SO_DONTROUTE, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++) {
        int told = 42;
        socklen_t length = sizeof told;
        assert_int_equal(ours_set(lacking[i].level, lacking[i].name, &lacking[i].standard, 4), 0);
        assert_int_equal(ours_set(lacking[i].level, lacking[i].name, &lacking[i].other, 4),
                         -ENOPROTOOPT);
        assert_int_equal(ours_get(lacking[i].level, lacking[i].name, &told, &length), 0);
        assert_int_equal(told, lacking[i].standard);
    }
}

static void option_that_daytona_lacks_reads_as_on_a_fresh_kernel_socket(void **state)
{
    const struct socket_option_row *row;
    (void)state;
    for (size_t i = 0; (row = socket_option_row(i)) != NULL; i++)
        if (row->shape == SHAPE_FIXED)
            expect_same_get(row->level, row->name, sizeof(int));
}

static void bad_pointers_and_lengths_are_errors_as_in_the_kernel(void **state)
{
    void *guard = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *const bad[] = {NULL, (void *)-1, (void *)8, guard};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int value = 0;
        socklen_t length = sizeof value;
        expect_same_set(IPPROTO_TCP, TCP_NODELAY, bad[i], sizeof value);
        assert_int_equal(ours_get(IPPROTO_TCP, TCP_NODELAY, bad[i], &length), -EFAULT);
        assert_int_equal(ours_get(IPPROTO_TCP, TCP_NODELAY, &value, bad[i]), -EFAULT);
    }
    int value = 1;
    expect_same_set(IPPROTO_TCP, TCP_NODELAY, &value, (socklen_t)-1);
    expect_same_get(IPPROTO_TCP, TCP_NODELAY, (socklen_t)-1);
    munmap(guard, 4096);
}

static void pending_error_is_told_once(void **state)
{
    int told = 0;
    socklen_t length = sizeof told;
    (void)state;
    file.error = ECONNREFUSED;
    assert_int_equal(ours_get(SOL_SOCKET, SO_ERROR, &told, &length), 0);
    assert_int_equal(told, ECONNREFUSED);
    assert_int_equal(ours_get(SOL_SOCKET, SO_ERROR, &told, &length), 0);
    assert_int_equal(told, 0);
}

static void listener_says_so(void **state)
{
    (void)state;
    file.listener = true;
    file.info.state = DAYTONA_TCP_LISTEN;
    listen(kernel, 1);
    expect_same_get(SOL_SOCKET, SO_ACCEPTCONN, 4);
}

static void path_mtu_needs_a_connection(void **state)
{
    int told = 0;
    socklen_t length = sizeof told;
    (void)state;
    expect_same_get(IPPROTO_IP, IP_MTU, 4);
    file.info.path_mtu = 1400;
    assert_int_equal(ours_get(IPPROTO_IP, IP_MTU, &told, &length), 0);
    assert_int_equal(told, 1400);
}

static void information_has_linux_layout_and_units(void **state)
{
    struct tcp_info told;
    socklen_t length = sizeof told;
    (void)state;
    file.info = (struct daytona_connection_info){
        .state = DAYTONA_TCP_ESTABLISHED,
        .srtt_us = 20000,
        .rttvar_us = 5000,
        .rto_us = 220000,
        .send_mss = 1448,
        .cwnd_bytes = 14480,
        .ssthresh_bytes = UINT32_MAX,
        .path_mtu = 1500,
        .send_queued = 4000,
        .not_sent = 1000,
        .segments_retransmitted = 3,
        .in_recovery = true,
        .sack_on = true,
        .timestamps_on = true,
        .bytes_sent = 1000000,
        .last_data_sent_us = 70000,
    };
    assert_int_equal(ours_get(IPPROTO_TCP, TCP_INFO, &told, &length), 0);
    assert_int_equal(length, sizeof told);
    assert_int_equal(told.tcpi_state, 1);
    assert_int_equal(told.tcpi_ca_state, TCP_CA_Recovery);
    assert_int_equal(told.tcpi_rtt, 20000);
    assert_int_equal(told.tcpi_rto, 220000);
    assert_int_equal(told.tcpi_snd_cwnd, 10);
    assert_int_equal(told.tcpi_snd_ssthresh, 0x7fffffff);
    assert_int_equal(told.tcpi_unacked, 3);
    assert_int_equal(told.tcpi_notsent_bytes, 1000);
    assert_int_equal(told.tcpi_total_retrans, 3);
    assert_int_equal(told.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK);
    assert_int_equal(told.tcpi_last_data_sent, 70);
    assert_true(told.tcpi_bytes_sent == 1000000);
    assert_int_equal(told.tcpi_min_rtt, UINT32_MAX);
}

#define INFORMATION_BYTES 280 /* of Linux 6.18 */

static void information_is_cut_to_the_room_there_is(void **state)
{
    unsigned char told[300];
    (void)state;
    for (socklen_t room = 0; room <= INFORMATION_BYTES; room++) {
        socklen_t length = room;
        memset(told, 0xa5, sizeof told);
        assert_int_equal(ours_get(IPPROTO_TCP, TCP_INFO, told, &length), 0);
        assert_int_equal(length, room);
        assert_int_equal(told[room], 0xa5);
    }
}

static int64_t carried(const struct carried_options *options, enum daytona_option option)
{
    for (size_t i = 0; i < options->count; i++)
        if (options->options[i].option == option)
            return options->options[i].value;
    return -1000;
}

static void options_of_a_kernel_socket_are_carried_over(void **state)
{
    struct carried_options options;
    int one = 1, ten = 10, size = 50000, mss = 1000, service = 0x10;
    (void)state;
    kernel_set(IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    kernel_set(IPPROTO_TCP, TCP_KEEPIDLE, &ten, sizeof ten);
    kernel_set(IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof mss);
    kernel_set(SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    kernel_set(IPPROTO_IP, IP_TOS, &service, sizeof service);
    kernel_set(SOL_SOCKET, SO_LINGER, &(struct linger){1, 3}, sizeof(struct linger));
    kernel_set(SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){2, 0}, sizeof(struct timeval));
    socket_options_carry(kernel, &options);
    assert_int_equal(carried(&options, DAYTONA_OPTION_NO_DELAY), 1);
    assert_int_equal(carried(&options, DAYTONA_OPTION_CORK), 0);
    assert_int_equal(carried(&options, DAYTONA_OPTION_KEEP_IDLE_US), 10000000);
    assert_int_equal(carried(&options, DAYTONA_OPTION_MAXIMUM_SEGMENT), 1000);
    assert_int_equal(carried(&options, DAYTONA_OPTION_RECEIVE_BUFFER), 50000);
    assert_int_equal(carried(&options, DAYTONA_OPTION_TYPE_OF_SERVICE), 0x10);
    assert_int_equal(carried(&options, DAYTONA_OPTION_TIME_TO_LIVE), 64);
    assert_int_equal(carried(&options, DAYTONA_OPTION_LINGER_US), 3000000);
    assert_int_equal(options.receive_timeout_us, 2000000);
    assert_int_equal(options.send_timeout_us, 0);
    assert_string_equal(options.congestion, "");
}

static void fresh_kernel_socket_leaves_daytonas_own_sizes_alone(void **state)
{
    struct carried_options options;
    (void)state;
    socket_options_carry(kernel, &options);
    assert_int_equal(carried(&options, DAYTONA_OPTION_RECEIVE_BUFFER), -1000);
    assert_int_equal(carried(&options, DAYTONA_OPTION_SEND_BUFFER), -1000);
    assert_int_equal(carried(&options, DAYTONA_OPTION_MAXIMUM_SEGMENT), -1000);
    for (size_t i = 0; i < options.count; i++) {
        enum daytona_option option = options.options[i].option;
        assert_in_range(options.options[i].value - minimum[option], 0,
                        maximum[option] - minimum[option]);
    }
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        CLAIM(number_is_taken_refused_and_told_as_by_the_kernel),
        CLAIM(length_other_than_an_int_is_judged_as_by_the_kernel),
        CLAIM(linger_is_taken_and_told_as_by_the_kernel),
        CLAIM(timeout_is_taken_and_told_as_by_the_kernel),
        CLAIM(controller_is_chosen_and_told_by_name),
        CLAIM(unknown_option_and_level_give_the_kernels_error),
        CLAIM(option_that_daytona_lacks_is_told_and_refused_not_ignored),
        CLAIM(option_that_daytona_lacks_reads_as_on_a_fresh_kernel_socket),
        CLAIM(bad_pointers_and_lengths_are_errors_as_in_the_kernel),
        CLAIM(pending_error_is_told_once),
        CLAIM(listener_says_so),
        CLAIM(path_mtu_needs_a_connection),
        CLAIM(information_has_linux_layout_and_units),
        CLAIM(information_is_cut_to_the_room_there_is),
        CLAIM(options_of_a_kernel_socket_are_carried_over),
        CLAIM(fresh_kernel_socket_leaves_daytonas_own_sizes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
