/*
 * call_raw.c - syscall(): a program's own system calls on sockets go the way of the C library's.
 */
#include "preload/engine.h"
#include "preload/process.h"
#include "preload/raw.h"
#include "preload/result.h"
#include "preload/settings.h"
#include "preload/wrappers.h"

#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>

#define WORDS 6 /* that a system call takes at most */

static void *pointer(long word)
{
    union {
        long word;
        void *pointer;
    } place = {.word = word};
    return place.pointer;
}

static bool moves_data(long number, const long *a, long *result)
{
    int fd = (int)a[0];
    size_t length = (size_t)a[2];
    switch (number) {
    case SYS_read:
        *result = daytona_read(fd, pointer(a[1]), length);
        return true;
    case SYS_readv:
        *result = daytona_readv(fd, pointer(a[1]), (int)a[2]);
        return true;
    case SYS_recvfrom:
        *result =
            daytona_recvfrom(fd, pointer(a[1]), length, (int)a[3], pointer(a[4]), pointer(a[5]));
        return true;
    case SYS_recvmsg:
        *result = daytona_recvmsg(fd, pointer(a[1]), (int)a[2]);
        return true;
    case SYS_write:
        *result = daytona_write(fd, pointer(a[1]), length);
        return true;
    case SYS_writev:
        *result = daytona_writev(fd, pointer(a[1]), (int)a[2]);
        return true;
    case SYS_sendto:
        *result =
            daytona_sendto(fd, pointer(a[1]), length, (int)a[3], pointer(a[4]), (socklen_t)a[5]);
        return true;
    case SYS_sendmsg:
        *result = daytona_sendmsg(fd, pointer(a[1]), (int)a[2]);
        return true;
    case SYS_sendfile:
        *result = daytona_sendfile(fd, (int)a[1], pointer(a[2]), (size_t)a[3]);
        return true;
    default:
        return false;
    }
}

static bool concerns_socket(long number, const long *a, long *result)
{
    int fd = (int)a[0];
    switch (number) {
    case SYS_connect:
        *result = ruled_connect(fd, pointer(a[1]), (socklen_t)a[2]);
        return true;
    case SYS_listen:
        *result = ruled_listen(fd, (int)a[1]);
        return true;
    case SYS_accept:
        *result = daytona_accept(fd, pointer(a[1]), pointer(a[2]));
        return true;
    case SYS_accept4:
        *result = daytona_accept4(fd, pointer(a[1]), pointer(a[2]), (int)a[3]);
        return true;
    case SYS_shutdown:
        *result = daytona_shutdown(fd, (int)a[1]);
        return true;
    case SYS_getsockname:
        *result = daytona_getsockname(fd, pointer(a[1]), pointer(a[2]));
        return true;
    case SYS_getpeername:
        *result = daytona_getpeername(fd, pointer(a[1]), pointer(a[2]));
        return true;
    case SYS_getsockopt:
        *result = daytona_getsockopt(fd, (int)a[1], (int)a[2], pointer(a[3]), pointer(a[4]));
        return true;
    case SYS_setsockopt:
        *result = daytona_setsockopt(fd, (int)a[1], (int)a[2], pointer(a[3]), (socklen_t)a[4]);
        return true;
    default:
        return false;
    }
}

static bool changes_descriptors(long number, const long *a, long *result)
{
    int fd = (int)a[0];
    switch (number) {
    case SYS_close:
        *result = daytona_close(fd);
        return true;
    case SYS_close_range:
        *result = daytona_close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
        return true;
    case SYS_dup:
        *result = daytona_dup(fd);
        return true;
    case SYS_dup3:
        *result = daytona_dup3(fd, (int)a[1], (int)a[2]);
        return true;
    case SYS_fcntl:
        *result = daytona_fcntl(fd, (int)a[1], pointer(a[2]));
        return true;
    case SYS_ioctl:
        *result = daytona_ioctl(fd, (unsigned long)a[1], pointer(a[2]));
        return true;
    case SYS_epoll_ctl:
        *result = daytona_epoll_ctl(fd, (int)a[1], (int)a[2], pointer(a[3]));
        return true;
    case SYS_ppoll:
        *result = daytona_ppoll(pointer(a[0]), (nfds_t)a[1], pointer(a[2]), pointer(a[3]));
        return true;
    default:
        return false;
    }
}

/* Whatever holds no Daytona socket has no business here: these calls are the C library's, too, on
 * its way into the wrappers. */
/* What the child does with its descriptors is not to be seen here. */
static void prepare_clone(long number, const long *a)
{
#ifdef SYS_fork
    if (number == SYS_fork || number == SYS_vfork)
        process_clone_prepare();
#endif
    if (number == SYS_clone3 || (number == SYS_clone && (a[0] & CLONE_FILES) == 0))
        process_clone_prepare();
}

long daytona_syscall_list(long number, va_list list)
{
    long words[WORDS], result;
    for (size_t i = 0; i < WORDS; i++)
        words[i] = va_arg(list, long);
    bool may_concern_us = settings.present && !engine_is_thread();
    if (may_concern_us &&
        (moves_data(number, words, &result) || concerns_socket(number, words, &result) ||
         changes_descriptors(number, words, &result)))
        return result;
    if (may_concern_us)
        prepare_clone(number, words);
    result = raw_call(number, words);
    if (result < 0 && result >= -4095) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
