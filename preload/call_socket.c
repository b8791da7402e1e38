/*
 * call_socket.c - the calls that make sockets, take connections and tell their ends.
 */
#include "preload/address.h"
#include "preload/descriptors.h"
#include "preload/memory.h"
#include "preload/native.h"
#include "preload/remote.h"
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/undecide.h"
#include "preload/wrappers.h"

#include <stddef.h>

/* A socket is the kernel's until listen() or connect() decides. */
int daytona_socket(int domain, int type, int protocol)
{
    int descriptor = descriptors_new(real.socket(domain, type, protocol));
    native_forget(descriptor);
    return descriptor;
}

/* A Daytona socket is bound already: by bind() before the decision, or by the decision. What else
 * is wrong Linux says first: another socket, which is not bound, is asked. */
static int refuse_bind(int domain, const struct sockaddr *address, socklen_t length)
{
    int asked = real.socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (asked < 0)
        return -EINVAL;
    int error = real.bind(asked, address, length) < 0 ? errno : EINVAL;
    real.close(asked);
    return error == EADDRINUSE ? -EINVAL : -error;
}

int daytona_bind(int descriptor, const struct sockaddr *address, socklen_t length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file != NULL)
        return (int)result_finish(file, refuse_bind(file_domain(file), address, length), before);
    int result = real.bind(descriptor, address, length);
    if (result < 0 && errno == EINVAL && settings.present && remote_is_twin(descriptor))
        return (int)result_give(refuse_bind(AF_INET, address, length), before);
    return result;
}

static int accept_file(struct file *file, int descriptor, struct sockaddr *address,
                       socklen_t *length, int flags)
{
    struct daytona_endpoint remote;
    if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0)
        return -EINVAL;
    int result = file_accept(file, descriptor, flags, &remote);
    if (result < 0)
        return result;
    int status = address_check_room(address, length, true);
    if (status < 0) { /* Linux, too, has lost the connection then */
        daytona_close(result);
        return status;
    }
    struct file *accepted = file_get(result);
    if (accepted != NULL)
        address_write(&remote, file_domain(file), address, length);
    else if (address != NULL) /* a client by IPv6 */
        real.getpeername(result, address, length);
    file_put(accepted);
    return result;
}

int daytona_accept(int descriptor, struct sockaddr *address, socklen_t *length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL && settings.present)
        return descriptors_new(remote_accept(descriptor, address, length, 0));
    if (file == NULL)
        return descriptors_new(real.accept(descriptor, address, length));
    return (int)result_finish(file, accept_file(file, descriptor, address, length, 0), before);
}

int daytona_accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL && settings.present)
        return descriptors_new(remote_accept(descriptor, address, length, flags));
    if (file == NULL)
        return descriptors_new(real.accept4(descriptor, address, length, flags));
    return (int)result_finish(file, accept_file(file, descriptor, address, length, flags), before);
}

int daytona_shutdown(int descriptor, int how)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL) {
        bool valid = how == SHUT_RD || how == SHUT_WR || how == SHUT_RDWR;
        int result =
            valid && native_is_known(descriptor) ? remote_check_shutdown(descriptor, how) : 0;
        return result < 0 ? (int)result_give(result, before) : real.shutdown(descriptor, how);
    }
    return (int)result_finish(file, undecide(file, descriptor, file_shutdown(file, how)), before);
}

static int tell_end(struct file *file, bool remote, struct sockaddr *address, socklen_t *length)
{
    struct daytona_endpoint end;
    int result = file_endpoints(file, remote ? NULL : &end, remote ? &end : NULL);
    if (result >= 0)
        result = address_check_room(address, length, false);
    if (result >= 0)
        address_write(&end, file_domain(file), address, length);
    return result;
}

/* A twin of another process's engine has the name of a connection. */
static int name_natively(int (*call)(int, struct sockaddr *, socklen_t *), bool peer,
                         int descriptor, struct sockaddr *address, socklen_t *length)
{
    static const struct daytona_endpoint nowhere;
    bool known = settings.present && memory_can_be_read(length, sizeof *length);
    socklen_t room = known ? *length : 0;
    int result = call(descriptor, address, length), before = errno;
    if (result < 0 || room < sizeof address->sa_family || address->sa_family != AF_UNIX)
        return result;
    if (remote_name(descriptor, peer, address, &room, &result)) {
        *length = room;
        return (int)result_give(result, before);
    }
    if (!peer && remote_is_twin(descriptor)) {
        address_write(&nowhere, AF_INET, address, &room);
        *length = room;
    }
    return result;
}

int daytona_getsockname(int descriptor, struct sockaddr *address, socklen_t *length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return name_natively(real.getsockname, false, descriptor, address, length);
    return (int)result_finish(file, tell_end(file, false, address, length), before);
}

int daytona_getpeername(int descriptor, struct sockaddr *address, socklen_t *length)
{
    int before = errno;
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return name_natively(real.getpeername, true, descriptor, address, length);
    return (int)result_finish(file, tell_end(file, true, address, length), before);
}
