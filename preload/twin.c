#include "preload/twin.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * "\0daytona-NONCE-INDEX-GENERATION", in hexadecimal digits of fixed width. The nonce tells engines
 * apart. A name is bound for as long as its socket exists, so nobody else can carry the name of a
 * connection that waits to be accepted.
 */
#define PREFIX        "daytona-"
#define PREFIX_LENGTH (sizeof PREFIX - 1)
#define NONCE_DIGITS  16
#define NUMBER_DIGITS 8
#define OWN_MARK      'a'
#define NAME_LENGTH   (1 + PREFIX_LENGTH + NONCE_DIGITS + 1 + NUMBER_DIGITS + 1 + NUMBER_DIGITS)

static void put_digits(char *out, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

static bool take_digits(const char *in, int digits, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++) {
        const char *digit = strchr("0123456789abcdef", in[i]);
        if (digit == NULL || in[i] == '\0')
            return false;
        *value = *value << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    return true;
}

static struct twin_name name_of(const struct file *file)
{
    return (struct twin_name){file_index(file), file->generation};
}

static socklen_t put_name(struct sockaddr_un *out, struct twin_name name)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    char *at = out->sun_path;
    memcpy(at + 1, PREFIX, PREFIX_LENGTH);
    at += 1 + PREFIX_LENGTH;
    put_digits(at, engine.nonce, NONCE_DIGITS);
    at += NONCE_DIGITS;
    *at++ = '-';
    put_digits(at, name.index, NUMBER_DIGITS);
    at += NUMBER_DIGITS;
    *at++ = '-';
    put_digits(at, name.generation, NUMBER_DIGITS);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + NAME_LENGTH);
}

/* The name, and the nonce of its engine; false when it is no twin's. */
static bool parse_name(const struct sockaddr_un *name, socklen_t length, struct twin_name *out,
                       uint64_t *nonce)
{
    uint64_t index, generation;
    const char *at = name->sun_path;
    if (length != offsetof(struct sockaddr_un, sun_path) + NAME_LENGTH ||
        name->sun_family != AF_UNIX || at[0] != '\0' || memcmp(at + 1, PREFIX, PREFIX_LENGTH) != 0)
        return false;
    at += 1 + PREFIX_LENGTH;
    if (!take_digits(at, NONCE_DIGITS, nonce) ||
        !take_digits(at + NONCE_DIGITS + 1, NUMBER_DIGITS, &index) ||
        !take_digits(at + NONCE_DIGITS + 1 + NUMBER_DIGITS + 1, NUMBER_DIGITS, &generation))
        return false;
    *out = (struct twin_name){(uint32_t)index, (uint32_t)generation};
    return true;
}

/* The same with a mark behind it: of the application's end. */
static bool is_own_name(const struct sockaddr_un *name, socklen_t length)
{
    return length == offsetof(struct sockaddr_un, sun_path) + NAME_LENGTH + 1 &&
           name->sun_path[NAME_LENGTH] == OWN_MARK;
}

static struct twin_name take_name(const struct sockaddr_un *name, socklen_t length)
{
    struct twin_name taken;
    uint64_t nonce;
    bool ours = parse_name(name, length, &taken, &nonce) && nonce == engine.nonce;
    return ours ? taken : (struct twin_name){0, 0};
}

/* "\0daytona-NONCE": where an engine can be asked. */
socklen_t twin_name_of_engine(struct sockaddr_un *out, uint64_t nonce)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path + 1, PREFIX, PREFIX_LENGTH);
    put_digits(out->sun_path + 1 + PREFIX_LENGTH, nonce, NONCE_DIGITS);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + PREFIX_LENGTH + NONCE_DIGITS);
}

socklen_t twin_engine_name(struct sockaddr_un *out)
{
    return twin_name_of_engine(out, engine.nonce);
}

static bool listens(int fd)
{
    int on = 0;
    socklen_t length = sizeof on;
    return real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &length) == 0 && on != 0;
}

