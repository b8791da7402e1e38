/*
 * A live capture while it runs: changes of its ports, a ring that is full, a kernel TCP that
 * sends, interfaces that go, and what is said when it cannot be opened. Needs root.
 */
#include "tests/unit/laboratory.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ changes */

static void ports_can_change_at_any_time(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    const struct daytona_port_span wide[] = {{LABORATORY_PORT + 1, LABORATORY_PORT + 5},
                                             {LABORATORY_PORT, LABORATORY_PORT}},
                                   wrong = {2, 1};
    struct packet_ends other = from_there;
    other.destination_port = LABORATORY_PORT + 3;
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, other, 1);
    assert_int_equal(daytona_capture_set_ports(laboratory->capture, wide, 2), 0);
    send_number(laboratory->there, other, 2);
    expect_number(laboratory, 2);
    assert_int_equal(daytona_capture_set_ports(laboratory->capture, &wrong, 1), -EINVAL);
    send_number(laboratory->there, other, 3);
    expect_number(laboratory, 3);
    assert_int_equal(daytona_capture_set_ports(laboratory->capture, NULL, 0), 0);
    send_number(laboratory->there, other, 4);
    assert_int_equal(daytona_capture_set_ports(laboratory->capture, &wide[1], 1), 0);
    send_number(laboratory->there, other, 5);
    expect_nothing_more(laboratory);
}

static void no_packet_is_lost_while_ports_change(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    const struct daytona_port_span spans[] = {{LABORATORY_PORT, LABORATORY_PORT}, {2000, 2000}};
    laboratory_capture_all(laboratory);

    pid_t changer = fork(); /* works on the same socket */
    if (changer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when this test fails and ends */
        for (size_t round = 0;; round++)
            daytona_capture_set_ports(laboratory->capture, spans, 1 + round % 2);
    }
    for (uint32_t number = 0; number < 20000; number++) {
        send_number(laboratory->there, from_there, number);
        expect_number(laboratory, number);
    }
    kill(changer, SIGKILL);
    assert_int_equal(waitpid(changer, NULL, 0), changer);
}

static void packet_is_valid_until_the_next_call(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    laboratory_capture_all(laboratory);
    send_number(laboratory->there, from_there, 1);
    struct daytona_captured first = expect_number(laboratory, 1);
    /* Enough to go round the ring and fill it. */
    for (uint32_t number = 2; number < 1000; number++)
        send_number(laboratory->there, from_there, number);
    assert_int_equal(packet_number(first.ip), 1);
    assert_true(laboratory_counters(laboratory).dropped_by_ring > 0);
}

static void drops_of_a_full_ring_are_counted(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    laboratory_capture_all(laboratory);
    for (uint32_t number = 0; number < 1000; number++)
        send_number(laboratory->there, from_there, number);
    struct daytona_captured captured;
    uint32_t number = 0;
    while (daytona_capture_next(laboratory->capture, &captured) == 1)
        assert_int_equal(packet_number(captured.ip), number++); /* the oldest are kept */
    struct daytona_capture_counters counters = laboratory_counters(laboratory);
    assert_in_range(number, 60, 999);
    assert_int_equal(counters.packets, number);
    assert_int_equal(counters.bytes, number * PACKET_HEADERS);
    assert_int_equal(counters.dropped_by_ring, 1000 - number);
}

struct drained {
    uint32_t next;
};

static void note_number(void *context, const struct daytona_captured *packet)
{
    struct drained *drained = context;
    assert_int_equal(packet_number(packet->ip), drained->next++);
}

static void drain_hands_over_all_there_are(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct drained drained = {0};
    laboratory_capture_all(laboratory);
    for (uint32_t number = 0; number < 40; number++)
        send_number(laboratory->here, to_self, number);
    assert_int_equal(daytona_capture_drain(laboratory->capture, 30, note_number, &drained), 30);
    assert_int_equal(daytona_capture_drain(laboratory->capture, 30, note_number, &drained), 10);
    assert_int_equal(daytona_capture_drain(laboratory->capture, 30, note_number, &drained), 0);
    assert_int_equal(drained.next, 40);
}

