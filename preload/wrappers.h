/*
 * wrappers.h - prototypes of the wrappers, one per row of calls.def: daytona_socket() and so on.
 * Those a program may call itself are explained in <daytona/sockets.h>.
 */
#ifndef DAYTONA_PRELOAD_WRAPPERS_H
#define DAYTONA_PRELOAD_WRAPPERS_H

#include "preload/attributes.h"
#include "preload/real.h"

#include <daytona/sockets.h>

#define CALL(family, type, name, parameters, arguments)                                            \
    ATTRIBUTE_PUBLIC type daytona_##name parameters;
#define CALL_VOID(family, name, parameters, arguments)                                             \
    ATTRIBUTE_PUBLIC void daytona_##name parameters;
#define CALL_NO_RETURN(family, name, parameters, arguments)                                        \
    ATTRIBUTE_PUBLIC void daytona_##name parameters;
#define CALL_VARIADIC(family, type, name, parameters, last, arguments)                             \
    ATTRIBUTE_PUBLIC type daytona_##name parameters;
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments)
#define CALL_LIST(type, name, parameters, last, wrapper)
#define CALL_ALIAS(alias, name)
#include "preload/calls.def"
#undef CALL
#undef CALL_VOID
#undef CALL_NO_RETURN
#undef CALL_VARIADIC
#undef CALL_CHECKED
#undef CALL_LIST
#undef CALL_ALIAS

/** execl and its kin, whose words are listed up to a NULL; execle's environment follows it. */
int daytona_execl_list(const char *path, const char *word, va_list list);
int daytona_execlp_list(const char *file, const char *word, va_list list);
int daytona_execle_list(const char *path, const char *word, va_list list);

/** syscall(): the words of the system call follow its number. */
long daytona_syscall_list(long number, va_list list);

/** listen and connect under the C library's names: Daytona's when the port rules say so. */
int ruled_listen(int descriptor, int backlog);
int ruled_connect(int descriptor, const struct sockaddr *address, socklen_t length);

#endif
