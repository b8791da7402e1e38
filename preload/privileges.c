#include "preload/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The bounding set, and with it what any program executed from here could get. */
static void empty_bounds(void)
{
    for (unsigned long capability = 0; capability <= CAP_LAST_CAP; capability++)
        if (capability != CAP_NET_RAW)
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int keep_raw_sockets(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    data[CAP_TO_INDEX(CAP_NET_RAW)].permitted = CAP_TO_MASK(CAP_NET_RAW);
    data[CAP_TO_INDEX(CAP_NET_RAW)].effective = CAP_TO_MASK(CAP_NET_RAW);
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

static int become(uid_t user, gid_t group)
{
    if (geteuid() != 0)
        return 0; /* started with capabilities alone */
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
        setresuid(user, user, user) < 0)
        return -errno;
    return 0;
}

int privileges_drop(uid_t user, gid_t group, char *message, size_t size)
{
    empty_bounds();
    int status = become(user, group);
    if (status == 0)
        status = keep_raw_sockets();
    if (status == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        status = -errno;
    /* What is in memory is other people's data. */
    if (status == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        status = -errno;
    if (status < 0)
        snprintf(message, size, "the server cannot give up its privileges: %s", strerror(-status));
    return status;
}

int privileges_forbid_calls(char *message, size_t size)
{
    (void)message;
    (void)size;
    return 0;
}
