#include "preload/socket_option_table.h"

#include "preload/authentication.h"
#include "preload/file.h"
#include "preload/kernel_defaults.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECEIVE_BUFFER_MIN 1152 /* Linux: SOCK_MIN_RCVBUF / 2 */
#define SEND_BUFFER_MIN    2304 /* Linux: SOCK_MIN_SNDBUF / 2 */
#define PAYLOAD_MAX        (INT_MAX / 2)
#define ECN_BITS           3
#define FIN_WAIT_STANDARD  60  /* net.ipv4.tcp_fin_timeout, seconds */
#define FIN_WAIT_MAX       120 /* Linux TCP_FIN_TIMEOUT_MAX */
#define TIMEOUT_MAX        120 /* Linux TCP_RTO_MAX */
#define HOPS_STANDARD      64

#define NAMED(level, name)       level, name, #name
#define STACK(SHAPE, OPTION)     .shape = SHAPE_##SHAPE, .option = DAYTONA_OPTION_##OPTION
#define OTHER(SHAPE)             .shape = SHAPE_##SHAPE
#define ONLY(SHAPE, only)        .shape = SHAPE_##SHAPE, .value = (only)
#define BETWEEN(lowest, highest) .minimum = (lowest), .maximum = (highest)

static const struct socket_option_row rows[] = {
    {NAMED(SOL_SOCKET, SO_REUSEADDR), STACK(FLAG, REUSE_ADDRESS)},
    {NAMED(SOL_SOCKET, SO_REUSEPORT), STACK(FLAG, REUSE_PORT)},
    {NAMED(SOL_SOCKET, SO_KEEPALIVE), STACK(FLAG, KEEP_ALIVE)},
    {NAMED(SOL_SOCKET, SO_OOBINLINE), STACK(FLAG, URGENT_INLINE)},
    {NAMED(SOL_SOCKET, SO_RCVBUF), STACK(BUFFER, RECEIVE_BUFFER)},
    {NAMED(SOL_SOCKET, SO_SNDBUF), STACK(BUFFER, SEND_BUFFER)},
    {NAMED(SOL_SOCKET, SO_RCVBUFFORCE), STACK(BUFFER_FORCE, RECEIVE_BUFFER)},
    {NAMED(SOL_SOCKET, SO_SNDBUFFORCE), STACK(BUFFER_FORCE, SEND_BUFFER)},
    {NAMED(SOL_SOCKET, SO_RCVLOWAT), STACK(LOW_WATER, RECEIVE_LOW_WATER)},
    {NAMED(SOL_SOCKET, SO_SNDLOWAT), ONLY(CONSTANT, 1)},
    {NAMED(SOL_SOCKET, SO_LINGER), STACK(LINGER, LINGER_US)},
    {NAMED(SOL_SOCKET, SO_MAX_PACING_RATE), STACK(RATE, MAXIMUM_PACING_RATE)},
    {NAMED(SOL_SOCKET, SO_RCVTIMEO_OLD), ONLY(TIMEOUT, FILE_RECEIVE)},
    {NAMED(SOL_SOCKET, SO_SNDTIMEO_OLD), ONLY(TIMEOUT, FILE_SEND)},
    {NAMED(SOL_SOCKET, SO_RCVTIMEO_NEW), ONLY(TIMEOUT, FILE_RECEIVE)},
    {NAMED(SOL_SOCKET, SO_SNDTIMEO_NEW), ONLY(TIMEOUT, FILE_SEND)},
    {NAMED(SOL_SOCKET, SO_ERROR), OTHER(ERROR)},
    {NAMED(SOL_SOCKET, SO_ACCEPTCONN), OTHER(LISTENER)},
    {NAMED(SOL_SOCKET, SO_DOMAIN), OTHER(DOMAIN)},
    {NAMED(SOL_SOCKET, SO_TYPE), ONLY(CONSTANT, SOCK_STREAM)},
    {NAMED(SOL_SOCKET, SO_PROTOCOL), ONLY(CONSTANT, IPPROTO_TCP)},
    {NAMED(SOL_SOCKET, SO_BROADCAST), OTHER(NO_EFFECT)},
    {NAMED(SOL_SOCKET, SO_NO_CHECK), OTHER(NO_EFFECT)},
    {NAMED(SOL_SOCKET, SO_BSDCOMPAT), OTHER(NO_EFFECT)},
    {NAMED(SOL_SOCKET, SO_DEBUG), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_DONTROUTE), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_MARK), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_INCOMING_CPU), ONLY(FIXED, -1)},
    {NAMED(SOL_SOCKET, SO_ZEROCOPY), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_TIMESTAMP), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_TIMESTAMPING), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_TIMESTAMPNS), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_RXQ_OVFL), ONLY(FIXED, 0)},
    {NAMED(SOL_SOCKET, SO_SELECT_ERR_QUEUE), ONLY(FIXED, 0)},

    {NAMED(IPPROTO_TCP, TCP_NODELAY), STACK(FLAG, NO_DELAY)},
    {NAMED(IPPROTO_TCP, TCP_CORK), STACK(FLAG, CORK)},
    {NAMED(IPPROTO_TCP, TCP_KEEPIDLE), STACK(SECONDS, KEEP_IDLE_US), BETWEEN(1, 32767)},
    {NAMED(IPPROTO_TCP, TCP_KEEPINTVL), STACK(SECONDS, KEEP_INTERVAL_US), BETWEEN(1, 32767)},
    {NAMED(IPPROTO_TCP, TCP_KEEPCNT), STACK(NUMBER, KEEP_COUNT), BETWEEN(1, 127)},
    {NAMED(IPPROTO_TCP, TCP_SYNCNT), STACK(NUMBER, SYN_RETRIES), BETWEEN(1, 127)},
    {NAMED(IPPROTO_TCP, TCP_USER_TIMEOUT), STACK(MILLISECONDS, USER_TIMEOUT_US),
     BETWEEN(0, INT_MAX)},
    {NAMED(IPPROTO_TCP, TCP_QUICKACK), STACK(QUICK_ACK, QUICK_ACK)},
    {NAMED(IPPROTO_TCP, TCP_WINDOW_CLAMP), STACK(CLAMP, WINDOW_CLAMP)},
    {NAMED(IPPROTO_TCP, TCP_MAXSEG), STACK(SEGMENT, MAXIMUM_SEGMENT), BETWEEN(88, 32767)},
    {NAMED(IPPROTO_TCP, TCP_CONGESTION), OTHER(CONTROLLER)},
    {NAMED(IPPROTO_TCP, TCP_INFO), OTHER(INFO)},
    {NAMED(IPPROTO_TCP, TCP_THIN_DUPACK), OTHER(IGNORED)},
    {NAMED(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS), STACK(NUMBER, THIN_LINEAR), BETWEEN(0, 1)},
    {NAMED(IPPROTO_TCP, TCP_DEFER_ACCEPT), STACK(PERIOD, DEFER_ACCEPT)},
    {NAMED(IPPROTO_TCP, TCP_LINGER2), STACK(FIN_WAIT, FIN_WAIT_2_US)},
    {NAMED(IPPROTO_TCP, TCP_FASTOPEN), STACK(QUEUE, FASTOPEN_QUEUE)},
    {NAMED(IPPROTO_TCP, TCP_FASTOPEN_CONNECT), STACK(NUMBER, FASTOPEN_CONNECT), BETWEEN(0, 1)},
    {NAMED(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE), STACK(NUMBER, FASTOPEN_NO_COOKIE), BETWEEN(0, 1)},
    {NAMED(IPPROTO_TCP, TCP_FASTOPEN_KEY), OTHER(FASTOPEN_KEY)},
    {NAMED(IPPROTO_TCP, TCP_MD5SIG), OTHER(SIGNATURE_KEY)},
    {NAMED(IPPROTO_TCP, TCP_MD5SIG_EXT), OTHER(SIGNATURE_KEY)},
    {IPPROTO_TCP, AUTHENTICATION_ADD_KEY, "TCP_AO_ADD_KEY", OTHER(AUTHENTICATION)},
    {IPPROTO_TCP, AUTHENTICATION_DEL_KEY, "TCP_AO_DEL_KEY", OTHER(AUTHENTICATION)},
    {IPPROTO_TCP, AUTHENTICATION_INFO, "TCP_AO_INFO", OTHER(AUTHENTICATION)},
    {IPPROTO_TCP, AUTHENTICATION_GET_KEYS, "TCP_AO_GET_KEYS", OTHER(AUTHENTICATION)},
    {IPPROTO_TCP, AUTHENTICATION_REPAIR, "TCP_AO_REPAIR", ONLY(REFUSED, EPERM), BETWEEN(0, EPERM)},
    {NAMED(IPPROTO_TCP, TCP_NOTSENT_LOWAT), STACK(UNSIGNED, NOT_SENT_LOW_WATER)},
    {NAMED(IPPROTO_TCP, TCP_SAVE_SYN), ONLY(FIXED, 0)},
    {NAMED(IPPROTO_TCP, TCP_INQ), STACK(NUMBER, TELL_QUEUED), BETWEEN(0, 1)},
    {NAMED(IPPROTO_TCP, TCP_CC_INFO), ONLY(CONTROLLER_STATE, ENOPROTOOPT)},
    {NAMED(IPPROTO_TCP, TCP_ULP), ONLY(EMPTY, ENOENT)},
    {NAMED(IPPROTO_TCP, TCP_TIMESTAMP), ONLY(CLOCK, EPERM)},
    {NAMED(IPPROTO_TCP, TCP_REPAIR), ONLY(REFUSED, EPERM)},
    {NAMED(IPPROTO_TCP, TCP_REPAIR_QUEUE), ONLY(REFUSED, EPERM), BETWEEN(0, EINVAL)},
    {NAMED(IPPROTO_TCP, TCP_QUEUE_SEQ), ONLY(REFUSED, EPERM), BETWEEN(0, EINVAL)},
    {NAMED(IPPROTO_TCP, TCP_REPAIR_OPTIONS), ONLY(REFUSED, EINVAL), BETWEEN(0, ENOPROTOOPT)},
    {NAMED(IPPROTO_TCP, TCP_REPAIR_WINDOW), ONLY(REFUSED, EPERM), BETWEEN(0, EPERM)},

    {NAMED(IPPROTO_IP, IP_TOS), STACK(SERVICE, TYPE_OF_SERVICE)},
    {NAMED(IPPROTO_IP, IP_TTL), STACK(HOPS, TIME_TO_LIVE), BETWEEN(1, 255)},
    {NAMED(IPPROTO_IP, IP_MTU), OTHER(PATH_MTU)},
    {NAMED(IPPROTO_IP, IP_MTU_DISCOVER), STACK(NUMBER, PATH_DISCOVERY), BETWEEN(0, 5)},
    {NAMED(IPPROTO_IP, IP_RECVERR), STACK(FLAG, RECEIVE_ERRORS)},
    {NAMED(IPPROTO_IP, IP_FREEBIND), ONLY(FIXED, 0)},
    {NAMED(IPPROTO_IP, IP_TRANSPARENT), ONLY(FIXED, 0)},
    {NAMED(IPPROTO_IP, IP_MINTTL), STACK(NUMBER, MINIMUM_HOPS), BETWEEN(0, 255), .value = 1},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])
