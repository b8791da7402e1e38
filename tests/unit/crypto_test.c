/* crypto_test.c - digests, with the test vectors of their standards. */
#include "stack/crypto/aes.h"
#include "stack/crypto/md5.h"
#include "stack/crypto/sha1.h"

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

/* FIPS 180-4, as RFC 3174 7.3 tests it */
static void sha1_digests_are_those_of_its_standard(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned times;
        const char *digest;
    } vectors[] = {
        {"abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"a", 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct sha1 sha1;
        uint8_t digest[SHA1_BYTES];
        sha1_begin(&sha1);
        for (unsigned n = 0; n < vectors[i].times; n++)
            sha1_add(&sha1, vectors[i].text, strlen(vectors[i].text));
        sha1_end(&sha1, digest);
        assert_digest(digest, sizeof digest, vectors[i].digest);
    }
}

/* RFC 2202 3, cases 2 and 6; RFC 2104 2 */
static void keyed_sha1_digests_are_those_of_their_rfc(void **state)
{
    (void)state;
    uint8_t digest[SHA1_BYTES], long_key[80];
    static const char text[] = "what do ya want for nothing?";
    static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    struct hmac_sha1 hmac;
    hmac_sha1_begin(&hmac, "Jefe", 4);
    hmac_sha1_add(&hmac, text, strlen(text));
    hmac_sha1_end(&hmac, digest);
    assert_digest(digest, sizeof digest, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    memset(long_key, 0xaa, sizeof long_key);
    hmac_sha1_begin(&hmac, long_key, sizeof long_key);
    hmac_sha1_add(&hmac, long_text, strlen(long_text));
    hmac_sha1_end(&hmac, digest);
    assert_digest(digest, sizeof digest, "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

/* FIPS 197 appendix C.1 */
static void aes_enciphers_as_in_its_standard(void **state)
{
    (void)state;
    uint8_t key[AES_BYTES], block[AES_BYTES];
    for (uint8_t i = 0; i < AES_BYTES; i++) {
        key[i] = i;
        block[i] = (uint8_t)(i * 0x11);
    }
    struct aes aes;
    aes_begin(&aes, key);
    aes_encipher(&aes, block);
    assert_digest(block, sizeof block, "69c4e0d86a7b0430d8cdb78070b4c55a");
}

/* RFC 4493 2.3, 2.4, 4 */
static void cmacs_are_those_of_their_rfc(void **state)
{
    (void)state;
    static const uint8_t key[AES_BYTES] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                           0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
    static const uint8_t text[40] = {0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d,
                                     0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57,
                                     0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf,
                                     0x8e, 0x51, 0x30, 0xc8, 0x1c, 0x46, 0xa3, 0x5c, 0xe4, 0x11};
    static const struct {
        size_t length;
        const char *mac;
    } vectors[] = {
        {0, "bb1d6929e95937287fa37d129b756746"},
        {16, "070a16b46b4d4144f79bdd9dd04a287c"},
        {40, "dfa66747de9ae63030ca32611497c827"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct cmac cmac;
        uint8_t mac[AES_BYTES];
        cmac_begin(&cmac, key);
        cmac_add(&cmac, text, vectors[i].length);
        cmac_end(&cmac, mac);
        assert_digest(mac, sizeof mac, vectors[i].mac);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md5_digests_are_those_of_its_rfc),
        cmocka_unit_test(md5_does_not_depend_on_how_the_bytes_come),
        cmocka_unit_test(sha1_digests_are_those_of_its_standard),
        cmocka_unit_test(keyed_sha1_digests_are_those_of_their_rfc),
        cmocka_unit_test(aes_enciphers_as_in_its_standard),
        cmocka_unit_test(cmacs_are_those_of_their_rfc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
