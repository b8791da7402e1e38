/*
 * call_data.c - the calls that move data. Each is brought into the form of recvmsg or sendmsg.
 */
#include "preload/bridge.h"
#include "preload/decide.h"
#include "preload/memory.h"
#include "preload/remote.h"
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/wrappers.h"

#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define MESSAGES_MAX 1024 /* Linux: UIO_MAXIOV bounds recvmmsg and sendmmsg too */

/* What the kernel checks of a list of parts; 0 or -errno, `too_many` for a long one. With
 * `untouched` nothing is copied, and the places need not be memory. */
static int check_parts(const struct iovec *parts, size_t count, int too_many, bool untouched)
{
    size_t total = 0;
    if (count > IOV_MAX)
        return too_many;
    if (memory_is_bad(parts, count * sizeof *parts))
        return -EFAULT;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].iov_len > SSIZE_MAX - total)
            return -EINVAL;
        total += parts[i].iov_len;
        if (!untouched && memory_is_bad(parts[i].iov_base, parts[i].iov_len))
            return -EFAULT;
    }
    return 0;
}

/* ------------------------------------------------------------------ receiving */

static ssize_t receive_parts(struct file *file, const struct iovec *parts, size_t count, int flags,
                             int too_many, int *message_flags)
{
    int result = check_parts(parts, count, too_many, (flags & MSG_TRUNC) != 0);
    if (result < 0)
        return result;
    if ((flags & MSG_ERRQUEUE) != 0) /* which is always empty */
        return -EAGAIN;
    return file_receive(file, parts, count, flags, message_flags);
}

/* What is received natively, bridged, takes no notice of MSG_ERRQUEUE. */
static struct file *get_receiver(int descriptor, int flags)
{
    return (flags & MSG_ERRQUEUE) != 0 ? file_get(descriptor) : file_get_direct(descriptor);
}

/* What was received natively: AF_UNIX says of a listener that it is no stream, TCP that it has no
 * connection. */
static ssize_t of_stream(int descriptor, ssize_t result)
{
    int listens = 0;
    socklen_t length = sizeof listens;
    if (result >= 0 || errno != EINVAL || settings.engine != SETTINGS_ENGINE_PROCESS)
        return result;
    bool twin = real.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 &&
                listens != 0;
    errno = twin ? ENOTCONN : EINVAL;
    return result;
}

/* The queue of errors is always empty. AF_UNIX has none, and would give data. */
static bool asks_for_errors(int descriptor, int flags)
{
    if ((flags & MSG_ERRQUEUE) == 0 || !settings.present || !remote_is_twin(descriptor))
        return false;
    errno = EAGAIN;
    return true;
}

/* A twin's other end has a name, and AF_UNIX tells it to who receives; TCP tells none. */
static void hide_name(const void *address, socklen_t room, socklen_t *length)
{
    static const char prefix[] = "\0daytona-";
    const struct sockaddr_un *name = address;
    size_t path = offsetof(struct sockaddr_un, sun_path);
    if (room >= path + sizeof prefix - 1 && *length > path && name->sun_family == AF_UNIX &&
        memcmp(name->sun_path, prefix, sizeof prefix - 1) == 0)
        *length = 0;
}

static ssize_t receive(struct file *file, void *data, size_t length, int flags)
{
    struct iovec part = {.iov_base = data, .iov_len = length < SSIZE_MAX ? length : SSIZE_MAX};
    return receive_parts(file, &part, 1, flags, -EINVAL, NULL);
}

ssize_t daytona_read(int descriptor, void *data, size_t length)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return of_stream(descriptor, real.read(descriptor, data, length));
    return result_finish(file, receive(file, data, length, 0), before);
}

ssize_t daytona_readv(int descriptor, const struct iovec *parts, int count)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return of_stream(descriptor, real.readv(descriptor, parts, count));
    return result_finish(file, receive_parts(file, parts, (size_t)count, 0, -EINVAL, NULL), before);
}

ssize_t daytona_recv(int descriptor, void *data, size_t length, int flags)
{
    int before = errno;
    struct file *file = get_receiver(descriptor, flags);
    if (file == NULL && asks_for_errors(descriptor, flags))
        return -1;
    if (file == NULL)
        return of_stream(descriptor, real.recv(descriptor, data, length, flags));
    return result_finish(file, receive(file, data, length, flags), before);
}

/* A stream's data has no sender's address: its length is told as 0. */
static ssize_t receive_from(struct file *file, void *data, size_t length, int flags,
                            const struct sockaddr *address, socklen_t *address_length)
{
    if (address != NULL && !memory_can_be_read(address_length, sizeof *address_length))
        return -EFAULT;
    ssize_t result = receive(file, data, length, flags);
    if (result >= 0 && address != NULL)
        *address_length = 0;
    return result;
}

