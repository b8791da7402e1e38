#include "preload/heritage.h"

#include "preload/real.h"
#include "preload/remote.h"
#include "preload/twin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#define KEPT_MAX   32
#define KEPT_BYTES 4096

/* A copy: programs that change their title write over the original. */
static char strings[KEPT_BYTES];
static char *kept[KEPT_MAX];
static size_t kept_count;

static bool begins_with(const char *word, const char *beginning)
{
    return strncmp(word, beginning, strlen(beginning)) == 0;
}

static bool is_wanted(const char *word)
{
    return begins_with(word, "LD_PRELOAD=") || begins_with(word, "DAYTONA_");
}

void heritage_keep(char *const *environment)
{
    size_t used = 0, count = 0;
    for (; *environment != NULL; environment++) {
        if (!is_wanted(*environment))
            continue;
        size_t length = strlen(*environment) + 1;
        if (count == KEPT_MAX || length > sizeof strings - used)
            return;
        memcpy(strings + used, *environment, length);
        kept[count++] = strings + used;
        used += length;
    }
    kept_count = count;
}

static size_t count_words(char *const *environment)
{
    size_t count = 0;
    while (environment != NULL && environment[count] != NULL)
        count++;
    return count;
}

static bool has_name_of(char *const *environment, const char *variable)
{
    size_t length = (size_t)(strchr(variable, '=') + 1 - variable);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
        if (strncmp(environment[i], variable, length) == 0)
            return true;
    return false;
}

static bool lacks_any(char *const *environment)
{
    for (size_t i = 0; i < kept_count; i++)
        if (!has_name_of(environment, kept[i]))
            return true;
    return false;
}

static bool listener_goes_along(void)
{
    for (int fd = 0; fd <= remote_last_looked_at(); fd++) {
        int flags = real.fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0 && twin_is_listener(fd))
            return true;
    }
    return false;
}

size_t heritage_words(char *const *environment)
{
    int before = errno;
    bool wanted = lacks_any(environment) && listener_goes_along();
    errno = before;
    return wanted ? count_words(environment) + kept_count + 1 : 0;
}

char *const *heritage_add(char *const *environment, char **room, size_t words)
{
    size_t count = 0;
    if (words == 0)
        return environment;
    for (size_t i = 0; i < kept_count; i++)
        if (!has_name_of(environment, kept[i]))
            room[count++] = kept[i];
    for (size_t i = 0; environment != NULL && environment[i] != NULL && count < words - 1; i++)
        room[count++] = environment[i];
    room[count] = NULL;
    return room;
}
