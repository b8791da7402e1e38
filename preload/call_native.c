/*
 * call_native.c - the calls that are carried out on the descriptor itself, by the kernel or by a
 * thread of the C library: the socket becomes bridged, and its twin has the data. On anything else
 * than a Daytona connection they are the C library's.
 */
#include "preload/bridge.h"
#include "preload/process.h"
#include "preload/result.h"
#include "preload/wrappers.h"

#include <fcntl.h>
#include <paths.h>
#include <stddef.h>
#include <unistd.h>

static void make_bridged(int descriptor)
{
    int before = errno;
    bridge_descriptor(descriptor);
    errno = before;
}

ssize_t daytona_splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t length,
                       unsigned int flags)
{
    make_bridged(in);
    make_bridged(out);
    return real.splice(in, in_offset, out, out_offset, length, flags);
}

/* With the offset -1 these are readv() and writev(), and with others ESPIPE. */
ssize_t daytona_preadv2(int descriptor, const struct iovec *parts, int count, off_t offset,
                        int flags)
{
    make_bridged(descriptor);
    return real.preadv2(descriptor, parts, count, offset, flags);
}

ssize_t daytona_pwritev2(int descriptor, const struct iovec *parts, int count, off_t offset,
                         int flags)
{
    make_bridged(descriptor);
    return real.pwritev2(descriptor, parts, count, offset, flags);
}

/* The C library's threads read and write for these. */
int daytona_aio_read(struct aiocb *control)
{
    make_bridged(control->aio_fildes);
    return real.aio_read(control);
}

int daytona_aio_write(struct aiocb *control)
{
    make_bridged(control->aio_fildes);
    return real.aio_write(control);
}

int daytona_lio_listio(int mode, struct aiocb *const *list, int count, struct sigevent *event)
{
    for (int i = 0; i < count; i++)
        if (list[i] != NULL)
            make_bridged(list[i]->aio_fildes);
    return real.lio_listio(mode, list, count, event);
}

/* The C library's ends the parent by a call that nobody sees. */
int daytona_daemon(int keep_folder, int keep_streams)
{
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child > 0)
        daytona__exit(0);
    if (setsid() < 0 || (keep_folder == 0 && chdir("/") < 0))
        return -1;
    if (keep_streams != 0)
        return 0;
    int empty = open(_PATH_DEVNULL, O_RDWR);
    if (empty < 0)
        return -1;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        daytona_dup2(empty, fd);
    if (empty > STDERR_FILENO)
        daytona_close(empty);
    return 0;
}
