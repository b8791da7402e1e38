#include "preload/memory.h"

#include "preload/attributes.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES ((uintptr_t)4096)
#define WORD_BYTES ((uintptr_t)8)

/* The kernel reads the signal set before it looks at what to do with it: EFAULT when it cannot,
 * EINVAL for the impossible request when it can. */
static bool word_can_be_read(uintptr_t address)
{
    int saved = errno;
    long result = syscall(SYS_rt_sigprocmask, -1, (address & ~(WORD_BYTES - 1)), 0, WORD_BYTES);
    bool faulted = result != 0 && errno == EFAULT;
    errno = saved;
    return !faulted;
}

bool memory_can_be_read(const void *pointer, size_t length)
{
    uintptr_t address = (uintptr_t)pointer;
    if (length == 0)
        return true;
    if (memory_is_bad(pointer, length))
        return false;
    uintptr_t last = address + length - 1;
    for (; address / PAGE_BYTES < last / PAGE_BYTES; address += PAGE_BYTES)
        if (!word_can_be_read(address))
            return false;
    return word_can_be_read(last);
}

bool memory_can_be_read_again(const void *pointer, size_t length)
{
    static ATTRIBUTE_THREAD uintptr_t known_start, known_end;
    uintptr_t address = (uintptr_t)pointer;
    if (memory_is_bad(pointer, length))
        return false;
    if (address >= known_start && address + length <= known_end)
        return true;
    if (!memory_can_be_read(pointer, length))
        return false;
    known_start = address & ~(PAGE_BYTES - 1);
    known_end = (address + length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    return true;
}