static_assert(ROW_COUNT <= SOCKET_OPTIONS_MAX, "one bit each");

const struct socket_option_row *socket_option_row(size_t index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

size_t socket_option_index(const struct socket_option_row *row)
{
    return (size_t)(row - rows);
}

const struct socket_option_row *socket_option_find(int level, int name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].name == name && rows[i].level == level)
            return &rows[i];
    return NULL;
}

bool socket_option_is_number(const struct socket_option_row *row)
{
    return row->shape < SHAPE_LINGER;
}

static int64_t bounded(int64_t value, int64_t lowest, int64_t highest)
{
    return value < lowest ? lowest : value > highest ? highest : value;
}

static int64_t buffer_min(const struct socket_option_row *row)
{
    return row->option == DAYTONA_OPTION_RECEIVE_BUFFER ? RECEIVE_BUFFER_MIN : SEND_BUFFER_MIN;
}

/* A negative size is a very large one to the kernel, and so as large as is allowed. */
static int64_t buffer_to_stack(const struct socket_option_row *row, int given)
{
    const struct kernel_defaults *defaults = kernel_defaults();
    int64_t highest = row->option == DAYTONA_OPTION_RECEIVE_BUFFER ? defaults->receive_buffer_max
                                                                   : defaults->send_buffer_max;
    return bounded(bounded((unsigned)given, 0, highest), buffer_min(row), PAYLOAD_MAX);
}

