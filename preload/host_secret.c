#include "preload/host_secret.h"

#include "preload/real.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_trustworthy(int file)
{
    struct stat status;
    return fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 && status.st_size == HOST_SECRET_BYTES;
}

bool host_secret_read(const char *path, uint8_t out[HOST_SECRET_BYTES])
{
    memset(out, 0, HOST_SECRET_BYTES);
    int file = path[0] == '\0' ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return false;
    bool good =
        is_trustworthy(file) && real.read(file, out, HOST_SECRET_BYTES) == HOST_SECRET_BYTES;
    real.close(file);
    if (!good)
        memset(out, 0, HOST_SECRET_BYTES);
    return good;
}
