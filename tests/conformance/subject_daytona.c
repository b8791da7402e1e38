/* Daytona's stack as a subject, through its public header alone; time jumps. */
#include "preload/socket_option_table.h"
#include "tests/conformance/subject.h"
#include <daytona/stack.h>

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CHOSEN_COUNT 2u
#define REGION_BYTES ((size_t)64 << 20)
#define SOCKETS_MAX  64
#define IDLE_MAX     10000 /* outputs in a row that bring no packet and no later deadline */

/* Packets that were due when a call returned and wait to be taken. */
#define WAITING_MAX 4096

struct waiting {
    uint8_t *bytes; /* owned */
    size_t length;
    uint64_t at_us;
};

struct laboratory {
    struct daytona_stack *stack;
    struct waiting waiting[WAITING_MAX];
    size_t first_waiting, end_waiting;
    struct daytona_instant now;
    struct daytona_socket_id sockets[SOCKETS_MAX];
    int count;
    enum daytona_verdict verdict; /* on the last packet */
    uint32_t mtu;
    int64_t chosen[CHOSEN_COUNT];
    struct daytona_stack_config config; /* it keeps the names that the settings give */
};

static void tell_path(void *context, const struct daytona_address *local,
                      const struct daytona_address *remote, struct daytona_path *out)
{
    (void)local;
    (void)remote;
    out->mtu = ((struct laboratory *)context)->mtu;
}

static uint64_t now_us(void *context)
{
    return ((struct laboratory *)context)->now.ns / 1000;
}

static size_t flatten(const struct daytona_packet_out *packet, uint8_t out[WIRE_PACKET_MAX])
{
    size_t length = packet->header_length;
    memcpy(out, packet->header, length);
    for (size_t i = 0; i < packet->span_count; i++) {
        memcpy(out + length, packet->spans[i].data, packet->spans[i].length);
        length += packet->spans[i].length;
    }
    return length;
}

/* As a driver must after each call: takes what is due at once. */
static void pump(struct laboratory *laboratory)
{
    struct daytona_packet_out packet;
    while (daytona_stack_output(laboratory->stack, laboratory->now, &packet)) {
        assert(laboratory->end_waiting < WAITING_MAX);
        struct waiting *waiting = &laboratory->waiting[laboratory->end_waiting++];
        waiting->bytes = malloc(WIRE_PACKET_MAX);
        assert(waiting->bytes != NULL);
        waiting->length = flatten(&packet, waiting->bytes);
        waiting->at_us = now_us(laboratory);
    }
}

static void inject(void *context, const uint8_t *packet, size_t length)
{
    struct laboratory *laboratory = context;
    struct daytona_packet_in in = {{packet, length}, length};
    laboratory->verdict = daytona_stack_input(laboratory->stack, laboratory->now, &in);
    pump(laboratory);
}

static const char *verdict(void *context)
{
    return daytona_verdict_name(((struct laboratory *)context)->verdict);
}

static size_t take_waiting(struct laboratory *laboratory, uint8_t out[WIRE_PACKET_MAX],
                           uint64_t *at_us)
{
    if (laboratory->first_waiting == laboratory->end_waiting)
        return 0;
    struct waiting *waiting = &laboratory->waiting[laboratory->first_waiting++];
    if (laboratory->first_waiting == laboratory->end_waiting)
        laboratory->first_waiting = laboratory->end_waiting = 0;
    memcpy(out, waiting->bytes, waiting->length);
    free(waiting->bytes);
    *at_us = waiting->at_us;
    return waiting->length;
}

static size_t take(void *context, uint64_t until_us, uint8_t out[WIRE_PACKET_MAX], uint64_t *at_us)
{
    struct laboratory *laboratory = context;
    struct daytona_instant until = {until_us * 1000};
    for (int idle = 0; idle < IDLE_MAX; idle++) {
        pump(laboratory);
        size_t length = take_waiting(laboratory, out, at_us);
        if (length > 0)
            return length;
        struct daytona_instant deadline = daytona_stack_deadline(laboratory->stack);
        bool over = daytona_instant_before(until, deadline);
        struct daytona_instant next = over ? until : deadline;
        if (daytona_instant_before(laboratory->now, next))
            laboratory->now = next;
        *at_us = now_us(laboratory);
        if (over)
            return 0;
    }
    printf("the stack spins: its deadline passes and nothing happens\n");
    abort();
}

