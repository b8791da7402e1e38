#include "preload/socket_options.h"

#include "preload/authentication.h"
#include "preload/memory.h"
#include "preload/real.h"
#include "preload/signatures.h"
#include "preload/socket_option_table.h"
#include "preload/tcp_info.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#define SECOND_US           1000000
#define NOT_AT_ALL          1     /* microsecond; told as 0, as Linux does */
#define LINGER_SECONDS_MAX  65535 /* bound of the stack's option */
#define FASTOPEN_KEY        16    /* Linux TCP_FASTOPEN_KEY_LENGTH */
#define CONTROLLER_NAME_MAX 16    /* Linux: TCP_CA_NAME_MAX */

/* ------------------------------------------------------------------ setting */

/* The int in `value`. At level IP a single byte will do, and none is 0. */
static int read_int(int level, const void *value, socklen_t length, int *out)
{
    if (level == IPPROTO_IP && length < sizeof *out) {
        *out = length == 0 ? 0 : *(const unsigned char *)value;
        return 0;
    }
    if (length < sizeof *out)
        return -EINVAL;
    memcpy(out, value, sizeof *out);
    return 0;
}

static int set_linger(struct file *file, const void *value, socklen_t length)
{
    struct linger linger;
    if (length < sizeof linger)
        return -EINVAL;
    memcpy(&linger, value, sizeof linger);
    int64_t seconds = linger.l_linger < 0 || linger.l_linger > LINGER_SECONDS_MAX
                          ? LINGER_SECONDS_MAX
                          : linger.l_linger;
    return file_set_option(file, DAYTONA_OPTION_LINGER_US,
                           linger.l_onoff == 0 ? -1 : seconds * SECOND_US);
}

static int set_timeout(struct file *file, enum file_direction direction, const void *value,
                       socklen_t length)
{
    struct timeval time;
    if (length < sizeof time)
        return -EINVAL;
    memcpy(&time, value, sizeof time);
    if (time.tv_usec < 0 || time.tv_usec >= SECOND_US)
        return -EDOM;
    if (time.tv_sec < 0) /* the kernel then does not wait at all */
        return file_set_timeout(file, direction, NOT_AT_ALL);
    uint64_t seconds = (uint64_t)time.tv_sec;
    if (seconds >= UINT64_MAX / SECOND_US)
        return file_set_timeout(file, direction, 0);
    return file_set_timeout(file, direction, seconds * SECOND_US + (uint64_t)time.tv_usec);
}

static int set_rate(struct file *file, const struct socket_option_row *row, const void *value,
                    socklen_t length)
{
    uint64_t rate;
    uint32_t narrow;
    if (length < sizeof narrow)
        return -EINVAL;
    if (length >= sizeof rate) {
        memcpy(&rate, value, sizeof rate);
    } else {
        memcpy(&narrow, value, sizeof narrow);
        rate = narrow == UINT32_MAX ? UINT64_MAX : narrow;
    }
    return file_set_option(file, row->option, rate > INT64_MAX ? 0 : (int64_t)rate);
}

static int set_controller(struct file *file, const void *value, socklen_t length)
{
    char name[CONTROLLER_NAME_MAX] = {0};
    size_t most = length < sizeof name - 1 ? length : sizeof name - 1;
    if (length < 1)
        return -EINVAL;
    memcpy(name, value, strnlen(value, most));
    return file_set_congestion(file, name);
}

/* Listening or connected, or about to be. */
static bool has_begun(struct file *file)
{
    struct daytona_connection_info info;
    return file_info(file, &info) == 0 && info.state != DAYTONA_TCP_CLOSED;
}

static int set_signature_key(struct file *file, int name, const void *value, socklen_t length)
{
    struct signature_setting setting;
    int result = signature_read(name, value, length, &setting);
    return result < 0 ? result : file_set_signature_key(file, &setting);
}

static int set_fastopen_key(struct file *file, const void *value, socklen_t length)
{
    if (length != FASTOPEN_KEY && length != 2 * FASTOPEN_KEY)
        return -EINVAL;
    return file_set_fastopen_key(file, (struct daytona_span){value, length});
}

