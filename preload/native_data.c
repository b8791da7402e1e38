#include "preload/native_data.h"

#include "preload/memory.h"
#include "preload/real.h"
#include "preload/remote.h"
#include "preload/settings.h"

#include <errno.h>
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
    if (result >= 0 || errno != EINVAL || !good || settings.engine != SETTINGS_ENGINE_PROCESS)
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
    if (result >= 0 || (errno != ENOTCONN && errno != EOPNOTSUPP) || !settings.present ||
        !remote_is_twin(descriptor))
        return result;
    if ((flags & MSG_NOSIGNAL) == 0)
        pthread_kill(pthread_self(), SIGPIPE);
    errno = EPIPE;
    return -1;
}

ssize_t native_message_sent(int descriptor, ssize_t result, const struct msghdr *message, int flags)
{
    int error = errno;
    if (result < 0 && error == EINVAL && settings.present && native_check_message(message) == 0 &&
        message->msg_controllen > 0 && remote_is_twin(descriptor)) {
        ssize_t nothing = native_sent(descriptor, real.send(descriptor, NULL, 0, flags), flags);
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
    ssize_t result = real.sendto(descriptor, data, length, flags, address, address_length);
    if (result < 0 && errno == EISCONN && settings.present && remote_is_twin(descriptor)) {
        errno = before;
        result = real.send(descriptor, data, length, flags);
    }
    return native_sent(descriptor, result, flags);
}
