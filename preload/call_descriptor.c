/*
 * call_descriptor.c - the calls that make, move and end descriptors, whoever's they are: a
 * number that is closed or taken over may have been a Daytona socket's.
 */
#include "preload/descriptors.h"
#include "preload/result.h"
#include "preload/wrappers.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>

int daytona_close(int descriptor)
{
    int before = errno;
    return (int)result_give(descriptors_close(descriptor), before);
}

int daytona_close_range(unsigned int first, unsigned int last, int flags)
{
    int before = errno;
    return (int)result_give(descriptors_close_range(first, last, (unsigned)flags), before);
}

void daytona_closefrom(int first)
{
    int before = errno;
    descriptors_close_range(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0);
    errno = before;
}

int daytona_dup(int descriptor)
{
    int before = errno;
    return (int)result_give(descriptors_dup(descriptor), before);
}

int daytona_dup2(int descriptor, int target)
{
    int before = errno;
    return (int)result_give(descriptors_dup3(descriptor, target, 0, true), before);
}

int daytona_dup3(int descriptor, int target, int flags)
{
    int before = errno;
    return (int)result_give(descriptors_dup3(descriptor, target, flags, false), before);
}

int daytona_fcntl(int descriptor, int command, ...)
{
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    int before = errno;
    int number = (int)(intptr_t)argument;
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return (int)result_give(descriptors_dup_above(descriptor, command, number), before);
    if (descriptors_protected(descriptor))
        return (int)result_give(-EBADF, before);
    struct file *file = command == F_SETFL ? file_get(descriptor) : NULL;
    if (file == NULL)
        return real.fcntl(descriptor, command, argument);
    return (int)result_finish(file, file_set_flags(file, descriptor, number), before);
}
