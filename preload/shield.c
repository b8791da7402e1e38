#include "preload/shield.h"

#include "preload/real.h"

#include <errno.h>
#include <linux/filter.h>

/* BPF: the number of bytes to keep of a packet. */
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)
#define KEEP BPF_STMT(BPF_RET | BPF_K, 0xffff)

static int filter_and_listen(int socket, struct sock_fprog *program, int backlog)
{
    if (real.setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof *program) != 0)
        return -errno;
    return real.listen(socket, backlog) == 0 ? 0 : -errno;
}

int shield_raise(int socket)
{
    struct sock_filter drop = DROP;
    struct sock_fprog program = {.len = 1, .filter = &drop};
    return filter_and_listen(socket, &program, 1);
}

int shield_raise_against_ipv4(int socket, int backlog)
{
    struct sock_filter drop_ipv4[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)SKF_NET_OFF), /* version, header length */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 0, 1),
        KEEP,
        DROP,
    };
    struct sock_fprog program = {.len = sizeof drop_ipv4 / sizeof drop_ipv4[0],
                                 .filter = drop_ipv4};
    return filter_and_listen(socket, &program, backlog);
}