/* ------------------------------------------------------------------ descriptors */

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void set_descriptor_limit(const struct rlimit *original, rlim_t descriptors)
{
    const struct rlimit limit = {.rlim_cur = descriptors, .rlim_max = original->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* As sandboxes do; poll(2), which libpcap calls when there is no packet, then fails. */
static void limit_of_no_descriptors_is_no_error(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct daytona_captured packet;
    struct rlimit limit;
    laboratory_capture_all(laboratory);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    set_descriptor_limit(&limit, 0);
    int got = daytona_capture_next(laboratory->capture, &packet);
    set_descriptor_limit(&limit, limit.rlim_cur);
    assert_int_equal(got, 0);
    send_number(laboratory->there, from_there, 1);
    expect_number(laboratory, 1);
}

static void running_opens_no_descriptor_and_closing_leaves_none(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    const struct daytona_port_span ports = {LABORATORY_PORT, LABORATORY_PORT + 9};
    size_t before = open_descriptors();
    laboratory_capture_all(laboratory);
    int descriptors[8];
    size_t own = daytona_capture_descriptors(laboratory->capture, descriptors, 8);
    assert_int_equal(open_descriptors(), before + own);
    for (size_t i = 0; i < own; i++)
        assert_int_equal(fcntl(descriptors[i], F_GETFD), FD_CLOEXEC);
    assert_int_equal(descriptors[0], daytona_capture_descriptor(laboratory->capture));

    /* With no more to be had, everything goes on. */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    set_descriptor_limit(&limit, 3);
    assert_int_equal(dup(0), -1);
    for (uint32_t number = 0; number < 100; number++) {
        assert_int_equal(daytona_capture_set_ports(laboratory->capture, &ports, 1), 0);
        send_number(laboratory->there, from_there, number);
        expect_number(laboratory, number);
        laboratory_counters(laboratory);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    laboratory_close_capture(laboratory);
    assert_int_equal(open_descriptors(), before);
}

/* ------------------------------------------------------------------ the kernel as the sender */

/* A kernel connection from there to LABORATORY_PORT here: the end there. */
static int kernel_connection(struct laboratory *laboratory)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(LABORATORY_PORT),
                                  .sin_addr.s_addr = htonl(NETWORK_HERE)};
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    network_enter(laboratory->network.there);
    int sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    network_enter(laboratory->network.here);
    assert_int_equal(connect(sender, (struct sockaddr *)&address, sizeof address), 0);
    int receiver = accept(listener, NULL, NULL);
    assert_true(receiver >= 0);
    close(listener);

    pid_t reader = fork(); /* until the sender closes */
    if (reader == 0) {
        static char bytes[65536];
        close(sender);
        while (read(receiver, bytes, sizeof bytes) > 0)
            ;
        _exit(0);
    }
    close(receiver);
    return sender;
}

enum sum { SUM_COMPLETE, SUM_PARTIAL, SUM_WRONG };

/* What the checksum field of a whole TCP packet holds. */
static enum sum judge_sum(struct daytona_span ip)
{
    struct daytona_span addresses = {ip.data + 12, 8};
    struct daytona_span segment = {ip.data + 20, ip.length - 20};
    uint16_t pseudo = packet_sum(addresses, 6u + (uint32_t)segment.length);
    if (packet_sum(segment, pseudo) == 0xffff)
        return SUM_COMPLETE;
    uint16_t field = (uint16_t)(segment.data[16] << 8 | segment.data[17]);
    return field == pseudo ? SUM_PARTIAL : SUM_WRONG;
}

struct observed {
    size_t largest, bytes;
    size_t sums[3];
};

static void observe(void *context, const struct daytona_captured *packet)
{
    struct observed *observed = context;
    assert_int_equal(packet->ip.length, packet->wire_length);
    observed->sums[judge_sum(packet->ip)]++;
    observed->bytes += packet->ip.length;
    if (packet->ip.length > observed->largest)
        observed->largest = packet->ip.length;
}

/* Captures some megabytes of a transfer: more is sent until enough has been seen, so that it
 * does not matter how much the ring has to drop. */
static struct observed observe_transfer(struct laboratory *laboratory)
{
    static const char bytes[1 << 20];
    struct observed observed = {0};
    laboratory_capture_all(laboratory);
    int sender = kernel_connection(laboratory);
    while (observed.bytes < 4u << 20) {
        struct pollfd pollers[] = {
            {.fd = daytona_capture_descriptor(laboratory->capture), .events = POLLIN},
            {.fd = sender, .events = POLLOUT}};
        assert_in_range(poll(pollers, 2, 5000), 1, 2);
        ssize_t sent = send(sender, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(sent > 0 || errno == EAGAIN);
        while (daytona_capture_drain(laboratory->capture, 64, observe, &observed) > 0)
            ;
    }
    close(sender);
    assert_true(waitpid(-1, NULL, 0) > 0); /* the reader */
    return observed;
}

static void super_frames_appear_whole_with_partial_checksums(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct observed observed = observe_transfer(laboratory);
    assert_in_range(observed.largest, 60000, 65535);
    assert_int_equal(observed.sums[SUM_WRONG], 0);
    assert_true(observed.sums[SUM_PARTIAL] > observed.sums[SUM_COMPLETE]);
}

static void without_offload_packets_are_of_the_wires_size(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    network_run("ethtool -K here0 gro off");
    network_enter(laboratory->network.there);
    network_run("ethtool -K there0 tso off gso off tx off");
    network_enter(laboratory->network.here);
    struct observed observed = observe_transfer(laboratory);
    assert_in_range(observed.largest, 1400, 1500);
    assert_int_equal(observed.sums[SUM_WRONG], 0);
    assert_int_equal(observed.sums[SUM_PARTIAL], 0);
}

/* ------------------------------------------------------------------ what goes wrong */

static int refuse_open(const char *interface, char *message, size_t message_size)
{
    const struct daytona_capture_config config = {.interfaces = &interface,
                                                  .interface_count = interface != NULL};
    struct daytona_capture *capture = NULL;
    int error = daytona_capture_open(&config, &capture, message, message_size);
    assert_null(capture);
    return error;
}

static void missing_interface_is_named_with_those_that_exist(void **state)
{
    (void)laboratory_of(state);
    char message[256] = "";
    assert_int_equal(refuse_open("eth77", message, sizeof message), -ENOENT);
    assert_non_null(strstr(message, "eth77"));
    assert_non_null(strstr(message, "lo"));
    assert_non_null(strstr(message, "here0"));
    assert_int_equal(refuse_open("a-name-longer-than-any-interface", message, sizeof message),
                     -ENOENT);
}

static void interface_that_is_down_is_named(void **state)
{
    (void)laboratory_of(state);
    char message[256] = "";
    network_run("ip link set here0 down");
    assert_int_equal(refuse_open("here0", message, sizeof message), -ENETDOWN);
    assert_non_null(strstr(message, "ip link set here0 up"));
}

static void bad_range_of_ports_is_refused(void **state)
{
    (void)laboratory_of(state);
    const struct daytona_port_span wrong = {81, 80};
    const struct daytona_capture_config config = {.ports = &wrong, .port_count = 1};
    struct daytona_capture *capture = NULL;
    char message[256] = "";
    assert_int_equal(daytona_capture_open(&config, &capture, message, sizeof message), -EINVAL);
    assert_true(message[0] != '\0');
}

/* Runs `check` in a process of its own and expects true. */
static void expect_in_child(bool (*check)(void))
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(check() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static bool refused_without_privilege(void)
{
    char message[256] = "";
    return setresuid(65534, 65534, 65534) == 0 &&
           refuse_open(NULL, message, sizeof message) == -EPERM &&
           strstr(message, "CAP_NET_RAW") != NULL;
}

static void without_the_privilege_the_message_names_it(void **state)
{
    (void)laboratory_of(state);
    expect_in_child(refused_without_privilege);
}

static int wait_for_news(struct laboratory *laboratory)
{
    struct pollfd poller = {.fd = daytona_capture_descriptor(laboratory->capture),
                            .events = POLLIN};
    struct daytona_captured packet;
    assert_int_equal(poll(&poller, 1, 5000), 1);
    return daytona_capture_next(laboratory->capture, &packet);
}

static void interface_that_goes_down_is_told_once_and_comes_back(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct daytona_captured packet;
    laboratory_capture_one(laboratory, "here0");
    for (uint32_t round = 0; round < 3; round++) {
        network_run("ip link set here0 down");
        assert_int_equal(wait_for_news(laboratory), -ENETDOWN);
        for (int i = 0; i < 3; i++)
            assert_int_equal(daytona_capture_next(laboratory->capture, &packet), 0);
        network_run("ip link set here0 up");
        send_number(laboratory->there, from_there, round);
        expect_number(laboratory, round);
    }
}

static void interface_that_is_removed_is_told(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    struct daytona_captured packet;
    laboratory_capture_one(laboratory, "here0");
    network_run("ip link del here0");
    int news = wait_for_news(laboratory);
    assert_true(news == -ENODEV || news == -ENETDOWN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(daytona_capture_next(laboratory->capture, &packet), -ENODEV);
}

static void other_interfaces_go_on_when_one_is_removed(void **state)
{
    struct laboratory *laboratory = laboratory_of(state);
    static const char *const names[] = {"here0", "lo"};
    struct daytona_captured packet;
    laboratory_capture(laboratory, names, 2);
    network_run("ip link del here0");
    int news = wait_for_news(laboratory);
    assert_true(news == -ENODEV || news == -ENETDOWN);
    while (daytona_capture_next(laboratory->capture, &packet) < 0)
        ;
    for (uint32_t number = 0; number < 3; number++) {
        send_number(laboratory->here, to_self, number);
        expect_number(laboratory, number);
    }
    struct pollfd poller = {.fd = daytona_capture_descriptor(laboratory->capture),
                            .events = POLLIN};
    assert_int_equal(daytona_capture_next(laboratory->capture, &packet), 0);
    assert_int_equal(poll(&poller, 1, 0), 0); /* the dead one does not keep the descriptor ready */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LABORATORY(ports_can_change_at_any_time),
        IN_LABORATORY(no_packet_is_lost_while_ports_change),
        IN_LABORATORY(packet_is_valid_until_the_next_call),
        IN_LABORATORY(drops_of_a_full_ring_are_counted),
        IN_LABORATORY(drain_hands_over_all_there_are),
        IN_LABORATORY(limit_of_no_descriptors_is_no_error),
        IN_LABORATORY(running_opens_no_descriptor_and_closing_leaves_none),
        IN_LABORATORY(super_frames_appear_whole_with_partial_checksums),
        IN_LABORATORY(without_offload_packets_are_of_the_wires_size),
        IN_LABORATORY(missing_interface_is_named_with_those_that_exist),
        IN_LABORATORY(interface_that_is_down_is_named),
        IN_LABORATORY(bad_range_of_ports_is_refused),
        IN_LABORATORY(without_the_privilege_the_message_names_it),
        IN_LABORATORY(interface_that_goes_down_is_told_once_and_comes_back),
        IN_LABORATORY(interface_that_is_removed_is_told),
        IN_LABORATORY(other_interfaces_go_on_when_one_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
