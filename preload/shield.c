#include "preload/shield.h"

#include "preload/real.h"

#include <errno.h>
#include <linux/filter.h>

int shield_raise(int socket)
{
    /* BPF: accept 0 bytes of every packet, that is, drop it. */
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop};
    if (real.setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        return -errno;
    return real.listen(socket, 1) == 0 ? 0 : -errno;
}
