#include "preload/shield.h"

#include "preload/address.h"
#include "preload/real.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static int set_flag(int socket, int level, int name, int value)
{
    return real.setsockopt(socket, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

static int name_end(int (*call)(int, const struct sockaddr *, socklen_t), int socket,
                    const struct daytona_endpoint *end)
{
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    address_write(end, AF_INET, (struct sockaddr *)&name, &length);
    return call(socket, (struct sockaddr *)&name, length) == 0 ? 0 : -errno;
}

/* A socket that is being repaired connects without a word, and closes so; and it may be bound
 * beside a listener. */
static int stand_in(int socket, const struct daytona_endpoint *local,
                    const struct daytona_endpoint *remote, bool reuses)
{
    struct sock_filter drop = DROP;
    struct sock_fprog program = {.len = 1, .filter = &drop};
    int status = set_flag(socket, IPPROTO_TCP, TCP_REPAIR, 1);
    if (status == 0)
        status = mute(socket, &program, false);
    if (status == 0)
        status = name_end(real.bind, socket, local);
    if (status == 0)
        status = name_end(real.connect, socket, remote);
    return status == 0 ? set_flag(socket, SOL_SOCKET, SO_REUSEADDR, reuses) : status;
}

int shield_raise_for(const struct daytona_endpoint *local, const struct daytona_endpoint *remote,
                     bool reuses)
{
    int socket = real.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status = socket < 0 ? -errno : stand_in(socket, local, remote, reuses);
    if (status < 0 && socket >= 0)
        real.close(socket);
    return status < 0 ? status : socket;
}
