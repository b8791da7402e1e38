/*
 * address_test.c - addresses to and from the form programs use, by the kernel's rules; compared
 * with a kernel socket where it can be asked.
 */
#include "preload/address.h"
#include "preload/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sockaddr_in example(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    in.sin_addr.s_addr = htonl(0xc0000207);
    return in;
}

static int read_in(const void *address, size_t length, struct daytona_endpoint *out)
{
    return address_read(address, (socklen_t)length, AF_INET, out);
}

static void ipv4_address_is_read(void **state)
{
    struct sockaddr_in in = example();
    struct daytona_endpoint endpoint;
    (void)state;
    assert_int_equal(read_in(&in, sizeof in, &endpoint), 0);
    assert_true(daytona_address_is_ipv4(&endpoint.address));
    assert_int_equal(daytona_address_to_ipv4(&endpoint.address), 0xc0000207);
    assert_int_equal(endpoint.port, 80);
}

static void ipv6_address_is_read_also_without_scope(void **state)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct daytona_endpoint endpoint;
    (void)state;
    inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr);
    assert_int_equal(address_read((struct sockaddr *)&in6, 24, AF_INET6, &endpoint), 0);
    assert_memory_equal(endpoint.address.bytes, &in6.sin6_addr, 16);
    assert_int_equal(endpoint.port, 443);
    assert_int_equal(address_read((struct sockaddr *)&in6, 23, AF_INET6, &endpoint), -EINVAL);
}

/* What connect() says to the same bytes on a kernel socket. Nothing listens on the port: an
 * address that is taken is refused by the peer. */
static int kernel_says(const void *address, size_t length)
{
    int socket_ = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(socket_, address, (socklen_t)length) == 0 ? 0 : -errno;
    close(socket_);
    return result == -ECONNREFUSED ? 0 : result;
}

static void lengths_and_families_are_judged_as_by_the_kernel(void **state)
{
    unsigned char bytes[200] = {0};
    struct sockaddr_in in = example();
    struct daytona_endpoint endpoint;
    static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNIX, 999};
    (void)state;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in.sin_port = htons(1);
    memcpy(bytes, &in, sizeof in);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        memcpy(bytes, &families[i], sizeof families[i]);
        for (size_t length = 0; length < sizeof bytes; length++)
            assert_int_equal(read_in(bytes, length, &endpoint), kernel_says(bytes, length));
    }
    assert_int_equal(read_in(bytes, (size_t)-1, &endpoint), kernel_says(bytes, (size_t)-1));
}

static void bad_pointer_is_efault_not_a_crash(void **state)
{
    unsigned char *pages =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct daytona_endpoint endpoint;
    (void)state;
    mprotect(pages + 4096, 4096, PROT_NONE);
    assert_int_equal(read_in(NULL, 16, &endpoint), -EFAULT);
    assert_int_equal(read_in((void *)-1, 16, &endpoint), -EFAULT);
    assert_int_equal(read_in(pages + 4096, 16, &endpoint), -EFAULT);
    assert_int_equal(read_in(pages + 4096 - 15, 16, &endpoint), -EFAULT);
    assert_int_equal(read_in(pages + 4096 - 16, 16, &endpoint), -EAFNOSUPPORT);
    munmap(pages, 8192);
}

static void memory_that_can_be_read_only_cannot_be_written(void **state)
{
    unsigned char *pages =
        mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    mprotect(pages + 4096, 4096, PROT_READ);
    pages[4095] = 'x';
    assert_true(memory_can_be_written(pages, 4096));
    assert_false(memory_can_be_written(pages + 4095, 2));
    assert_true(memory_can_be_used(pages, 8192, false));
    assert_false(memory_can_be_used(pages, 8192, true));
    assert_int_equal(pages[4095], 'x');
    munmap(pages, 8192);
}

static void memory_is_known_for_what_it_was_found_good_for(void **state)
{
    unsigned char *pages = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    mprotect(pages + 4096, 4096, PROT_NONE);
    assert_true(memory_can_be_used(pages + 4095, 1, false));
    assert_true(memory_is_known(pages, 4096, false));
    assert_false(memory_is_known(pages, 4097, false));
    assert_false(memory_is_known(pages, 1, true));
    assert_false(memory_can_be_used(pages + 4095, 2, false));
    munmap(pages, 8192);
}

