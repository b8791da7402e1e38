/*
 * names.c - the C library's names, each a jump to its wrapper. The shared library shows them; in
 * libdaytona.a they are local, so that a program which links it keeps its own read() and write().
 *
 * The functions have a name of their own in C and the intercepted one as their symbol, because the
 * system's headers declare some of them with types that no definition can repeat (accept's address
 * is a transparent union).
 */
#include "preload/wrappers.h"

#include <stdarg.h>
#include <stdbool.h>

/* Where a family's names lead. */
#define TO_SOCKET(name)     daytona_##name
#define TO_DECIDE(name)     ruled_##name
#define TO_OPTIONS(name)    daytona_##name
#define TO_DATA(name)       daytona_##name
#define TO_READY(name)      daytona_##name
#define TO_DESCRIPTOR(name) daytona_##name
#define TO_STDIO(name)      daytona_##name
#define TO_EXEC(name)       daytona_##name
#define TO_PROCESS(name)    daytona_##name
#define TO_SIGNAL(name)     daytona_##name
#define TO_NATIVE(name)     daytona_##name

#define CALL(family, type, name, parameters, arguments)                                            \
    ATTRIBUTE_PUBLIC type names_##name parameters ATTRIBUTE_SYMBOL(#name);                         \
    type names_##name parameters                                                                   \
    {                                                                                              \
        return TO_##family(name) arguments;                                                        \
    }
#define CALL_VOID(family, name, parameters, arguments)                                             \
    ATTRIBUTE_PUBLIC void names_##name parameters ATTRIBUTE_SYMBOL(#name);                         \
    void names_##name parameters                                                                   \
    {                                                                                              \
        daytona_##name arguments;                                                                  \
    }
#define CALL_NO_RETURN(family, name, parameters, arguments)                                        \
    ATTRIBUTE_PUBLIC _Noreturn void names_##name parameters ATTRIBUTE_SYMBOL(#name);               \
    void names_##name parameters                                                                   \
    {                                                                                              \
        daytona_##name arguments;                                                                  \
        for (;;)                                                                                   \
            ;                                                                                      \
    }
#define CALL_VARIADIC(family, type, name, parameters, last, arguments)                             \
    ATTRIBUTE_PUBLIC type names_##name parameters ATTRIBUTE_SYMBOL(#name);                         \
    type names_##name parameters                                                                   \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        void *argument = va_arg(list, void *);                                                     \
        va_end(list);                                                                              \
        return daytona_##name arguments;                                                           \
    }
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments)              \
    ATTRIBUTE_PUBLIC type names_##name parameters ATTRIBUTE_SYMBOL(#name);                         \
    type names_##name parameters                                                                   \
    {                                                                                              \
        bool within = fits;                                                                        \
        return within ? daytona_##plain plain_arguments : real.name arguments;                     \
    }
#define CALL_LIST(type, name, parameters, last, wrapper)                                           \
    ATTRIBUTE_PUBLIC type names_##name parameters ATTRIBUTE_SYMBOL(#name);                         \
    type names_##name parameters                                                                   \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, last);                                                                      \
        type result = wrapper;                                                                     \
        va_end(list);                                                                              \
        return result;                                                                             \
    }
#define CALL_ALIAS(alias, name)                                                                    \
    ATTRIBUTE_PUBLIC extern __typeof(names_##name) names_##alias ATTRIBUTE_SYMBOL(#alias)          \
        ATTRIBUTE_ALIAS(#name);
#include "preload/calls.def"
