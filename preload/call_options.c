/*
 * call_options.c - socket options, and the requests of ioctl that concern a socket.
 */
#include "preload/engine.h"
#include "preload/memory.h"
#include "preload/remote.h"
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/signatures.h"
#include "preload/socket_options.h"
#include "preload/tcp_info.h"
#include "preload/wrappers.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

/* This process may have sockets of another process's engine. */
static bool has_others(void)
{
    return settings.present && (engine.epoch != 0 || settings.engine == SETTINGS_ENGINE_PROCESS);
}

/* Options that a twin has, but with another meaning: they are its engine's. */
static bool is_engines(int level, int option)
{
    static const int options[] = {SO_LINGER,    SO_KEEPALIVE, SO_DOMAIN,          SO_PROTOCOL,
                                  SO_SNDBUF,    SO_RCVBUF,    SO_SNDBUFFORCE,     SO_RCVBUFFORCE,
                                  SO_OOBINLINE, SO_MARK,      SO_MAX_PACING_RATE, SO_REUSEADDR,
                                  SO_REUSEPORT};
    for (size_t i = 0; level == SOL_SOCKET && i < sizeof options / sizeof options[0]; i++)
        if (options[i] == option)
            return has_others();
    return false;
}

/* Those that it does not have: of TCP and IP. */
static bool lacks(int level, int result)
{
    return settings.present && (level == IPPROTO_TCP || level == IPPROTO_IP) && result < 0 &&
           errno == EOPNOTSUPP;
}

static bool ask_engine(int descriptor, int level, int option, void *value, socklen_t *length,
                       int *result)
{
    bool knows = memory_can_be_written(length, sizeof *length);
    if (knows && (int)*length >= 0 && memory_can_be_written(value, *length))
        return remote_get_option(descriptor, level, option, value, length, result);
    *result = knows && (int)*length < 0 ? -EINVAL : -EFAULT;
    return remote_is_twin(descriptor);
}

/* Of a connection that was reset there is nobody left to ask, and nothing to tell but that. */
static bool tell_of_ended(int descriptor, int level, int option, void *value, socklen_t *length,
                          int *result)
{
    static const struct daytona_connection_info ended = {.state = DAYTONA_TCP_CLOSED};
    uint8_t bytes[TCP_INFO_BYTES_MAX];
    if (level != IPPROTO_TCP || option != TCP_INFO ||
        !memory_can_be_written(length, sizeof *length) || !remote_is_twin(descriptor))
        return false;
    size_t all = tcp_info_write(&ended, bytes);
    *length = *length < all ? *length : (socklen_t)all;
    bool bad = !memory_can_be_written(value, *length);
    if (!bad)
        memcpy(value, bytes, *length);
    *result = bad ? -EFAULT : 0;
    return true;
}

/* The twin knows that something is wrong, once, and its engine what. */
static void tell_true_error(int descriptor, void *value, socklen_t *length)
{
    int twins = 0, result;
    if (*length != sizeof twins || !has_others())
        return;
    memcpy(&twins, value, sizeof twins);
    if (twins == 0)
        return;
    if (!remote_get_option(descriptor, SOL_SOCKET, SO_ERROR, value, length, &result) || result < 0)
        memcpy(value, &twins, sizeof twins);
}

static int get_natively(int descriptor, int level, int option, void *value, socklen_t *length)
{
    int before = errno, result;
    if (is_engines(level, option) && ask_engine(descriptor, level, option, value, length, &result))
        return (int)result_give(result, before);
    result = real.getsockopt(descriptor, level, option, value, length);
    if (level == SOL_SOCKET && option == SO_ERROR && result == 0)
        tell_true_error(descriptor, value, length);
    if (lacks(level, result) && (ask_engine(descriptor, level, option, value, length, &result) ||
                                 tell_of_ended(descriptor, level, option, value, length, &result)))
        return (int)result_give(result, before);
    return result;
}

static bool tell_engine(int descriptor, int level, int option, const void *value, socklen_t length,
                        int *result)
{
    if (memory_can_be_read(value, length))
        return remote_set_option(descriptor, level, option, value, length, result);
    *result = -EFAULT;
    return remote_is_twin(descriptor);
}

/* Of what level it may be, AF_UNIX has no options there; TCP says of other levels than its own that
 * they have no such option. */