static int set_number(struct file *file, const struct socket_option_row *row, int given)
{
    int64_t value, room;
    int result = socket_option_to_stack(row, given, &value);
    if (result < 0)
        return result;
    /* A reader must not wait for more than the buffer can ever hold. */
    if (row->shape == SHAPE_CLAMP && given == 0 && has_begun(file))
        return -EINVAL;
    if (row->shape == SHAPE_LOW_WATER &&
        file_get_option(file, DAYTONA_OPTION_RECEIVE_BUFFER, &room) == 0 && value > room)
        value = room;
    return file_set_option(file, row->option, value);
}

/* The options whose bytes are an int. */
static int set_int(struct file *file, const struct socket_option_row *row, const void *value,
                   socklen_t length)
{
    int given;
    int result = read_int(row->level, value, length, &given);
    if (result < 0)
        return result;
    if (row->shape == SHAPE_NUMBER && length < (socklen_t)row->value)
        return -EINVAL;
    if (socket_option_is_number(row))
        return set_number(file, row, given);
    if (row->shape == SHAPE_FIXED)
        return given == row->value ? 0 : -ENOPROTOOPT;
    if (row->shape == SHAPE_REFUSED || row->shape == SHAPE_CLOCK)
        return -row->value;
    if (row->shape == SHAPE_IGNORED)
        return given == 0 || given == 1 ? 0 : -EINVAL;
    return -ENOPROTOOPT;
}

static int set_found(struct file *file, int fd, const struct socket_option_row *row,
                     const void *value, socklen_t length)
{
    int name = row->name;
    if (row->shape == SHAPE_NO_EFFECT)
        return real.setsockopt(fd, row->level, name, value, length) == 0 ? 0 : -errno;
    if (row->shape == SHAPE_LINGER)
        return set_linger(file, value, length);
    if (row->shape == SHAPE_TIMEOUT)
        return set_timeout(file, (enum file_direction)row->value, value, length);
    if (row->shape == SHAPE_RATE)
        return set_rate(file, row, value, length);
    if (row->shape == SHAPE_CONTROLLER)
        return set_controller(file, value, length);
    if (row->shape == SHAPE_SIGNATURE_KEY)
        return set_signature_key(file, name, value, length);
    if (row->shape == SHAPE_AUTHENTICATION)
        return authentication_set(file, name, value, length);
    if (row->shape == SHAPE_FASTOPEN_KEY)
        return set_fastopen_key(file, value, length);
    if (row->shape == SHAPE_EMPTY || row->shape == SHAPE_CONTROLLER_STATE)
        return length < 1 ? -EINVAL : -row->value;
    return set_int(file, row, value, length);
}

/* Linux says so before it looks at the value, but where the value is bytes. */
static bool is_too_short(int level, int name, socklen_t length)
{
    bool bytes = name == TCP_CONGESTION || name == TCP_ULP || name == TCP_FASTOPEN_KEY;
    return length < sizeof(int) && (level == SOL_SOCKET || (level == IPPROTO_TCP && !bytes));
}

int socket_options_set(struct file *file, int fd, int level, int name, const void *value,
                       socklen_t length)
{
    if (length > INT_MAX || is_too_short(level, name, length))
        return -EINVAL;
    if (!memory_can_be_read(value, length))
        return -EFAULT;
    const struct socket_option_row *row = socket_option_find(level, name);
    if (row == NULL)
        return -ENOPROTOOPT;
    int result = set_found(file, fd, row, value, length);
    if (result == 0)
        file_note_option(file, socket_option_index(row));
    return result;
}

/* ------------------------------------------------------------------ getting */

/* Copies as much as there is room for and tells how much that was. */
static int tell(const void *bytes, size_t count, void *value, socklen_t *length)
{
    if (*length > count)
        *length = (socklen_t)count;
    memcpy(value, bytes, *length);
    return 0;
}