static int keep(struct laboratory *laboratory, int result, struct daytona_socket_id id)
{
    if (result < 0)
        return result;
    if (laboratory->count == SOCKETS_MAX)
        return -ENFILE;
    laboratory->sockets[laboratory->count] = id;
    return laboratory->count++;
}

static int set_linger(struct laboratory *laboratory, struct daytona_socket_id id, int seconds)
{
    return daytona_stack_set_option(laboratory->stack, laboratory->now, id,
                                    DAYTONA_OPTION_LINGER_US,
                                    seconds < 0 ? -1 : (int64_t)seconds * 1000000);
}

/* What the table of the preloaded library does not hand on to the stack. */
static bool straight_option(const struct call *call, enum daytona_option *out)
{
    static const struct {
        int name;
        enum daytona_option option;
    } rows[] = {
        {TCP_FASTOPEN, DAYTONA_OPTION_FASTOPEN_QUEUE},
        {TCP_FASTOPEN_CONNECT, DAYTONA_OPTION_FASTOPEN_CONNECT},
        {TCP_FASTOPEN_NO_COOKIE, DAYTONA_OPTION_FASTOPEN_NO_COOKIE},
    };
    for (size_t i = 0; call->level == IPPROTO_TCP && i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].name == call->name) {
            *out = rows[i].option;
            return true;
        }
    }
    return false;
}

static int set_option(struct laboratory *laboratory, struct daytona_socket_id id,
                      const struct call *call)
{
    const struct socket_option_row *row = socket_option_find(call->level, call->name);
    enum daytona_option straight;
    if (straight_option(call, &straight))
        return daytona_stack_set_option(laboratory->stack, laboratory->now, id, straight,
                                        call->value);
    if (row == NULL)
        return -ENOPROTOOPT;
    if (row->shape == SHAPE_LINGER)
        return set_linger(laboratory, id, call->value);
    if (row->shape == SHAPE_FIXED)
        return call->value == row->value ? 0 : -ENOPROTOOPT;
    if (!socket_option_is_number(row))
        return -ENOPROTOOPT;
    int64_t value;
    int error = socket_option_to_stack(row, call->value, &value);
    if (error < 0)
        return error;
    return daytona_stack_set_option(laboratory->stack, laboratory->now, id, row->option, value);
}

static int get_option(struct laboratory *laboratory, struct daytona_socket_id id, struct call *call)
{
    const struct socket_option_row *row = socket_option_find(call->level, call->name);
    struct daytona_connection_info info;
    if (row == NULL)
        return -ENOPROTOOPT;
    if (row->shape == SHAPE_SEGMENT || row->shape == SHAPE_PATH_MTU) {
        int error = daytona_stack_info(laboratory->stack, laboratory->now, id, &info);
        call->value = (int)(row->shape == SHAPE_SEGMENT ? info.send_mss : info.path_mtu);
        return error;
    }
    if (!socket_option_is_number(row))
        return -ENOPROTOOPT;
    int64_t value;
    int error = daytona_stack_get_option(laboratory->stack, id, row->option, &value);
    if (error == 0)
        call->value = socket_option_from_stack(row, value);
    return error;
}

static int queued(struct laboratory *laboratory, struct daytona_socket_id id, struct call *call)
{
    struct daytona_connection_info info;
    int error = daytona_stack_info(laboratory->stack, laboratory->now, id, &info);
    if (error < 0)
        return error;
    if (call->name == SIOCATMARK) {
        int64_t at;
        error = daytona_stack_get_option(laboratory->stack, id, DAYTONA_OPTION_AT_MARK, &at);
        call->value = (int)at;
        return error;
    }
    call->value = (int)(call->name == SIOCINQ    ? info.receive_queued
                        : call->name == SIOCOUTQ ? info.send_queued
                                                 : info.not_sent);
    return 0;
}

static uint32_t in_segments(uint32_t bytes, uint32_t mss)
{
    return bytes == UINT32_MAX || mss == 0 ? bytes : bytes / mss;
}

