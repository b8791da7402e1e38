/*
 * ledger_test.c - which connections are in the ledger while they live: a stack that talks to
 * itself.
 */
#include "preload/engine.h"
#include "preload/ledger.h"
#include "preload/ledger_row.h"
#include "preload/real.h"
#include "preload/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define REGION_BYTES ((size_t)16 << 20)
#define SERVER_PORT  80
#define HOME         0x7f000001u

static char directory[64];
static uint8_t *region;
static struct daytona_socket_id listener;

/* ------------------------------------------------------------------ a stack with a ledger */

static void make_stack(const struct daytona_observer *other)
{
    const struct daytona_stack_config config = {.secret = "a secret of 16"};
    region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(region != MAP_FAILED);
    assert_int_equal(daytona_stack_init((struct daytona_room){region, REGION_BYTES}, &config,
                                        ledger_observer(other), &engine.stack),
                     0);
}

static int begin(void **state)
{
    (void)state;
    real_resolve();
    strcpy(directory, "/tmp/daytona-ledger-test.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    strcpy(settings.ledger_directory, directory);
    engine.pid = getpid();
    engine.nonce++;
    ledger_begin();
    return 0;
}

static int end(void **state)
{
    char path[512];
    (void)state;
    if (region != NULL)
        munmap(region, REGION_BYTES);
    region = NULL;
    engine.stack = NULL;
    DIR *listing = opendir(directory);
    for (const struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    if (listing != NULL)
        closedir(listing);
    rmdir(directory);
    return 0;
}

/* Everything that is due is sent, and what is sent arrives. */
static void run_stack(void)
{
    struct daytona_packet_out out;
    struct daytona_ready ready;
    static uint8_t bytes[65536];
    while (daytona_stack_output(engine.stack, engine_now(), &out)) {
        size_t length = out.header_length;
        memcpy(bytes, out.header, length);
        for (size_t i = 0; i < out.span_count; i++) {
            memcpy(bytes + length, out.spans[i].data, out.spans[i].length);
            length += out.spans[i].length;
        }
        const struct daytona_packet_in in = {{bytes, length}, length};
        daytona_stack_input(engine.stack, engine_now(), &in);
    }
    ledger_update();
    while (daytona_stack_take_ready(engine.stack, &ready))
        ;
}

static void listen_here(void)
{
    const struct daytona_endpoint local = {daytona_address_from_ipv4(HOME), SERVER_PORT};
    assert_int_equal(daytona_stack_open(engine.stack, &listener), 0);
    assert_int_equal(daytona_stack_bind(engine.stack, listener, &local), 0);
    assert_int_equal(daytona_stack_listen(engine.stack, listener, 100), 0);
}

static struct daytona_socket_id connect_from(uint16_t port)
{
    struct daytona_socket_id id;
    const struct daytona_endpoint local = {daytona_address_from_ipv4(HOME), port};
    const struct daytona_endpoint remote = {daytona_address_from_ipv4(HOME), SERVER_PORT};
    assert_int_equal(daytona_stack_open(engine.stack, &id), 0);
    assert_int_equal(daytona_stack_bind(engine.stack, id, &local), 0);
    assert_int_equal(daytona_stack_connect(engine.stack, engine_now(), id, &local.address, &remote),
                     -EINPROGRESS);
    return id;
}

static struct daytona_socket_id accept_one(void)
{
    struct daytona_socket_id id;
    assert_int_equal(daytona_stack_accept(engine.stack, listener, &id), 0);
    return id;
}

static void close_one(struct daytona_socket_id id)
{
    assert_int_equal(daytona_stack_close(engine.stack, engine_now(), id), 0);
    run_stack();
}

/* ------------------------------------------------------------------ what a reader finds */

static int open_ledger(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%d.%llx", directory, (int)getpid(),
             (unsigned long long)engine.nonce);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* How many rows there are, and how many from a local to a remote port. */
static size_t count_rows(uint16_t local_port, uint16_t remote_port, size_t *matching)
{
    static struct ledger_row rows[8192];
    size_t count = 0;
    *matching = 0;
    int file = open_ledger();
    assert_true(file >= 0);
    assert_int_equal(pread(file, rows, sizeof rows, 0), sizeof rows);
    close(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ledger_connection connection = ledger_row_decode(rows[i]);
        if (rows[i].rest == 0)
            continue;
        count++;
        assert_int_equal(connection.local, HOME);
        assert_int_equal(connection.remote, HOME);
        *matching += connection.local_port == local_port && connection.remote_port == remote_port;
    }
    return count;
}

static void expect_rows(size_t wanted)
{
    size_t ignored;
    assert_int_equal(count_rows(0, 0, &ignored), wanted);
}

/* ------------------------------------------------------------------ claims */

static void both_ends_are_recorded_before_anybody_accepts(void **state)
{
    size_t matching;
    (void)state;
    make_stack(NULL);
    listen_here();
    connect_from(5000);
    expect_rows(0);
    run_stack();
    assert_int_equal(count_rows(5000, SERVER_PORT, &matching), 2);
    assert_int_equal(matching, 1);
    count_rows(SERVER_PORT, 5000, &matching);
    assert_int_equal(matching, 1);
}

static void half_closed_connection_stays_in_the_ledger(void **state)
{
    (void)state;
    make_stack(NULL);
    listen_here();
    struct daytona_socket_id client = connect_from(5000);
    run_stack();
    daytona_stack_shutdown(engine.stack, engine_now(), client, DAYTONA_SHUTDOWN_WRITE);
    run_stack();
    expect_rows(2); /* FIN-WAIT-2 and CLOSE-WAIT */
}

static void row_is_cleared_when_both_sides_have_closed(void **state)
{
    (void)state;
    make_stack(NULL);
    listen_here();
    struct daytona_socket_id client = connect_from(5000);
    run_stack();
    struct daytona_socket_id server = accept_one();
    close_one(client);
    close_one(server);
    expect_rows(0); /* also of the client's TIME-WAIT */
}

static void reset_clears_both_rows(void **state)
{
    (void)state;
    make_stack(NULL);
    listen_here();
    struct daytona_socket_id client = connect_from(5000);
    run_stack();
    daytona_stack_abort(engine.stack, engine_now(), client);
    run_stack();
    expect_rows(0);
}

static void refused_connection_is_never_recorded(void **state)
{
    (void)state;
    make_stack(NULL);
    connect_from(5000);
    run_stack();
    expect_rows(0);
}

static void places_are_used_again(void **state)
{
    (void)state;
    make_stack(NULL);
    listen_here();
    for (uint16_t port = 5000; port < 5050; port++) {
        struct daytona_socket_id client = connect_from(port);
        run_stack();
        expect_rows(2);
        struct daytona_socket_id server = accept_one();
        daytona_stack_abort(engine.stack, engine_now(), server);
        close_one(client);
        expect_rows(0);
    }
}

static void ledger_grows_with_the_connections(void **state)
{
    const uint16_t count = 3000; /* two rows each: more than there is room for at first */
    (void)state;
    make_stack(NULL);
    listen_here();
    for (uint16_t i = 0; i < count; i++) {
        connect_from((uint16_t)(5000 + i));
        run_stack();
        accept_one();
    }
    expect_rows((size_t)2 * count);
}

static size_t states_seen;
static void see_state(void *context, const struct daytona_event *event)
{
    assert_ptr_equal(context, &states_seen);
    assert_int_equal(event->type, DAYTONA_EVENT_STATE);
    states_seen++;
}

static void another_observer_sees_what_it_wants(void **state)
{
    const struct daytona_observer other = {
        .context = &states_seen, .event = see_state, .mask = 1u << DAYTONA_EVENT_STATE};
    (void)state;
    states_seen = 0;
    make_stack(&other);
    listen_here();
    connect_from(5000);
    run_stack();
    assert_int_equal(states_seen, 5); /* LISTEN, SYN-SENT, SYN-RECEIVED, twice ESTABLISHED */
    expect_rows(2);
}

static void without_a_directory_there_is_no_observer(void **state)
{
    const struct daytona_observer other = {.event = see_state};
    (void)state;
    settings.ledger_directory[0] = '\0';
    ledger_begin();
    assert_null(ledger_observer(NULL));
    assert_ptr_equal(ledger_observer(&other), &other);
    strcpy(settings.ledger_directory, "/dev/null/nowhere");
    ledger_begin();
    assert_null(ledger_observer(NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(both_ends_are_recorded_before_anybody_accepts),
        TEST(half_closed_connection_stays_in_the_ledger),
        TEST(row_is_cleared_when_both_sides_have_closed),
        TEST(reset_clears_both_rows),
        TEST(refused_connection_is_never_recorded),
        TEST(places_are_used_again),
        TEST(ledger_grows_with_the_connections),
        TEST(another_observer_sees_what_it_wants),
        TEST(without_a_directory_there_is_no_observer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