ssize_t daytona_recvfrom(int descriptor, void *data, size_t length, int flags,
                         struct sockaddr *address, socklen_t *address_length)
{
    int before = errno;
    struct file *file = get_receiver(descriptor, flags);
    if (file == NULL && asks_for_errors(descriptor, flags))
        return -1;
    if (file == NULL) {
        bool named = address != NULL && settings.present &&
                     memory_can_be_read(address_length, sizeof *address_length);
        socklen_t room = named ? *address_length : 0;
        ssize_t got = of_stream(
            descriptor, real.recvfrom(descriptor, data, length, flags, address, address_length));
        if (got >= 0 && named)
            hide_name(address, room, address_length);
        return got;
    }
    return result_finish(file, receive_from(file, data, length, flags, address, address_length),
                         before);
}

/* TCP_INQ: the control message, where there is room for it. Returns MSG_CTRUNC or 0. */
static int tell_queued(struct file *file, struct msghdr *message)
{
    socklen_t room = message->msg_control == NULL ? 0 : (socklen_t)message->msg_controllen;
    message->msg_controllen = 0;
    int queued = file_bytes_hinted(file);
    if (queued < 0)
        return 0;
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof queued)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof queued),
                            .cmsg_level = IPPROTO_TCP,
                            .cmsg_type = TCP_CM_INQ}};
    if (room < sizeof(struct cmsghdr))
        return MSG_CTRUNC;
    int cut = room < control.header.cmsg_len ? MSG_CTRUNC : 0;
    if (cut != 0)
        control.header.cmsg_len = room;
    memcpy(CMSG_DATA(&control.header), &queued, sizeof queued);
    size_t length = room < sizeof control.bytes ? room : sizeof control.bytes;
    memcpy(message->msg_control, control.bytes, length);
    message->msg_controllen = length;
    return cut;
}

static ssize_t receive_message(struct file *file, struct msghdr *message, int flags)
{
    int message_flags = 0;
    if (memory_is_bad(message, sizeof *message))
        return -EFAULT;
    ssize_t result = receive_parts(file, message->msg_iov, message->msg_iovlen, flags, -EMSGSIZE,
                                   &message_flags);
    if (result < 0)
        return result;
    if (message->msg_name != NULL)
        message->msg_namelen = 0;
    int told = tell_queued(file, message);
    message->msg_flags = message_flags | told | (flags & MSG_CMSG_CLOEXEC);
    return result;
}

ssize_t daytona_recvmsg(int descriptor, struct msghdr *message, int flags)
{
    int before = errno;
    struct file *file = get_receiver(descriptor, flags);
    if (file == NULL && asks_for_errors(descriptor, flags))
        return -1;
    if (file == NULL) {
        bool named = settings.present && memory_can_be_read(message, sizeof *message) &&
                     message->msg_name != NULL;
        socklen_t room = named ? message->msg_namelen : 0;
        ssize_t got = of_stream(descriptor, real.recvmsg(descriptor, message, flags));
        if (got >= 0 && named)
            hide_name(message->msg_name, room, &message->msg_namelen);
        return got;
    }
    return result_finish(file, receive_message(file, message, flags), before);
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Until when `timeout` lets recvmmsg go on; UINT64_MAX: for ever. */
static uint64_t end_of(const struct timespec *timeout)
{
    return timeout == NULL
               ? UINT64_MAX
               : clock_ns() + (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec;
}

static void tell_left(struct timespec *timeout, uint64_t end)
{
    uint64_t now = clock_ns();
    uint64_t left = end > now ? end - now : 0;
    timeout->tv_sec = (time_t)(left / 1000000000);
    timeout->tv_nsec = (long)(left % 1000000000);
}

/* As in Linux the timeout is looked at after each message only. */
static ssize_t receive_messages(struct file *file, struct mmsghdr *messages, unsigned count,
                                int flags, struct timespec *timeout)
{
    unsigned most = count < MESSAGES_MAX ? count : MESSAGES_MAX;
    unsigned done = 0;
    ssize_t result = 0;
    if (memory_is_bad(messages, most * sizeof *messages) ||
        (timeout != NULL && !memory_can_be_read(timeout, sizeof *timeout)))
        return -EFAULT;
    if (timeout != NULL &&
        (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999))
        return -EINVAL;
    uint64_t end = end_of(timeout);
    while (done < most) {
        result = receive_message(file, &messages[done].msg_hdr, flags & ~MSG_WAITFORONE);
        if (result < 0)
            break;
        messages[done++].msg_len = (unsigned)result;
        if ((flags & MSG_WAITFORONE) != 0)
            flags |= MSG_DONTWAIT;
        if (timeout != NULL && clock_ns() >= end)
            break;
    }
    if (timeout != NULL)
        tell_left(timeout, end);
    return done > 0 ? (ssize_t)done : result;
}

int daytona_recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags,
                     struct timespec *timeout)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return real.recvmmsg(descriptor, messages, count, flags, timeout);
    return (int)result_finish(file, receive_messages(file, messages, count, flags, timeout),
                              before);
}

