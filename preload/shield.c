#include "preload/shield.h"

#include "preload/real.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>

/* BPF: the number of bytes to keep of a packet. */
#define DROP BPF_STMT(BPF_RET | BPF_K, 0)
#define KEEP BPF_STMT(BPF_RET | BPF_K, 0xffff)

/* Where a filter needs CAP_NET_ADMIN, anybody may still ask for packets from next door only, with
 * the largest TTL there is (RFC 5082), which almost nobody sends; the kernel drops all others as
 * silently. */
static int demand_largest_ttl(int socket, bool by_ipv6_too)
{
    const int most = 255;
    if (by_ipv6_too)
        real.setsockopt(socket, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &most, sizeof most);
    return real.setsockopt(socket, IPPROTO_IP, IP_MINTTL, &most, sizeof most) == 0 ? 0 : -errno;
}

static int mute(int socket, struct sock_fprog *program, bool by_ipv6_too)
{
    if (real.setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, program, sizeof *program) == 0)
        return 0;
    return errno == EPERM ? demand_largest_ttl(socket, by_ipv6_too) : -errno;
}

static int listen_to_nobody(int socket, struct sock_fprog *program, bool by_ipv6_too, int backlog)
{
    int status = mute(socket, program, by_ipv6_too);
    if (status < 0)
        return status;
    return real.listen(socket, backlog) == 0 ? 0 : -errno;
}

int shield_raise(int socket)
{
    struct sock_filter drop = DROP;
    struct sock_fprog program = {.len = 1, .filter = &drop};
    return listen_to_nobody(socket, &program, true, 1);
}

void shield_lower(int socket)
{
    const int none = 0;
    real.shutdown(socket, SHUT_RDWR);
    real.setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    real.setsockopt(socket, IPPROTO_IP, IP_MINTTL, &none, sizeof none);
    real.setsockopt(socket, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &none, sizeof none);
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
    return listen_to_nobody(socket, &program, false, backlog);
}
