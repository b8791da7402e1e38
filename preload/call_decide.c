/*
 * call_decide.c - the two calls that make a kernel socket Daytona's: listen() and connect(). Under
 * the C library's names when the port rules say so, with the prefix always.
 */
#include "preload/address.h"
#include "preload/client.h"
#include "preload/decide.h"
#include "preload/memory.h"
#include "preload/remote.h"
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/signatures.h"
#include "preload/undecide.h"
#include "preload/wrappers.h"

#include <stddef.h>

static int listen_by(int descriptor, int backlog, bool always)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file != NULL)
        return (int)result_finish(file, file_listen(file, backlog), before);
    int result;
    if (settings.present && remote_listen(descriptor, backlog, &result))
        return (int)result_give(result, before);
    result = decide_listen(descriptor, backlog, always);
    if (result != DECIDE_KERNEL)
        return (int)result_give(result, before);
    if (signatures_kernel_lacks(descriptor))
        return (int)result_give(-ENOPROTOOPT, before);
    errno = before;
    return real.listen(descriptor, backlog);
}

int daytona_listen(int descriptor, int backlog)
{
    return listen_by(descriptor, backlog, true);
}

int ruled_listen(int descriptor, int backlog)
{
    return listen_by(descriptor, backlog, false);
}

/* Like Linux: how the socket is comes before what is wrong with an address of a family. */
static int connect_file(struct file *file, const struct sockaddr *address, socklen_t length)
{
    struct daytona_endpoint remote;
    int wrong = address_read(address, length, file_domain(file), &remote);
    if (wrong == -EFAULT || length < sizeof address->sa_family ||
        length > sizeof(struct sockaddr_storage) || address->sa_family == AF_UNSPEC)
        return wrong;
    int result = file_connect(file, wrong < 0 ? NULL : &remote);
    return result == -EDESTADDRREQ ? wrong : result;
}

/* The kernel has something to say about another one, whatever the socket is. */
static bool is_address(const struct sockaddr *address, socklen_t length)
{
    return length >= sizeof address->sa_family && length <= sizeof(struct sockaddr_storage) &&
           memory_can_be_read(address, length);
}

/* The socket has become Daytona's by an attempt that has failed already. */
static int undecide_failed(int descriptor, int result)
{
    struct file *file = result < 0 ? file_get(descriptor) : NULL;
    if (file != NULL)
        undecide(file, descriptor, result);
    file_put(file);
    return result;
}

static int connect_by(int descriptor, const struct sockaddr *address, socklen_t length, bool always)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file != NULL)
        return (int)result_finish(
            file, undecide(file, descriptor, connect_file(file, address, length)), before);
    int result;
    if (settings.engine == SETTINGS_ENGINE_PROCESS && is_address(address, length) &&
        client_connect_again(descriptor, &result))
        return (int)result_give(result, before);
    result = decide_connect(descriptor, address, length, always);
    if (result != DECIDE_KERNEL)
        return (int)result_give(undecide_failed(descriptor, result), before);
    if (signatures_kernel_lacks(descriptor))
        return (int)result_give(-ENOPROTOOPT, before);
    errno = before;
    return real.connect(descriptor, address, length);
}

int daytona_connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
    return connect_by(descriptor, address, length, true);
}

int ruled_connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
    return connect_by(descriptor, address, length, false);
}