static int tell_int(int level, int number, void *value, socklen_t *length)
{
    if (level == IPPROTO_IP && *length > 0 && *length < sizeof number && number >= 0 &&
        number <= UCHAR_MAX) {
        unsigned char byte = (unsigned char)number;
        return tell(&byte, sizeof byte, value, length);
    }
    return tell(&number, sizeof number, value, length);
}

static int get_linger(struct file *file, void *value, socklen_t *length)
{
    int64_t us;
    int result = file_get_option(file, DAYTONA_OPTION_LINGER_US, &us);
    if (result < 0)
        return result;
    struct linger linger = {.l_onoff = us >= 0, .l_linger = us < 0 ? 0 : (int)(us / SECOND_US)};
    return tell(&linger, sizeof linger, value, length);
}

static int get_timeout(struct file *file, enum file_direction direction, void *value,
                       socklen_t *length)
{
    uint64_t us = file_get_timeout(file, direction);
    if (us == NOT_AT_ALL)
        us = 0;
    struct timeval time = {.tv_sec = (time_t)(us / SECOND_US),
                           .tv_usec = (suseconds_t)(us % SECOND_US)};
    return tell(&time, sizeof time, value, length);
}

static int get_rate(struct file *file, const struct socket_option_row *row, void *value,
                    socklen_t *length)
{
    int64_t held;
    int result = file_get_option(file, row->option, &held);
    if (result < 0)
        return result;
    uint64_t rate = held == 0 ? UINT64_MAX : (uint64_t)held;
    uint32_t narrow = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
    return *length >= sizeof rate ? tell(&rate, sizeof rate, value, length)
                                  : tell(&narrow, sizeof narrow, value, length);
}

static int get_controller(struct file *file, void *value, socklen_t *length)
{
    char bytes[CONTROLLER_NAME_MAX] = {0};
    const char *name = file_get_congestion(file);
    if (name != NULL)
        strncpy(bytes, name, sizeof bytes - 1);
    return tell(bytes, sizeof bytes, value, length);
}

static int get_fastopen_key(struct file *file, void *value, socklen_t *length)
{
    uint8_t keys[2 * FASTOPEN_KEY];
    int held = file_get_fastopen_key(file, keys);
    if (held < 0)
        return held;
    return tell(keys, (size_t)held, value, length);
}

static int get_info(struct file *file, void *value, socklen_t *length)
{
    struct daytona_connection_info info;
    uint8_t bytes[TCP_INFO_BYTES_MAX];
    int result = file_info(file, &info);
    if (result < 0)
        return result;
    return tell(bytes, tcp_info_write(&info, bytes), value, length);
}

static int get_controller_state(struct file *file, void *value, socklen_t *length)
{
    struct daytona_connection_info info;
    uint8_t bytes[TCP_CONTROLLER_BYTES_MAX];
    int result = file_info(file, &info);
    if (result < 0)
        return result;
    return tell(bytes, tcp_controller_write(&info, bytes), value, length);
}

static int get_path_mtu(struct file *file)
{
    struct daytona_connection_info info;
    int result = file_info(file, &info);
    if (result < 0)
        return result;
    return info.path_mtu == 0 ? -ENOTCONN : (int)info.path_mtu;
}

/* TCP_MAXSEG tells the size in use when there is a connection, else what was asked for. */
static int get_segment(struct file *file, int asked)
{
    struct daytona_connection_info info;
    if (file_info(file, &info) < 0 || info.send_mss == 0 || info.state == DAYTONA_TCP_LISTEN)
        return asked;
    return (int)info.send_mss;
}

static int get_number(struct file *file, const struct socket_option_row *row, void *value,
                      socklen_t *length)
{
    int64_t held;
    if (row->shape == SHAPE_BUFFER_FORCE)
        return -ENOPROTOOPT;
    int result = file_get_option(file, row->option, &held);
    if (result < 0)
        return result;
    int number = socket_option_from_stack(row, held);
    if (row->shape == SHAPE_SEGMENT)
        number = get_segment(file, number);
    return tell_int(row->level, number, value, length);
}

