#include "preload/programs.h"

#include "preload/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool programs_has(int folder, const char *path, int flags)
{
    struct stat about;
    int saved = errno;
    bool has = path != NULL && memory_can_be_read(path, 1) &&
               fstatat(folder, path, &about, flags & AT_EMPTY_PATH) == 0 &&
               S_ISREG(about.st_mode) &&
               faccessat(folder, path, X_OK, AT_EACCESS | (flags & AT_EMPTY_PATH)) == 0;
    errno = saved;
    return has;
}

static bool folder_has(const char *folder, size_t length, const char *file)
{
    char path[PATH_MAX];
    size_t name = strlen(file);
    if (length + 1 + name >= sizeof path)
        return false;
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + (length > 0 ? length + 1 : 0), file, name + 1);
    return programs_has(AT_FDCWD, path, 0);
}

bool programs_finds(const char *file)
{
    const char *folders = getenv("PATH");
    if (file == NULL || !memory_can_be_read(file, 1) || *file == '\0' || strchr(file, '/') != NULL)
        return programs_has(AT_FDCWD, file, 0);
    if (folders == NULL)
        folders = "/bin:/usr/bin";
    for (;;) {
        size_t length = strcspn(folders, ":");
        if (folder_has(folders, length, file))
            return true;
        if (folders[length] == '\0')
            return false;
        folders += length + 1;
    }
}
