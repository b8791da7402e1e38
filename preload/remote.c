#include "preload/remote.h"

#include "preload/address.h"
#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/native.h"
#include "preload/real.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* for an engine that is at work on a busy machine, or stopped */

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* ------------------------------------------------------------------ asking */

int remote_reach(const struct sockaddr_un *address, socklen_t length)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    int through = real.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (through >= 0 &&
        real.bind(through, (struct sockaddr *)&own, sizeof(sa_family_t)) == 0 && /* any name */
        real.connect(through, (const struct sockaddr *)address, length) == 0)
        return through;
    int error = errno;
    if (through >= 0)
        real.close(through);
    return -error;
}

/* Room in the engine's queue may be waited for, and a handler that interrupts that is no answer. */
static int send_message(int through, const struct msghdr *message)
{
    ssize_t sent;
    do
        sent = real.sendmsg(through, message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static int send_request(int through, const struct remote_request *request, int fd)
{
    union control room = {0};
    union {
        const void *from;
        void *base;
    } place = {.from = request};
    struct iovec part = {.iov_base = place.base, .iov_len = sizeof *request};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    if (fd < 0) {
        message.msg_control = NULL;
        message.msg_controllen = 0;
        return send_message(through, &message);
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return send_message(through, &message);
}

int remote_hear(int through, struct remote_answer *answer, int *received)
{
    union control room = {0};
    struct iovec part = {.iov_base = answer, .iov_len = sizeof *answer};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    ssize_t got = real.recvmsg(through, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(received, CMSG_DATA(header), sizeof *received);
    /* Another version's answer may end elsewhere; it begins like ours. */
    bool other = got >= (ssize_t)offsetof(struct remote_answer, length) &&
                 answer->result == -EPROTONOSUPPORT;
    return got == (ssize_t)sizeof *answer || other ? 0 : -EPROTO;
}

/* A connection that accept() has taken would be lost without an answer. As long as its engine is
 * there, which the twin shows, there will be one. */
static bool is_waited_for(const struct remote_request *request, int fd)
{
    struct pollfd entry = {.fd = fd};
    return request->what == REMOTE_ACCEPTED && real.poll(&entry, 1, 0) == 0;
}

int remote_call(int through, const struct remote_request *request, int fd,
                struct remote_answer *answer, int *received)
{
    struct pollfd entry = {.fd = through, .events = POLLIN};
    *received = -1;
    int status = send_request(through, request, fd), ready;
    if (status < 0)
        return status;
    do
        ready = real.poll(&entry, 1, PATIENCE_MS);
    while (ready < 0 ? errno == EINTR : ready == 0 && is_waited_for(request, fd));
    return ready <= 0 ? -ETIMEDOUT : remote_hear(through, answer, received);
}

/* Asks the engine of `fd`, a twin, whose name is found out here. False: it is none. */
static bool ask_for(int fd, struct remote_request *request, struct remote_answer *answer,
                    int *received)
{
    struct sockaddr_un engine_name;
    socklen_t length;
    int before = errno;
    bool answered = false;
    if (!twin_identify(fd, &request->connection, &engine_name, &length)) {
        errno = before;
        return false;
    }
    int through = remote_reach(&engine_name, length);
    if (through >= 0)
        answered = remote_call(through, request, fd, answer, received) == 0;
    if (through >= 0)
        real.close(through);
    errno = before;
    return answered;
}

static bool ask(int fd, struct remote_request *request, struct remote_answer *answer)
{
    int ignored;
    return ask_for(fd, request, answer, &ignored);
}

bool remote_is_twin(int fd)
{
    struct twin_name connection;
    struct sockaddr_un engine_name;
    socklen_t length;
    int before = errno;
    bool twin = twin_identify(fd, &connection, &engine_name, &length) || twin_was_connected(fd);
    errno = before;
    return twin;
}

bool remote_bridge(int fd)
{
    struct remote_request request = {.what = REMOTE_BRIDGE};
    struct remote_answer answer;
    return ask(fd, &request, &answer) && answer.result == 0;
}

#define NUMBERS_LOOKED_AT 256

int remote_last_looked_at(void)
{
    return file_highest_descriptor() + NUMBERS_LOOKED_AT;
}

void remote_bridge_inheritable(void)
{
    for (int fd = 0; fd <= remote_last_looked_at(); fd++) {
        int flags = real.fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
            remote_bridge(fd);
    }
}

static void copy_address(const struct sockaddr_storage *from, socklen_t from_length,
                         struct sockaddr *address, socklen_t *length)
{
    if (address == NULL)
        return;
    memcpy(address, from, from_length < *length ? from_length : *length);
    *length = from_length;
}

/* It is made ready, and its peer's address told. */
static bool take_accepted(int fd, struct sockaddr *address, socklen_t *length)
{
    struct remote_request request = {.what = REMOTE_ACCEPTED};
    struct remote_answer answer;
    struct sockaddr_storage peer;
    if (!ask(fd, &request, &answer) || answer.result < 0 || answer.length > sizeof peer)
        return false;
    memcpy(&peer, answer.value, answer.length);
    copy_address(&peer, answer.length, address, length);
    return true;
}

int remote_accept(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct sockaddr_storage room = {0};
    if (address_check_room(address, length, true) < 0)
        return real.accept4(fd, address, length, flags); /* the kernel shall say what is wrong */
    for (;;) {
        socklen_t room_length = sizeof room;
        int accepted = real.accept4(fd, (struct sockaddr *)&room, &room_length, flags);
        if (accepted < 0)
            return accepted;
        enum twin_origin origin = TWIN_NONE;
        if (room.ss_family == AF_UNIX)
            origin = twin_origin(accepted, (struct sockaddr_un *)&room, room_length, fd);
        native_forget(accepted);
        if (origin == TWIN_NONE) {
            copy_address(&room, room_length, address, length);
            return accepted;
        }
        if (origin == TWIN_OF_KERNEL && twin_take_kernel(accepted, flags) == 0) {
            if (address != NULL)
                real.getpeername(accepted, address, length);
            return accepted;
        }
        if (origin == TWIN_OF_ENGINE && take_accepted(accepted, address, length)) {
            native_note(accepted);
            return accepted;
        }
        real.close(accepted); /* its engine is gone, or a stranger found the abstract name */
    }
}

bool remote_listen(int fd, int backlog, int *result)
{
    struct remote_request request = {.what = REMOTE_LISTEN_AGAIN, .option = backlog};
    struct remote_answer answer;
    if (!ask(fd, &request, &answer))
        return false;
    *result = answer.result;
    return true;
}

bool remote_connect(int fd, int *result, int *returned)
{
    struct remote_request request = {.what = REMOTE_CONNECT_AGAIN};
    struct remote_answer answer;
    if (!ask_for(fd, &request, &answer, returned))
        return false;
    *result = answer.result;
    return true;
}

bool remote_amount(int fd, unsigned long request_code, int *result)
{
    struct remote_request request = {.what = REMOTE_AMOUNT, .option = (int)request_code};
    struct remote_answer answer;
    if (!ask(fd, &request, &answer) || answer.result == -EBADF)
        return false;
    *result = answer.result;
    return true;
}

int remote_check_shutdown(int fd, int how)
{
    struct remote_request request = {.what = REMOTE_SHUTDOWN, .option = how};
    struct remote_answer answer;
    if (!ask(fd, &request, &answer))
        return 0;
    return answer.result == -EBADF || answer.result == -ENOTCONN ? -ENOTCONN : 0;
}

int remote_failure(int fd)
{
    struct remote_request request = {.what = REMOTE_FAILURE};
    struct remote_answer answer;
    return ask(fd, &request, &answer) && answer.result > 0 ? answer.result : 0;
}

bool remote_get_option(int fd, int level, int option, void *value, socklen_t *length, int *result)
{
    struct remote_request request = {
        .what = REMOTE_GET_OPTION, .level = level, .option = option, .length = *length};
    struct remote_answer answer;
    if (request.length > REMOTE_VALUE_MAX)
        request.length = REMOTE_VALUE_MAX;
    if (!ask(fd, &request, &answer) || answer.result == -EBADF)
        return false;
    *result = answer.result;
    if (answer.result == 0) {
        memcpy(value, answer.value, answer.length < *length ? answer.length : *length);
        *length = answer.length;
    }
    return true;
}

bool remote_set_option(int fd, int level, int option, const void *value, socklen_t length,
                       int *result)
{
    struct remote_request request = {
        .what = REMOTE_SET_OPTION, .level = level, .option = option, .length = length};
    struct remote_answer answer;
    if (length > REMOTE_VALUE_MAX)
        return false;
    memcpy(request.value, value, length);
    if (!ask(fd, &request, &answer) || answer.result == -EBADF)
        return false;
    *result = answer.result;
    return true;
}

bool remote_name(int fd, bool peer, struct sockaddr *address, socklen_t *length, int *result)
{
    struct remote_request request = {.what = peer ? REMOTE_REMOTE : REMOTE_LOCAL};
    struct remote_answer answer;
    if (!ask(fd, &request, &answer) || (answer.result == -EBADF && !peer))
        return false;
    *result = answer.result == -EBADF ? -ENOTCONN : answer.result; /* it is over */
    if (answer.result == 0 && address != NULL) {
        memcpy(address, answer.value, answer.length < *length ? answer.length : *length);
        *length = answer.length;
    }
    return true;
}
