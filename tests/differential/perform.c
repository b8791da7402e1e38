/*
 * perform.c - operations on sockets and their data.
 */
#include "tests/differential/perform.h"

#include "preload/raw.h"
#include "tests/differential/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define BYTES_MAX 262144
#define SHOWN_MAX 24

static _Thread_local char bytes[BYTES_MAX];

static int word(const struct request *request, int which)
{
    return request->operation.words[which];
}

/* ------------------------------------------------------------------ places */

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Ports that nobody has chosen are all the same. */
static void say_address(const struct request *request, struct answer *answer,
                        const struct sockaddr_in *address, socklen_t length)
{
    char name[INET_ADDRSTRLEN] = "?";
    int number = ntohs(address->sin_port) - request->first_port;
    inet_ntop(AF_INET, &address->sin_addr, name, sizeof name);
    answer_say(answer, " family %d length %u %s", address->sin_family, length, name);
    if (number >= 0 && number % PORT_CLASS_STEP < 4 && number / PORT_CLASS_STEP < 4)
        answer_say(answer, " %c%d", "ABCK"[number / PORT_CLASS_STEP], number % PORT_CLASS_STEP);
    else
        answer_say(answer, address->sin_port == 0 ? " no port" : " some port");
}

long perform_socket(const struct request *request, struct answer *answer)
{
    (void)answer;
    return socket(AF_INET, SOCK_STREAM | word(request, 1), 0);
}

long perform_bind(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct sockaddr_in address = address_of(word(request, 1));
    int one = 1;
    if (setsockopt(word(request, 0), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
        return -1;
    return bind(word(request, 0), (struct sockaddr *)&address, sizeof address);
}

long perform_listen(const struct request *request, struct answer *answer)
{
    (void)answer;
    return listen(word(request, 0), word(request, 1));
}

long perform_connect(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct sockaddr_in address = address_of(word(request, 1));
    return connect(word(request, 0), (struct sockaddr *)&address, sizeof address);
}

long perform_accept(const struct request *request, struct answer *answer)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    long fd = accept4(word(request, 1), (struct sockaddr *)&address, &length, word(request, 2));
    if (fd >= 0)
        say_address(request, answer, &address, length);
    return fd;
}

long perform_getsockname(const struct request *request, struct answer *answer)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    long result = getsockname(word(request, 0), (struct sockaddr *)&address, &length);
    if (result == 0)
        say_address(request, answer, &address, length);
    return result;
}

long perform_getpeername(const struct request *request, struct answer *answer)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    long result = getpeername(word(request, 0), (struct sockaddr *)&address, &length);
    if (result == 0)
        say_address(request, answer, &address, length);
    return result;
}

/* ------------------------------------------------------------------ data */

static size_t length_of(const struct request *request, int which)
{
    int length = word(request, which);
    return length < 0 || length > BYTES_MAX ? BYTES_MAX : (size_t)length;
}

static void write_pattern(const struct request *request, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)('a' + (request->step * 7 + i) % 26);
}

static long say_bytes(struct answer *answer, long got)
{
    uint32_t sum = 0;
    if (got <= 0)
        return got;
    answer_say(answer, " '%.*s'", got < SHOWN_MAX ? (int)got : SHOWN_MAX, bytes);
    for (long i = 0; i < got; i++)
        sum = sum * 31 + (unsigned char)bytes[i];
    if (got > SHOWN_MAX)
        answer_say(answer, " sum %08x", sum);
    return got;
}

static void clear(size_t length)
{
    memset(bytes, '.', length);
}

/* The two parts of something in `bytes`. */
static void divide(struct iovec parts[2], size_t length)
{
    size_t first = length / 3;
    parts[0] = (struct iovec){bytes, first};
    parts[1] = (struct iovec){bytes + first, length - first};
}

long perform_read(const struct request *request, struct answer *answer)
{
    size_t length = length_of(request, 1);
    clear(length);
    return say_bytes(answer, read(word(request, 0), bytes, length));
}

long perform_readv(const struct request *request, struct answer *answer)
{
    struct iovec parts[2];
    size_t length = length_of(request, 1);
    clear(length);
    divide(parts, length);
    return say_bytes(answer, readv(word(request, 0), parts, 2));
}

long perform_recv(const struct request *request, struct answer *answer)
{
    size_t length = length_of(request, 1);
    clear(length);
    long got = recv(word(request, 0), bytes, length, word(request, 2));
    if ((word(request, 2) & MSG_TRUNC) != 0)
        return got; /* nothing is written */
    return say_bytes(answer, got > (long)length ? (long)length : got);
}

long perform_recvmsg(const struct request *request, struct answer *answer)
{
    struct iovec parts[2];
    size_t length = length_of(request, 1);
    char control[256];
    struct sockaddr_in address = {0};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = control,
                             .msg_controllen = sizeof control,
                             .msg_name = &address,
                             .msg_namelen = sizeof address};
    clear(length);
    divide(parts, length);
    long got = recvmsg(word(request, 0), &message, word(request, 2));
    if (got >= 0)
        answer_say(answer, " flags %x control %zu name %u", (unsigned)message.msg_flags,
                   message.msg_controllen, message.msg_namelen);
    return (word(request, 2) & MSG_TRUNC) != 0 ? got : say_bytes(answer, got);
}

