/*
 * perform_wait.c - more calls that wait.
 */
#include "tests/differential/perform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PUSHED_BYTES ((size_t)48 << 20) /* more than all buffers on the way hold */

static int word(const struct request *request, int which)
{
    return request->operation.words[which];
}

/* The calls that send, by number. */
enum { PUSH_WRITE, PUSH_WRITEV, PUSH_SEND, PUSH_SENDMSG, PUSH_SENDFILE };

static ssize_t push(int fd, int call, int file, char *bytes)
{
    struct iovec parts[2] = {{bytes, PUSHED_BYTES / 3},
                             {bytes + PUSHED_BYTES / 3, PUSHED_BYTES - PUSHED_BYTES / 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    switch (call) {
    case PUSH_WRITEV:
        return writev(fd, parts, 2);
    case PUSH_SEND:
        return send(fd, bytes, PUSHED_BYTES, 0);
    case PUSH_SENDMSG:
        return sendmsg(fd, &message, 0);
    case PUSH_SENDFILE:
        return sendfile(fd, file, NULL, PUSHED_BYTES);
    default:
        return write(fd, bytes, PUSHED_BYTES);
    }
}

/* How much fits is nobody's business. */
long perform_push(const struct request *request, struct answer *answer)
{
    int file = memfd_create("bytes", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, PUSHED_BYTES) < 0)
        return -1;
    char *bytes = mmap(NULL, PUSHED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    errno = EXDEV;
    ssize_t sent = push(word(request, 0), word(request, 1), file, bytes);
    int error = errno;
    munmap(bytes, PUSHED_BYTES);
    close(file);
    errno = error;
    if (sent > 0)
        answer_say(answer, sent == (ssize_t)PUSHED_BYTES ? " all" : " a part");
    return sent > 0 ? 1 : sent;
}

long perform_recvmmsg(const struct request *request, struct answer *answer)
{
    char bytes[2][64] = {{0}};
    size_t length =
        (size_t)word(request, 1) < sizeof bytes[0] ? (size_t)word(request, 1) : sizeof bytes[0];
    struct iovec parts[2] = {{bytes[0], length}, {bytes[1], length}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &parts[1], .msg_iovlen = 1}}};
    long got = recvmmsg(word(request, 0), messages, 2, 0, NULL);
    for (long i = 0; i < got; i++)
        answer_say(answer, " '%.*s'", (int)messages[i].msg_len, bytes[i]);
    return got;
}

long perform_splice(const struct request *request, struct answer *answer)
{
    int ends[2];
    char bytes[64];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    errno = EXDEV;
    ssize_t got = splice(word(request, 0), NULL, ends[1], NULL, (size_t)word(request, 1), 0);
    int error = errno;
    ssize_t taken = got > 0 ? read(ends[0], bytes, sizeof bytes) : 0;
    if (taken > 0)
        answer_say(answer, " '%.*s'", (int)taken, bytes);
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return got;
}
