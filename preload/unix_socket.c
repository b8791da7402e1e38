#include "preload/unix_socket.h"

#include "preload/real.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define COOKIE_ANY (~0U)

/* sock_diag(7): a request for one socket, and any generation of it. */
struct question {
    struct nlmsghdr header;
    struct unix_diag_req body;
};

/* A socket's description, or the number of an error. */
union answer {
    struct nlmsghdr header;
    char bytes[512];
};

static int judge(const union answer *answer, ssize_t length)
{
    struct nlmsgerr error;
    if (length < 0)
        return -errno;
    if ((size_t)length < sizeof answer->header)
        return -EPROTO;
    if (answer->header.nlmsg_type != NLMSG_ERROR)
        return answer->header.nlmsg_type == SOCK_DIAG_BY_FAMILY ? 1 : -EPROTO;
    if ((size_t)length < NLMSG_HDRLEN + sizeof error)
        return -EPROTO;
    memcpy(&error, answer->bytes + NLMSG_HDRLEN, sizeof error);
    return error.error;
}

/* -ENOENT is also what a kernel says that knows nothing of AF_UNIX sockets. */
static int ask(int netlink, ino_t inode)
{
    struct question question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_ino = (__u32)inode,
                 .udiag_cookie = {COOKIE_ANY, COOKIE_ANY}},
    };
    union answer answer;
    if (real.send(netlink, &question, sizeof question, MSG_NOSIGNAL) < 0)
        return -errno;
    return judge(&answer, real.recv(netlink, &answer, sizeof answer, MSG_DONTWAIT));
}

static ino_t inode_of(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 ? about.st_ino : 0;
}

/* A socket that does exist tells whether the kernel can answer. */
static bool can_answer(int netlink)
{
    int probe = real.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool can = probe >= 0 && ask(netlink, inode_of(probe)) == 1;
    if (probe >= 0)
        real.close(probe);
    return can;
}

int unix_socket_exists(ino_t inode)
{
    int netlink = real.socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0)
        return -errno;
    int status = ask(netlink, inode);
    if (status == -ENOENT && can_answer(netlink))
        status = 0;
    real.close(netlink);
    return status;
}
