/*
 * memory.h - judges pointers that the application gives, so that a bad one is answered with
 * EFAULT as the kernel answers it, and not with a crash inside a wrapper.
 */
#ifndef DAYTONA_PRELOAD_MEMORY_H
#define DAYTONA_PRELOAD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Whether `length` bytes at `pointer` can never be a program's memory: in the first page, or
 *  beyond the half of the address space that belongs to programs. Costs no system call: for
 *  the data path. */
static inline bool memory_is_bad(const void *pointer, size_t length)
{
    uintptr_t start = (uintptr_t)pointer;
    return length != 0 && (start < 4096 || start > (uintptr_t)INTPTR_MAX ||
                           length > (uintptr_t)INTPTR_MAX - start);
}

/** Whether a part of them is beyond that half. Linux looks at this before it does anything. */
static inline bool memory_is_outside(const void *pointer, size_t length)
{
    uintptr_t start = (uintptr_t)pointer;
    return length != 0 && (start > (uintptr_t)INTPTR_MAX || length > (uintptr_t)INTPTR_MAX - start);
}

/** Whether the kernel can read the bytes; one system call per page, of a kind that every
 *  sandbox allows. For calls that are not made per packet. */
bool memory_can_be_read(const void *pointer, size_t length);

/** Whether the kernel can write to the bytes, which may be anything afterwards until they are
 * written to. One system call. */
bool memory_can_be_written(void *pointer, size_t length);

/** The same for calls that come again and again with the same memory: no system call when
 *  this thread's last answer, which was yes, was about the same pages. */
bool memory_can_be_read_again(const void *pointer, size_t length);

/** Whether bytes are known to be memory that can be read, or written to: their pages are among the
 *  last ones that this thread found to be. No system call. */
bool memory_is_known(const void *pointer, size_t length, bool written);

/** memory_is_known(), or else finds out: for the data path. A few system calls. */
bool memory_can_be_used(void *pointer, size_t length, bool written);

#endif
