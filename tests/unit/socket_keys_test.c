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

/* The layouts of Linux 6.7, byte for byte; the kernel here may have been built without. */
#define ADD_BYTES  288
#define GET_BYTES  304
#define INFO_BYTES 48

static void add_key_layout(uint8_t *bytes, uint8_t send_id)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(0x0a000000)};
    memset(bytes, 0, ADD_BYTES);
    memcpy(bytes, &address, sizeof address);
    static const char algorithm[] = "cmac(aes128)", key[] = "sixteen bytes of";
    memcpy(bytes + 128, algorithm, sizeof algorithm);
    bytes[202] = 8;              /* prefix */
    bytes[203] = send_id;        /* sndid */
    bytes[204] = send_id + 100u; /* rcvid */
    bytes[205] = 12;             /* maclen */
    bytes[206] = 2;              /* TCP_AO_KEYF_EXCLUDE_OPT */
    bytes[207] = 16;             /* keylen */
    for (size_t i = 0; i < 16; i++)
        bytes[208 + i] = (uint8_t)key[i];
}

static int set_ao(int option, const void *value, socklen_t length)
{
    return socket_options_set(&file, -1, IPPROTO_TCP, option, value, length);
}

/* RFC 5925 3.1 */
static void keys_of_tcp_ao_are_read_from_linuxs_layout(void **state)
{
    (void)state;
    uint8_t add[ADD_BYTES];
    add_key_layout(add, 5);
    assert_int_equal(set_ao(38, add, sizeof add), 0);
    const struct authentication_change *change = &file.keys[0];
    assert_int_equal(change->key.send_id, 5);
    assert_int_equal(change->key.receive_id, 105);
    assert_int_equal(change->key.prefix_bits, 8);
    assert_int_equal(change->key.algorithm, DAYTONA_AO_AES_128_CMAC);
    assert_true(change->key.leaves_options_out);
    assert_int_equal(change->key.key.length, 16);
    assert_memory_equal(change->bytes, "sixteen bytes of", 16);
    static const struct {
        size_t at;
        uint8_t value;
        int error;
    } wrong[] = {{0, AF_UNIX, EINVAL}, {3, 80, EINVAL},  {128, 'x', ENOENT}, {192, 1, EINVAL},
                 {196, 4, EINVAL},     {200, 1, EINVAL}, {202, 33, EINVAL},  {205, 16, EINVAL},
                 {206, 4, EINVAL},     {207, 81, EINVAL}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        add_key_layout(add, 6);
        add[wrong[i].at] = wrong[i].value;
        assert_int_equal(set_ao(38, add, sizeof add), -wrong[i].error);
    }
    assert_int_equal(set_ao(38, add, sizeof add - 1), -EINVAL);
    assert_int_equal(file.key_count, 1);
}

static void keys_of_tcp_ao_are_told_in_linuxs_layout(void **state)
{
    (void)state;
    uint8_t add[ADD_BYTES], told[2 * GET_BYTES] = {0}, info[INFO_BYTES];
    socklen_t length = INFO_BYTES;
    assert_int_equal(socket_options_get(&file, -1, IPPROTO_TCP, 40, info, &length), -ENOENT);
    for (uint8_t id = 5; id < 7; id++) {
        add_key_layout(add, id);
        assert_int_equal(set_ao(38, add, sizeof add), 0);
    }
    const uint32_t room = 2;
    memcpy(told + 272, &room, sizeof room); /* nkeys */
    told[276] = 4;                          /* get_all */
    length = GET_BYTES;
    assert_int_equal(socket_options_get(&file, -1, IPPROTO_TCP, 41, told, &length), 0);
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *record = told + i * GET_BYTES;
        assert_memory_equal(record, add, 8); /* the address */
        assert_string_equal((const char *)record + 128, "cmac(aes128)");
        assert_memory_equal(record + 192, "sixteen bytes of", 16);
        assert_int_equal(record[276], i == 0 ? 3 : 0); /* is_current, is_rnext */
        assert_int_equal(record[278], 5 + i);
        assert_int_equal(record[279], 105 + i);
        assert_int_equal(record[280], 8);
        assert_int_equal(record[281], 12);
        assert_int_equal(record[282], 2);
        assert_int_equal(record[283], 16);
    }
    assert_int_equal(told[272], 2);
    length = INFO_BYTES;
    assert_int_equal(socket_options_get(&file, -1, IPPROTO_TCP, 40, info, &length), 0);
    assert_int_equal(info[0], 3); /* current_key and rnext are told */
    assert_int_equal(info[6], 5);
    assert_int_equal(info[7], 105);
}

int main(void)
{
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        CLAIM(keys_of_fast_open_are_taken_whole_and_told_again),
        CLAIM(keys_of_signatures_are_judged_as_by_the_kernel),
        CLAIM(keys_of_tcp_ao_are_read_from_linuxs_layout),
        CLAIM(keys_of_tcp_ao_are_told_in_linuxs_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
