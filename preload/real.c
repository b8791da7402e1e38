#include "preload/real.h"

#include "preload/attributes.h"
#include "preload/raw.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a call of this type returns when it fails. */
#define FAILURE(type) _Generic((type){0}, FILE * : NULL, sighandler_t : SIG_ERR, default : -1)

/*
 * Before real_resolve() has run, each member points to a function of the same type that looks up
 * everything and then makes the call. So no path through a wrapper tests for a null pointer,
 * and there is no moment at which a call can be lost.
 */
#define CALL(family, type, name, parameters, arguments)                                            \
    static type first_##name parameters                                                            \
    {                                                                                              \
        real_resolve();                                                                            \
        if (real.name != first_##name)                                                             \
            return real.name arguments;                                                            \
        errno = ENOSYS;                                                                            \
        return FAILURE(type);                                                                      \
    }
#define CALL_VOID(family, name, parameters, arguments)                                             \
    static void first_##name parameters                                                            \
    {                                                                                              \
        real_resolve();                                                                            \
        if (real.name != first_##name)                                                             \
            real.name arguments;                                                                   \
    }
#define CALL_NO_RETURN(family, name, parameters, arguments)                                        \
    static void first_##name parameters                                                            \
    {                                                                                              \
        real_resolve();                                                                            \
        if (real.name != first_##name)                                                             \
            real.name arguments;                                                                   \
        syscall(SYS_exit_group, status);                                                           \
    }
#define CALL_VARIADIC(family, type, name, parameters, last, arguments)                             \
    static type first_##name parameters                                                            \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        real_resolve();                                                                            \
        if (real.name != first_##name)                                                             \
            return real.name arguments;                                                            \
        errno = ENOSYS;                                                                            \
        return FAILURE(type);                                                                      \
    }
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments)              \
    CALL(CHECKED, type, name, parameters, arguments)
#define CALL_LIST(type, name, parameters, last, wrapper)
#define CALL_ALIAS(alias, name)
#include "preload/calls.def"
#undef CALL
#undef CALL_VOID
#undef CALL_NO_RETURN
#undef CALL_VARIADIC
#undef CALL_CHECKED

struct real_calls real = {
#define CALL(family, type, name, parameters, arguments)                .name = first_##name,
#define CALL_VOID(family, name, parameters, arguments)                 .name = first_##name,
#define CALL_NO_RETURN(family, name, parameters, arguments)            .name = first_##name,
#define CALL_VARIADIC(family, type, name, parameters, last, arguments) .name = first_##name,
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments)              \
    .name = first_##name,
#include "preload/calls.def"
#undef CALL
#undef CALL_VOID
#undef CALL_NO_RETURN
#undef CALL_VARIADIC
#undef CALL_CHECKED
};

/*
 * dlsym() may allocate, and the allocator may itself be preloaded and read a file while it
 * starts. Those calls arrive while the table is being filled and go straight to the kernel.
 */
static ssize_t early(long number, int descriptor, const void *data, size_t length)
{
    union {
        const void *data;
        long word;
    } place = {.data = data};
    const long words[6] = {descriptor, place.word, (long)length};
    long result = raw_call(number, words);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

static ssize_t early_read(int descriptor, void *data, size_t length)
{
    return early(SYS_read, descriptor, data, length);
}

static ssize_t early_write(int descriptor, const void *data, size_t length)
{
    return early(SYS_write, descriptor, data, length);
}

static int early_close(int descriptor)
{
    return (int)early(SYS_close, descriptor, NULL, 0);
}

static void store(void *member, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found != NULL)
        __atomic_store_n((void **)member, found, __ATOMIC_RELAXED);
}

void real_resolve(void)
{
    static ATTRIBUTE_THREAD bool resolving;
    if (resolving)
        return;
    resolving = true;
    if (real.read == first_read) {
        real.read = early_read;
        real.write = early_write;
        real.close = early_close;
    }
#define CALL(family, type, name, parameters, arguments)                store(&real.name, #name);
#define CALL_VOID(family, name, parameters, arguments)                 store(&real.name, #name);
#define CALL_NO_RETURN(family, name, parameters, arguments)            store(&real.name, #name);
#define CALL_VARIADIC(family, type, name, parameters, last, arguments) store(&real.name, #name);
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments)              \
    store(&real.name, #name);
#include "preload/calls.def"
    resolving = false;
}