/* A socket without a peer: the application's end of a connection that has failed, which may have a
 * name of its own, or a listener. (An accepted one has its listener's name.) */
static bool identify_alone(int fd, struct twin_name *out, uint64_t *nonce)
{
    struct sockaddr_un name = {0};
    socklen_t name_length = sizeof name;
    if (real.getsockname(fd, (struct sockaddr *)&name, &name_length) < 0)
        return false;
    if (is_own_name(&name, name_length))
        return parse_name(&name, name_length - 1, out, nonce);
    return parse_name(&name, name_length, out, nonce) && listens(fd);
}

bool twin_is_listener(int fd)
{
    struct twin_name ignored;
    uint64_t nonce;
    return identify_alone(fd, &ignored, &nonce) && listens(fd);
}

bool twin_was_connected(int fd)
{
    struct sockaddr_un name = {0};
    struct twin_name ignored;
    socklen_t length = sizeof name, size = sizeof(int);
    uint64_t nonce;
    int listens = 1;
    if (real.getsockname(fd, (struct sockaddr *)&name, &length) < 0)
        return false;
    length -= is_own_name(&name, length);
    return parse_name(&name, length, &ignored, &nonce) &&
           real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 0;
}

bool twin_identify(int fd, struct twin_name *connection, struct sockaddr_un *engine_name,
                   socklen_t *length)
{
    struct sockaddr_un name = {0};
    socklen_t name_length = sizeof name;
    uint64_t nonce;
    bool connected = real.getpeername(fd, (struct sockaddr *)&name, &name_length) == 0;
    if (connected ? !parse_name(&name, name_length, connection, &nonce)
                  : errno != ENOTCONN || !identify_alone(fd, connection, &nonce))
        return false;
    if (connection->index == TWIN_KERNEL)
        return false;
    *length = twin_name_of_engine(engine_name, nonce);
    return true;
}

bool twin_listener_of(int fd, struct twin_name *listener)
{
    struct sockaddr_un name = {0};
    socklen_t length = sizeof name;
    uint64_t nonce;
    return real.getsockname(fd, (struct sockaddr *)&name, &length) == 0 &&
           parse_name(&name, length, listener, &nonce) && nonce == engine.nonce;
}

void twin_name_end(int end, const struct file *connection)
{
    struct sockaddr_un name;
    socklen_t length = put_name(&name, name_of(connection));
    real.bind(end, (struct sockaddr *)&name, length);
}

void twin_name_own_end(int end, const struct file *connection)
{
    struct sockaddr_un name;
    socklen_t length = put_name(&name, name_of(connection));
    name.sun_path[NAME_LENGTH] = OWN_MARK;
    real.bind(end, (struct sockaddr *)&name, length + 1);
}

int twin_pair(bool nonblocking, int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    if (!nonblocking)
        real.fcntl(pair[0], F_SETFL, O_RDWR);
    return 0;
}

int twin_listen(const struct file *listener, int backlog, bool nonblocking)
{
    struct sockaddr_un name = {0};
    socklen_t length = put_name(&name, name_of(listener));
    int type = SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);
    int fd = real.socket(AF_UNIX, type, 0);
    if (fd < 0)
        return -errno;
    if (real.bind(fd, (struct sockaddr *)&name, length) < 0 || real.listen(fd, backlog) < 0) {
        int error = errno;
        real.close(fd);
        return -error;
    }
    return fd;
}

bool twin_listens(const struct file *listener)
{
    struct sockaddr_un name;
    socklen_t length = put_name(&name, name_of(listener));
    int fd = real.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken =
        fd < 0 || (real.bind(fd, (struct sockaddr *)&name, length) < 0 && errno == EADDRINUSE);
    if (fd >= 0)
        real.close(fd);
    return taken;
}

/* Who has made a listening socket is told of those that connect to it. */
static bool was_made_by(int fd, pid_t maker)
{
    struct ucred who = {.pid = 0};
    socklen_t length = sizeof who;
    return real.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.pid == maker;
}

