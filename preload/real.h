/*
 * real.h - the functions behind the intercepted names: the C library's, or those of the next
 * library that interposes the same call.
 *
 * All code of this library reaches the kernel through `real`, never through the plain name, which
 * is our own wrapper.
 */
#ifndef DAYTONA_PRELOAD_REAL_H
#define DAYTONA_PRELOAD_REAL_H

#include <aio.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/** One member per row of calls.def. Every member can be called at any time: one that has
 *  not been looked up yet looks itself up. A call that the C library does not have fails with
 *  ENOSYS. */
struct real_calls {
#define CALL(family, type, name, parameters, arguments)                type(*name) parameters;
#define CALL_VOID(family, name, parameters, arguments)                 void(*name) parameters;
#define CALL_NO_RETURN(family, name, parameters, arguments)            void(*name) parameters;
#define CALL_VARIADIC(family, type, name, parameters, last, arguments) type(*name) parameters;
#define CALL_CHECKED(type, name, parameters, arguments, fits, plain, plain_arguments)              \
    type(*name) parameters;
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
};

extern struct real_calls real;

/** Looks up every member. Called by the library's constructor and, should anything call earlier, by
 *  that first call. May run in several threads at once: each writes the same. */
void real_resolve(void);

#endif
