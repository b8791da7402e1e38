#include "iptables_rules/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int owner_parse_stat(const char *text, char *state, uint64_t *start)
{
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return -EINVAL;
    at += 2; /* field 3, the state */
    *state = *at;
    for (int field = 3; field < 22; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return -EINVAL;
        at++;
    }
    char *end = NULL;
    *start = strtoull(at, &end, 10);
    return end == at ? -EINVAL : 0;
}

/** Reads a short file whole, terminated. Returns its length or -errno. */
static int read_short(const char *path, char *text, size_t size)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    ssize_t length = read(descriptor, text, size - 1);
    int result = length < 0 ? -errno : (int)length;
    close(descriptor);
    text[length > 0 ? length : 0] = '\0';
    return result;
}

/** Whether the numbers in /proc are those of this process's pid namespace. They are not after
 *  unshare(CLONE_NEWPID) without a new /proc. */
static bool proc_is_ours(void)
{
    char text[32];
    ssize_t length = readlink("/proc/self", text, sizeof text - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    return strtol(text, NULL, 10) == getpid();
}

static int read_stat(int pid, char *state, uint64_t *start)
{
    char path[48];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int length = read_short(pid == getpid() ? "/proc/self/stat" : path, text, sizeof text);
    return length < 0 ? length : owner_parse_stat(text, state, start);
}

static int own_pid_namespace(uint64_t *inode)
{
    struct stat status;
    if (stat("/proc/self/ns/pid", &status) < 0)
        return -ENOSYS;
    *inode = status.st_ino;
    return 0;
}

int owner_identify(int pid, struct owner *out)
{
    char state = '\0';
    *out = (struct owner){.pid = pid};
    int result = own_pid_namespace(&out->pid_namespace);
    if (result < 0)
        return result;
    if (pid != getpid() && !proc_is_ours())
        return -ENOSYS;
    if (read_stat(pid, &state, &out->start) < 0 || state == 'Z' || state == 'X')
        return -ESRCH;
    return 0;
}

bool owner_equal(const struct owner *a, const struct owner *b)
{
    return a->pid_namespace == b->pid_namespace && a->pid == b->pid && a->start == b->start;
}

enum owner_life owner_judge(const struct owner *owner)
{
    uint64_t here = 0;
    if (own_pid_namespace(&here) < 0 || here != owner->pid_namespace || !proc_is_ours())
        return OWNER_UNKNOWN;
    char state = '\0';
    uint64_t start = 0;
    if (read_stat(owner->pid, &state, &start) < 0) {
        /* A /proc mounted with hidepid hides living processes of others. */
        bool exists = kill(owner->pid, 0) == 0 || errno == EPERM;
        return exists ? OWNER_UNKNOWN : OWNER_DEAD;
    }
    if (start != owner->start || state == 'Z' || state == 'X')
        return OWNER_DEAD;
    return OWNER_ALIVE;
}

void owner_format(const struct owner *owner, char text[OWNER_TEXT_MAX])
{
    snprintf(text, OWNER_TEXT_MAX, "%" PRIu64 ".%d.%" PRIu64, owner->pid_namespace, owner->pid,
             owner->start);
}

/** One decimal number at *at, which moves behind it. */
static bool parse_number(const char **at, uint64_t max, uint64_t *out)
{
    if (**at < '0' || **at > '9')
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(*at, &end, 10);
    if (errno != 0 || number > max)
        return false;
    *at = end;
    *out = number;
    return true;
}

int owner_parse(const char *text, struct owner *out)
{
    const char *at = text;
    uint64_t pid = 0;
    if (!parse_number(&at, UINT64_MAX, &out->pid_namespace) || *at++ != '.')
        return -EINVAL;
    if (!parse_number(&at, INT32_MAX, &pid) || *at++ != '.')
        return -EINVAL;
    if (!parse_number(&at, UINT64_MAX, &out->start) || *at == '.')
        return -EINVAL;
    out->pid = (int)pid;
    return (int)(at - text);
}
