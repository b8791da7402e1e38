/*
 * call_options.c - socket options, and the requests of ioctl that concern a socket.
 */
#include "preload/memory.h"
#include "preload/result.h"
#include "preload/socket_options.h"
#include "preload/wrappers.h"

#include <linux/sockios.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>

int daytona_getsockopt(int descriptor, int level, int option, void *value, socklen_t *length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return real.getsockopt(descriptor, level, option, value, length);
    return (int)result_finish(
        file, socket_options_get(file, descriptor, level, option, value, length), before);
}

int daytona_setsockopt(int descriptor, int level, int option, const void *value, socklen_t length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return real.setsockopt(descriptor, level, option, value, length);
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