/* So many that they are looked at in several parts, the last of them smaller. */
static void one_bad_page_among_many_is_found(void **state)
{
    const size_t count = 150, length = count * 4096;
    (void)state;
    for (size_t bad = 0; bad < count; bad++) {
        unsigned char *pages = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(pages + bad * 4096, 4096, PROT_NONE);
        assert_false(memory_can_be_used(pages, length, false));
        assert_int_equal(memory_can_be_used(pages, bad * 4096, false), true);
        assert_int_equal(
            memory_can_be_used(pages + (bad + 1) * 4096, length - (bad + 1) * 4096, false), true);
        munmap(pages, length);
    }
    unsigned char *pages = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_false(memory_is_known(pages, length, false));
    assert_true(memory_can_be_used(pages, length, false));
    assert_true(memory_is_known(pages, length, false));
    munmap(pages, length);
}

static void memory_is_judged_page_by_page(void **state)
{
    unsigned char *pages = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(memory_can_be_read(pages, 3 * 4096));
    mprotect(pages + 4096, 4096, PROT_NONE);
    assert_true(memory_can_be_read(pages, 4096));
    assert_false(memory_can_be_read(pages, 4097));
    assert_false(memory_can_be_read(pages, 3 * 4096));
    assert_true(memory_can_be_read(pages + 8192, 4096));
    assert_true(memory_can_be_read(NULL, 0));
    assert_false(memory_can_be_read(pages, SIZE_MAX));
    assert_true(memory_is_bad((void *)4095, 1));
    assert_false(memory_is_bad(pages, 4096));
    assert_true(memory_is_bad(pages, SIZE_MAX));
    munmap(pages, 3 * 4096);
}

static void address_is_cut_to_the_room_and_its_whole_length_told(void **state)
{
    struct sockaddr_in in = example();
    struct daytona_endpoint endpoint;
    (void)state;
    assert_int_equal(read_in(&in, sizeof in, &endpoint), 0);
    for (socklen_t room = 0; room < 32; room++) {
        unsigned char told[32];
        socklen_t length = room;
        memset(told, 0xa5, sizeof told);
        address_write(&endpoint, AF_INET, (struct sockaddr *)told, &length);
        assert_int_equal(length, sizeof in);
        assert_memory_equal(told, &in, room < sizeof in ? room : sizeof in);
        assert_int_equal(told[room < sizeof in ? room : sizeof in], 0xa5);
    }
}

static void ipv4_endpoint_of_an_ipv6_socket_is_told_mapped(void **state)
{
    struct daytona_endpoint endpoint = {daytona_address_from_ipv4(0x7f000001), 22};
    struct sockaddr_in6 in6;
    char text[INET6_ADDRSTRLEN];
    socklen_t length = sizeof in6;
    (void)state;
    address_write(&endpoint, AF_INET6, (struct sockaddr *)&in6, &length);
    assert_int_equal(length, sizeof in6);
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_string_equal(inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text), "::ffff:127.0.0.1");
    assert_int_equal(ntohs(in6.sin6_port), 22);
}

static void room_is_judged_before_it_is_used(void **state)
{
    struct sockaddr_in in = example();
    socklen_t length = sizeof in, negative = (socklen_t)-1, none = 0;
    struct sockaddr *address = (struct sockaddr *)&in;
    (void)state;
    assert_int_equal(address_check_room(address, &length, false), 0);
    assert_int_equal(address_check_room(address, NULL, true), -EFAULT);
    assert_int_equal(address_check_room(address, &negative, false), -EINVAL);
    assert_int_equal(address_check_room(NULL, &length, true), 0);
    assert_int_equal(address_check_room(NULL, &length, false), -EFAULT);
    assert_int_equal(address_check_room(NULL, &none, false), 0);
    assert_int_equal(address_check_room((struct sockaddr *)-1, &length, true), -EFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_address_is_read),
        cmocka_unit_test(ipv6_address_is_read_also_without_scope),
        cmocka_unit_test(lengths_and_families_are_judged_as_by_the_kernel),
        cmocka_unit_test(bad_pointer_is_efault_not_a_crash),
        cmocka_unit_test(one_bad_page_among_many_is_found),
        cmocka_unit_test(memory_is_judged_page_by_page),
        cmocka_unit_test(memory_is_known_for_what_it_was_found_good_for),
        cmocka_unit_test(memory_that_can_be_read_only_cannot_be_written),
        cmocka_unit_test(address_is_cut_to_the_room_and_its_whole_length_told),
        cmocka_unit_test(ipv4_endpoint_of_an_ipv6_socket_is_told_mapped),
        cmocka_unit_test(room_is_judged_before_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