static int info(struct laboratory *laboratory, struct daytona_socket_id id, struct call *call)
{
    struct daytona_connection_info from;
    int error = daytona_stack_info(laboratory->stack, laboratory->now, id, &from);
    call->info = (struct subject_info){
        .state = (int)from.state,
        .cwnd = in_segments(from.cwnd_bytes, from.send_mss),
        .ssthresh = in_segments(from.ssthresh_bytes, from.send_mss),
        .mss = from.send_mss,
        .backoff = from.backoff,
        .probes = from.probes,
        .rto_ms = from.rto_us / 1000,
    };
    return error;
}

static int ready(struct laboratory *laboratory, struct daytona_socket_id id)
{
    static const unsigned pairs[][2] = {
        {DAYTONA_READY_IN, SUBJECT_READY_IN},       {DAYTONA_READY_OUT, SUBJECT_READY_OUT},
        {DAYTONA_READY_RDHUP, SUBJECT_READY_RDHUP}, {DAYTONA_READY_HUP, SUBJECT_READY_HUP},
        {DAYTONA_READY_ERROR, SUBJECT_READY_ERROR}, {DAYTONA_READY_URGENT, SUBJECT_READY_URGENT},
    };
    unsigned now = daytona_stack_readiness(laboratory->stack, id), all = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        all |= (now & pairs[i][0]) != 0 ? pairs[i][1] : 0;
    return (int)all;
}

static int transfer(struct laboratory *laboratory, struct daytona_socket_id id, struct call *call)
{
    if (call->type == CALL_SEND) {
        struct daytona_span span = {call->bytes, call->length};
        unsigned flags = ((call->flags & MSG_OOB) != 0 ? DAYTONA_SEND_URGENT : 0u) |
                         ((call->flags & MSG_MORE) != 0 ? DAYTONA_SEND_MORE : 0u);
        return (int)daytona_stack_send(laboratory->stack, laboratory->now, id, &span, 1, flags);
    }
    struct daytona_room room = {call->bytes, call->length};
    unsigned flags = ((call->flags & MSG_OOB) != 0 ? DAYTONA_RECEIVE_URGENT : 0u) |
                     ((call->flags & MSG_PEEK) != 0 ? DAYTONA_RECEIVE_PEEK : 0u) |
                     ((call->flags & MSG_TRUNC) != 0 ? DAYTONA_RECEIVE_DISCARD : 0u);
    return (int)daytona_stack_receive(laboratory->stack, laboratory->now, id, &room, 1, flags);
}

static int connect_peer(struct laboratory *laboratory, struct daytona_socket_id id, int port)
{
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), (uint16_t)port};
    return daytona_stack_connect(laboratory->stack, laboratory->now, id, NULL, &remote);
}

static int bind_port(struct laboratory *laboratory, struct daytona_socket_id id, int port)
{
    struct daytona_endpoint local = {daytona_address_from_ipv4(HOST_ADDRESS), (uint16_t)port};
    return daytona_stack_bind(laboratory->stack, id, &local);
}

static int shut(struct laboratory *laboratory, struct daytona_socket_id id, int how)
{
    static const enum daytona_shutdown hows[] = {
        [SHUT_RD] = DAYTONA_SHUTDOWN_READ,
        [SHUT_WR] = DAYTONA_SHUTDOWN_WRITE,
        [SHUT_RDWR] = DAYTONA_SHUTDOWN_BOTH,
    };
    return daytona_stack_shutdown(laboratory->stack, laboratory->now, id, hows[how]);
}

/* What a script sets for the whole machine, as Linux does, and Daytona for each socket. */
static const struct {
    enum setting setting;
    enum daytona_option option;
} chosen[] = {
    {SETTING_OVERFLOW, DAYTONA_OPTION_ABORT_ON_OVERFLOW},
    {SETTING_COLLAPSE, DAYTONA_OPTION_COLLAPSE},
};
_Static_assert(sizeof chosen / sizeof chosen[0] == CHOSEN_COUNT, "each has its place");

