/* crypto_test.c - digests, with the test vectors of their standards. */
#include "stack/crypto/md5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void assert_digest(const uint8_t *digest, size_t length, const char *expected)
{
    static const char digits[] = "0123456789abcdef";
    char told[2 * 64 + 1] = {0};
    for (size_t i = 0; i < length; i++) {
        told[2 * i] = digits[digest[i] >> 4];
        told[2 * i + 1] = digits[digest[i] & 15];
    }
    assert_string_equal(told, expected);
}

static const struct {
    const char *text, *digest;
} md5_vectors[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e"},
    {"a", "0cc175b9c0f1b6a831c399e269772661"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72"},
    {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
    {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
     "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
     "57edf4a22be3c955ac49da2e2107b67a"},
};

/* RFC 1321 A.5 */
static void md5_digests_are_those_of_its_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof md5_vectors / sizeof md5_vectors[0]; i++) {
        struct md5 md5;
        uint8_t digest[MD5_BYTES];
        md5_begin(&md5);
        md5_add(&md5, md5_vectors[i].text, strlen(md5_vectors[i].text));
        md5_end(&md5, digest);
        assert_digest(digest, sizeof digest, md5_vectors[i].digest);
    }
}

/* RFC 1321 3.4: the rounds */
static void md5_does_not_depend_on_how_the_bytes_come(void **state)
{
    (void)state;
    uint8_t bytes[200], whole[MD5_BYTES], parts[MD5_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        struct md5 md5;
        md5_begin(&md5);
        md5_add(&md5, bytes, length);
        md5_end(&md5, whole);
        md5_begin(&md5);
        for (size_t i = 0; i < length; i++)
            md5_add(&md5, bytes + i, 1);
        md5_end(&md5, parts);
        assert_memory_equal(parts, whole, sizeof whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_digests_are_those_of_its_rfc),
        cmocka_unit_test(md5_does_not_depend_on_how_the_bytes_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
