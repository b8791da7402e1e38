/*
 * call_data.c - the calls that move data. Each is brought into the form of recvmsg or sendmsg.
 */
#include "preload/bridge.h"
#include "preload/decide.h"
#include "preload/memory.h"
#include "preload/native.h"
#include "preload/native_data.h"
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
#include <time.h>

#define MESSAGES_MAX 1024 /* Linux: UIO_MAXIOV bounds recvmmsg and sendmmsg too */

/* What the kernel checks of a list of parts before anything else; 0 or -errno, `too_many` for a
 * long one. Whether there is memory is seen when it is used. */
static int check_parts(const struct iovec *parts, size_t count, int too_many)
{
    if (count > IOV_MAX)
        return too_many;
    if (count > 0 && !memory_can_be_read_again(parts, count * sizeof *parts))
        return -EFAULT;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].iov_len > SSIZE_MAX)
            return -EINVAL;
        if (memory_is_outside(parts[i].iov_base, parts[i].iov_len))
            return -EFAULT;
    }
    return 0;
}

/* readv() and writev() of nothing do nothing; recvmsg() and sendmsg() of nothing may wait. */
static bool has_room(const struct iovec *parts, size_t count)
{
    size_t i = 0;
    while (i < count && parts[i].iov_len == 0)
        i++;
    return i < count;
}

/* ------------------------------------------------------------------ receiving */

static ssize_t receive_parts(struct file *file, const struct iovec *parts, size_t count, int flags,
                             int too_many, int *message_flags)
{
    int result = check_parts(parts, count, too_many);
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

/* The queue of errors is always empty. AF_UNIX has none, and would give data. */
static bool asks_for_errors(int descriptor, int flags)
{
    if ((flags & MSG_ERRQUEUE) == 0 || !settings.present || !remote_is_twin(descriptor))
        return false;
    errno = EAGAIN;
    return true;
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
    if (file == NULL && length > 0 && native_at_end(descriptor))
        return 0;
    if (file == NULL)
        return native_received(descriptor, real.read(descriptor, data, length), true);
    return result_finish(file, length == 0 ? 0 : receive(file, data, length, 0), before);
}

ssize_t daytona_readv(int descriptor, const struct iovec *parts, int count)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL && native_at_end(descriptor))
        return 0;
    if (file == NULL)
        return native_received(descriptor, real.readv(descriptor, parts, count),
                               check_parts(parts, (size_t)count, -EINVAL) == 0);
    ssize_t result = check_parts(parts, (size_t)count, -EINVAL);
    if (result == 0 && has_room(parts, (size_t)count))
        result = file_receive(file, parts, (size_t)count, 0, NULL);
    return result_finish(file, result, before);
}

ssize_t daytona_recv(int descriptor, void *data, size_t length, int flags)
{
    int before = errno;
    struct file *file = get_receiver(descriptor, flags);
    if (file == NULL && asks_for_errors(descriptor, flags))
        return -1;
    if (file == NULL && native_throws_away(descriptor, flags))
        return native_receive_nowhere(descriptor, length, flags);
    if (file == NULL && native_at_end(descriptor))
        return 0;
    if (file == NULL)
        return native_received(descriptor, real.recv(descriptor, data, length, flags), true);
    return result_finish(file, receive(file, data, length, flags), before);
}

/* A stream's data has no sender's address: its length is told as 0. Like Linux after the data have
 * been taken. */
static ssize_t receive_from(struct file *file, void *data, size_t length, int flags,
                            const struct sockaddr *address, socklen_t *address_length)
{
    ssize_t result = receive(file, data, length, flags);
    if (result < 0 || address == NULL)
        return result;
    if (!memory_can_be_written(address_length, sizeof *address_length))
        return -EFAULT;
    if ((int)*address_length < 0)
        return -EINVAL;
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
        bool ended = named && native_at_end(descriptor);
        ssize_t got = ended ? 0
                            : native_received(descriptor,
                                              real.recvfrom(descriptor, data, length, flags,
                                                            address, address_length),
                                              true);
        if (ended)
            *address_length = 0;
        else if (got >= 0 && named)
            native_hide_name(address, room, address_length);
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
    if (!memory_can_be_written(message->msg_control, length))
        return 0; /* as Linux has it */
    memcpy(message->msg_control, control.bytes, length);
    message->msg_controllen = length;
    return cut;
}

static ssize_t receive_message(struct file *file, struct msghdr *message, int flags)
{
    int message_flags = 0;
    int status = native_check_message(message);
    if (status < 0)
        return status;
    ssize_t result = receive_parts(file, message->msg_iov, message->msg_iovlen, flags, -EMSGSIZE,
                                   &message_flags);
    if (result < 0)
        return result;
    if (!memory_can_be_used(message, sizeof *message, true))
        return -EFAULT;
    if (message->msg_name != NULL)
        message->msg_namelen = 0;
    int told = tell_queued(file, message);
    message->msg_flags = message_flags | told | (flags & MSG_CMSG_CLOEXEC);
    return result;
}

static ssize_t end_of_messages(struct msghdr *message, int flags)
{
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = flags & MSG_CMSG_CLOEXEC;
    return 0;
}

