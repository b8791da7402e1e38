/*
 * call_stdio.c - the calls that put stdio on a descriptor. A stream reads and writes with the C
 * library's own calls, which no preload sees: the socket becomes bridged, so that they find its
 * data in the twin.
 */
#include "preload/bridge.h"
#include "preload/result.h"
#include "preload/wrappers.h"

static void make_bridged(int descriptor)
{
    int before = errno;
    bridge_descriptor(descriptor);
    errno = before;
}

FILE *daytona_fdopen(int descriptor, const char *mode)
{
    make_bridged(descriptor);
    return real.fdopen(descriptor, mode);
}

int daytona_vdprintf(int descriptor, const char *format, va_list list)
{
    make_bridged(descriptor);
    return real.vdprintf(descriptor, format, list);
}

int daytona___vdprintf_chk(int descriptor, int flag, const char *format, va_list list)
{
    make_bridged(descriptor);
    return real.__vdprintf_chk(descriptor, flag, format, list);
}
