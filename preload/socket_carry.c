/*
 * socket_carry.c - at the decision: reads from the kernel socket what the application has set on
 * it so far.
 */
#include "preload/kernel_defaults.h"
#include "preload/log.h"
#include "preload/real.h"
#include "preload/socket_option_table.h"
#include "preload/socket_options.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

static void add(struct carried_options *out, enum daytona_option option, int64_t value)
{
    out->options[out->count++] = (struct carried_option){option, value};
}

static bool ask(int fd, const struct socket_option_row *row, void *value, socklen_t size)
{
    return real.getsockopt(fd, row->level, row->name, value, &size) == 0;
}

/* Whether the int is what the kernel gives every socket. Daytona has its own defaults for these. */
static bool is_untouched(const struct socket_option_row *row, int told)
{
    if (row->shape == SHAPE_SEGMENT)
        return told == kernel_defaults()->maximum_segment;
    if (row->shape == SHAPE_BUFFER)
        return told == (row->option == DAYTONA_OPTION_RECEIVE_BUFFER
                            ? kernel_defaults()->receive_buffer
                            : kernel_defaults()->send_buffer);
    return row->shape == SHAPE_QUICK_ACK && told == 1;
}

static void carry_number(int fd, const struct socket_option_row *row, struct carried_options *out)
{
    int told;
    int64_t value;
    if (row->shape == SHAPE_BUFFER_FORCE || !ask(fd, row, &told, sizeof told) ||
        is_untouched(row, told))
        return;
    if (row->shape == SHAPE_BUFFER)
        add(out, row->option, told / 2);
    else if (socket_option_to_stack(row, told, &value) == 0)
        add(out, row->option, value);
}

static void carry_linger(int fd, const struct socket_option_row *row, struct carried_options *out)
{
    struct linger linger;
    if (ask(fd, row, &linger, sizeof linger) && linger.l_onoff != 0)
        add(out, row->option, (int64_t)linger.l_linger * 1000000);
}

static void carry_timeout(int fd, const struct socket_option_row *row, uint64_t *out)
{
    struct timeval time;
    if (ask(fd, row, &time, sizeof time))
        *out = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void carry_rate(int fd, const struct socket_option_row *row, struct carried_options *out)
{
    uint64_t rate;
    if (ask(fd, row, &rate, sizeof rate) && rate > 0 && rate <= INT64_MAX)
        add(out, row->option, (int64_t)rate);
}

static void carry_controller(int fd, const struct socket_option_row *row,
                             struct carried_options *out)
{
    char name[sizeof out->congestion] = {0};
    if (ask(fd, row, name, sizeof name - 1) && strcmp(name, kernel_defaults()->congestion) != 0)
        memcpy(out->congestion, name, sizeof name);
}

/* The kernel tells the key of the whole host where a socket has none: its cookies hold here too. */
static void carry_fastopen_key(int fd, const struct socket_option_row *row,
                               struct carried_options *out)
{
    socklen_t length = sizeof out->fastopen_key;
    if (real.getsockopt(fd, row->level, row->name, out->fastopen_key, &length) == 0)
        out->fastopen_key_length = length;
}

static void warn_if_set(int fd, const struct socket_option_row *row)
{
    int told;
    if (row->name == SO_INCOMING_CPU) /* the kernel sets it by itself */
        return;
    if (ask(fd, row, &told, sizeof told) && told != row->value)
        log_line(LOG_LEVEL_WARNING,
                 "descriptor %d: %s was set to %d before the socket became Daytona's, which does "
                 "not have it",
                 fd, row->word, told);
}

/* Its packets would leave by that device only, as the raw socket's do not. */
static void warn_if_bound(int fd)
{
    char device[IFNAMSIZ] = {0};
    socklen_t length = sizeof device - 1;
    if (real.getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &length) == 0 && device[0] != '\0')
        log_line(LOG_LEVEL_WARNING,
                 "descriptor %d: SO_BINDTODEVICE was set to %s before the socket became Daytona's, "
                 "which does not have it",
                 fd, device);
}

static void carry_row(int fd, const struct socket_option_row *row, struct carried_options *out)
{
    if (socket_option_is_number(row))
        carry_number(fd, row, out);
    if (row->shape == SHAPE_LINGER)
        carry_linger(fd, row, out);
    if (row->shape == SHAPE_TIMEOUT)
        carry_timeout(
            fd, row, row->value == FILE_RECEIVE ? &out->receive_timeout_us : &out->send_timeout_us);
    if (row->shape == SHAPE_RATE)
        carry_rate(fd, row, out);
    if (row->shape == SHAPE_CONTROLLER)
        carry_controller(fd, row, out);
    if (row->shape == SHAPE_FASTOPEN_KEY)
        carry_fastopen_key(fd, row, out);
    if (row->shape == SHAPE_FIXED)
        warn_if_set(fd, row);
}

void socket_options_carry(int fd, struct carried_options *out)
{
    int saved = errno;
    const struct socket_option_row *row;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; (row = socket_option_row(i)) != NULL; i++)
        carry_row(fd, row, out);
    warn_if_bound(fd);
    errno = saved;
}