/* A socket of that name, queued at the listener's twin. */
static int join(struct twin_name connection, const struct file *listener)
{
    struct sockaddr_un own = {0}, other = {0};
    socklen_t own_length = put_name(&own, connection);
    socklen_t other_length = put_name(&other, name_of(listener));
    int fd = real.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    bool joined = real.bind(fd, (struct sockaddr *)&own, own_length) == 0 &&
                  real.connect(fd, (struct sockaddr *)&other, other_length) == 0;
    if (joined && was_made_by(fd, listener->maker))
        return fd;
    int error = joined ? ECONNREFUSED : errno; /* a stranger has taken the name */
    real.close(fd);
    return -error;
}

int twin_join(const struct file *connection, const struct file *listener)
{
    return join(name_of(connection), listener);
}

/* ------------------------------------------------------------------ the kernel's connections */

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_descriptor(int through, int fd)
{
    union control room = {0};
    struct iovec part = {.iov_base = "", .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return real.sendmsg(through, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

int twin_join_kernel(int kernel_listener, const struct file *listener)
{
    static uint32_t number;
    int through = join((struct twin_name){TWIN_KERNEL, ++number}, listener);
    if (through < 0)
        return through;
    int accepted = real.accept4(kernel_listener, NULL, NULL, SOCK_CLOEXEC);
    int status = accepted < 0 ? -errno : send_descriptor(through, accepted);
    if (accepted >= 0)
        real.close(accepted);
    real.close(through); /* what was sent waits in the queue */
    return status;
}

int twin_take_kernel(int fd, int flags)
{
    union control room = {0};
    char byte;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    while (real.poll(&entry, 1, -1) < 0) /* it is being sent, or its sender has closed */
        ;
    if (real.recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
        return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS)
        return -EPROTO;
    int received;
    memcpy(&received, CMSG_DATA(header), sizeof received);
    if ((flags & SOCK_NONBLOCK) != 0)
        real.fcntl(received, F_SETFL, O_RDWR | O_NONBLOCK);
    int status = real.dup3(received, fd, (flags & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0);
    real.close(received);
    return status < 0 ? -errno : 0;
}

static uid_t other_user(int fd)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t length = sizeof who;
    real.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length);
    return who.uid;
}

/* Who listens is told of a listening socket. The engine may have changed its user since. */
static bool is_engines(int accepted, int listener)
{
    uid_t user = other_user(accepted);
    return user == 0 || user == geteuid() || (user == other_user(listener) && user != (uid_t)-1);
}

enum twin_origin twin_origin(int accepted, const struct sockaddr_un *name, socklen_t length,
                             int listener)
{
    struct sockaddr_un own = {0};
    socklen_t own_length = sizeof own;
    struct twin_name connection, ignored;
    uint64_t nonce, own_nonce;
    if (real.getsockname(listener, (struct sockaddr *)&own, &own_length) < 0 ||
        !parse_name(&own, own_length, &ignored, &own_nonce))
        return TWIN_NONE;
    if (!parse_name(name, length, &connection, &nonce) || nonce != own_nonce ||
        !is_engines(accepted, listener))
        return TWIN_STRANGERS;
    return connection.index == TWIN_KERNEL ? TWIN_OF_KERNEL : TWIN_OF_ENGINE;
}

bool twin_is_near(int fd, int engine_socket)
{
    uint64_t theirs = 0, ours = 0;
    socklen_t length = sizeof theirs;
    real.getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &length);
    real.getsockopt(engine_socket, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &length);
    return theirs == ours;
}

int twin_accept(int fd, int flags, struct twin_name *connection)
{
    struct sockaddr_un name = {0};
    socklen_t length = sizeof name;
    int accepted = real.accept4(fd, (struct sockaddr *)&name, &length, flags);
    if (accepted < 0)
        return -errno;
    *connection = is_engines(accepted, fd) ? take_name(&name, length) : (struct twin_name){0, 0};
    return accepted;
}