static int dispatch(struct laboratory *laboratory, struct call *call)
{
    struct daytona_stack *stack = laboratory->stack;
    struct daytona_instant now = laboratory->now;
    struct daytona_socket_id made = {0, 0}, id = {0, 0};
    if (call->type != CALL_OPEN)
        id = laboratory->sockets[call->socket];
    int result;
    switch (call->type) {
    case CALL_OPEN:
        result = daytona_stack_open(stack, &made);
        for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
            daytona_stack_set_option(stack, now, made, chosen[i].option, laboratory->chosen[i]);
        return keep(laboratory, result, made);
    case CALL_ACCEPT:
        result = daytona_stack_accept(stack, id, &made);
        return keep(laboratory, result, made);
    case CALL_BIND:
        return bind_port(laboratory, id, call->value);
    case CALL_LISTEN:
        return daytona_stack_listen(stack, id, call->value);
    case CALL_CONNECT:
        return connect_peer(laboratory, id, call->value);
    case CALL_SEND:
    case CALL_RECEIVE:
        return transfer(laboratory, id, call);
    case CALL_SHUTDOWN:
        return shut(laboratory, id, call->value);
    case CALL_CLOSE:
        return daytona_stack_close(stack, now, id);
    case CALL_ABORT:
        return daytona_stack_abort(stack, now, id);
    case CALL_SET:
        return set_option(laboratory, id, call);
    case CALL_GET:
        return get_option(laboratory, id, call);
    case CALL_QUEUED:
        return queued(laboratory, id, call);
    case CALL_READY:
        return ready(laboratory, id);
    case CALL_ERROR:
        return daytona_stack_take_error(stack, id);
    case CALL_INFO:
        return info(laboratory, id, call);
    case CALL_CONTROL:
        return daytona_stack_set_congestion(stack, now, id, call->text);
    }
    return -ENOSYS;
}

static int make_call(void *context, struct call *call)
{
    int result = dispatch(context, call);
    pump(context);
    return result;
}

static unsigned number(const struct settings *settings, enum setting setting)
{
    return (unsigned)strtoul(settings->values[setting], NULL, 10);
}

struct subject *subject_daytona(const struct settings *settings, const char **why)
{
    static struct laboratory laboratory;
    static struct subject subject = {
        .name = "daytona",
        .context = &laboratory,
        .now_us = now_us,
        .inject = inject,
        .take = take,
        .verdict = verdict,
        .call = make_call,
    };
    static const enum daytona_syn_cookies cookies[] = {
        DAYTONA_SYN_COOKIES_OFF, DAYTONA_SYN_COOKIES_AUTO, DAYTONA_SYN_COOKIES_ALWAYS};
    static struct daytona_room region;
    if (region.data == NULL)
        region = (struct daytona_room){aligned_alloc(64, REGION_BYTES), REGION_BYTES};
    laboratory.count = 0;
    while (laboratory.first_waiting < laboratory.end_waiting)
        free(laboratory.waiting[laboratory.first_waiting++].bytes);
    laboratory.first_waiting = laboratory.end_waiting = 0;
    laboratory.now.ns = 1000000000;
    laboratory.mtu = number(settings, SETTING_MTU);
    for (size_t i = 0; i < CHOSEN_COUNT; i++)
        laboratory.chosen[i] = number(settings, chosen[i].setting);
    laboratory.config = (struct daytona_stack_config){
        .secret = "packet scripts",
        .path = tell_path,
        .path_context = &laboratory,
        .owns_every_port = true,
        .congestion = settings->values[SETTING_CONGESTION],
        .ecn = daytona_stack_ecn_name(number(settings, SETTING_ECN)),
        .mtu_probing = DAYTONA_MTU_PROBING_OFF + number(settings, SETTING_PROBING),
        .syn_cookies = cookies[number(settings, SETTING_COOKIES) % 3],
        .no_tail_probes = settings->values[SETTING_TLP][0] == '0',
        .receive_buffer_max = 6291456, /* as in the profile of tun.c: window scale 7 */
    };
    *why = "no memory";
    if (region.data == NULL)
        return NULL;
    *why = "the stack refuses the configuration";
    return daytona_stack_init(region, &laboratory.config, NULL, &laboratory.stack) < 0 ? NULL
                                                                                       : &subject;
}
