#include "scripts/locate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int locate_library(char path[PATH_MAX])
{
    static const char *const places[] = {"libdaytona.so", "../../lib/libdaytona.so",
                                         "../libdaytona.so"};
    char own[PATH_MAX];
    char candidate[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return -ENOENT;
    own[length] = '\0';
    char *slash = strrchr(own, '/');
    if (slash == NULL)
        return -ENOENT;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(candidate, sizeof candidate, "%s/%s", own, places[i]);
        if (realpath(candidate, path) != NULL)
            return 0;
    }
    return -ENOENT;
}