static bool is_no_level(int descriptor, int level, int result)
{
    return settings.present && result < 0 && errno == EOPNOTSUPP && level != SOL_SOCKET &&
           level != IPPROTO_TCP && level != IPPROTO_IP && remote_is_twin(descriptor);
}

static int set_natively(int descriptor, int level, int option, const void *value, socklen_t length)
{
    int before = errno, result;
    if (is_engines(level, option) && memory_can_be_read(value, length) &&
        remote_set_option(descriptor, level, option, value, length, &result))
        return (int)result_give(result, before);
    result = real.setsockopt(descriptor, level, option, value, length);
    if (result == 0 && level == IPPROTO_TCP && (option == TCP_MD5SIG || option == TCP_MD5SIG_EXT) &&
        settings.present)
        signatures_note(descriptor, option, value, length);
    if (is_no_level(descriptor, level, result))
        return (int)result_give(-ENOPROTOOPT, before);
    if (lacks(level, result) && tell_engine(descriptor, level, option, value, length, &result))
        return (int)result_give(result, before);
    if (level == IPPROTO_TCP && option >= AUTHENTICATION_ADD_KEY && option <= AUTHENTICATION_INFO &&
        settings.present && memory_can_be_read(value, length))
        return (int)result_give(signatures_note_authentication(descriptor, option, value, length,
                                                               result < 0 ? -errno : 0),
                                before);
    return result;
}

int daytona_getsockopt(int descriptor, int level, int option, void *value, socklen_t *length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return get_natively(descriptor, level, option, value, length);
    return (int)result_finish(
        file, socket_options_get(file, descriptor, level, option, value, length), before);
}

int daytona_setsockopt(int descriptor, int level, int option, const void *value, socklen_t length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return set_natively(descriptor, level, option, value, length);
    return (int)result_finish(
        file, socket_options_set(file, descriptor, level, option, value, length), before);
}

/* Stores a request's answer where `argument` points. */
static int store(int answer, void *argument)
{
    if (answer < 0)
        return answer;
    if (!memory_can_be_written(argument, sizeof answer))
        return -EFAULT;
    *(int *)argument = answer;
    return 0;
}

static int set_flag(struct file *file, int descriptor, int flag, const int *argument)
{
    int flags = real.fcntl(descriptor, F_GETFL);
    if (!memory_can_be_read(argument, sizeof *argument))
        return -EFAULT;
    return file_set_flags(file, descriptor, *argument != 0 ? flags | flag : flags & ~flag);
}

static int ioctl_file(struct file *file, int descriptor, unsigned long request, void *argument)
{
    switch (request) {
    case FIONREAD: /* is SIOCINQ */
        return store(file_bytes_readable(file, descriptor), argument);
    case TIOCOUTQ: /* is SIOCOUTQ */
        return store(file_bytes_unacknowledged(file), argument);
    case SIOCOUTQNSD:
        return store(file_bytes_unsent(file), argument);
    case SIOCATMARK:
        return store(file_at_mark(file), argument);
    case FIOASYNC:
        return set_flag(file, descriptor, O_ASYNC, argument);
    case FIONBIO:
        return set_flag(file, descriptor, O_NONBLOCK, argument);
    default: {
        int result = real.ioctl(descriptor, request, argument);
        return result < 0 ? -errno : result;
    }
    }
}

/* What waits to be sent waits in the engine, too. */
static int ioctl_natively(int descriptor, unsigned long request, void *argument)
{
    int before = errno, amount;
    bool concerns = request == FIONREAD || request == TIOCOUTQ || request == SIOCOUTQNSD ||
                    request == SIOCATMARK;
    if (concerns && has_others() && remote_amount(descriptor, request, &amount))
        return (int)result_give(store(amount, argument), before);
    return real.ioctl(descriptor, request, argument);
}

int daytona_sockatmark(int descriptor)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    int mark = 0;
    if (file == NULL)
        return ioctl_natively(descriptor, SIOCATMARK, &mark) < 0 ? -1 : mark;
    return (int)result_finish(file, file_at_mark(file), before);
}

int daytona_ioctl(int descriptor, unsigned long request, ...)
{
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return ioctl_natively(descriptor, request, argument);
    return (int)result_finish(file, ioctl_file(file, descriptor, request, argument), before);
}
