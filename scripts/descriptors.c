#include "scripts/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

void descriptors_silence(int descriptor)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        close(descriptor);
        return;
    }
    if (null != descriptor) {
        dup2(null, descriptor);
        close(null);
    }
}

static bool is_kept(const int *kept, size_t count, int descriptor)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i] == descriptor)
            return true;
    return false;
}

void descriptors_keep_only(const int *kept, size_t count)
{
    DIR *listing = opendir("/proc/self/fd");
    if (listing == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        int descriptor = atoi(entry->d_name);
        if (descriptor > 2 && descriptor != dirfd(listing) && !is_kept(kept, count, descriptor))
            close(descriptor);
    }
    closedir(listing);
}
