/*
 * socket_keys_test.c - the socket options that bear keys, by comparison with the kernel's.
 */
#include "tests/unit/option_subjects.h"

/* RFC 7413 */
static void keys_of_fast_open_are_taken_whole_and_told_again(void **state)
{
    static const uint8_t keys[40] = {1, 2, 3, 4, 5, 6, 7, 8, 9, [20] = 77, [31] = 9};
    static const socklen_t lengths[] = {0, 4, 15, 16, 17, 32, 40};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        expect_same_set(IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, lengths[i]);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        expect_same_get(IPPROTO_TCP, TCP_FASTOPEN_KEY, lengths[i]);
}

static struct tcp_md5sig signature(uint8_t flags, uint8_t prefix, uint16_t key_length)
{
    struct tcp_md5sig value = {
        .tcpm_flags = flags, .tcpm_prefixlen = prefix, .tcpm_keylen = key_length, .tcpm_key = "k"};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    memcpy(&value.tcpm_addr, &address, sizeof address);
    return value;
}

/* RFC 2385 */
static void keys_of_signatures_are_judged_as_by_the_kernel(void **state)
{
    (void)state;
    static const struct {
        int name;
        uint8_t flags, prefix;
        uint16_t key_length;
    } given[] = {
        {TCP_MD5SIG, 0, 0, 0},
        {TCP_MD5SIG, 0, 0, 81},
        {TCP_MD5SIG, 0, 0, 80},
        {TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 33, 5},
        {TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 8, 5},
        {TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, 0, 5},
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        struct tcp_md5sig value = signature(given[i].flags, given[i].prefix, given[i].key_length);
        expect_same_set(IPPROTO_TCP, given[i].name, &value, sizeof value);
        expect_same_set(IPPROTO_TCP, given[i].name, &value, sizeof value - 1);
    }
    struct tcp_md5sig other = signature(0, 0, 5);
    other.tcpm_addr.ss_family = AF_UNIX;
    expect_same_set(IPPROTO_TCP, TCP_MD5SIG, &other, sizeof other);
    expect_same_get(IPPROTO_TCP, TCP_MD5SIG, 8);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        CLAIM(keys_of_fast_open_are_taken_whole_and_told_again),
        CLAIM(keys_of_signatures_are_judged_as_by_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
