#include "preload/memory.h"

#include "preload/attributes.h"
#include "preload/raw.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_BYTES ((uintptr_t)4096)
#define WORD_BYTES ((uintptr_t)8)

/* Linux 5.14; the C library may be older. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

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

static uintptr_t page_of(uintptr_t address)
{
    return address & ~(PAGE_BYTES - 1);
}

/* The kernel writes a byte of noise where another one will be written anyway; it is put back. */
static bool byte_can_be_written(char *byte)
{
    if (!memory_can_be_read(byte, 1))
        return false;
    char kept = *byte;
    const long words[6] = {(long)byte, 1, 0};
    if (raw_call(SYS_getrandom, words) != 1)
        return false;
    *byte = kept;
    return true;
}

/* Where the kernel does not know how to make pages be there, or they are a device's. */
static bool each_can_be_written(char *start, size_t length)
{
    for (size_t at = 0; at < length; at += PAGE_BYTES)
        if (!byte_can_be_written(start + at))
            return false;
    return byte_can_be_written(start + length - 1);
}

/* A sandbox may kill who makes a call that is rare: none is made in one. Asked once. */
static bool may_copy(void)
{
    static atomic_int answer; /* 0: not asked yet, 1: yes, -1: no */
    int now = atomic_load_explicit(&answer, memory_order_relaxed);
    if (now == 0) {
        const long words[6] = {PR_GET_SECCOMP};
        now = raw_call(SYS_prctl, words) == SECCOMP_MODE_DISABLED ? 1 : -1;
        atomic_store_explicit(&answer, now, memory_order_relaxed);
    }
    return now > 0;
}

#define COPIED_AT_ONCE 64 /* pages */

/* The kernel copies a byte of each page to where nobody looks. For many pages this takes a tenth of
 * the time that madvise() takes. What it cannot copy, and why, is not told: madvise() says it. */
static bool pages_were_copied(char *page, size_t left)
{
    char nowhere[COPIED_AT_ONCE];
    struct iovec bytes[COPIED_AT_ONCE];
    const long self = raw_call(SYS_getpid, (const long[6]){0});
    while (left > 0) {
        size_t count = 0;
        for (; left > 0 && count < COPIED_AT_ONCE; left--, page += PAGE_BYTES) {
            bytes[count].iov_base = page;
            bytes[count++].iov_len = 1;
        }
        const struct iovec sink = {nowhere, count};
        const long words[6] = {self, (long)bytes, (long)count, (long)&sink, 1, 0};
        if (raw_call(SYS_process_vm_writev, words) != (long)count)
            return false;
    }
    return true;
}

#define COPIED_FROM 5 /* pages, from where on this is quicker than one madvise() */

static bool pages_are_read(char *pointer, size_t length)
{
    size_t before = (uintptr_t)pointer % PAGE_BYTES;
    size_t count = (before + length + PAGE_BYTES - 1) / PAGE_BYTES;
    return count >= COPIED_FROM && may_copy() && pages_were_copied(pointer - before, count);
}

/* The pages are to be there: the kernel makes them, as it would for the bytes, or says why not. */
static bool pages_are_there(void *pointer, size_t length, bool written)
{
    uintptr_t start = page_of((uintptr_t)pointer);
    uintptr_t end = page_of((uintptr_t)pointer + length + PAGE_BYTES - 1);
    if (!written && pages_are_read(pointer, length))
        return true;
    const long words[6] = {(long)start, (long)(end - start),
                           written ? MADV_POPULATE_WRITE : MADV_POPULATE_READ};
    long result = raw_call(SYS_madvise, words);
    if (result == 0 || result == -ENOMEM || result == -EFAULT)
        return result == 0;
    return written ? each_can_be_written(pointer, length) : memory_can_be_read(pointer, length);
}

bool memory_can_be_written(void *pointer, size_t length)
{
    return length == 0 ||
           (!memory_is_bad(pointer, length) && pages_are_there(pointer, length, true));
}

#define KNOWN_MAX 4 /* places that a thread uses in turn, as with readv() */

/* By what is done to them: read, written. */
static ATTRIBUTE_THREAD struct {
    struct {
        uintptr_t start, end;
    } places[KNOWN_MAX];
    unsigned last;
} known[2];

bool memory_is_known(const void *pointer, size_t length, bool written)
{
    uintptr_t address = (uintptr_t)pointer;
    for (unsigned i = 0; i < KNOWN_MAX; i++) {
        uintptr_t start = known[written].places[i].start, end = known[written].places[i].end;
        if (address >= start && address < end && length <= end - address)
            return true;
    }
    return length == 0;
}

bool memory_can_be_used(void *pointer, size_t length, bool written)
{
    if (memory_is_known(pointer, length, written))
        return true;
    if (memory_is_bad(pointer, length) || !pages_are_there(pointer, length, written))
        return false;
    unsigned place = ++known[written].last % KNOWN_MAX;
    known[written].places[place].start = page_of((uintptr_t)pointer);
    known[written].places[place].end = page_of((uintptr_t)pointer + length + PAGE_BYTES - 1);
    return true;
}