long perform_write(const struct request *request, struct answer *answer)
{
    (void)answer;
    write_pattern(request, length_of(request, 1));
    return write(word(request, 0), bytes, length_of(request, 1));
}

long perform_writev(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct iovec parts[2];
    write_pattern(request, length_of(request, 1));
    divide(parts, length_of(request, 1));
    return writev(word(request, 0), parts, 2);
}

long perform_send(const struct request *request, struct answer *answer)
{
    (void)answer;
    write_pattern(request, length_of(request, 1));
    return send(word(request, 0), bytes, length_of(request, 1), word(request, 2));
}

long perform_sendmsg(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    write_pattern(request, length_of(request, 1));
    divide(parts, length_of(request, 1));
    return sendmsg(word(request, 0), &message, word(request, 2));
}

long perform_sendfile(const struct request *request, struct answer *answer)
{
    (void)answer;
    size_t length = length_of(request, 1);
    off_t offset = 0;
    int file = memfd_create("bytes", MFD_CLOEXEC);
    write_pattern(request, length);
    ssize_t written = write(file, bytes, length);
    int before = errno = EXDEV;
    long sent = written == (ssize_t)length ? sendfile(word(request, 0), file, &offset, length) : -1;
    before = errno;
    close(file);
    errno = before;
    return sent;
}

/* How much fits is nobody's business; that it comes to an end is. */
long perform_fill(const struct request *request, struct answer *answer)
{
    long total = 0, sent;
    int quiet = 0;
    write_pattern(request, BYTES_MAX);
    while (quiet < 3) {
        sent = send(word(request, 0), bytes, BYTES_MAX, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return sent;
        total += sent > 0 ? sent : 0;
        quiet = sent > 0 ? 0 : quiet + 1;
        usleep(sent > 0 ? 0 : 20000);
    }
    answer_say(answer, " ends with %s", strerrorname_np(errno));
    errno = EXDEV;
    return total > 0;
}

long perform_drain(const struct request *request, struct answer *answer)
{
    long got, total = 0;
    int quiet = 0;
    do {
        got = recv(word(request, 0), bytes, BYTES_MAX, MSG_DONTWAIT);
        total += got > 0 ? got : 0;
        quiet = got > 0 ? 0 : quiet + 1;
        usleep(got > 0 ? 0 : 20000);
    } while (got > 0 || (got < 0 && errno == EAGAIN && quiet < 15));
    answer_say(answer, got == 0 ? " end of stream" : " ends with %s", strerrorname_np(errno));
    errno = EXDEV;
    return total > 0;
}

long perform_shutdown(const struct request *request, struct answer *answer)
{
    (void)answer;
    return shutdown(word(request, 0), word(request, 1));
}

long perform_inq(const struct request *request, struct answer *answer)
{
    (void)answer;
    int count = -1;
    return ioctl(word(request, 0), FIONREAD, &count) < 0 ? -1 : count;
}

long perform_atmark(const struct request *request, struct answer *answer)
{
    (void)answer;
    return sockatmark(word(request, 0));
}

/* ------------------------------------------------------------------ calls that no wrapper sees */

static long unseen(long number, long first, long second, long third)
{
    const long words[6] = {first, second, third};
    long result = raw_call(number, words);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

long perform_unseen_close(const struct request *request, struct answer *answer)
{
    (void)answer;
    return unseen(SYS_close, word(request, 0), 0, 0);
}

long perform_unseen_read(const struct request *request, struct answer *answer)
{
    size_t length = length_of(request, 1);
    clear(length);
    return say_bytes(answer, unseen(SYS_read, word(request, 0), (long)bytes, (long)length));
}

long perform_unseen_write(const struct request *request, struct answer *answer)
{
    (void)answer;
    write_pattern(request, length_of(request, 1));
    return unseen(SYS_write, word(request, 0), (long)bytes, word(request, 1));
}

/* ------------------------------------------------------------------ options */

long perform_get(const struct request *request, struct answer *answer)
{
    unsigned char value[64];
    int option = word(request, 1);
    socklen_t length = (socklen_t)word(request, 2);
    memset(value, 0xee, sizeof value);
    long result =
        getsockopt(word(request, 0), option_level(option), option_number(option), value, &length);
    if (result < 0)
        return result;
    answer_say(answer, " length %u value", length);
    for (socklen_t i = 0; i < length && i < sizeof value; i++)
        answer_say(answer, " %02x", value[i]);
    return result;
}

long perform_set(const struct request *request, struct answer *answer)
{
    (void)answer;
    int value[16] = {word(request, 2), word(request, 2)};
    int option = word(request, 1);
    return setsockopt(word(request, 0), option_level(option), option_number(option), value,
                      (socklen_t)word(request, 3));
}

long perform_linger(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct linger linger = {word(request, 1), word(request, 2)};
    return setsockopt(word(request, 0), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

long perform_timeout(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct timeval time = {.tv_sec = word(request, 2) / 1000,
                           .tv_usec = word(request, 2) % 1000 * 1000};
    return setsockopt(word(request, 0), SOL_SOCKET,
                      word(request, 1) == SHUT_RD ? SO_RCVTIMEO : SO_SNDTIMEO, &time, sizeof time);
}

long perform_deafen(const struct request *request, struct answer *answer)
{
    (void)answer;
    struct sock_filter drop = {.code = BPF_RET | BPF_K};
    struct sock_fprog filter = {1, &drop};
    return setsockopt(word(request, 0), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}