static int tell_clock(struct file *file, int level, void *value, socklen_t *length)
{
    struct daytona_connection_info info;
    int result = file_info(file, &info);
    return result < 0 ? result : tell_int(level, (int)info.timestamp, value, length);
}

/* The options that are told as an int which may itself be an error. */
static int get_int(struct file *file, const struct socket_option_row *row, void *value,
                   socklen_t *length)
{
    int number = row->value;
    if (row->shape == SHAPE_ERROR)
        number = file_take_error(file);
    if (row->shape == SHAPE_LISTENER)
        number = file_is_listener(file);
    if (row->shape == SHAPE_DOMAIN)
        number = file_domain(file);
    if (row->shape == SHAPE_PATH_MTU)
        number = get_path_mtu(file);
    if (row->shape == SHAPE_CLOCK)
        return tell_clock(file, row->level, value, length);
    if (row->shape == SHAPE_REFUSED)
        number = -row->maximum;
    if (number < 0 && row->shape != SHAPE_FIXED)
        return number;
    return tell_int(row->level, number, value, length);
}

static int get_found(struct file *file, const struct socket_option_row *row, void *value,
                     socklen_t *length)
{
    if (socket_option_is_number(row))
        return get_number(file, row, value, length);
    if (row->shape == SHAPE_LINGER)
        return get_linger(file, value, length);
    if (row->shape == SHAPE_RATE)
        return get_rate(file, row, value, length);
    if (row->shape == SHAPE_TIMEOUT)
        return get_timeout(file, (enum file_direction)row->value, value, length);
    if (row->shape == SHAPE_CONTROLLER)
        return get_controller(file, value, length);
    if (row->shape == SHAPE_SIGNATURE_KEY)
        return -ENOPROTOOPT;
    if (row->shape == SHAPE_FASTOPEN_KEY)
        return get_fastopen_key(file, value, length);
    if (row->shape == SHAPE_INFO)
        return get_info(file, value, length);
    if (row->shape == SHAPE_CONTROLLER_STATE)
        return get_controller_state(file, value, length);
    if (row->shape == SHAPE_EMPTY)
        return tell("", 0, value, length);
    return get_int(file, row, value, length);
}

/* What is told is more than an answer: it begins with a question. */
static int get_authentication(struct file *file, const struct socket_option_row *row, void *value,
                              socklen_t *length)
{
    if (row->name != AUTHENTICATION_INFO && row->name != AUTHENTICATION_GET_KEYS)
        return -ENOPROTOOPT;
    if (!memory_can_be_written(value, *length))
        return -EFAULT;
    return authentication_get(file, row->name, value, length);
}

/* Only what is written must be memory: a generous length is nobody's mistake. */
static int get_copied(struct file *file, const struct socket_option_row *row, void *value,
                      socklen_t *length)
{
    uint8_t bytes[TCP_INFO_BYTES_MAX];
    socklen_t told = *length < sizeof bytes ? *length : sizeof bytes;
    int result = get_found(file, row, bytes, &told);
    if (result < 0)
        return result;
    if (!memory_can_be_written(value, told))
        return -EFAULT;
    memcpy(value, bytes, told);
    *length = told;
    return result;
}

int socket_options_get(struct file *file, int fd, int level, int name, void *value,
                       socklen_t *length)
{
    if (!memory_can_be_written(length, sizeof *length))
        return -EFAULT;
    if ((int)*length < 0)
        return -EINVAL;
    const struct socket_option_row *row = socket_option_find(level, name);
    if (row == NULL)
        return level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_IP ? -ENOPROTOOPT
                                                                                  : -EOPNOTSUPP;
    if (row->shape == SHAPE_NO_EFFECT)
        return real.getsockopt(fd, row->level, row->name, value, length) == 0 ? 0 : -errno;
    return row->shape == SHAPE_AUTHENTICATION ? get_authentication(file, row, value, length)
                                              : get_copied(file, row, value, length);
}
