#include "preload/native_data.h"

#include "preload/memory.h"
#include "preload/native.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/settings.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

int native_check_message(const struct msghdr *message)
{
    if (!memory_can_be_read_again(message, sizeof *message))
        return -EFAULT;
    return message->msg_name != NULL && (int)message->msg_namelen < 0 ? -EINVAL : 0;
}

ssize_t native_received(int descriptor, ssize_t result, bool good)
{
    int listens = 0;
    socklen_t length = sizeof listens;
    if (result < 0 && errno == ECONNRESET)
        errno = native_told_reader(descriptor);
    if (result >= 0 || errno != EINVAL || !good ||
        (settings.engine != SETTINGS_ENGINE_PROCESS && !native_is_known(descriptor)))
        return result;
    bool twin = real.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 &&
                listens != 0;
    errno = twin ? ENOTCONN : EINVAL;
    return result;
}

bool native_throws_away(int descriptor, int flags)
{
    return (flags & MSG_TRUNC) != 0 && settings.present && remote_is_twin(descriptor);
}

ssize_t native_receive_nowhere(int descriptor, size_t length, int flags)
{
    char nowhere[4096];
    size_t total = 0;
    do {
        size_t part = length - total < sizeof nowhere ? length - total : sizeof nowhere;
        ssize_t got = native_received(
            descriptor,
            real.recv(descriptor, nowhere, part, total > 0 ? flags | MSG_DONTWAIT : flags), true);
        if (got <= 0)
            return total > 0 ? (ssize_t)total : got;
        total += (size_t)got;
    } while (total < length && (flags & MSG_PEEK) == 0);
    return (ssize_t)total;
}

void native_hide_name(const void *address, socklen_t room, socklen_t *length)
{
    static const char prefix[] = "\0daytona-";
    const struct sockaddr_un *name = address;
    size_t path = offsetof(struct sockaddr_un, sun_path);
    if (room >= path + sizeof prefix - 1 && *length > path && name->sun_family == AF_UNIX &&
        memcmp(name->sun_path, prefix, sizeof prefix - 1) == 0)
        *length = 0;
}

ssize_t native_sent(int descriptor, ssize_t result, int flags)
{
    if (result < 0 && errno == EPIPE && native_is_known(descriptor))
        errno = native_told_writer(descriptor, flags);
    if (result >= 0 || (errno != ENOTCONN && errno != EOPNOTSUPP) || !settings.present ||
        !remote_is_twin(descriptor))
        return result;
    if ((flags & MSG_NOSIGNAL) == 0)
        pthread_kill(pthread_self(), SIGPIPE);
    errno = EPIPE;
    return -1;
}

ssize_t native_send(int descriptor, const void *data, size_t length, int flags)
{
    ssize_t sent = real.send(descriptor, data, length, native_flags(descriptor, flags));
    if (sent == 0 && native_is_known(descriptor) && native_has_ended(descriptor)) {
        errno = EPIPE;
        sent = -1;
    }
    return native_sent(descriptor, sent, flags);
}

/* Something else may have got the number, unseen. */
static bool is_no_socket(ssize_t result)
{
    return result < 0 && errno == ENOTSOCK;
}

ssize_t native_write(int descriptor, const void *data, size_t length)
{
    int before = errno;
    if (length <= SSIZE_MAX && native_is_known(descriptor)) {
        ssize_t sent = native_send(descriptor, data, length, 0);
        if (!is_no_socket(sent))
            return sent;
        errno = before;
    }
    return native_sent(descriptor, real.write(descriptor, data, length), 0);
}

/* writev() of nothing does nothing, whatever the socket, and so does it when it is let be. */
static bool is_nothing(const struct iovec *parts, int count)
{
    size_t length = 0;
    if (count <= 0 || count > IOV_MAX ||
        !memory_can_be_read_again(parts, (size_t)count * sizeof *parts))
        return false;
    for (int i = 0; i < count; i++)
        length |= parts[i].iov_len;
    return length == 0;
}

ssize_t native_writev(int descriptor, const struct iovec *parts, int count)
{
    union {
        const struct iovec *from;
        struct iovec *base;
    } place = {.from = parts};
    const struct msghdr message = {.msg_iov = place.base, .msg_iovlen = (size_t)count};
    int before = errno;
    bool known = native_is_known(descriptor);
    if (known && is_nothing(parts, count))
        return 0;
    if (known && count > 0 && count <= IOV_MAX) {
        ssize_t sent = native_sent(
            descriptor, real.sendmsg(descriptor, &message, native_flags(descriptor, 0)), 0);
        if (!is_no_socket(sent))
            return sent;
        errno = before;
    }
    return native_sent(descriptor, real.writev(descriptor, parts, count), 0);
}

ssize_t native_message_sent(int descriptor, ssize_t result, const struct msghdr *message, int flags)
{
    int error = errno;
    if (result < 0 && error == EINVAL && settings.present && native_check_message(message) == 0 &&
        message->msg_controllen > 0 && remote_is_twin(descriptor)) {
        ssize_t nothing = native_sent(
            descriptor, real.send(descriptor, NULL, 0, native_flags(descriptor, flags)), flags);
        errno = nothing < 0 ? errno : error;
        return -1;
    }
    return native_sent(descriptor, result, flags);
}

ssize_t native_sendto(int descriptor, const void *data, size_t length, int flags,
                      const struct sockaddr *address, socklen_t address_length)
{
    if ((flags & MSG_FASTOPEN) != 0 && settings.present && remote_is_twin(descriptor)) {
        errno = EISCONN;
        return -1;
    }
    int before = errno;
    ssize_t result = real.sendto(descriptor, data, length, native_flags(descriptor, flags), address,
                                 address_length);
    if (result < 0 && errno == EISCONN && settings.present && remote_is_twin(descriptor)) {
        errno = before;
        result = real.send(descriptor, data, length, native_flags(descriptor, flags));
    }
    return native_sent(descriptor, result, flags);
}
