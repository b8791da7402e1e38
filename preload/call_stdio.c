/*
 * call_stdio.c - the calls that put a stdio stream on a descriptor. A stream reads and writes with
 * the C library's own calls, which no preload sees, and would meet the twin. Better no stream than
 * one with wrong data.
 */
#include "preload/log.h"
#include "preload/result.h"
#include "preload/wrappers.h"

FILE *daytona_fdopen(int descriptor, const char *mode)
{
    struct file *file = file_get(descriptor);
    if (file == NULL)
        return real.fdopen(descriptor, mode);
    log_once(LOG_LEVEL_WARNING,
             "stdio on a Daytona socket is not possible yet: the C library would read and write "
             "descriptor %d past Daytona, so fdopen() fails; leave the port to the kernel's TCP",
             descriptor);
    file_put(file);
    errno = EOPNOTSUPP;
    return NULL;
}