/* ------------------------------------------------------------------ sending */

static ssize_t send_parts(struct file *file, const struct iovec *parts, size_t count, int flags,
                          int too_many)
{
    int result = check_parts(parts, count, too_many, false);
    return result < 0 ? result : file_send(file, parts, count, flags);
}

static ssize_t send_data(struct file *file, const void *data, size_t length, int flags)
{
    /* An iovec serves reading and writing; here nothing is written through it. */
    union {
        const void *from;
        void *base;
    } place = {.from = data};
    struct iovec part = {.iov_base = place.base,
                         .iov_len = length < SSIZE_MAX ? length : SSIZE_MAX};
    return send_parts(file, &part, 1, flags, -EINVAL);
}

ssize_t daytona_write(int descriptor, const void *data, size_t length)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return real.write(descriptor, data, length);
    return result_finish(file, send_data(file, data, length, 0), before);
}

ssize_t daytona_writev(int descriptor, const struct iovec *parts, int count)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return real.writev(descriptor, parts, count);
    return result_finish(file, send_parts(file, parts, (size_t)count, 0, -EINVAL), before);
}

ssize_t daytona_send(int descriptor, const void *data, size_t length, int flags)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return real.send(descriptor, data, length, flags);
    return result_finish(file, send_data(file, data, length, flags), before);
}

/* MSG_FASTOPEN on a socket that is nobody's yet: connects, so that what is sent then may go with
 * the SYN. DECIDE_KERNEL, -errno, or 0 and the file. */
static int connect_fast(int descriptor, const struct sockaddr *address, socklen_t length, int flags,
                        struct file **file)
{
    if ((flags & MSG_FASTOPEN) == 0 || address == NULL)
        return DECIDE_KERNEL;
    int result = decide_connect_fast(descriptor, address, length);
    *file = result == 0 ? file_get_direct(descriptor) : NULL;
    return result == 0 && *file == NULL ? -EBADF : result;
}

/* A connected stream takes no notice of the address. */
ssize_t daytona_sendto(int descriptor, const void *data, size_t length, int flags,
                       const struct sockaddr *address, socklen_t address_length)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL) {
        int result = connect_fast(descriptor, address, address_length, flags, &file);
        if (result < 0)
            return result_give(result, before);
        errno = before;
        if (result == DECIDE_KERNEL)
            return real.sendto(descriptor, data, length, flags, address, address_length);
    }
    return result_finish(file, send_data(file, data, length, flags), before);
}

static ssize_t send_message(struct file *file, const struct msghdr *message, int flags)
{
    if (memory_is_bad(message, sizeof *message))
        return -EFAULT;
    return send_parts(file, message->msg_iov, message->msg_iovlen, flags, -EMSGSIZE);
}

/* Who receives a socket by SCM_RIGHTS may use it as it likes. */
static void let_go_along(const struct msghdr *message)
{
    struct msghdr copy;
    if (memory_is_bad(message, sizeof *message) || message->msg_controllen == 0 ||
        !memory_can_be_read(message->msg_control, message->msg_controllen))
        return;
    copy = *message;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&copy); header != NULL;
         header = CMSG_NXTHDR(&copy, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            bridge_descriptor(fd);
        }
    }
}

static bool carries_ours(void)
{
    return atomic_load_explicit(&file_count, memory_order_relaxed) != 0;
}

ssize_t daytona_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL && (flags & MSG_FASTOPEN) != 0 && !memory_is_bad(message, sizeof *message)) {
        int result =
            connect_fast(descriptor, message->msg_name, message->msg_namelen, flags, &file);
        if (result < 0)
            return result_give(result, before);
    }
    if (file == NULL) {
        if (carries_ours())
            let_go_along(message);
        errno = before;
        return real.sendmsg(descriptor, message, flags);
    }
    return result_finish(file, send_message(file, message, flags), before);
}

static ssize_t send_messages(struct file *file, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned most = count < MESSAGES_MAX ? count : MESSAGES_MAX;
    unsigned done = 0;
    ssize_t result = 0;
    if (memory_is_bad(messages, most * sizeof *messages))
        return -EFAULT;
    while (done < most && result >= 0) {
        result = send_message(file, &messages[done].msg_hdr, flags);
        if (result >= 0)
            messages[done++].msg_len = (unsigned)result;
    }
    return done > 0 ? (ssize_t)done : result;
}

int daytona_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return real.sendmmsg(descriptor, messages, count, flags);
    return (int)result_finish(file, send_messages(file, messages, count, flags), before);
}

ssize_t daytona_sendfile(int to, int from, off_t *offset, size_t length)
{
    int before = errno;
    struct file *file = file_get_direct(to);
    if (file == NULL)
        return real.sendfile(to, from, offset, length);
    bool bad = offset != NULL && !memory_can_be_read(offset, sizeof *offset);
    return result_finish(file, bad ? -EFAULT : file_sendfile(file, from, offset, length), before);
}
