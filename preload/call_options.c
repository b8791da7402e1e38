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
#include "preload/wrappers.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>

/* What a twin of another process's engine cannot answer: the options of TCP and IP, which AF_UNIX
 * does not have, and those that it has, but with another meaning. */
static bool asks_engine(int level, int option, int result)
{
    if (!settings.present)
        return false;
    if (level == SOL_SOCKET)
        return engine.epoch != 0 &&
               (option == SO_LINGER || option == SO_KEEPALIVE || option == SO_DOMAIN ||
                option == SO_PROTOCOL || option == SO_OOBINLINE);
    return (level == IPPROTO_TCP || level == IPPROTO_IP) && result < 0 && errno == EOPNOTSUPP;
}

static int get_natively(int descriptor, int level, int option, void *value, socklen_t *length)
{
    int before = errno;
    int result = real.getsockopt(descriptor, level, option, value, length);
    if (asks_engine(level, option, result) && !memory_is_bad(length, sizeof *length) &&
        !memory_is_bad(value, *length) &&
        remote_get_option(descriptor, level, option, value, length, &result))
        return (int)result_give(result, before);
    return result;
}

static int set_natively(int descriptor, int level, int option, const void *value, socklen_t length)
{
    int before = errno;
    int result = real.setsockopt(descriptor, level, option, value, length);
    if (result == 0 && level == IPPROTO_TCP && (option == TCP_MD5SIG || option == TCP_MD5SIG_EXT) &&
        settings.present)
        signatures_note(descriptor, option, value, length);
    if (asks_engine(level, option, result) && memory_can_be_read(value, length) &&
        remote_set_option(descriptor, level, option, value, length, &result))
        return (int)result_give(result, before);
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

int daytona_sockatmark(int descriptor)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return real.sockatmark(descriptor);
    return (int)result_finish(file, file_at_mark(file), before);
}

/* Stores a request's answer where `argument` points. */
static int store(int answer, void *argument)
{
    if (answer < 0)
        return answer;
    if (!memory_can_be_read(argument, sizeof answer))
        return -EFAULT;
    *(int *)argument = answer;
    return 0;
}

static int ioctl_file(struct file *file, int descriptor, unsigned long request, void *argument)
{
    switch (request) {
    case FIONREAD: /* is SIOCINQ */
        return store(file_bytes_readable(file), argument);
    case TIOCOUTQ: /* is SIOCOUTQ */
        return store(file_bytes_unacknowledged(file), argument);
    case SIOCOUTQNSD:
        return store(file_bytes_unsent(file), argument);
    case SIOCATMARK:
        return store(file_at_mark(file), argument);
    case FIOASYNC: /* SIGIO would come with the twin's readiness, not with the socket's */
        return -EOPNOTSUPP;
    case FIONBIO:
        if (real.ioctl(descriptor, request, argument) != 0)
            return -errno;
        file_set_nonblocking(file, *(int *)argument != 0);
        return 0;
    default: {
        int result = real.ioctl(descriptor, request, argument);
        return result < 0 ? -errno : result;
    }
    }
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
        return real.ioctl(descriptor, request, argument);
    return (int)result_finish(file, ioctl_file(file, descriptor, request, argument), before);
}
