/*
 * locate.h - where the shared library is, seen from the running tool.
 */
#ifndef DAYTONA_SCRIPTS_LOCATE_H
#define DAYTONA_SCRIPTS_LOCATE_H

#include <limits.h>

/** The absolute path of libdaytona.so: beside the tool (build directory), or in PREFIX/lib when
 *  the tool is in PREFIX/libexec/daytona or PREFIX/lib/daytona. -ENOENT. */
int locate_library(char path[PATH_MAX]);

#endif
