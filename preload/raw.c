#include "preload/raw.h"

#include <dlfcn.h>
#include <errno.h>

#if defined __x86_64__

long raw_call(long number, const long *words)
{
    long result;
    register long fourth __asm__("r10") = words[3];
    register long fifth __asm__("r8") = words[4];
    register long sixth __asm__("r9") = words[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(words[0]), "S"(words[1]), "d"(words[2]), "r"(fourth),
                       "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined __aarch64__

long raw_call(long number, const long *words)
{
    register long call __asm__("x8") = number;
    register long first __asm__("x0") = words[0];
    register long second __asm__("x1") = words[1];
    register long third __asm__("x2") = words[2];
    register long fourth __asm__("x3") = words[3];
    register long fifth __asm__("x4") = words[4];
    register long sixth __asm__("x5") = words[5];
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return first;
}

#else

/* Elsewhere the C library's, which lies behind ours. */
long raw_call(long number, const long *words)
{
    static long (*next)(long, ...);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    long result = next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
    return result == -1 ? -errno : result;
}

#endif
