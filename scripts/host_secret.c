#include "scripts/host_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define VARIABLE     "DAYTONA_HOST_SECRET"
#define SECRET_BYTES 16

static bool write_secret(const char *path)
{
    unsigned char secret[SECRET_BYTES];
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool written = getrandom(secret, sizeof secret, 0) == (ssize_t)sizeof secret &&
                   write(file, secret, sizeof secret) == (ssize_t)sizeof secret;
    return close(file) == 0 && written;
}

void host_secret_offer(const char *state_directory)
{
    char path[PATH_MAX], draft[PATH_MAX];
    unsetenv(VARIABLE);
    if (snprintf(path, sizeof path, "%s/secret", state_directory) >= (int)sizeof path ||
        snprintf(draft, sizeof draft, "%s/secret.%d", state_directory, (int)getpid()) >=
            (int)sizeof draft)
        return;
    /* Under its name it is whole from the first moment, and the first one stays. */
    bool there = access(path, F_OK) == 0;
    if (!there) {
        there = write_secret(draft) && (link(draft, path) == 0 || errno == EEXIST);
        unlink(draft);
    }
    if (there)
        setenv(VARIABLE, path, 1);
}
