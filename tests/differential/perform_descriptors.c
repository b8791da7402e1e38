/*
 * perform_descriptors.c - operations on descriptors and processes.
 */
#include "tests/differential/perform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int word(const struct request *request, int which)
{
    return request->operation.words[which];
}

long perform_close(const struct request *request, struct answer *answer)
{
    (void)answer;
    return close(word(request, 0));
}

long perform_file(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    int fd = memfd_create("file", MFD_CLOEXEC);
    if (fd < 0 || write(fd, "content of a file", 17) != 17)
        return -1;
    return lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

long perform_close_range(const struct request *request, struct answer *answer)
{
    (void)answer;
    return close_range((unsigned)word(request, 0), (unsigned)(word(request, 0) + word(request, 1)),
                       0);
}

long perform_dup(const struct request *request, struct answer *answer)
{
    (void)answer;
    return dup(word(request, 1));
}

long perform_dup_above(const struct request *request, struct answer *answer)
{
    (void)answer;
    return fcntl(word(request, 1), F_DUPFD, word(request, 2));
}

long perform_dup2(const struct request *request, struct answer *answer)
{
    (void)answer;
    return dup2(word(request, 1), word(request, 2));
}

/* ------------------------------------------------------------------ flags */

static long change_flag(int fd, int flag, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? flags : fcntl(fd, F_SETFL, on ? flags | flag : flags & ~flag);
}

long perform_nonblock(const struct request *request, struct answer *answer)
{
    (void)answer;
    return change_flag(word(request, 0), O_NONBLOCK, word(request, 1) != 0);
}

long perform_async(const struct request *request, struct answer *answer)
{
    (void)answer;
    return change_flag(word(request, 0), O_ASYNC, word(request, 1) != 0);
}

long perform_cloexec(const struct request *request, struct answer *answer)
{
    (void)answer;
    return fcntl(word(request, 0), F_SETFD, word(request, 1) != 0 ? FD_CLOEXEC : 0);
}

long perform_getfl(const struct request *request, struct answer *answer)
{
    int flags = fcntl(word(request, 0), F_GETFL);
    if (flags < 0)
        return flags;
    answer_say(answer, " flags %o, of the descriptor %x", (unsigned)flags,
               (unsigned)fcntl(word(request, 0), F_GETFD));
    return 0;
}

long perform_owner(const struct request *request, struct answer *answer)
{
    long result = fcntl(word(request, 0), F_SETOWN, getpid());
    if (result == 0)
        answer_say(answer, " is ours: %d", fcntl(word(request, 0), F_GETOWN) == getpid());
    return result;
}

long perform_signal(const struct request *request, struct answer *answer)
{
    long result = fcntl(word(request, 0), F_SETSIG, word(request, 1));
    if (result == 0)
        answer_say(answer, " is %d", fcntl(word(request, 0), F_GETSIG));
    return result;
}

/* ------------------------------------------------------------------ processes */

long perform_fork(const struct request *request, struct answer *answer)
{
    (void)answer;
    return agent_fork(word(request, 0));
}

long perform_thread(const struct request *request, struct answer *answer)
{
    (void)answer;
    return agent_thread(word(request, 0));
}

long perform_exec(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    return agent_exec();
}

long perform_exit(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    _exit(0);
}

/* The stage waits by itself. */
long perform_finish(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    return 0;
}

/* ------------------------------------------------------------------ the queue of descriptors */

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

long perform_give(const struct request *request, struct answer *answer)
{
    (void)answer;
    union control room = {0};
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &request->operation.words[0], sizeof(int));
    return sendmsg(AGENT_GIVING, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

long perform_take(const struct request *request, struct answer *answer)
{
    (void)request, (void)answer;
    union control room = {0};
    char byte;
    int fd = -1;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    if (recvmsg(AGENT_TAKING, &message, MSG_DONTWAIT) < 0)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}