ssize_t daytona_recvmsg(int descriptor, struct msghdr *message, int flags)
{
    int before = errno;
    struct file *file = get_receiver(descriptor, flags);
    if (file == NULL && asks_for_errors(descriptor, flags))
        return -1;
    if (file == NULL) {
        bool known = settings.present && memory_can_be_read(message, sizeof *message);
        if (known && native_at_end(descriptor))
            return end_of_messages(message, flags);
        bool named = known && message->msg_name != NULL;
        socklen_t room = named ? message->msg_namelen : 0;
        ssize_t got = native_received(descriptor, real.recvmsg(descriptor, message, flags),
                                      native_check_message(message) == 0);
        if (got >= 0 && named)
            native_hide_name(message->msg_name, room, &message->msg_namelen);
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
    if (timeout != NULL && !memory_can_be_read(timeout, sizeof *timeout))
        return -EFAULT;
    if (timeout != NULL &&
        (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999))
        return -EINVAL;
    uint64_t end = end_of(timeout);
    int error = file_take_error(file); /* Linux begins with it */
    ssize_t result = error > 0 ? -error : error;
    while (done < most && result >= 0) {
        if (!memory_can_be_used(&messages[done], sizeof *messages, true))
            result = -EFAULT;
        else
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
        return (int)native_received(descriptor,
                                    real.recvmmsg(descriptor, messages, count, flags, timeout),
                                    timeout == NULL);
    return (int)result_finish(file, receive_messages(file, messages, count, flags, timeout),
                              before);
}

/* ------------------------------------------------------------------ sending */

static ssize_t send_parts(struct file *file, const struct iovec *parts, size_t count, int flags,
                          int too_many)
{
    int result = check_parts(parts, count, too_many);
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
        return native_write(descriptor, data, length);
    return result_finish(file, send_data(file, data, length, 0), before);
}

ssize_t daytona_writev(int descriptor, const struct iovec *parts, int count)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return native_writev(descriptor, parts, count);
    ssize_t result = check_parts(parts, (size_t)count, -EINVAL);
    if (result == 0 && has_room(parts, (size_t)count))
        result = file_send(file, parts, (size_t)count, 0);
    return result_finish(file, result, before);
}

ssize_t daytona_send(int descriptor, const void *data, size_t length, int flags)
{
    int before = errno;
    struct file *file = file_get_direct(descriptor);
    if (file == NULL)
        return native_send(descriptor, data, length, flags);
    return result_finish(file, send_data(file, data, length, flags), before);
}

/* A connected stream takes no notice of the address, after it was read; but it cannot be connected
 * once more. */
static int check_destination(struct file *file, const struct sockaddr *address, socklen_t length,
                             int flags)
{
    if (address != NULL && length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if (address != NULL && !memory_can_be_read(address, length))
        return -EFAULT;
    return (flags & MSG_FASTOPEN) != 0 && file_is_connected(file) ? -EISCONN : 0;
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
            return native_sendto(descriptor, data, length, flags, address, address_length);
        flags &= ~MSG_FASTOPEN; /* this call has connected it */
    }
    int status = check_destination(file, address, address_length, flags);
    return result_finish(file, status < 0 ? status : send_data(file, data, length, flags), before);
}

/* Control messages that Linux's sockets know ask for nothing that a stream could do; but they must
 * be whole. */
static int check_control(const struct msghdr *message)
{
    if (message->msg_controllen == 0)
        return 0;
    if (message->msg_controllen > INT_MAX)
        return -ENOBUFS;
    if (!memory_can_be_read(message->msg_control, message->msg_controllen))
        return -EFAULT;
    struct msghdr copy = *message;
    const char *end = (const char *)message->msg_control + message->msg_controllen;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&copy); header != NULL;
         header = CMSG_NXTHDR(&copy, header))
        if (header->cmsg_len < sizeof *header ||
            header->cmsg_len > (size_t)(end - (const char *)header))
            return -EINVAL;
    return 0;
}

static ssize_t send_message(struct file *file, const struct msghdr *message, int flags)
{
    int status = native_check_message(message);
    if (status == 0)
        status = check_destination(file, message->msg_name,
                                   message->msg_namelen < sizeof(struct sockaddr_storage)
                                       ? message->msg_namelen
                                       : sizeof(struct sockaddr_storage),
                                   0);
    if (status == 0)
        status = check_parts(message->msg_iov, message->msg_iovlen, -EMSGSIZE);
    int control = status == 0 ? check_control(message) : 0;
    if (status == 0 && control != -EINVAL)
        status = control < 0 ? control : check_destination(file, NULL, 0, flags);
    if (status < 0)
        return status;
    if (control == -EINVAL) { /* unless there is nobody to send to */
        ssize_t nothing = file_send(file, NULL, 0, flags);
        return nothing < 0 ? nothing : control;
    }
    return send_parts(file, message->msg_iov, message->msg_iovlen, flags, -EMSGSIZE);
}

/* Who receives a socket by SCM_RIGHTS may use it as it likes. */
static void let_go_along(const struct msghdr *message)
{
    struct msghdr copy;
    if (!memory_can_be_read_again(message, sizeof *message) || message->msg_controllen == 0 ||
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
    if (file == NULL && (flags & MSG_FASTOPEN) != 0 &&
        memory_can_be_read_again(message, sizeof *message)) {
        int result =
            connect_fast(descriptor, message->msg_name, message->msg_namelen, flags, &file);
        if (result < 0)
            return result_give(result, before);
        if (file != NULL)
            flags &= ~MSG_FASTOPEN; /* this call has connected it */
    }
    if (file == NULL) {
        if (carries_ours())
            let_go_along(message);
        errno = before;
        return native_message_sent(
            descriptor, real.sendmsg(descriptor, message, native_flags(descriptor, flags)), message,
            flags);
    }
    return result_finish(file, send_message(file, message, flags), before);
}

static ssize_t send_messages(struct file *file, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned most = count < MESSAGES_MAX ? count : MESSAGES_MAX;
    unsigned done = 0;
    ssize_t result = 0;
    while (done < most && result >= 0) {
        if (!memory_can_be_used(&messages[done], sizeof *messages, true))
            result = -EFAULT;
        else
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
        return (int)native_sent(
            descriptor, real.sendmmsg(descriptor, messages, count, native_flags(descriptor, flags)),
            flags);
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
