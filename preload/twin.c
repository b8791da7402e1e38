#include "preload/twin.h"

#include "preload/engine.h"
#include "preload/file_record.h"
#include "preload/real.h"
#include "preload/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

/*
 * "\0daytona-NONCE-INDEX-GENERATION", in hexadecimal digits of fixed width. The nonce tells engines
 * apart. A name is bound for as long as its socket exists, so nobody else can carry the name of a
 * connection that waits to be accepted.
 */
#define PREFIX        "daytona-"
#define PREFIX_LENGTH (sizeof PREFIX - 1)
#define NONCE_DIGITS  16
#define NUMBER_DIGITS 8
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

static socklen_t put_name(struct sockaddr_un *out, const struct file *file)
{
    char *at = out->sun_path;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(at + 1, PREFIX, PREFIX_LENGTH);
    at += 1 + PREFIX_LENGTH;
    put_digits(at, engine.nonce, NONCE_DIGITS);
    at += NONCE_DIGITS;
    *at++ = '-';
    put_digits(at, file_index(file), NUMBER_DIGITS);
    at += NUMBER_DIGITS;
    *at++ = '-';
    put_digits(at, file->generation, NUMBER_DIGITS);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + NAME_LENGTH);
}

static struct twin_name take_name(const struct sockaddr_un *name, socklen_t length)
{
    const struct twin_name stranger = {0, 0};
    uint64_t nonce, index, generation;
    const char *at = name->sun_path;
    if (length != offsetof(struct sockaddr_un, sun_path) + NAME_LENGTH || at[0] != '\0' ||
        memcmp(at + 1, PREFIX, PREFIX_LENGTH) != 0)
        return stranger;
    at += 1 + PREFIX_LENGTH;
    if (!take_digits(at, NONCE_DIGITS, &nonce) || nonce != engine.nonce ||
        !take_digits(at + NONCE_DIGITS + 1, NUMBER_DIGITS, &index) ||
        !take_digits(at + NONCE_DIGITS + 1 + NUMBER_DIGITS + 1, NUMBER_DIGITS, &generation))
        return stranger;
    return (struct twin_name){(uint32_t)index, (uint32_t)generation};
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
    socklen_t length = put_name(&name, listener);
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

int twin_join(const struct file *connection, const struct file *listener)
{
    struct sockaddr_un own = {0}, other = {0};
    socklen_t own_length = put_name(&own, connection), other_length = put_name(&other, listener);
    int fd = real.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (real.bind(fd, (struct sockaddr *)&own, own_length) == 0 &&
        real.connect(fd, (struct sockaddr *)&other, other_length) == 0)
        return fd;
    int error = errno;
    real.close(fd);
    return -error;
}

int twin_accept(int fd, int flags, struct twin_name *connection)
{
    struct sockaddr_un name = {0};
    socklen_t length = sizeof name;
    int accepted = real.accept4(fd, (struct sockaddr *)&name, &length, flags);
    if (accepted < 0)
        return -errno;
    *connection = take_name(&name, length);
    return accepted;
}
