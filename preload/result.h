/*
 * result.h - the one place where a negative errno becomes errno and -1. Every wrapper ends here.
 */
#ifndef DAYTONA_PRELOAD_RESULT_H
#define DAYTONA_PRELOAD_RESULT_H

#include "preload/file.h"

#include <errno.h>

/** The C library's way to say `result` (0 or more, or -errno): errno is what it was before the
 * call, `before`, when it succeeds. */
static inline ssize_t result_give(ssize_t result, int before)
{
    errno = result < 0 ? (int)-result : before;
    return result < 0 ? -1 : result;
}

/** The same at the end of a call on `file`, which is put back. */
static inline ssize_t result_finish(struct file *file, ssize_t result, int before)
{
    file_put(file);
    return result_give(result, before);
}

#endif
