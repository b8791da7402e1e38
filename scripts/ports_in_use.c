#include "scripts/ports_in_use.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* States of /proc/net/tcp: those of include/net/tcp_states.h. */
enum { STATE_TIME_WAIT = 6, STATE_LISTEN = 10 };

/** "sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...", the addresses in
 *  hexadecimal with a colon before the port. The heading does not fit. */
static bool parse_row(const char *row, struct kernel_socket *out)
{
    unsigned port = 0;
    unsigned state = 0;
    int got = sscanf(row, " %*u: %*32[0-9A-F]:%4x %*32[0-9A-F]:%*4x %2x %*s %*s %*s %*u %*u %lu",
                     &port, &state, &out->inode);
    out->port = (uint16_t)port;
    out->listening = state == STATE_LISTEN;
    return got == 3 && port > 0 && state != STATE_TIME_WAIT;
}

static int read_table(const char *path, bool ipv6,
                      void (*each)(void *context, const struct kernel_socket *), void *context)
{
    char row[512];
    struct kernel_socket found = {.ipv6 = ipv6};
    FILE *table = fopen(path, "re");
    if (table == NULL)
        return -errno;
    while (fgets(row, sizeof row, table) != NULL)
        if (parse_row(row, &found))
            each(context, &found);
    fclose(table);
    return 0;
}

int ports_in_use(void (*each)(void *context, const struct kernel_socket *), void *context)
{
    int result = read_table("/proc/net/tcp", false, each, context);
    int ipv6 = result < 0 ? result : read_table("/proc/net/tcp6", true, each, context);
    return ipv6 == -ENOENT ? 0 : ipv6; /* a kernel without IPv6 */
}

/** Whether the process has a descriptor whose link reads `wanted`. */
static bool has_descriptor(const char *pid, const char *wanted)
{
    char path[300];
    char link[64];
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *listing = opendir(path);
    bool found = false;
    if (listing == NULL)
        return false;
    for (const struct dirent *entry; !found && (entry = readdir(listing)) != NULL;) {
        ssize_t length = readlinkat(dirfd(listing), entry->d_name, link, sizeof link - 1);
        if (length <= 0)
            continue;
        link[length] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    closedir(listing);
    return found;
}

static void read_name(const char *pid, char name[32])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, name, 31);
    if (file >= 0)
        close(file);
    name[length > 0 ? length : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

int ports_find_owner(const struct kernel_socket *socket, char name[32])
{
    char wanted[64];
    int pid = 0;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", socket->inode);
    DIR *listing = opendir("/proc");
    name[0] = '\0';
    if (listing == NULL)
        return 0;
    for (const struct dirent *entry; pid == 0 && (entry = readdir(listing)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !has_descriptor(entry->d_name, wanted))
            continue;
        pid = atoi(entry->d_name);
        read_name(entry->d_name, name);
    }
    closedir(listing);
    return pid;
}