static bool may_administer_network(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    syscall(SYS_capget, &header, data);
    return (data[CAP_NET_ADMIN / 32].effective >> (CAP_NET_ADMIN % 32) & 1) != 0;
}

static int number_to_stack(const struct socket_option_row *row, int given, int64_t unit,
                           int64_t *out)
{
    if (given < row->minimum || given > row->maximum)
        return -EINVAL;
    *out = given * unit;
    return 0;
}

/* Linux secs_to_retrans(): how many timeouts, of a second at first and doubled up to two minutes,
 * it takes to fill the seconds. */
static int64_t timeouts_of(int seconds)
{
    int64_t count = seconds > 0, timeout = 1;
    for (int64_t period = 1; seconds > period && count < UINT8_MAX; period += timeout) {
        count++;
        timeout = bounded(timeout * 2, 1, TIMEOUT_MAX);
    }
    return count;
}

/* The seconds that so many timeouts take. */
static int64_t period_of(int64_t count)
{
    int64_t period = 0, timeout = 1;
    for (; count > 0; count--) {
        period += timeout;
        timeout = bounded(timeout * 2, 1, TIMEOUT_MAX);
    }
    return period;
}

int socket_option_to_stack(const struct socket_option_row *row, int given, int64_t *out)
{
    *out = given;
    switch (row->shape) {
    case SHAPE_FLAG:
    case SHAPE_QUICK_ACK:
        *out = given != 0;
        return 0;
    case SHAPE_NUMBER:
        return number_to_stack(row, given, 1, out);
    case SHAPE_SECONDS:
        return number_to_stack(row, given, 1000000, out);
    case SHAPE_MILLISECONDS:
        return number_to_stack(row, given, 1000, out);
    case SHAPE_BUFFER:
        *out = buffer_to_stack(row, given);
        return 0;
    case SHAPE_BUFFER_FORCE:
        *out = bounded(given, buffer_min(row), PAYLOAD_MAX);
        return may_administer_network() ? 0 : -EPERM;
    case SHAPE_LOW_WATER:
        *out = given < 0 ? PAYLOAD_MAX : bounded(given, 1, PAYLOAD_MAX);
        return 0;
    case SHAPE_CLAMP:
        *out = given == 0 ? 0 : bounded(given, RECEIVE_BUFFER_MIN, PAYLOAD_MAX);
        return 0;
    case SHAPE_QUEUE:
        *out = given < SOMAXCONN ? given : SOMAXCONN;
        return given < 0 ? -EINVAL : 0;
    case SHAPE_SEGMENT:
        return given == 0 ? 0 : number_to_stack(row, given, 1, out);
    case SHAPE_SERVICE:
        *out = given & 0xff & ~ECN_BITS;
        return 0;
    case SHAPE_HOPS:
        *out = HOPS_STANDARD;
        return given == -1 ? 0 : number_to_stack(row, given, 1, out);
    case SHAPE_UNSIGNED:
        *out = (unsigned)given;
        return 0;
    case SHAPE_FIN_WAIT:
        *out = given < 0 ? -1
                         : bounded(given == 0 ? FIN_WAIT_STANDARD : given, 1, FIN_WAIT_MAX) *
                               INT64_C(1000000);
        return 0;
    case SHAPE_PERIOD:
        *out = timeouts_of(given);
        return 0;
    case SHAPE_LINGER:
    case SHAPE_RATE:
    case SHAPE_TIMEOUT:
    case SHAPE_CONTROLLER:
    case SHAPE_FASTOPEN_KEY:
    case SHAPE_SIGNATURE_KEY:
    case SHAPE_AUTHENTICATION:
    case SHAPE_INFO:
    case SHAPE_CONTROLLER_STATE:
    case SHAPE_ERROR:
    case SHAPE_LISTENER:
    case SHAPE_DOMAIN:
    case SHAPE_PATH_MTU:
    case SHAPE_NO_EFFECT:
    case SHAPE_CLOCK:
    case SHAPE_REFUSED:
    case SHAPE_EMPTY:
    case SHAPE_IGNORED:
    case SHAPE_CONSTANT:
    case SHAPE_FIXED:
        break;
    }
    return -EINVAL;
}

int socket_option_from_stack(const struct socket_option_row *row, int64_t value)
{
    if (row->shape == SHAPE_SECONDS)
        value /= 1000000;
    if (row->shape == SHAPE_MILLISECONDS)
        value /= 1000;
    if (row->shape == SHAPE_BUFFER)
        value *= 2;
    if (row->shape == SHAPE_FIN_WAIT)
        value = value < 0 ? -1 : value / 1000000;
    if (row->shape == SHAPE_PERIOD)
        value = period_of(value);
    if (row->shape == SHAPE_UNSIGNED)
        return (int)(unsigned)value;
    return (int)bounded(value, INT_MIN, INT_MAX);
}
